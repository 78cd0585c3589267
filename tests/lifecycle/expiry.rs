//! Expiry is told on time, by a wake-up that was scheduled, once, and to nobody's cost.

use super::{calls, validation};
use crate::controller::cast::{self, Act};
use crate::simulator::NewKey;
use crate::support::await_object::await_object;
use crate::support::stage::{SOON, Stage, is, is_current, value};
use connector_operator::api::{ConditionType, ConnectorCredential};
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// How far ahead of the edits the thresholds lie.
const AHEAD: SignedDuration = SignedDuration::from_secs(15);
/// How late a threshold may be acted on here: six times the promise.
const LATE: SignedDuration = SignedDuration::from_secs(30);

/// What is true of time in one credential, and what it leads to.
struct Plan {
    name: &'static str,
    act: Act,
    /// Members of the spec from the start.
    from_the_start: Value,
    /// Members of the spec that put a threshold at the given moment.
    at: fn(Timestamp) -> Value,
    condition: ConditionType,
    reason: &'static str,
    ready: (&'static str, &'static str),
    events: &'static [&'static str],
}

fn plan(name: &'static str, act: Act, at: fn(Timestamp) -> Value) -> Plan {
    Plan {
        name,
        act,
        from_the_start: json!({}),
        at,
        condition: ConditionType::Expiring,
        reason: "ExpiringSoon",
        ready: ("True", "Ready"),
        events: &["ExpiringSoon"],
    }
}

fn plans() -> Vec<Plan> {
    let expires = |at: Timestamp| json!({"expiresAt": at.to_string()});
    let soon = |at: Timestamp| json!({"expiresAt": (at + SignedDuration::from_hours(1)).to_string()});
    let in_a_day = |at: Timestamp| json!({"expiresAt": (at + SignedDuration::from_hours(24)).to_string()});
    let local = json!({"validation": {"mode": "Local"}});
    vec![
        Plan { from_the_start: json!({"warnBefore": "1h"}), ..plan("soon", cast::zenflow(), soon) },
        Plan { events: &["ExpiringSoon", "ExpiringSoon"], ..plan("a-day-before", cast::inflow(), in_a_day) },
        Plan { reason: "Expired", events: &["ExpiringSoon", "Expired"], ..plan("proved", cast::zenflow(), expires) },
        Plan {
            from_the_start: local,
            reason: "Expired",
            ready: ("False", "KeyExpired"),
            events: &["ExpiringSoon", "Expired", "KeyExpired", "LastKnownGood"],
            ..plan("unproved", cast::flowlu(), expires)
        },
        Plan {
            reason: "Expired",
            ready: ("False", "KeyExpired"),
            events: &["ExpiringSoon", "Expired", "KeyExpired", "LastKnownGood"],
            ..plan("without-endpoint", cast::flow(), expires)
        },
        Plan {
            from_the_start: json!({"warnBefore": "1h"}),
            ready: ("True", "Suspended"),
            ..plan(
                "suspended",
                cast::inflow(),
                |at| json!({"suspend": true, "expiresAt": (at + SignedDuration::from_hours(1)).to_string()}),
            )
        },
    ]
}

fn spec(plan: &Plan, more: Value) -> Value {
    let mut spec = plan.act.spec();
    spec["keySecretRef"]["name"] = json!(source(plan.name));
    for members in [plan.from_the_start.clone(), more] {
        for (member, value) in members.as_object().expect("members").clone() {
            spec[member] = value;
        }
    }
    spec
}

fn source(name: &str) -> String {
    format!("{name}-key")
}

/// Waits for the condition; gives the moment at which it was seen.
async fn raised(stage: &Stage, name: &str, condition: ConditionType, reason: &str) -> Timestamp {
    let raised = |object: &ConnectorCredential| is(object, condition, ("True", reason));
    await_object(&stage.credentials(), name, 2 * SOON, raised).await.expect("it is raised");
    Timestamp::now()
}

fn on_time(name: &str, threshold: Timestamp, seen: Timestamp) -> SignedDuration {
    let late = seen.duration_since(threshold);
    assert!(late >= SignedDuration::ZERO, "{name} was told {late:?} too early");
    assert!(late < LATE, "{name} was told {late:?} late");
    late
}

async fn object(stage: &Stage, name: &str) -> ConnectorCredential {
    stage.credentials().get(name).await.expect("it is there")
}

async fn reasons(stage: &Stage, name: &str) -> Vec<String> {
    stage.events(name).await.into_iter().map(|(reason, _)| reason).collect()
}

/// Events about expiry and what follows from it; not those of the first check.
async fn told(stage: &Stage, name: &str) -> Vec<String> {
    let of_the_start = ["Ready", "Published", "LocalOnly", "EndpointNotConfigured", "Suspended"];
    let mut told = reasons(stage, name).await;
    told.retain(|reason| !of_the_start.contains(&reason.as_str()));
    told.sort();
    told
}

/// A stage whose FLOW has no endpoint.
async fn stage() -> Stage {
    let mut stage = Stage::set("expiry").await;
    let config = stage.simulator.config_yaml();
    let (without_flow, _) = config.split_once("  flow:\n").expect("FLOW is configured last");
    stage.configure(without_flow);
    stage.operator.kill().expect("it runs");
    stage.operator = stage.another_operator(&[]).await;
    stage
}

#[tokio::test(flavor = "multi_thread")]
async fn a36_a_threshold_is_told_within_five_seconds_once_and_moves_nobody_else() {
    let mut stage = stage().await;
    let plans = plans();
    for plan in &plans {
        let issued = stage.issue(plan.act.new_key());
        stage.put_secret(&source(plan.name), &[("api-key", &issued.key)]).await;
        stage.declare(plan.name, spec(plan, json!({}))).await;
    }
    // The Secret's own expiry, and the key's age.
    let far = "2099-01-01T00:00:00Z";
    let act = cast::zenflow();
    let issued = stage.issue(act.new_key());
    stage.put_secret("own-key", &[("api-key", &issued.key), ("until", far)]).await;
    let reference = json!({"name": "own-key", "expirationKey": "until"});
    let own = json!({"provider": act.settings, "keySecretRef": reference, "warnBefore": "1h", "expiresAt": far});
    stage.declare("own", own).await;
    stage.put_secret("old-key", &[("api-key", &stage.issue(act.new_key()).key)]).await;
    let old = json!({"provider": act.settings, "keySecretRef": {"name": "old-key"}});
    stage.declare("old", old.clone()).await;
    // Two that have nothing to do with it.
    for act in [cast::aventri(), cast::zenflow()] {
        stage.put_secret(&act.source(), &[("api-key", &stage.issue(act.new_key()).key)]).await;
        stage.declare(act.name, act.spec()).await;
    }
    let bystanders = [cast::aventri().name, cast::zenflow().name];
    let names: Vec<_> = plans.iter().map(|plan| plan.name).chain(["own", "old"]).chain(bystanders).collect();
    for name in &names {
        stage.until(name, |object| is_current(object) && validation_or_ready(object)).await;
    }
    let asked = calls(&stage);
    let mut checks = Vec::new();
    for name in &names {
        checks.push(validation(&object(&stage, name).await));
    }
    let versions: Vec<_> = join_all(bystanders.map(|name| object(&stage, name))).await;

    let threshold = whole(Timestamp::now() + AHEAD);
    for plan in &plans {
        stage.declare(plan.name, spec(plan, (plan.at)(threshold))).await;
    }
    let until = (threshold + SignedDuration::from_hours(1)).to_string();
    stage.put_secret("own-key", &[("api-key", &issued.key), ("until", &until)]).await;
    let age = whole(threshold).duration_since(first_seen(&object(&stage, "old").await));
    let mut older = old;
    older["maxAge"] = json!(format!("{}s", age.as_secs()));
    stage.declare("old", older).await;
    assert!(Timestamp::now() < threshold, "the thresholds still lie ahead");

    let waits = plans
        .iter()
        .map(|plan| (plan.name, plan.condition, plan.reason))
        .chain([("own", ConditionType::Expiring, "ExpiringSoon"), ("old", ConditionType::RotationDue, "KeyTooOld")]);
    // What tells twice is seen the second time by its status.
    let stage_ref = &stage;
    let lateness = join_all(waits.map(|(name, condition, reason)| async move {
        let seen = if name == "a-day-before" {
            let again = |object: &ConnectorCredential| last_notice(object) == Some(threshold);
            await_object(&stage_ref.credentials(), name, 2 * SOON, again).await.expect("it is told again");
            Timestamp::now()
        } else {
            raised(stage_ref, name, condition, reason).await
        };
        on_time(name, threshold, seen)
    }));
    let lateness = lateness.await;
    assert_eq!(lateness.len(), 8);

    for plan in &plans {
        stage.until_is(plan.name, ConditionType::Ready, plan.ready).await;
        assert!(stage.secret(&format!("{}-auth", plan.name)).await.is_some(), "{}: outputs stay", plan.name);
    }
    assert_eq!(calls(&stage), asked, "nobody was asked");
    for (name, before) in names.iter().zip(&checks) {
        let now = validation(&object(&stage, name).await);
        assert_eq!(now.next_check_time, before.next_check_time, "the check of {name} was moved");
    }
    for before in versions {
        let now = object(&stage, before.metadata.name.as_deref().unwrap_or_default()).await;
        assert_eq!(now.metadata.resource_version, before.metadata.resource_version, "a bystander was written");
    }
    let end = (threshold + SignedDuration::from_hours(1)).as_second().to_string();
    let metrics = stage.metrics().await;
    let series = |line: &&str| line.starts_with("connectorcredential_expiration_timestamp_seconds");
    let mut series = metrics.lines().filter(series).filter(|line| line.contains("name=\"own\""));
    assert!(
        series.all(|line| line.trim_end_matches(".0").ends_with(&end)),
        "the Secret's own expiry is in the metrics"
    );

    let mut before_the_restart = Vec::new();
    stage.restart().await;
    stage.put_secret("marker-key", &[("api-key", &stage.issue(act.new_key()).key)]).await;
    for name in &names {
        before_the_restart.push(object(&stage, name).await.metadata.resource_version);
    }
    stage.declare("marker", json!({"provider": act.settings, "keySecretRef": {"name": "marker-key"}})).await;
    stage.until_ready("marker").await;
    for plan in &plans {
        assert_eq!(told(&stage, plan.name).await, sorted(plan.events), "Events about {}", plan.name);
    }
    assert_eq!(told(&stage, "own").await, ["ExpiringSoon"]);
    assert_eq!(told(&stage, "old").await, ["KeyTooOld"]);
    for (name, before) in names.iter().zip(before_the_restart) {
        assert_eq!(object(&stage, name).await.metadata.resource_version, before, "a restart is no news to {name}");
    }
    stage.finish().await;
}

fn sorted(events: &[&str]) -> Vec<String> {
    let mut events: Vec<_> = events.iter().map(|event| (*event).to_owned()).collect();
    events.sort();
    events
}

fn validation_or_ready(object: &ConnectorCredential) -> bool {
    ["Ready", "LocalOnly", "EndpointNotConfigured"]
        .iter()
        .any(|reason| is(object, ConditionType::Ready, ("True", reason)))
}

fn whole(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).expect("a time of today")
}

fn first_seen(object: &ConnectorCredential) -> Timestamp {
    let key = object.status.as_ref().and_then(|status| status.key.as_ref());
    key.and_then(|key| key.first_seen_time.as_ref()).map(|time| time.0).expect("it was seen")
}

fn last_notice(object: &ConnectorCredential) -> Option<Timestamp> {
    let expiration = object.status.as_ref().and_then(|status| status.expiration.as_ref());
    expiration.and_then(|known| known.last_notice_time.as_ref()).map(|time| time.0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a13_a_provider_that_says_the_key_is_expired_is_believed_at_once() {
    let stage = Stage::set("reported").await;
    let act = cast::zenflow();
    let issued = stage.issue(NewKey { expires_at: None, ..act.new_key() });
    stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
    stage.declare(act.name, act.spec_with("expiresAt", json!("2099-01-01T00:00:00Z"))).await;
    stage.until_ready(act.name).await;
    let asked = calls(&stage);
    stage.simulator.expire_key(&issued.id);
    stage.annotate(act.name, "connector-operator.io/reconcile-at", "1").await;
    let told = stage.until_is(act.name, ConditionType::Authenticated, ("False", "KeyExpired")).await;
    assert!(is(&told, ConditionType::Ready, ("False", "KeyExpired")));
    assert!(is(&told, ConditionType::Stalled, ("True", "KeyExpired")));
    assert!(is(&told, ConditionType::Published, ("True", "LastKnownGood")), "Keep keeps it");
    assert_eq!(calls(&stage), asked + 1, "one answer is enough");
    let kept = stage.secret(&act.output()).await.expect("it stays");
    assert_eq!(value(&kept, "api-key").as_deref(), Some(issued.key.as_str()));
    stage.finish().await;
}
