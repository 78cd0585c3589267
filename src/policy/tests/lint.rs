//! Does a status keep the rules of kstatus and Flux? Called on every status that a test produces.

use crate::api::{ConditionType, Conditions, ConnectorCredential, ConnectorCredentialStatus, PublishPolicy, Reason};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

const STANDING: [ConditionType; 5] = [
    ConditionType::Accepted,
    ConditionType::Resolved,
    ConditionType::Authenticated,
    ConditionType::Authorized,
    ConditionType::Published,
];

/// K1–K5 and F1–F13 of the design, over what was stored before and what is stored now.
pub(in crate::policy) fn lint(before: Option<&ConnectorCredentialStatus>, object: &ConnectorCredential) {
    let status = object.status.as_ref().unwrap();
    let conditions = status.conditions.as_slice();
    let of = |kind| conditions.of(kind);
    let ready = of(ConditionType::Ready).expect("F1, K5: Ready is there");
    let (reconciling, stalled) = (of(ConditionType::Reconciling), of(ConditionType::Stalled));
    let suspended = object.spec.suspend == Some(true);
    // A policy that is edited while suspended takes effect afterwards.
    let unpublished = suspended || object.spec.publish_policy == Some(PublishPolicy::Never);
    for kind in STANDING.into_iter().filter(|kind| *kind != ConditionType::Published || !unpublished) {
        assert!(of(kind).is_some(), "{} is there from the first visit", kind.name());
    }
    if ready.status == "True" {
        assert!(reconciling.is_none() && stalled.is_none(), "F2: {conditions:?}");
        assert!(conditions.iter().all(|c| c.observed_generation == object.metadata.generation), "F8");
    }
    assert!(reconciling.is_none() || stalled.is_none(), "F5");
    assert!(stalled.is_none() || ready.status == "False", "F4");
    for negative in [reconciling, stalled].into_iter().flatten() {
        assert_ne!(ready.status, "True", "F3");
        assert!(suspended || (negative.reason == ready.reason && negative.message == ready.message), "the cause's");
    }
    assert!(suspended || ready.status == "True" || reconciling.is_some() || stalled.is_some(), "not Ready says why");
    assert!(!suspended || reconciling.is_none());
    assert!(status.observed_generation <= object.metadata.generation, "F6");
    assert!(status.observed_generation == object.metadata.generation || ready.status != "True", "F7");
    for condition in conditions {
        one(condition, before);
    }
    let order: Vec<_> =
        conditions.iter().map(|c| ConditionType::ALL.iter().position(|k| k.name() == c.type_)).collect();
    assert!(order.is_sorted() && order.iter().all(Option::is_some), "known types in the contract's order");
    if !suspended {
        first_failing(conditions, ready);
    }
    let text = serde_json::to_string(status).unwrap();
    assert!(!text.contains("canary") && !text.contains("token-"), "no secret byte in a status");
}

fn one(condition: &Condition, before: Option<&ConnectorCredentialStatus>) {
    assert!(condition.observed_generation.is_some_and(|generation| generation >= 1), "F11");
    assert!(Reason::read(&condition.reason).is_some(), "F12");
    assert!(!condition.message.is_empty() && condition.message.len() <= 1024, "{}", condition.message);
    let only_true = !STANDING.iter().chain(&[ConditionType::Ready]).any(|kind| kind.name() == condition.type_);
    assert!(!only_true || condition.status == "True", "F9: {}", condition.type_);
    let old = before.and_then(|status| status.conditions.iter().find(|old| old.type_ == condition.type_));
    if let Some(old) = old.filter(|old| old.status == condition.status) {
        assert_eq!(old.last_transition_time, condition.last_transition_time, "F13: {}", condition.type_);
    }
}

/// F10: Ready has the first failing condition's reason and message, or one of its own.
fn first_failing(conditions: &[Condition], ready: &Condition) {
    let chosen = |c: &Condition| ["LocalOnly", "EndpointNotConfigured"].contains(&c.reason.as_str());
    let fails = |c: &&Condition| match c.status.as_str() {
        "False" => true,
        "Unknown" => c.type_ != "Authorized" && !chosen(c),
        _ => false,
    };
    let standing = STANDING.into_iter().filter_map(|kind| conditions.of(kind));
    if let Some(cause) = standing.clone().find(fails) {
        assert_eq!((&cause.reason, &cause.message), (&ready.reason, &ready.message), "F10");
        assert_ne!(ready.status, "True");
    } else {
        assert_eq!(ready.status, "True");
        let expected = standing.clone().find(|c| chosen(c)).map_or("Ready", |c| c.reason.as_str());
        assert_eq!(ready.reason, expected, "F10");
    }
}
