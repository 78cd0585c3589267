//! `spec.outputs`: names, formats, and what belongs to which format.

use super::{Row, accepted, base, refused, with};
use serde_json::{Value, json};

/// The base with these outputs.
fn outputs(list: Value) -> Value {
    with(base("zenflow"), "spec.outputs", list)
}

/// The base with one output that has these fields beside its name.
fn output(mut fields: Value) -> Value {
    fields["secretName"] = json!("out");
    outputs(json!([fields]))
}

pub(super) fn rows() -> Vec<Row> {
    [list(), formats(), templates()].into_iter().flatten().collect()
}

fn list() -> Vec<Row> {
    let at = "spec.outputs";
    let name = "spec.outputs[0].secretName";
    let numbered = |count| (0..count).map(|number| json!({"secretName": format!("out-{number}")})).collect::<Vec<_>>();
    let named = |text: String| outputs(json!([{"secretName": text}]));
    vec![
        accepted("eight outputs", outputs(json!(numbered(8)))),
        refused("nine outputs", outputs(json!(numbered(9))), &[at, "must have at most 8 items"]),
        refused("no outputs", outputs(json!([])), &[at, "should have at least 1 items"]),
        refused("an output without a name", outputs(json!([{"format": "Env"}])), &[name, "Required value"]),
        refused(
            "two outputs of one name",
            outputs(json!([{"secretName": "out"}, {"secretName": "out", "format": "Env"}])),
            &["spec.outputs[1]", "Duplicate value"],
        ),
        refused(
            "the source as output",
            named("sample-key".to_owned()),
            &[at, "`outputs` must not name the source Secret, which is never written"],
        ),
        refused("an output name with an underscore", named("my_out".to_owned()), &[name, "should match"]),
        refused("an output name that ends in a dot", named("out.".to_owned()), &[name, "should match"]),
        refused("an output name of 254 letters", named("a".repeat(254)), &[name, "Too long"]),
        accepted("an output name of 253 letters", named("a".repeat(253))),
        refused(
            "an output in another namespace",
            output(json!({"namespace": "other"})),
            &["unknown field \"spec.outputs[0].namespace\""],
        ),
        refused("an output that is a text", outputs(json!(["out"])), &["spec.outputs[0]", "must be of type object"]),
    ]
}

fn formats() -> Vec<Row> {
    let prefix = "spec.outputs[0].envPrefix";
    let only = "`envPrefix` must be set with the formats Env and Dotenv only";
    let env = |text: &str| output(json!({"format": "Env", "envPrefix": text}));
    let mut rows = vec![
        refused(
            "the format JSON",
            output(json!({"format": "JSON"})),
            &["spec.outputs[0].format", "Unsupported value", "Nexla"],
        ),
        accepted("a prefix for Env", env("ERP_")),
        accepted("a prefix for Dotenv", output(json!({"format": "Dotenv", "envPrefix": "_erp9"}))),
        refused("a prefix for the default format", output(json!({"envPrefix": "ERP_"})), &[prefix, only]),
        refused("a prefix for HTTP", output(json!({"format": "HTTP", "envPrefix": "ERP_"})), &[prefix, only]),
        refused("a prefix with a digit first", env("9ERP"), &[prefix, "should match"]),
        refused("a prefix with a dash", env("ERP-"), &[prefix, "should match"]),
        refused("an empty prefix", env(""), &[prefix, "should match"]),
        refused("a prefix of 65 letters", env(&"E".repeat(65)), &[prefix, "Too long"]),
        accepted("a prefix of 64 letters", env(&"E".repeat(64))),
    ];
    for format in ["Binding", "Env", "Dotenv", "HTTP", "Curl", "Nexla"] {
        rows.push(accepted(&format!("the format {format}"), output(json!({"format": format}))));
    }
    rows
}

fn templates() -> Vec<Row> {
    let at = "spec.outputs[0].template";
    let with_it = "`template` must be set with the format Template, and only with it";
    let words = "`template` must have file names of at most 253 letters, digits, dashes, underscores and dots";
    let files = |files: Value| output(json!({"format": "Template", "template": files}));
    let file = |name: &str| files(json!({name: "key = $(apiKey)\n"}));
    let numbered =
        |count| (0..count).map(|number| (format!("{number}.ini"), json!(""))).collect::<serde_json::Map<_, _>>();
    vec![
        accepted("a template", files(json!({"app.ini": "[zenflow]\nkey = $(apiKey)\n", ".env": "$$(x)"}))),
        refused("the format Template alone", output(json!({"format": "Template"})), &[at, with_it]),
        refused("a template for the default format", output(json!({"template": {"a": "b"}})), &[at, with_it]),
        refused("a template for Env", output(json!({"format": "Env", "template": {"a": "b"}})), &[at, with_it]),
        refused("a template without files", files(json!({})), &[at, "should have at least 1 properties"]),
        accepted("a template of 16 files", files(Value::Object(numbered(16)))),
        refused("a template of 17 files", files(Value::Object(numbered(17))), &[at, "must have at most 16 items"]),
        refused("a file in a directory", file("conf/app.ini"), &[at, words]),
        refused("a file above", file("..app"), &[at, words]),
        refused("a file without a name", file(""), &[at, words]),
        refused("a file name of 254 letters", file(&"a".repeat(254)), &[at, words]),
        accepted("a file name of 253 letters", file(&"a".repeat(253))),
        accepted("a file of 65536 letters", files(json!({"a": "x".repeat(65_536)}))),
        refused(
            "a file of 65537 letters",
            files(json!({"a": "x".repeat(65_537)})),
            &["spec.outputs[0].template.a", "Too long"],
        ),
        refused(
            "a file that is a number",
            files(json!({"a": 1})),
            &["spec.outputs[0].template.a", "must be of type string"],
        ),
    ]
}
