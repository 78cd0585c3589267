//! How did it end? Credentials and Secrets of a namespace, without what differs from one run to the next.

use std::collections::BTreeMap;

use connector_operator::api::ConnectorCredential;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{ApiResource, DynamicObject, ListParams};
use regex::Regex;
use serde_json::{Value, json};

use crate::support::bed::Bed;

/// An object in its normal form, by kind and name.
pub(super) type State = BTreeMap<String, String>;

/// What stands in place of a text, say a key.
pub(super) type Masks = Vec<(String, String)>;

/// The end state: spec and status of each credential; type, labels, owners and decoded data of each Secret.
pub(super) async fn end_state(bed: &Bed, namespace: &str, masks: &Masks) -> State {
    let kind = ApiResource::erase::<ConnectorCredential>(&());
    let credentials: Api<DynamicObject> = Api::namespaced_with(bed.client.clone(), namespace, &kind);
    let credentials = credentials.list(&ListParams::default()).await.expect("they can be listed").items;
    let secrets = bed.api::<Secret>(namespace).list(&ListParams::default()).await.expect("they can be listed").items;
    let mut all: Vec<(String, Value)> = Vec::new();
    for object in credentials {
        let name = object.metadata.name.unwrap_or_default();
        let (spec, status) = (object.data.get("spec"), object.data.get("status").cloned().unwrap_or_default());
        all.push((format!("credential {name}"), json!({"spec": spec, "status": without_history(status)})));
    }
    for secret in secrets {
        let meta = secret.metadata;
        let text = |bytes: &k8s_openapi::ByteString| String::from_utf8_lossy(&bytes.0).into_owned();
        let data: BTreeMap<_, _> = secret.data.iter().flatten().map(|(key, bytes)| (key, text(bytes))).collect();
        let owners: Vec<_> = meta.owner_references.iter().flatten().map(|owner| &owner.name).collect();
        let value = json!({"type": secret.type_, "labels": meta.labels, "owners": owners, "data": data});
        all.push((format!("secret {}", meta.name.unwrap_or_default()), value));
    }
    let plain = Plain::new(namespace, masks);
    all.into_iter().map(|(name, value)| (name, plain.of(&value))).collect()
}

/// When it was first seen, published, asked, or last told is history. So is the generation: how often it was changed.
fn without_history(mut status: Value) -> Value {
    if let Some(status) = status.as_object_mut() {
        for history in ["observedGeneration", "lastHandledReconcileAt", "lastHandledRequest", "key", "expiration"] {
            status.remove(history);
        }
        for condition in status.get_mut("conditions").and_then(Value::as_array_mut).into_iter().flatten() {
            condition.as_object_mut().map(|condition| condition.remove("observedGeneration"));
        }
    }
    status
}

/// Takes away what differs.
struct Plain {
    namespace: String,
    masks: Masks,
    noise: [(Regex, &'static str); 6],
}

impl Plain {
    fn new(namespace: &str, masks: &Masks) -> Self {
        let of = |pattern: &str| Regex::new(pattern).expect("a pattern");
        let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let forms = masks.iter().flat_map(|(text, mask)| [(text.clone(), mask.clone()), (encoded(text), mask.clone())]);
        Self {
            namespace: namespace.to_owned(),
            masks: forms.collect(),
            noise: [
                (of(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "TIME"),
                (of(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "UID"),
                (of(r#""resourceVersion": "\d+""#), r#""resourceVersion": "VERSION""#),
                (of(r#""subject": "\w+""#), r#""subject": "SUBJECT""#),
                (of(r"EXAMPLE(\+|%2B)[a-z]+(/|%2F)[a-z]+(==|%3D%3D)"), "TOKEN"),
                (of(r"127\.0\.0\.1:\d+"), "HOST"),
            ],
        }
    }

    fn of(&self, value: &Value) -> String {
        let mut text = serde_json::to_string_pretty(value).expect("JSON");
        for (secret, mask) in &self.masks {
            text = text.replace(secret, mask);
        }
        text = text.replace(&self.namespace, "NAMESPACE");
        for (pattern, mask) in &self.noise {
            text = pattern.replace_all(&text, *mask).into_owned();
        }
        text
    }
}

/// What differs between two states, line by line.
pub(super) fn differences(left: &State, right: &State) -> Vec<String> {
    let names = left.keys().chain(right.keys()).collect::<std::collections::BTreeSet<_>>();
    let mut found = Vec::new();
    for name in names {
        let lines =
            |state: &State| state.get(name).map_or("(absent)", String::as_str).lines().map(str::to_owned).collect();
        let (left, right): (Vec<String>, Vec<String>) = (lines(left), lines(right));
        found.extend(left.iter().filter(|line| !right.contains(line)).map(|line| format!("{name}: - {}", line.trim())));
        found.extend(right.iter().filter(|line| !left.contains(line)).map(|line| format!("{name}: + {}", line.trim())));
    }
    found
}
