//! A visit that panics costs itself: the loop goes on, others are served, and so is it once the cause is gone.
//!
//! In process, because no switch in the released binary makes it panic.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use connector_operator::args::SecretWatch;
use connector_operator::clock::{Clock, SystemClock};
use connector_operator::controller::{
    Context, Gate, Index, Known, Memory, Objects, Pulse, Watches, WorkQueue, queue, send, work,
};
use connector_operator::leader::Fence;
use connector_operator::metrics::Metrics;
use connector_operator::probe::{Limits, Prober};
use connector_operator::{config, kubernetes};
use kube::Client;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::controller::cast;
use crate::support::logged::Logged;
use crate::support::stage::{SOON, Stage};

/// Visits of one credential that panic, one after the other.
const PANICS: usize = 3;

/// Requests whose path ends so panic while `left` is above zero, with a text that quotes a key.
fn explosive(upstream: Client, path: &str, (left, key): (Arc<AtomicUsize>, &str)) -> Client {
    let (path, key) = (path.to_owned(), key.to_owned());
    let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
        let (upstream, left, key) = (upstream.clone(), Arc::clone(&left), key.clone());
        let explodes = request.uri().path().ends_with(&path);
        async move {
            let one_less = |left: usize| left.checked_sub(1);
            let due = explodes && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok();
            assert!(!due, "a test's panic about {key}");
            upstream.send(request).await
        }
    });
    Client::new(service, "default")
}

/// What panics in this process, and its end.
struct Poisoned {
    key: String,
    /// Visits that read the source.
    visits: Arc<AtomicUsize>,
    /// Events that are written.
    events: Arc<AtomicUsize>,
    stop: CancellationToken,
}

/// The operator's loop in this process, put together as `run` does.
async fn operate(stage: Arc<Stage>, poisoned: Arc<Poisoned>, secret: String) {
    let Poisoned { key, visits, events, stop } = &*poisoned;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let metrics = Arc::new(Metrics::new(Arc::clone(&clock), 4));
    let kubeconfig = stage.bed.plane.operator_kubeconfig().await.expect("the account exists");
    let cluster = kubernetes::config(Some(&kubeconfig), None).await.expect("the kubeconfig is complete");
    let client = kubernetes::client(cluster, &metrics).expect("TLS is set up");
    let sites = config::Settings::parse(&stage.simulator.config_yaml()).expect("it is ours");
    let sites = Arc::new(sites);
    let prober =
        Prober::new(Arc::clone(&sites), Arc::clone(&clock), Limits::for_concurrency(4)).expect("TLS is set up");
    let (teller, tidings) = queue();
    let telling = explosive(client.clone(), "/events", (Arc::clone(events), key));
    tokio::spawn(send(telling, tidings, Arc::clone(&clock), "test".to_owned()));
    let pulse = Arc::new(Pulse::new(Arc::clone(&clock)));
    let index: Arc<Index> = Arc::default();
    let memory = Arc::new(Memory::new().expect("there is randomness"));
    let waiting = Arc::new(WorkQueue::new(Arc::clone(&clock), Arc::clone(&metrics)));
    let (gate, known) = (Gate::before(&waiting), Known::default());
    let objects: Arc<Objects> = Arc::default();
    let namespace = Some(stage.namespace.clone());
    let watches = Watches {
        client: client.clone(),
        namespace: namespace.clone(),
        index: Arc::clone(&index),
        gate: gate.clone(),
        pulse: Arc::clone(&pulse),
        known: known.clone(),
        memory: Arc::clone(&memory),
        objects: Arc::clone(&objects),
    };
    tokio::spawn(watches.clone().secrets());
    tokio::spawn(watches.credentials());
    let ctx = Arc::new(Context {
        client: explosive(client, &format!("/secrets/{secret}"), (Arc::clone(visits), key)),
        index: Arc::clone(&index),
        memory,
        sites,
        prober,
        fence: Fence::open(Arc::clone(&clock)),
        leading_since: clock.now(),
        clock,
        events: teller,
        metrics,
        secret_watch: SecretWatch::Metadata,
        concurrency: 1,
    });
    tokio::spawn(work(ctx, (waiting, objects), (pulse, stop.clone())));
    known.wait(SecretWatch::Metadata).await;
    gate.open(|| index.credentials(namespace.as_deref()));
}

/// Waits until so many panics are not left any more.
async fn until_below(number: usize, left: &AtomicUsize) {
    let wait = async {
        while left.load(Ordering::SeqCst) >= number {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, wait).await.expect("it is visited");
}

/// Waits until there is an Event about this credential.
async fn until_told(stage: &Stage, name: &str) {
    let told = async { while stage.events(name).await.is_empty() {} };
    tokio::time::timeout(SOON, told).await.expect("it is told");
}

#[tokio::test(flavor = "multi_thread")]
async fn a29_a_panic_costs_one_visit_and_hinders_nobody() {
    let mut stage = Stage::set("panic").await;
    stage.operator.kill().expect("it runs");
    let poison = cast::flowlu();
    let issued = stage.issue(poison.new_key());
    let poisoned = Arc::new(Poisoned {
        key: issued.key.clone(),
        visits: Arc::new(AtomicUsize::new(PANICS)),
        events: Arc::new(AtomicUsize::new(1)),
        stop: CancellationToken::new(),
    });
    let (log, stage) = (Logged::default(), Arc::new(stage));
    let runtime = log.runtime();
    let operating = operate(Arc::clone(&stage), Arc::clone(&poisoned), poison.source());
    runtime.spawn(operating).await.expect("it starts");
    stage.put_secret(&poison.source(), &[("api-key", &issued.key)]).await;
    stage.declare(poison.name, poison.spec()).await;
    // One visit at a time: had a panic taken it along, or held it up, nobody would be served any more.
    for (number, act) in [cast::inflow(), cast::zenflow(), cast::aventri()].into_iter().enumerate() {
        until_below(PANICS - number, &poisoned.visits).await;
        let issued = stage.issue(act.new_key());
        stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
        let since = Instant::now();
        stage.declare(act.name, act.spec()).await;
        stage.until_ready(act.name).await;
        assert!(since.elapsed() < SOON, "{} waited for whoever panics", act.name);
        let untouched = stage.credentials().get(poison.name).await.expect("it is declared");
        assert!(untouched.status.is_none_or(|status| status.conditions.is_empty()), "nothing was found out about it");
        // A change wakes it, in vain but for the last time.
        stage.declare(poison.name, poison.spec_with("description", json!(format!("Once more: {number}")))).await;
    }
    stage.until_ready(poison.name).await;
    // The first Event was lost with the task that wrote it, and none but that.
    until_below(1, &poisoned.events).await;
    for act in [cast::zenflow(), cast::aventri()] {
        until_told(&stage, act.name).await;
    }
    poisoned.stop.cancel();
    runtime.shutdown_background();
    let text = log.text();
    let panics = String::from_utf8_lossy(&text).matches("the visit panicked").count();
    assert_eq!(panics, PANICS, "each is one line of the log");
    std::fs::write(stage.directory().join("log-of-the-test"), text).expect("it can be written to");
    Arc::into_inner(stage).expect("nobody else plays").finish().await;
}
