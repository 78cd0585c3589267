//! A visit that panics costs itself: the loop goes on, others are served, and so is it once the cause is gone.
//!
//! In process, because no switch in the released binary makes it panic.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

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
use crate::support::stage::{SOON, Stage};

/// Visits that read this Secret panic while `left` is above zero.
fn explosive(upstream: Client, secret: &str, left: Arc<AtomicUsize>) -> Client {
    let secret = format!("/secrets/{secret}");
    let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
        let (upstream, left) = (upstream.clone(), Arc::clone(&left));
        let explodes = request.uri().path().ends_with(&secret);
        async move {
            let one_less = |left: usize| left.checked_sub(1);
            let due = explodes && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok();
            assert!(!due, "a test's panic");
            upstream.send(request).await
        }
    });
    Client::new(service, "default")
}

/// The operator's loop in this process, put together as `run` does.
async fn operate(stage: &Stage, secret: &str, left: Arc<AtomicUsize>, stop: CancellationToken) {
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
    tokio::spawn(send(client.clone(), tidings, Arc::clone(&clock), "test".to_owned()));
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
        client: explosive(client, secret, left),
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
    tokio::spawn(work(ctx, (waiting, objects), (pulse, stop)));
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

#[tokio::test(flavor = "multi_thread")]
async fn a29_a_panic_costs_one_visit_and_hinders_nobody() {
    let mut stage = Stage::set("panic").await;
    stage.operator.kill().expect("it runs");
    let (stop, left) = (CancellationToken::new(), Arc::new(AtomicUsize::new(2)));
    let poison = cast::flowlu();
    operate(&stage, &poison.source(), Arc::clone(&left), stop.clone()).await;
    let issued = stage.issue(poison.new_key());
    stage.put_secret(&poison.source(), &[("api-key", &issued.key)]).await;
    stage.declare(poison.name, poison.spec()).await;
    until_below(2, &left).await;
    // There is one visit at a time: had the panic taken it along, nobody would be served any more.
    for act in [cast::inflow(), cast::zenflow()] {
        let issued = stage.issue(act.new_key());
        stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
        stage.declare(act.name, act.spec()).await;
        stage.until_ready(act.name).await;
    }
    let untouched = stage.credentials().get(poison.name).await.expect("it is declared");
    assert!(untouched.status.is_none_or(|status| status.conditions.is_empty()), "nothing was found out about it");
    // A change wakes it; once more in vain, then well.
    stage.declare(poison.name, poison.spec_with("description", json!("Once more"))).await;
    until_below(1, &left).await;
    stage.declare(poison.name, poison.spec_with("description", json!("And again"))).await;
    stage.until_ready(poison.name).await;
    stop.cancel();
}
