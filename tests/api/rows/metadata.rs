//! `metadata`: what every object may have there, and in which form.

use super::{Row, accepted, base, refused};
use serde_json::{Value, json};

fn set(field: &str, value: Value) -> Value {
    let mut object = base("zenflow");
    object["metadata"][field] = value;
    object
}

pub(super) fn rows() -> Vec<Row> {
    let (labels, annotations) = ("metadata.labels", "metadata.annotations");
    let name = "name part must consist of";
    let value = "a valid label must be an empty string or consist of";
    let long = |count| "a".repeat(count);
    vec![
        accepted(
            "labels of every form",
            set("labels", json!({"a": "", "app.kubernetes.io/name": "My_app.1-x", "B": long(63)})),
        ),
        accepted("an annotation of any text", set("annotations", json!({"example.com/Note": "any text: ü, {}\n"}))),
        refused("a field that no object has", set("owner", json!("me")), &["unknown field \"metadata.owner\""]),
        refused("a name in capitals", set("name", json!("Sample")), &["metadata.name", "Invalid value"]),
        refused("a name that ends in a dash", set("name", json!("sample-")), &["metadata.name", "Invalid value"]),
        refused("a label that is a number", set("labels", json!({"team": 5})), &["labels"]),
        refused("a label that is a truth", set("labels", json!({"team": true})), &["labels"]),
        refused("a label's value with a space", set("labels", json!({"team": "the erp"})), &[labels, value]),
        refused("a label's value of 64 letters", set("labels", json!({"team": long(64)})), &[labels]),
        refused("a label's value that begins with a dash", set("labels", json!({"team": "-erp"})), &[labels, value]),
        refused("a label's name with a space", set("labels", json!({"the team": "erp"})), &[labels, name]),
        refused("a label's name with two slashes", set("labels", json!({"a/b/c": "erp"})), &[labels]),
        refused("a label's domain in capitals", set("labels", json!({"Example.com/team": "erp"})), &[labels]),
        refused("a label's empty domain", set("labels", json!({"/team": "erp"})), &[labels]),
        refused("an annotation that is a number", set("annotations", json!({"team": 5})), &["annotations"]),
        refused(
            "an annotation's name with a space",
            set("annotations", json!({"the team": "x"})),
            &[annotations, name],
        ),
        refused(
            "annotations of more than 256 KiB",
            set("annotations", json!({"a": long(256 << 10)})),
            &[annotations, "Too long"],
        ),
    ]
}
