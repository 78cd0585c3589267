//! What do tests of the loop run in? A context before an API server that a test makes up.

use super::{Context, Index, Memory, Name, WorkQueue, queue};
use crate::api::ConnectorCredential;
use crate::args::SecretWatch;
use crate::clock::{Clock, SystemClock};
use crate::config::Settings;
use crate::leader::Fence;
use crate::metrics::Metrics;
use crate::probe::{Limits, Prober};
use futures::FutureExt as _;
use http::{Method, Request, Response};
use kube::client::Body;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

pub(super) fn name(name: &str) -> Name {
    Name::new("data", name)
}

/// A credential that declares these outputs, younger by its number.
pub(super) fn declaring(name: &str, age: u8, outputs: &[&str]) -> ConnectorCredential {
    let outputs: Vec<_> = outputs.iter().map(|output| json!({"secretName": output})).collect();
    let object = json!({
        "apiVersion": "connector-operator.io/v1alpha1", "kind": "ConnectorCredential",
        "metadata": {
            "name": name, "namespace": "data", "uid": name, "generation": 1, "resourceVersion": "1",
            "creationTimestamp": format!("2026-03-01T00:00:{age:02}Z"),
        },
        "spec": {"provider": {"zenflow": {}}, "keySecretRef": {"name": "source"}, "outputs": outputs},
    });
    serde_json::from_value(object).unwrap()
}

/// An API server that answers everything in this way.
pub(super) fn client<F>(answer: impl Fn() -> F + Send + 'static) -> kube::Client
where
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let service = tower::service_fn(move |_: Request<Body>| answer().map(Ok::<_, Infallible>));
    kube::Client::new(service, "data")
}

/// What is asked of an API server: the method, the object's name, and whether its metadata would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) name: String,
    pub(super) metadata: bool,
    pub(super) body: Value,
}

/// One that answers each request in its own way, and what it was asked.
pub(super) fn recording(
    answer: impl Fn(&Asked) -> (u16, Value) + Send + Sync + 'static,
) -> (kube::Client, Arc<Mutex<Vec<Asked>>>) {
    let (told, answer) = (Arc::<Mutex<Vec<Asked>>>::default(), Arc::new(answer));
    let all = Arc::clone(&told);
    let service = tower::service_fn(move |request: Request<Body>| {
        let (told, answer) = (Arc::clone(&told), Arc::clone(&answer));
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect_bytes().await.expect("it is in memory");
            let accept = head.headers.get(http::header::ACCEPT).and_then(|accept| accept.to_str().ok());
            let asked = Asked {
                method: head.method,
                name: head.uri.path().rsplit('/').next().unwrap_or_default().to_owned(),
                metadata: accept.is_some_and(|accept| accept.contains("PartialObjectMetadata")),
                body: serde_json::from_slice(&body).unwrap_or_default(),
            };
            let (code, mut object) = answer(&asked);
            if asked.metadata && code == 200 {
                object = json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": object["metadata"]});
            }
            told.lock().unwrap().push(asked);
            let answer = Response::builder().status(code).body(Body::from(object.to_string().into_bytes()));
            Ok::<_, Infallible>(answer.expect("an answer"))
        }
    });
    (kube::Client::new(service, "data"), all)
}

/// What it answers when it refuses.
pub(super) fn refusal(code: u16, reason: &str) -> (u16, Value) {
    (code, json!({"kind": "Status", "status": "Failure", "reason": reason, "code": code, "message": ""}))
}

/// What names this credential as its owner.
pub(super) fn owned_by(uid: &str) -> Value {
    json!([{"apiVersion": "connector-operator.io/v1alpha1", "kind": "ConnectorCredential", "name": uid, "uid": uid,
        "controller": true}])
}

/// One that never answers.
pub(super) fn silence() -> kube::Client {
    client(std::future::pending)
}

pub(super) fn waiting() -> Arc<WorkQueue> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    Arc::new(WorkQueue::new(Arc::clone(&clock), Arc::new(Metrics::new(clock, 1))))
}

pub(super) fn context(client: kube::Client) -> Context {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let sites = Arc::new(Settings::default());
    let (events, _) = queue();
    Context {
        client,
        index: Arc::new(Index::default()),
        memory: Arc::new(Memory::new().unwrap()),
        prober: Prober::new(Arc::clone(&sites), Arc::clone(&clock), Limits::for_concurrency(64)).unwrap(),
        sites,
        events,
        metrics: Arc::new(Metrics::new(Arc::clone(&clock), 64)),
        fence: Fence::open(Arc::clone(&clock)),
        leading_since: clock.now(),
        clock,
        secret_watch: SecretWatch::Metadata,
        concurrency: 64,
    }
}
