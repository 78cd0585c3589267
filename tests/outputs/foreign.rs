//! A Secret that is not ours stays byte-identical, however it came to be in the way.

use crate::controller::cast::{self, Act};
use crate::simulator::{Fault, LedgerFilter, Misbehaviour};
use crate::support::await_object::await_gone;
use crate::support::bed::private_bed;
use crate::support::stage::{SOON, Stage, is};
use connector_operator::api::ConditionType;
use k8s_openapi::api::core::v1::Secret;
use kube::api::PostParams;
use serde_json::{Value, json};

/// How long an answer is held: all that happens meanwhile happens between observing and writing.
const HELD: u64 = 6000;
const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

async fn squat(stage: &Stage, name: &str, more: Value) -> Secret {
    let mut secret = json!({
        "metadata": {"name": name, "labels": {"mine": "yes"}, "annotations": {"note": "somebody else's"}},
        "stringData": {"password": "somebody else's"},
    });
    for (member, value) in more.as_object().expect("members") {
        match member.as_str() {
            "ownerReferences" => secret["metadata"][member] = value.clone(),
            _ => secret[member] = value.clone(),
        }
    }
    let secret = serde_json::from_value(secret).expect("a Secret");
    stage.secrets().create(&PostParams::default(), &secret).await.expect("it is admitted")
}

fn owned_by(version: &str, kind: &str, name: &str, uid: &str) -> Value {
    json!({"ownerReferences": [{"apiVersion": version, "kind": kind, "name": name, "uid": uid, "controller": true}]})
}

/// The Secrets that may be in the way, by what they are.
fn strangers(credential: &str) -> [(&'static str, Value); 6] {
    [
        ("unowned", json!({})),
        ("other-owner", owned_by("apps/v1", "Deployment", "other", NOBODY)),
        ("stale-owner", owned_by("connector-operator.io/v1alpha1", "ConnectorCredential", credential, NOBODY)),
        ("other-credential", owned_by("connector-operator.io/v1alpha1", "ConnectorCredential", "another", NOBODY)),
        ("immutable", json!({"immutable": true})),
        ("of-another-type", json!({"type": "example.com/strange"})),
    ]
}

async fn unchanged(stage: &Stage, before: &Secret) {
    let name = before.metadata.name.as_deref().unwrap_or_default();
    let after = stage.secret(name).await.expect("it is still there");
    assert_eq!(before.metadata.resource_version, after.metadata.resource_version, "{name} was written to");
    assert_eq!(*before, after, "not a byte, not a label, not a managed field");
}

/// One output for each stranger, and one that nobody disputes.
fn outputs(act: &Act, names: &[&str]) -> Value {
    let mut outputs: Vec<_> = names.iter().map(|name| json!({"secretName": name, "format": "Env"})).collect();
    outputs.push(json!({"secretName": "mine"}));
    act.spec_with("outputs", json!(outputs))
}

/// Waits until an answer is being held.
async fn asked(stage: &Stage, after: u64) {
    let filter = LedgerFilter { after, ..LedgerFilter::default() };
    stage.simulator.wait_for(&filter, SOON).await.expect("the provider is asked");
}

fn last(stage: &Stage) -> u64 {
    stage.simulator.ledger(&LedgerFilter::default()).last().map_or(0, |row| row.seq)
}

#[tokio::test(flavor = "multi_thread")]
async fn a07_what_was_there_before_stays_through_publishing_rotation_and_withdrawal() {
    // Without a garbage collector, which would take away what has no living owner.
    let bed = private_bed().await;
    bed.plane.stop_controllers();
    let stage = Stage::set_on(bed, "squatters", &[]).await;
    let act = cast::zenflow();
    let mut before = Vec::new();
    for (name, more) in strangers(act.name) {
        before.push(squat(&stage, name, more).await);
    }
    let names: Vec<_> = strangers(act.name).map(|(name, _)| name).to_vec();
    let issued = stage.issue(act.new_key());
    stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
    let mut spec = outputs(&act, &names);
    spec["rejectionPolicy"] = json!("Withdraw");
    stage.declare(act.name, spec).await;
    let told = stage.until_is(act.name, ConditionType::Stalled, ("True", "TargetNotOwned")).await;
    assert!(is(&told, ConditionType::Published, ("False", "TargetNotOwned")));
    assert_eq!(told.status.expect("a status").outputs.len(), 1, "the undisputed one is written");
    let mine = stage.secret("mine").await.expect("it is written");

    let second = stage.issue(act.new_key());
    stage.put_secret(&act.source(), &[("api-key", &second.key)]).await;
    stage.until_secret("mine", |secret| secret.data != mine.data).await;
    stage.simulator.expire_key(&second.id);
    stage.annotate(act.name, "connector-operator.io/reconcile-at", "1").await;
    // The bucket of unscheduled checks is empty by then: promised within 35 s.
    await_gone(&stage.secrets(), "mine", SOON * 4).await.expect("it is withdrawn");
    // Renamed away: what is dropped from the spec is deleted only if it is ours.
    stage.declare(act.name, act.spec()).await;
    stage.until(act.name, crate::support::stage::is_current).await;
    for before in &before {
        unchanged(&stage, before).await;
    }
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a07_what_is_created_while_the_provider_is_asked_stays() {
    let bed = private_bed().await;
    bed.plane.stop_controllers();
    let stage = Stage::set_on(bed, "race", &[]).await;
    let act = Act { settings: json!({"zenflow": {}}), ..cast::zenflow() };
    stage.simulator.set_fault(Fault::of(Misbehaviour::Latency { ms: HELD }));
    let issued = stage.issue(act.new_key());
    stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
    let names: Vec<_> = strangers(act.name).map(|(name, _)| name).to_vec();
    stage.declare(act.name, outputs(&act, &names)).await;
    asked(&stage, 0).await;
    let mut before = Vec::new();
    for (name, more) in strangers(act.name) {
        before.push(squat(&stage, name, more).await);
    }
    stage.until_is(act.name, ConditionType::Stalled, ("True", "TargetNotOwned")).await;
    let mine = stage.until_secret("mine", |_| true).await;

    // The other race: ours goes, and a stranger takes its name, while a rotation is proved.
    let seq = last(&stage);
    stage.put_secret(&act.source(), &[("api-key", &stage.issue(act.new_key()).key)]).await;
    asked(&stage, seq).await;
    stage.delete_secret("mine").await;
    before.push(squat(&stage, "mine", json!({})).await);
    let nothing_left = |object: &connector_operator::api::ConnectorCredential| {
        is(object, ConditionType::Published, ("False", "TargetNotOwned"))
            && object.status.as_ref().is_some_and(|status| status.outputs.is_empty())
    };
    stage.until(act.name, nothing_left).await;
    assert_ne!(mine.metadata.uid, before.last().and_then(|secret| secret.metadata.uid.clone()));
    for before in &before {
        unchanged(&stage, before).await;
    }
    stage.finish().await;
}
