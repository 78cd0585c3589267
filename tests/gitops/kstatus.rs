//! How does kstatus read an object of a kind that it does not know? Its rules, in its order.

use serde_json::Value;

/// What Flux and Helm 4 make of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kstatus {
    Terminating,
    InProgress,
    Failed,
    Current,
}

/// What kstatus says to this object.
pub(super) fn kstatus(object: &Value) -> Kstatus {
    if !object["metadata"]["deletionTimestamp"].is_null() {
        return Kstatus::Terminating;
    }
    let observed = &object["status"]["observedGeneration"];
    if observed.is_i64() && observed != &object["metadata"]["generation"] {
        return Kstatus::InProgress;
    }
    let conditions = object["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    for condition in conditions {
        match (condition["type"].as_str(), condition["status"].as_str()) {
            (Some("Reconciling"), Some("True")) => return Kstatus::InProgress,
            (Some("Stalled"), Some("True")) => return Kstatus::Failed,
            _ => {}
        }
    }
    match conditions.iter().find(|condition| condition["type"] == "Ready") {
        Some(ready) if ready["status"] == "True" => Kstatus::Current,
        Some(_) => Kstatus::InProgress,
        None => Kstatus::Current,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_rules_are_asked_in_order() {
        let object = |status: Value| json!({"metadata": {"generation": 2}, "status": status});
        assert_eq!(kstatus(&object(json!({"observedGeneration": -1}))), Kstatus::InProgress);
        assert_eq!(kstatus(&object(json!({"observedGeneration": 2}))), Kstatus::Current);
        let both = json!([{"type": "Stalled", "status": "True"}, {"type": "Ready", "status": "True"}]);
        assert_eq!(kstatus(&object(json!({"observedGeneration": 2, "conditions": both}))), Kstatus::Failed);
        assert_eq!(kstatus(&object(json!({"observedGeneration": 1, "conditions": both}))), Kstatus::InProgress);
        let gone = json!({"metadata": {"generation": 2, "deletionTimestamp": "2026-01-01T00:00:00Z"}});
        assert_eq!(kstatus(&gone), Kstatus::Terminating);
    }
}
