//! Every status that the operator can write, put to kstatus, to Flux' rules and to Argo CD's health check.

use connector_operator::api::{ConditionType, Finding, Reason, Status};
use connector_operator::policy::readiness;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};

use super::argo::{Health, HealthCheck};
use super::flux::FluxCheck;
use super::kstatus::{Kstatus, kstatus};
use super::rules::broken;

type Said = (Status, Reason);

const ACCEPTED: &[Said] =
    &[(Status::True, Reason::Accepted), (Status::False, Reason::InvalidSpec), (Status::False, Reason::OutputConflict)];
const RESOLVED: &[Said] = &[
    (Status::True, Reason::SecretResolved),
    (Status::False, Reason::SecretNotFound),
    (Status::False, Reason::SecretKeyNotFound),
    (Status::False, Reason::SecretAccessDenied),
    (Status::False, Reason::SecretTypeNotAllowed),
    (Status::False, Reason::KeyMalformed),
    (Status::Unknown, Reason::NotChecked),
];
const AUTHENTICATED: &[Said] = &[
    (Status::True, Reason::KeyAccepted),
    (Status::False, Reason::KeyRejected),
    (Status::False, Reason::KeyExpired),
    (Status::False, Reason::KeyRevoked),
    (Status::Unknown, Reason::NotChecked),
    (Status::Unknown, Reason::LocalOnly),
    (Status::Unknown, Reason::EndpointNotConfigured),
    (Status::Unknown, Reason::ProviderUnavailable),
    (Status::Unknown, Reason::RateLimited),
    (Status::Unknown, Reason::UnexpectedResponse),
];
const AUTHORIZED: &[Said] = &[
    (Status::True, Reason::AccessVerified),
    (Status::False, Reason::InsufficientScope),
    (Status::False, Reason::AccessDenied),
    (Status::False, Reason::IPNotAllowed),
    (Status::Unknown, Reason::NotChecked),
    (Status::Unknown, Reason::NotVerifiable),
];
const PUBLISHED: &[Option<Said>] = &[
    Some((Status::True, Reason::Published)),
    Some((Status::True, Reason::LastKnownGood)),
    Some((Status::False, Reason::WaitingForVerification)),
    Some((Status::False, Reason::TargetNotOwned)),
    Some((Status::False, Reason::WriteFailed)),
    Some((Status::False, Reason::Withdrawn)),
    None,
];
const ADVICE: &[&[(ConditionType, Reason)]] = &[
    &[],
    &[(ConditionType::Expiring, Reason::ExpiringSoon)],
    &[(ConditionType::Expiring, Reason::Expired), (ConditionType::OverPrivileged, Reason::UndeclaredScope)],
    &[(ConditionType::RotationDue, Reason::KeyTooOld)],
    &[(ConditionType::OverPrivileged, Reason::UndeclaredScope)],
];

fn finding(condition: ConditionType, (status, reason): Said) -> Finding {
    Finding { condition, status, reason, message: format!("{} says {}.", condition.name(), reason.name()) }
}

/// An object at generation 2 with these findings, written by the operator's own function.
fn object(findings: &[Finding]) -> Value {
    let now = Time(Timestamp::UNIX_EPOCH);
    let conditions = connector_operator::api::merge(&[], findings, 2, &now);
    json!({"metadata": {"generation": 2}, "spec": {}, "status": {"observedGeneration": 2, "conditions": conditions}})
}

/// The same, suspended: Ready keeps its status, Reconciling goes.
fn suspended(object: &Value) -> Value {
    let mut object = object.clone();
    object["spec"]["suspend"] = Value::from(true);
    let conditions = object["status"]["conditions"].as_array_mut().expect("conditions");
    conditions.retain(|condition| condition["type"] != "Reconciling");
    for condition in conditions {
        if condition["type"] == "Ready" {
            condition["reason"] = Value::from("Suspended");
        }
    }
    object
}

fn standings() -> Vec<Vec<Finding>> {
    let mut all = Vec::new();
    for accepted in ACCEPTED {
        for resolved in RESOLVED {
            for authenticated in AUTHENTICATED {
                for authorized in AUTHORIZED {
                    for published in PUBLISHED {
                        let mut findings = vec![
                            finding(ConditionType::Accepted, *accepted),
                            finding(ConditionType::Resolved, *resolved),
                            finding(ConditionType::Authenticated, *authenticated),
                            finding(ConditionType::Authorized, *authorized),
                        ];
                        findings.extend(published.map(|published| finding(ConditionType::Published, published)));
                        all.push(findings);
                    }
                }
            }
        }
    }
    all
}

/// What Argo CD has to say where kstatus says this.
fn argo_agrees(kstatus: Kstatus, health: &Health) -> bool {
    let wanted = match kstatus {
        Kstatus::Current => "Healthy",
        Kstatus::Failed => "Degraded",
        Kstatus::InProgress => "Progressing",
        Kstatus::Terminating => return true,
    };
    health.status == wanted
}

#[test]
fn every_status_keeps_the_rules_and_is_read_alike() {
    let check = HealthCheck::load();
    let mut wrong = Vec::new();
    let mut seen = [0_u32; 3];
    for (number, standing) in standings().into_iter().enumerate() {
        let advice = ADVICE.get(number % ADVICE.len()).copied().unwrap_or_default();
        let mut findings = standing.clone();
        findings.extend(advice.iter().map(|(condition, reason)| finding(*condition, (Status::True, *reason))));
        findings.extend(readiness::sum(&standing));
        let object = object(&findings);
        let paused = suspended(&object);
        let (says, health) = (kstatus(&object), check.of(&object));
        let faults = [broken(&object), broken(&paused)].concat();
        if !faults.is_empty() || !argo_agrees(says, &health) || check.of(&paused).status != "Suspended" {
            wrong.push(format!("{faults:?} {says:?} {health:?}: {}", object["status"]["conditions"]));
        }
        match says {
            Kstatus::Current => seen[0] = seen[0].saturating_add(1),
            Kstatus::Failed => seen[1] = seen[1].saturating_add(1),
            Kstatus::InProgress | Kstatus::Terminating => seen[2] = seen[2].saturating_add(1),
        }
    }
    assert!(wrong.is_empty(), "{} statuses are wrong, such as {}", wrong.len(), wrong[0]);
    assert!(seen.iter().all(|count| *count > 20), "Current, Failed, InProgress: {seen:?}");
}

struct Row {
    state: &'static str,
    object: Value,
    kstatus: Kstatus,
    health: &'static str,
    says: &'static str,
}

/// A credential in which all is well but for these findings, which replace others of their condition.
fn but(changes: &[(ConditionType, Said)]) -> Vec<Finding> {
    let well = [
        (ConditionType::Accepted, ACCEPTED[0]),
        (ConditionType::Resolved, RESOLVED[0]),
        (ConditionType::Authenticated, AUTHENTICATED[0]),
        (ConditionType::Authorized, AUTHORIZED[0]),
        (ConditionType::Published, (Status::True, Reason::Published)),
    ];
    let change = |kind: ConditionType| changes.iter().find(|(changed, _)| *changed == kind).map(|(_, said)| *said);
    let standing: Vec<_> = well.iter().map(|(kind, said)| finding(*kind, change(*kind).unwrap_or(*said))).collect();
    let mut findings = standing.clone();
    let advice = changes.iter().filter(|(kind, _)| well.iter().all(|(known, _)| known != kind));
    findings.extend(advice.map(|(kind, said)| finding(*kind, *said)));
    findings.extend(readiness::sum(&standing));
    findings
}

/// The table of the design.
fn rows() -> Vec<Row> {
    use ConditionType::{Authenticated, Expiring, OverPrivileged, Published, Resolved, RotationDue};
    let unvisited = json!({"metadata": {"generation": 1}, "spec": {}, "status": {"observedGeneration": -1}});
    let mut newer = object(&but(&[]));
    newer["metadata"]["generation"] = Value::from(3);
    let mut never = suspended(&unvisited_conditions());
    never["status"]["observedGeneration"] = Value::from(2);
    let row = |state, object, kstatus, health, says| Row { state, object, kstatus, health, says };
    let known = |state, changes: &[(ConditionType, Said)], kstatus, health, says| {
        row(state, object(&but(changes)), kstatus, health, says)
    };
    let advice =
        |state, kind, reason, says| known(state, &[(kind, (Status::True, reason))], Kstatus::Current, "Healthy", says);
    vec![
        row("not visited", unvisited, Kstatus::InProgress, "Progressing", "first check"),
        row("spec newer", newer, Kstatus::InProgress, "Progressing", "changed spec"),
        known("Secret missing", &[(Resolved, RESOLVED[1])], Kstatus::InProgress, "Progressing", "SecretNotFound"),
        known(
            "provider silent",
            &[(Authenticated, AUTHENTICATED[7])],
            Kstatus::InProgress,
            "Progressing",
            "ProviderUnavailable",
        ),
        known("key rejected", &[(Authenticated, AUTHENTICATED[1])], Kstatus::Failed, "Degraded", "KeyRejected"),
        known("spec invalid", &[(ConditionType::Accepted, ACCEPTED[1])], Kstatus::Failed, "Degraded", "InvalidSpec"),
        known(
            "foreign target",
            &[(Published, (Status::False, Reason::TargetNotOwned))],
            Kstatus::Failed,
            "Degraded",
            "TargetNotOwned",
        ),
        known("ready", &[], Kstatus::Current, "Healthy", "Ready: "),
        advice("expiring", Expiring, Reason::ExpiringSoon, "ExpiringSoon"),
        advice("old", RotationDue, Reason::KeyTooOld, "KeyTooOld"),
        advice("over-privileged", OverPrivileged, Reason::UndeclaredScope, "UndeclaredScope"),
        known("local", &[(Authenticated, AUTHENTICATED[5])], Kstatus::Current, "Healthy", "LocalOnly"),
        known(
            "no endpoint",
            &[(Authenticated, AUTHENTICATED[6])],
            Kstatus::Current,
            "Healthy",
            "EndpointNotConfigured",
        ),
        row("suspended, ready", suspended(&object(&but(&[]))), Kstatus::Current, "Suspended", "Suspended"),
        row(
            "suspended, rejected",
            suspended(&object(&but(&[(Authenticated, AUTHENTICATED[1])]))),
            Kstatus::Failed,
            "Suspended",
            "Suspended",
        ),
        row("suspended, never visited", never, Kstatus::InProgress, "Suspended", "Suspended"),
    ]
}

fn unvisited_conditions() -> Value {
    let waiting = (Status::False, Reason::WaitingForVerification);
    let unknown =
        [ConditionType::Resolved, ConditionType::Authenticated, ConditionType::Authorized, ConditionType::Ready];
    let mut findings = vec![finding(ConditionType::Accepted, ACCEPTED[0]), finding(ConditionType::Published, waiting)];
    findings.extend(unknown.map(|kind| finding(kind, (Status::Unknown, Reason::NotChecked))));
    object(&findings)
}

#[test]
fn the_table_of_states_holds() {
    let (check, flux) = (HealthCheck::load(), FluxCheck::load());
    for row in rows() {
        assert_eq!(kstatus(&row.object), row.kstatus, "{}", row.state);
        assert_eq!(flux.of(&row.object), row.kstatus, "{}", row.state);
        let health = check.of(&row.object);
        assert_eq!(health.status, row.health, "{}: {health:?}", row.state);
        assert!(health.message.contains(row.says), "{}: {health:?}", row.state);
        assert_eq!(broken(&row.object), Vec::<String>::new(), "{}", row.state);
    }
}

/// The linter sees what it is for.
#[test]
fn broken_rules_are_named() {
    let ready = object(&but(&[]));
    let with = |kind: &str, status: &str, reason: &str| {
        let mut object = ready.clone();
        let condition =
            json!({"type": kind, "status": status, "reason": reason, "message": "", "observedGeneration": 2});
        object["status"]["conditions"].as_array_mut().expect("conditions").push(condition);
        broken(&object).join(", ")
    };
    assert!(with("Stalled", "True", "KeyRejected").contains("Ready excludes the negative"));
    assert!(with("Reconciling", "False", "Ready").contains("removed rather than False"));
    let mut ahead = ready.clone();
    ahead["status"]["observedGeneration"] = Value::from(3);
    assert!(broken(&ahead).contains(&"observedGeneration is not ahead".to_owned()));
    let mut unread = ready;
    unread["status"]["conditions"][0]["observedGeneration"] = Value::Null;
    assert!(broken(&unread).contains(&"every condition has an observedGeneration".to_owned()));
}
