//! When does the kubelet restart the process? Not while it waits, for whatever reason; but soon once a loop is stuck.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use connector_operator::admin::Health as _;
use connector_operator::clock::Clock;
use connector_operator::controller::{Known, Memory, Pulse, Watches, store, triggers};
use connector_operator::metrics::Metrics;
use http::{Request, Response};
use jiff::Timestamp;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

const HOUR: Duration = Duration::from_secs(3600);

/// The runtime's paused time.
#[derive(Debug)]
struct Paused(Instant);

impl Clock for Paused {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH + self.monotonic()
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}

/// How the API server behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Server {
    Hangs,
    Breaks,
    Answers(u16),
    /// Lists so many credentials.
    Lists(usize),
}

fn credential(number: usize) -> Value {
    json!({
        "apiVersion": "connector-operator.io/v1alpha1", "kind": "ConnectorCredential",
        "metadata": {"name": format!("one-{number}"), "namespace": "data", "uid": format!("uid-{number}")},
        "spec": {"provider": {"zenflow": {}}, "keySecretRef": {"name": "key"}},
    })
}

fn client(server: Server) -> kube::Client {
    let service = tower::service_fn(move |request: Request<Body>| async move {
        let is_watch = request.uri().query().is_some_and(|query| query.contains("watch=true"));
        let (code, body) = match server {
            Server::Hangs => std::future::pending().await,
            Server::Breaks => return Err(std::io::Error::other("no route")),
            Server::Lists(_) if is_watch => std::future::pending().await,
            Server::Answers(code) => {
                (code, json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": ""}))
            }
            Server::Lists(many) => {
                let items: Vec<_> = (0..many).map(credential).collect();
                let (version, kind) = ("connector-operator.io/v1alpha1", "ConnectorCredentialList");
                (
                    200,
                    json!({"apiVersion": version, "kind": kind, "metadata": {"resourceVersion": "1"}, "items": items}),
                )
            }
        };
        let body = serde_json::to_vec(&body).expect("JSON");
        let response = Response::builder().status(code).header("Content-Type", "application/json");
        Ok(response.body(Body::from(body)).expect("a response"))
    });
    kube::Client::new(service, "data")
}

/// Both watches, before this server; the far end of their queue, which nobody reads.
fn watch(server: Server) -> (Arc<Pulse>, impl Sized) {
    let clock: Arc<dyn Clock> = Arc::new(Paused(Instant::now()));
    let pulse = Arc::new(Pulse::new(Arc::clone(&clock)));
    let (mut gate, unread) = triggers(Arc::new(Metrics::new(clock, 64)));
    let watches = Watches {
        client: client(server),
        namespace: None,
        index: Arc::default(),
        gate: gate.clone(),
        pulse: Arc::clone(&pulse),
        known: Known::default(),
        memory: Arc::new(Memory::new().expect("randomness")),
    };
    let (_, writer) = store();
    tokio::spawn(watches.clone().secrets());
    tokio::spawn(watches.credentials(writer));
    tokio::spawn(async move { gate.open(HashSet::new()).await });
    (pulse, unread)
}

#[tokio::test(start_paused = true)]
async fn a33_an_hour_without_the_api_server_or_without_a_right_is_no_dead_loop() {
    for server in [Server::Hangs, Server::Breaks, Server::Answers(500), Server::Answers(429), Server::Answers(403)] {
        let (pulse, _unread) = watch(server);
        let start = Instant::now();
        while start.elapsed() < HOUR {
            sleep(Duration::from_secs(10)).await;
            assert_eq!(pulse.alive(), Ok(()), "{server:?} after {:?}", start.elapsed());
        }
    }
}

/// A queue that nobody reads holds up the watch of credentials for good.
#[tokio::test(start_paused = true)]
async fn a33_a_stuck_loop_is_dead_within_six_minutes() {
    let (pulse, _unread) = watch(Server::Lists(2000));
    let start = Instant::now();
    while pulse.alive().is_ok() {
        sleep(Duration::from_secs(10)).await;
        assert!(start.elapsed() < Duration::from_secs(360), "nobody noticed");
    }
    assert!(start.elapsed() > Duration::from_secs(240), "a moment is no standstill: {:?}", start.elapsed());
    // One that gets through is alive.
    let (pulse, _unread) = watch(Server::Lists(3));
    sleep(HOUR).await;
    assert_eq!(pulse.alive(), Ok(()));
}
