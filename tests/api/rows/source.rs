//! `spec.keySecretRef` and the object's own name.

use super::{Row, accepted, base, refused, with, without};
use serde_json::{Value, json};

fn set(field: &str, value: Value) -> Value {
    with(base("zenflow"), &format!("spec.keySecretRef.{field}"), value)
}

pub(super) fn rows() -> Vec<Row> {
    [reference(), names()].into_iter().flatten().collect()
}

fn reference() -> Vec<Row> {
    let whole = "spec.keySecretRef";
    let name = "spec.keySecretRef.name";
    let key = "spec.keySecretRef.key";
    let expiration = "spec.keySecretRef.expirationKey";
    let differ = "`expirationKey` must differ from `key`, which holds the API key";
    let long = |count| json!("a".repeat(count));
    vec![
        refused("no source", without(base("zenflow"), whole), &[whole, "Required value"]),
        refused("a source without name", with(base("zenflow"), whole, json!({})), &[name, "Required value"]),
        refused(
            "a source elsewhere",
            set("namespace", json!("kube-system")),
            &["unknown field \"spec.keySecretRef.namespace\""],
        ),
        refused("an empty source name", set("name", json!("")), &[name, "should match"]),
        refused("a source name in capitals", set("name", json!("Sample")), &[name, "should match"]),
        refused("a source name with a slash", set("name", json!("../other")), &[name, "should match"]),
        refused("a source name of 254 letters", set("name", long(254)), &[name, "Too long"]),
        accepted("a source name of 253 letters", set("name", long(253))),
        accepted("a source name with dots", set("name", json!("keys.zenflow-1"))),
        refused("a key with a space", set("key", json!("api key")), &[key, "should match"]),
        refused("a key of two dots", set("key", json!("..")), &[key, "should match"]),
        refused("a key of one dot", set("key", json!(".")), &[key, "should match"]),
        refused("an empty key", set("key", json!("")), &[key, "should match"]),
        refused("a key of 254 letters", set("key", long(254)), &[key, "Too long"]),
        accepted("a hidden key", set("key", json!(".API_key-2"))),
        accepted("an expiration key", set("expirationKey", json!("expires-at"))),
        refused("an expiration key with a slash", set("expirationKey", json!("a/b")), &[expiration, "should match"]),
        refused("an expiration key of 254 letters", set("expirationKey", long(254)), &[expiration, "Too long"]),
        refused("the key as its own expiry", set("expirationKey", json!("api-key")), &[expiration, differ]),
    ]
}

fn names() -> Vec<Row> {
    let named = |length| with(base("zenflow"), "metadata.name", json!("a".repeat(length)));
    let output = |object| with(object, "spec.outputs", json!([{"secretName": "out"}]));
    let taken = "`outputs` must be set when the source Secret has the default output's name";
    let long = "`metadata.name` must be at most 248 characters when `outputs` is not set";
    let clash = set("name", json!("sample-auth"));
    vec![
        accepted("a name of 248 letters", named(248)),
        refused("a name of 249 letters", named(249), &["spec.outputs", long]),
        accepted("a name of 253 letters and an output", output(named(253))),
        refused("a source named like the default output", clash.clone(), &["spec.outputs", taken]),
        accepted("a source named like the default output, and an output", output(clash.clone())),
        accepted(
            "a source named like the default output, never written",
            with(clash, "spec.publishPolicy", json!("Never")),
        ),
    ]
}
