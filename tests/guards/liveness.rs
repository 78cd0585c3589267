//! When does the kubelet restart the process? Not while it waits, for whatever reason; but soon once a loop is stuck.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use connector_operator::admin::Health as _;
use connector_operator::args::SecretWatch;
use connector_operator::clock::Clock;
use connector_operator::config::Settings;
use connector_operator::controller::{Context, Gate, Known, Memory, Name, Pulse, Watches, WorkQueue, queue, work};
use connector_operator::leader::Fence;
use connector_operator::metrics::Metrics;
use connector_operator::probe::{Limits, Prober};
use http::{Request, Response};
use jiff::Timestamp;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

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
}

fn client(server: Server) -> kube::Client {
    let service = tower::service_fn(move |_: Request<Body>| async move {
        let code: u16 = match server {
            Server::Hangs => std::future::pending().await,
            Server::Breaks => return Err(std::io::Error::other("no route")),
            Server::Answers(code) => code,
        };
        let body: Value =
            json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": ""});
        let body = serde_json::to_vec(&body).expect("JSON");
        let response = Response::builder().status(code).header("Content-Type", "application/json");
        Ok(response.body(Body::from(body)).expect("a response"))
    });
    kube::Client::new(service, "data")
}

/// The parts of a process before this server.
struct Parts {
    clock: Arc<dyn Clock>,
    pulse: Arc<Pulse>,
    metrics: Arc<Metrics>,
    queue: Arc<WorkQueue>,
}

impl Parts {
    fn new() -> Self {
        let clock: Arc<dyn Clock> = Arc::new(Paused(Instant::now()));
        let pulse = Arc::new(Pulse::new(Arc::clone(&clock)));
        let metrics = Arc::new(Metrics::new(Arc::clone(&clock), 64));
        let queue = Arc::new(WorkQueue::new(Arc::clone(&clock), Arc::clone(&metrics)));
        Self { clock, pulse, metrics, queue }
    }

    /// Both watches run.
    fn watch(&self, server: Server) {
        let watches = Watches {
            client: client(server),
            namespace: None,
            index: Arc::default(),
            gate: Gate::before(&self.queue),
            pulse: Arc::clone(&self.pulse),
            known: Known::default(),
            memory: Arc::new(Memory::new().expect("randomness")),
            objects: Arc::default(),
        };
        tokio::spawn(watches.clone().secrets());
        tokio::spawn(watches.credentials());
    }

    /// The loop that visits.
    fn work(&self) -> impl Future<Output = ()> + use<> {
        let sites = Arc::new(Settings::default());
        let prober = Prober::new(Arc::clone(&sites), Arc::clone(&self.clock), Limits::for_concurrency(64));
        let (events, _) = queue();
        let ctx = Context {
            client: client(Server::Hangs),
            index: Arc::default(),
            memory: Arc::new(Memory::new().expect("randomness")),
            sites,
            prober: prober.expect("a client"),
            clock: Arc::clone(&self.clock),
            events,
            metrics: Arc::clone(&self.metrics),
            fence: Fence::open(Arc::clone(&self.clock)),
            leading_since: self.clock.now(),
            secret_watch: SecretWatch::Metadata,
            concurrency: 64,
        };
        let ends = (Arc::clone(&self.pulse), CancellationToken::new());
        work(Arc::new(ctx), (Arc::clone(&self.queue), Arc::default()), ends)
    }
}

#[tokio::test(start_paused = true)]
async fn a33_an_hour_without_the_api_server_or_without_a_right_is_no_dead_loop() {
    for server in [Server::Hangs, Server::Breaks, Server::Answers(500), Server::Answers(429), Server::Answers(403)] {
        let parts = Parts::new();
        parts.watch(server);
        let start = Instant::now();
        while start.elapsed() < HOUR {
            sleep(Duration::from_secs(10)).await;
            assert_eq!(parts.pulse.alive(), Ok(()), "{server:?} after {:?}", start.elapsed());
        }
    }
}

/// Buckets are empty, accounts closed: visits end at once and come back later, or there is nobody to visit.
#[tokio::test(start_paused = true)]
async fn a33_an_hour_in_which_nobody_may_be_asked_is_no_dead_loop() {
    let parts = Parts::new();
    tokio::spawn(parts.work());
    let start = Instant::now();
    while start.elapsed() < HOUR {
        if start.elapsed().as_secs() % 600 < 10 {
            parts.queue.ask([Name { namespace: "data".to_owned(), name: "one".to_owned() }]);
        }
        sleep(Duration::from_secs(10)).await;
        assert_eq!(parts.pulse.alive(), Ok(()), "after {:?}", start.elapsed());
    }
}

/// A loop that is not woken any more, for whatever reason, beats no more.
#[tokio::test(start_paused = true)]
async fn a33_a_stuck_loop_is_dead_within_six_minutes() {
    let parts = Parts::new();
    let mut working = Box::pin(parts.work());
    // It works for an hour, and then is not polled.
    assert!(timeout(HOUR, &mut working).await.is_err());
    assert_eq!(parts.pulse.alive(), Ok(()));
    let start = Instant::now();
    while parts.pulse.alive().is_ok() {
        sleep(Duration::from_secs(10)).await;
        assert!(start.elapsed() < Duration::from_secs(360), "nobody noticed");
    }
    assert!(start.elapsed() > Duration::from_secs(240), "a moment is no standstill: {:?}", start.elapsed());
}
