//! The spec's own fields: expiry, durations, policies.

use super::{Row, accepted, base, refused, with, without};
use serde_json::{Value, json};

const DECADE: &str = "must be a duration of more than zero and at most ten years (87600h)";
const DAY: &str = "`interval` must be a duration from five minutes (5m) to twenty-four hours (24h)";

fn set(field: &str, value: Value) -> Value {
    with(base("zenflow"), &format!("spec.{field}"), value)
}

pub(super) fn rows() -> Vec<Row> {
    [plain(), expiry(), durations(), policies()].into_iter().flatten().collect()
}

fn plain() -> Vec<Row> {
    let no_spec = json!({"apiVersion": "connector-operator.io/v1alpha1", "kind": "ConnectorCredential",
        "metadata": {"name": "sample"}});
    let text = |count| json!("ß".repeat(count));
    vec![
        refused("no spec", no_spec, &["spec", "Required value"]),
        refused(
            "an unknown field",
            set("endpoint", json!("https://evil.example")),
            &["unknown field \"spec.endpoint\""],
        ),
        refused("a namespace field", set("namespace", json!("other")), &["unknown field \"spec.namespace\""]),
        accepted("a description of 1024 characters", set("description", text(1024))),
        refused("a description of 1025 characters", set("description", text(1025)), &["spec.description", "Too long"]),
        refused(
            "a description of a number",
            set("description", json!(1)),
            &["spec.description", "must be of type string"],
        ),
        accepted("a null description", set("description", Value::Null)),
        accepted("a suspended object", set("suspend", json!(true))),
        accepted("an object that is not suspended", set("suspend", json!(false))),
        refused("suspended by a text", set("suspend", json!("true")), &["spec.suspend", "must be of type boolean"]),
    ]
}

fn expiry() -> Vec<Row> {
    let at = "spec.expiresAt";
    let needed = "`expiresAt` or `keySecretRef.expirationKey` must be set for `flow`, whose keys always expire";
    let years = "`expiresAt` must be in the years from 2000 to 9998";
    let eternal = || without(base("flow"), at);
    let expires = |text: &str| set("expiresAt", json!(text));
    vec![
        refused("flow without an expiry", eternal(), &[at, needed]),
        accepted(
            "flow with an expiration key",
            with(eternal(), "spec.keySecretRef.expirationKey", json!("expires-at")),
        ),
        accepted("an expiry with an offset", expires("2027-01-31T00:00:00.5+01:00")),
        accepted("a null expiry", set("expiresAt", Value::Null)),
        refused("a null expiry of flow", with(base("flow"), at, Value::Null), &[at, needed]),
        accepted("an expiry of long ago", expires("2000-01-01T00:00:00Z")),
        accepted("an expiry of the last year", expires("9998-12-31T23:59:59Z")),
        refused("an expiry of the last century", expires("1999-12-31T23:59:59Z"), &[at, years]),
        refused("an expiry at the end of time", expires("9999-12-31T23:59:59Z"), &[at, years]),
        refused("an expiry of no time", expires("0001-01-01T00:00:00Z"), &[at, years]),
        refused("an expiry without a time", expires("2027-01-31"), &[at, "should match"]),
        refused("an expiry without a zone", expires("2027-01-31T00:00:00"), &[at, "should match"]),
        refused("an expiry in words", expires("next year"), &[at, "should match"]),
        refused("an expiry in small letters", expires("2027-01-31t00:00:00z"), &[at, "should match"]),
        refused("an expiry in a far zone", expires("2027-01-31T00:00:00+24:00"), &[at, "should match"]),
        refused("an expiry in the 13th month", expires("2027-13-31T00:00:00Z"), &[at, "must be of type date-time"]),
        refused("an expiry on a 30th of February", expires("2027-02-30T00:00:00Z"), &[at, "must be of type date-time"]),
        refused("an expiry at 25 o'clock", expires("2027-01-31T25:00:00Z"), &[at, "must be of type date-time"]),
        refused("an empty expiry", expires(""), &[at, "should match"]),
        refused("an expiry in seconds", set("expiresAt", json!(1_800_000_000)), &[at, "must be of type date-time"]),
        refused("an expiry of 65 letters", expires(&"2".repeat(65)), &[at, "Too long"]),
    ]
}

fn durations() -> Vec<Row> {
    let mut rows = Vec::new();
    for field in ["warnBefore", "maxAge"] {
        let at = format!("spec.{field}");
        let words = format!("`{field}` {DECADE}");
        for text in ["720h", "1ms", "87600h", "1h30m10s5ms"] {
            rows.push(accepted(&format!("a {field} of {text}"), set(field, json!(text))));
        }
        for (text, says) in [
            ("0s", &*words),
            ("87600h1ms", &words),
            ("30d", "should match"),
            ("-1h", "should match"),
            ("1.5h", "should match"),
        ] {
            rows.push(refused(&format!("a {field} of {text}"), set(field, json!(text)), &[&at, says]));
        }
        let long = set(field, json!("1h".repeat(17)));
        rows.push(refused(&format!("a {field} in 34 letters"), long, &[&at, "Too long"]));
    }
    let at = "spec.validation.interval";
    for text in ["5m", "24h", "90m", "23h59m60s"] {
        rows.push(accepted(&format!("an interval of {text}"), set("validation.interval", json!(text))));
    }
    for (text, says) in
        [("4m59s", DAY), ("24h1s", DAY), ("0s", DAY), ("", DAY), ("1d", DAY), ("hourly", "should match")]
    {
        rows.push(refused(&format!("an interval of {text:?}"), set("validation.interval", json!(text)), &[at, says]));
    }
    let (number, long) = (json!(3600), json!("1h".repeat(17)));
    rows.push(refused("an interval number", set("validation.interval", number), &[at, "must be of type string"]));
    rows.push(refused("an interval in 34 letters", set("validation.interval", long), &[at, "Too long"]));
    rows
}

fn policies() -> Vec<Row> {
    let mut rows = vec![accepted("an empty validation", set("validation", json!({})))];
    for (field, good, bad) in [
        ("validation.mode", &["Provider", "Local"][..], "Remote"),
        ("publishPolicy", &["WhenVerified", "Always", "Never"], "whenVerified"),
        ("rejectionPolicy", &["Keep", "Withdraw"], "Delete"),
    ] {
        for value in good {
            rows.push(accepted(&format!("the {field} {value}"), set(field, json!(value))));
        }
        let says = [&*format!("spec.{field}"), "Unsupported value", good[0]];
        rows.push(refused(&format!("the {field} {bad}"), set(field, json!(bad)), &says));
    }
    rows
}
