//! Which of Flux' rules for statuses does an object break? `Reconciling` and `Stalled` are the negative conditions.

use serde_json::Value;

/// The conditions that are advice, and keep nothing from being ready.
const STANDING: [&str; 5] = ["Accepted", "Resolved", "Authenticated", "Authorized", "Published"];

/// Every rule that this object breaks.
pub(crate) fn broken(object: &Value) -> Vec<String> {
    let status = &object["status"];
    let conditions = status["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    if conditions.is_empty() {
        // Not visited yet: the default of the schema stands there.
        return if status["observedGeneration"] == -1 { Vec::new() } else { vec!["no conditions".to_owned()] };
    }
    let of = |kind: &str| conditions.iter().find(|condition| condition["type"] == kind);
    let is = |kind: &str, wanted: &str| of(kind).is_some_and(|condition| condition["status"] == wanted);
    let suspended =
        object["spec"]["suspend"] == true && of("Ready").is_some_and(|ready| ready["reason"] == "Suspended");
    let generation = object["metadata"]["generation"].as_i64().unwrap_or_default();
    let observed = status["observedGeneration"].as_i64().unwrap_or_default();
    let reconciling = is("Reconciling", "True");
    let mut broken = Vec::new();
    let mut rule = |holds: bool, says: &str| {
        if !holds {
            broken.push(says.to_owned());
        }
    };
    rule(of("Ready").is_some(), "Ready is present");
    rule(
        !is("Ready", "True") || (of("Reconciling").is_none() && of("Stalled").is_none()),
        "Ready excludes the negative",
    );
    rule(!is("Stalled", "True") || is("Ready", "False"), "Stalled means not Ready");
    rule(of("Reconciling").is_none() || of("Stalled").is_none(), "never both Reconciling and Stalled");
    for kind in ["Reconciling", "Stalled", "Expiring", "RotationDue", "OverPrivileged"] {
        rule(of(kind).is_none() || is(kind, "True"), "removed rather than False");
    }
    // Behind it is between a change and the next visit: kstatus then says InProgress, whatever Ready says.
    rule(observed <= generation, "observedGeneration is not ahead");
    for condition in conditions {
        let seen = condition["observedGeneration"].as_i64().unwrap_or_default();
        rule(seen >= 1, "every condition has an observedGeneration");
        rule(!is("Ready", "True") || reconciling || seen == observed, "conditions and root agree");
    }
    rule(!is("Ready", "Unknown") || reconciling || suspended, "Unknown only in progress or suspended");
    if !is("Ready", "True") && !suspended {
        let ready = of("Ready").unwrap_or(&Value::Null);
        let cause = STANDING
            .into_iter()
            .filter_map(of)
            .find(|condition| condition["status"] != "True" && condition["reason"] == ready["reason"]);
        rule(cause.is_some_and(|cause| cause["message"] == ready["message"]), "Ready has the words of its cause");
        rule(is("Reconciling", "True") || is("Stalled", "True"), "not Ready says whether it goes on");
        for kind in ["Reconciling", "Stalled"] {
            rule(of(kind).is_none_or(|negative| negative["reason"] == ready["reason"]), "the reason is the cause's");
        }
    }
    broken
}
