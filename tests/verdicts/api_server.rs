//! What does the API server do, as far as one visit of the controller sees? Objects in memory with versions, and a
//! count of who asked for what. No admission, no watches: the world asks for what changed.

use http::{Method, Request, Response, StatusCode};
use k8s_openapi::api::core::v1::Secret;
use kube::client::Body;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};
use tower::service_fn;

/// How often the controller did what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Secrets read.
    pub(crate) reads: usize,
    /// Statuses written.
    pub(crate) statuses: usize,
    /// Secrets created, replaced or deleted.
    pub(crate) secrets: usize,
}

#[derive(Default)]
struct State {
    /// By the path of the object.
    objects: BTreeMap<String, Value>,
    version: u64,
    /// Paths of objects that changed since they were asked for.
    changed: Vec<String>,
    counts: Counts,
    /// Paths that nobody but the user may read.
    denied: BTreeSet<String>,
    /// The reply to the next status write that says this is lost.
    lost: Option<&'static str>,
    /// Every key that the controller has ever written into a Secret, by the Secret's path.
    published: Vec<(String, String)>,
    /// Every text that the controller has ever written anywhere but into a Secret's data.
    written: BTreeSet<String>,
}

/// The server.
#[derive(Default)]
pub(crate) struct ApiServer(Mutex<State>);

pub(crate) const NAMESPACE: &str = "data";

pub(crate) fn secret_path(name: &str) -> String {
    format!("/api/v1/namespaces/{NAMESPACE}/secrets/{name}")
}

pub(crate) fn credential_path(name: &str) -> String {
    format!("/apis/connector-operator.io/v1alpha1/namespaces/{NAMESPACE}/connectorcredentials/{name}")
}

impl ApiServer {
    /// A client of this server.
    pub(crate) fn client(self: &Arc<Self>) -> kube::Client {
        let server = Arc::clone(self);
        let service = service_fn(move |request: Request<Body>| {
            let server = Arc::clone(&server);
            async move { Ok::<_, Infallible>(server.answer(request).await) }
        });
        kube::Client::new(service, NAMESPACE)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no test panicked here")
    }

    pub(crate) fn counts(&self) -> Counts {
        self.state().counts
    }

    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        self.state().objects.get(path).cloned()
    }

    /// All objects, as a new list gives them.
    pub(crate) fn all(&self) -> Vec<String> {
        self.state().objects.keys().cloned().collect()
    }

    /// Writes as a user: no count.
    pub(crate) fn put(&self, path: &str, object: Value) {
        self.state().store(path, object);
    }

    /// Takes the controller's right to read this object away, or gives it back; nobody is told.
    pub(crate) fn deny(&self, path: &str, denied: bool) {
        let all = &mut self.state().denied;
        if denied {
            all.insert(path.to_owned())
        } else {
            all.remove(path)
        };
    }

    /// Stores the next status write that says this, and loses the reply.
    pub(crate) fn lose_reply_to(&self, said: &'static str) {
        self.state().lost = Some(said);
    }

    /// Whether a reply that is to be lost was not asked for yet.
    pub(crate) fn has_reply_to_lose(&self) -> bool {
        self.state().lost.is_some()
    }

    /// Deletes as a user.
    pub(crate) fn delete(&self, path: &str) {
        self.state().remove(path);
    }

    /// Every key that the controller has ever written into this Secret.
    pub(crate) fn ever_published(&self, path: &str) -> Vec<String> {
        let all = self.state().published.clone();
        all.into_iter().filter(|(written, _)| written == path).map(|(_, key)| key).collect()
    }

    /// Every text that the controller has ever written anywhere but into a Secret's data, and all that is stored there.
    pub(crate) fn texts(&self) -> BTreeSet<String> {
        let state = self.state();
        let mut texts = state.written.clone();
        for object in state.objects.values() {
            collect(&mut texts, &without_data(object));
        }
        texts
    }

    /// What changed since the last time.
    pub(crate) fn changes(&self) -> Vec<String> {
        std::mem::take(&mut self.state().changed)
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let body = body.collect_bytes().await.expect("bodies are in memory");
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let (code, object) = self.state().act(&head.method, head.uri.path(), body);
        let bytes = serde_json::to_vec(&object).expect("it is JSON");
        let response = Response::builder().status(code).header("Content-Type", "application/json");
        response.body(Body::from(bytes)).expect("a response")
    }
}

impl State {
    fn store(&mut self, path: &str, mut object: Value) -> Value {
        self.version += 1;
        let version = self.version;
        let meta = &mut object["metadata"];
        if meta["uid"].is_null() {
            meta["uid"] = json!(format!("uid-of-{}", path.rsplit('/').next().unwrap_or_default()));
        }
        meta["namespace"] = json!(NAMESPACE);
        meta["resourceVersion"] = json!(version.to_string());
        self.objects.insert(path.to_owned(), object.clone());
        self.changed.push(path.to_owned());
        object
    }

    fn remove(&mut self, path: &str) {
        self.objects.remove(path);
        self.changed.push(path.to_owned());
    }

    fn act(&mut self, method: &Method, path: &str, body: Value) -> (StatusCode, Value) {
        let of_secret = path.contains("/secrets");
        collect(&mut self.written, &without_data(&body));
        match *method {
            Method::GET => {
                self.counts.reads += usize::from(of_secret);
                if self.denied.contains(path) {
                    return refused(403);
                }
                self.objects.get(path).map_or_else(|| refused(404), |found| (StatusCode::OK, found.clone()))
            }
            Method::PATCH if path.ends_with("/status") => self.apply_status(path, &body),
            Method::POST if of_secret => {
                let path = format!("{path}/{}", body["metadata"]["name"].as_str().unwrap_or_default());
                self.counts.secrets += 1;
                if self.objects.contains_key(&path) {
                    return refused(409);
                }
                self.remember(&path, &body);
                (StatusCode::CREATED, self.store(&path, body))
            }
            Method::PUT if of_secret => {
                self.counts.secrets += 1;
                let stored = self.objects.get(path).map(|stored| stored["metadata"]["resourceVersion"].clone());
                if stored != Some(body["metadata"]["resourceVersion"].clone()) {
                    return refused(409);
                }
                self.remember(path, &body);
                (StatusCode::OK, self.store(path, body))
            }
            Method::DELETE if of_secret => {
                self.counts.secrets += 1;
                self.remove(path);
                (StatusCode::OK, json!({"kind": "Status", "apiVersion": "v1", "status": "Success"}))
            }
            _ => refused(405),
        }
    }

    fn remember(&mut self, path: &str, secret: &Value) {
        let data = serde_json::from_value::<Secret>(secret.clone()).ok().and_then(|secret| secret.data);
        if let Some(key) = data.and_then(|mut data| data.remove("api-key")) {
            self.published.push((path.to_owned(), String::from_utf8_lossy(&key.0).into_owned()));
        }
    }

    /// All that the operator owns comes with each apply, so what is not in it goes.
    fn apply_status(&mut self, path: &str, body: &Value) -> (StatusCode, Value) {
        self.counts.statuses += 1;
        let path = path.trim_end_matches("/status");
        let Some(mut object) = self.objects.get(path).cloned() else { return refused(404) };
        let guard = &body["metadata"]["resourceVersion"];
        if !guard.is_null() && *guard != object["metadata"]["resourceVersion"] {
            return refused(409);
        }
        object["status"] = body["status"].clone();
        let stored = self.store(path, object);
        if self.lost.is_some_and(|said| body["status"].to_string().contains(said)) {
            self.lost = None;
            return refused(504);
        }
        (StatusCode::OK, stored)
    }
}

fn refused(code: u16) -> (StatusCode, Value) {
    let reason = match code {
        403 => "Forbidden",
        404 => "NotFound",
        409 => "AlreadyExists",
        504 => "Timeout",
        _ => "MethodNotAllowed",
    };
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": ""});
    (StatusCode::from_u16(code).expect("a code"), status)
}

fn without_data(object: &Value) -> Value {
    let mut object = object.clone();
    object.as_object_mut().map(|members| members.remove("data"));
    object
}

/// The texts in a value that are long enough to hold a key's piece.
fn collect(texts: &mut BTreeSet<String>, value: &Value) {
    match value {
        Value::String(text) if text.len() >= 8 => drop(texts.insert(text.clone())),
        Value::Array(all) => all.iter().for_each(|value| collect(texts, value)),
        Value::Object(all) => all.values().for_each(|value| collect(texts, value)),
        _ => {}
    }
}
