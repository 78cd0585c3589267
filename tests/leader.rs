//! Does one replica lead at a time, whatever happens to the Lease, the others and the API server?

use std::sync::Arc;
use std::time::Duration;

use connector_operator::clock::{Clock, SystemClock};
use connector_operator::leader::{Candidate, LEASE, Leadership, Timing, acquire};
use connector_operator::metrics::{Exposition, Metrics};
use connector_operator::{kubernetes, leader};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::support::await_object::await_object;
use crate::support::bed::{Bed, bed};

/// The product's lease and deadline, so that a machine may stand still for some seconds; it looks more often.
const TIMING: Timing = Timing {
    lease: Duration::from_secs(15),
    renew_deadline: Duration::from_secs(10),
    retry: Duration::from_millis(250),
};
const LIMIT: Duration = Duration::from_secs(60);

/// A namespace with a Lease, and the rights that leader election needs, in it.
struct Stage {
    bed: Bed,
    namespace: String,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    config: kube::Config,
}

impl Stage {
    async fn set(prefix: &str) -> Self {
        let bed = bed().await;
        let namespace = bed.namespace(prefix).await;
        let kubeconfig = bed.service_account(&namespace, "operator").await.expect("a token is granted");
        grant(&bed, &namespace).await;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let metrics = Arc::new(Metrics::new(Arc::clone(&clock), 1));
        let config = kubernetes::config(Some(&kubeconfig), None).await.expect("the kubeconfig is complete");
        Self { bed, namespace, clock, metrics, config }
    }

    fn candidate(&self) -> Candidate {
        self.candidate_of(kubernetes::client(self.config.clone(), &self.metrics).expect("TLS is set up"))
    }

    fn candidate_of(&self, client: kube::Client) -> Candidate {
        Candidate::new(client, &self.namespace, Arc::clone(&self.clock)).with_timing(TIMING)
    }

    async fn leader(&self) -> Leadership {
        lead(self.candidate()).await
    }

    fn leases(&self) -> Api<Lease> {
        self.bed.api(&self.namespace)
    }

    async fn holder(&self) -> Option<String> {
        let lease = self.leases().get(LEASE).await.expect("the lease is there");
        lease.spec.and_then(|spec| spec.holder_identity)
    }
}

async fn lead(candidate: Candidate) -> Leadership {
    let stop = CancellationToken::new();
    let leading = timeout(LIMIT, acquire(candidate, &stop)).await;
    leading.expect("it leads in time").expect("nobody stops it")
}

/// Exactly get, create and update on leases.
async fn grant(bed: &Bed, namespace: &str) {
    let role: Role = from(json!({
        "metadata": {"name": "operator"},
        "rules": [{"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "create", "update"]}],
    }));
    let binding: RoleBinding = from(json!({
        "metadata": {"name": "operator"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "operator"},
        "subjects": [{"kind": "ServiceAccount", "name": "operator", "namespace": namespace}],
    }));
    let post = PostParams::default();
    bed.api(namespace).create(&post, &role).await.expect("the administrator may grant");
    bed.api(namespace).create(&post, &binding).await.expect("the administrator may grant");
}

fn from<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("a valid object")
}

#[tokio::test]
async fn one_candidate_of_several_leads() {
    let stage = Stage::set("one-leads").await;
    let (first, second) = (stage.candidate(), stage.candidate());
    let names = [first.identity().to_owned(), second.identity().to_owned()];
    let stop = CancellationToken::new();
    let both = [first, second].map(|candidate| {
        let stop = stop.clone();
        tokio::spawn(async move { acquire(candidate, &stop).await })
    });
    let lease = await_object(&stage.leases(), LEASE, LIMIT, |_| true).await.expect("one creates it");
    let holder = lease.spec.and_then(|spec| spec.holder_identity).expect("it has a holder");
    assert!(names.contains(&holder), "{holder}");
    // Longer than the lease: the holder renews, the other waits.
    let elected = timeout(TIMING.lease * 3 / 2, futures::future::join_all(both)).await;
    assert!(elected.is_err(), "the other must not lead");
    assert_eq!(stage.holder().await, Some(holder));
    stop.cancel();
}

#[tokio::test]
async fn a_holder_that_falls_silent_is_followed_after_the_lease_only() {
    let stage = Stage::set("silent").await;
    let silent = stage.leader().await;
    let fence = silent.fence();
    assert!(fence.holds() && fence.confirm().await);
    let began = stage.clock.monotonic();
    drop(silent);
    let next = stage.leader().await;
    let waited = stage.clock.monotonic().saturating_sub(began);
    assert!(waited >= TIMING.lease.saturating_sub(TIMING.retry), "it followed after {waited:?}");
    assert!(!fence.holds() && !fence.confirm().await, "the fence of the first is closed");
    assert!(next.fence().holds());
    let lease = stage.leases().get(LEASE).await.expect("the lease is there");
    assert_eq!(lease.spec.and_then(|spec| spec.lease_transitions), Some(1));
}

#[tokio::test]
async fn a_release_hands_over_at_once() {
    let stage = Stage::set("handover").await;
    for _ in 0..5 {
        let first = stage.leader().await;
        let waiting = tokio::spawn(lead(stage.candidate()));
        let began = stage.clock.monotonic();
        first.release().await;
        let next = waiting.await.expect("it does not panic");
        let waited = stage.clock.monotonic().saturating_sub(began);
        assert!(waited < TIMING.lease * 3 / 4, "it followed after {waited:?}");
        next.release().await;
        assert_eq!(stage.holder().await, None, "a clean end leaves no holder");
    }
}

#[tokio::test]
async fn a_stolen_lease_is_noticed() {
    let stage = Stage::set("stolen").await;
    let leading = stage.leader().await;
    let thief = Patch::Merge(json!({"spec": {"holderIdentity": "thief"}}));
    stage.leases().patch(LEASE, &PatchParams::default(), &thief).await.expect("the administrator may");
    let fence = leading.fence();
    assert!(!fence.confirm().await, "the fence sees it before any renewal does");
    timeout(LIMIT, leading.lost()).await.expect("it is noticed");
    assert!(!fence.holds());
    leading.release().await;
    assert_eq!(stage.holder().await.as_deref(), Some("thief"), "what is not ours is not released");
}

#[tokio::test]
async fn a_deleted_lease_is_lost() {
    let stage = Stage::set("deleted").await;
    let leading = stage.leader().await;
    stage.leases().delete(LEASE, &DeleteParams::default()).await.expect("the administrator may");
    timeout(LIMIT, leading.lost()).await.expect("it is noticed");
    assert!(!leading.fence().holds());
}

#[tokio::test]
async fn a_foreign_change_of_metadata_does_not_end_leadership() {
    let stage = Stage::set("annotated").await;
    let leading = stage.leader().await;
    let note = Patch::Merge(json!({"metadata": {"annotations": {"note": "hello"}}}));
    stage.leases().patch(LEASE, &PatchParams::default(), &note).await.expect("the administrator may");
    timeout(TIMING.renew_deadline * 3 / 2, leading.lost()).await.expect_err("it goes on");
    assert!(leading.fence().holds());
    leading.release().await;
    assert_eq!(stage.holder().await, None);
}

#[tokio::test]
async fn an_api_server_that_hangs_ends_leadership_in_time() {
    let stage = Stage::set("hangs").await;
    let (gate, hangs) = (CancellationToken::new(), CancellationToken::new());
    let upstream = kubernetes::client(stage.config.clone(), &stage.metrics).expect("TLS is set up");
    let client = gated(upstream, gate.clone(), hangs.clone());
    let leading = lead(stage.candidate_of(client)).await;
    gate.cancel();
    timeout(LIMIT, hangs.cancelled()).await.expect("it renews");
    let fence = leading.fence();
    tokio::time::sleep(TIMING.renew_deadline).await;
    assert!(!fence.holds(), "the fence is closed at the deadline");
    timeout(LIMIT, leading.lost()).await.expect("it is told");
    // The Lease still names it: others wait on, so nobody worked beside it.
    assert!(stage.holder().await.is_some());
}

#[tokio::test]
async fn a_candidate_stops_when_told_to() {
    let stage = Stage::set("stops").await;
    let _leading = stage.leader().await;
    let stop = CancellationToken::new();
    let candidate = stage.candidate();
    let waiting = tokio::spawn({
        let stop = stop.clone();
        async move { acquire(candidate, &stop).await.is_none() }
    });
    stop.cancel();
    assert!(timeout(TIMING.retry * 8, waiting).await.expect("at once").expect("it does not panic"));
}

#[tokio::test]
async fn requests_to_the_api_server_are_counted() {
    let stage = Stage::set("counted").await;
    stage.leader().await.release().await;
    let text = stage.metrics.expose(Exposition::Prometheus);
    let host = stage.bed.plane.url().replace("https://", "");
    for (code, method) in [("404", "GET"), ("201", "POST"), ("200", "PUT")] {
        let line = format!("rest_client_requests_total{{code=\"{code}\",method=\"{method}\",host=\"{host}\"}} 1\n");
        assert!(text.contains(&line), "{line} is not in {text}");
    }
}

#[test]
fn without_an_election_the_fence_is_open() {
    assert!(leader::Fence::open(Arc::new(SystemClock::new())).holds());
}

/// A client whose requests hang once `gate` is shut; `hangs` tells of the first.
fn gated(upstream: kube::Client, gate: CancellationToken, hangs: CancellationToken) -> kube::Client {
    let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
        let (upstream, gate, hangs) = (upstream.clone(), gate.clone(), hangs.clone());
        async move {
            if gate.is_cancelled() {
                hangs.cancel();
                std::future::pending::<()>().await;
            }
            upstream.send(request).await
        }
    });
    kube::Client::new(service, "default")
}
