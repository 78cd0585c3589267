//! Whose is a Secret? Ours go with their owner; a stranger's is never touched, not even a label of it.

use super::cast;
use crate::support::bed::private_bed;
use crate::support::stage::{Stage, value};
use connector_operator::api::ConditionType;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, PostParams};
use serde_json::{Value, json};

/// Creates a Secret under the output's name and returns it as stored.
async fn squat(stage: &Stage, name: &str, owners: Value) -> Secret {
    let secret = json!({
        "metadata": {"name": name, "labels": {"mine": "yes"}, "ownerReferences": owners},
        "stringData": {"password": "somebody else's"},
    });
    let secret = serde_json::from_value(secret).expect("a Secret");
    stage.secrets().create(&PostParams::default(), &secret).await.expect("it is admitted")
}

#[tokio::test(flavor = "multi_thread")]
async fn a07_a_foreign_secret_is_left_alone_and_the_name_is_taken_when_it_is_freed() {
    // Without a garbage collector, which would take away what has no living owner.
    let bed = private_bed().await;
    bed.plane.stop_controllers();
    let stage = Stage::set_on(bed, "foreign", &[]).await;
    let act = cast::zenflow();
    let issued = stage.issue(act.new_key());
    stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
    let other =
        |uid: &str| json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "other", "uid": uid, "controller": true}]);
    let stale = json!([{
        "apiVersion": "connector-operator.io/v1alpha1", "kind": "ConnectorCredential", "name": act.name,
        "uid": "00000000-0000-4000-8000-000000000000", "controller": true,
    }]);
    for owners in [json!([]), other("00000000-0000-4000-8000-000000000001"), stale] {
        let before = squat(&stage, &act.output(), owners).await;
        stage.declare(act.name, act.spec()).await;
        let told = stage.until_is(act.name, ConditionType::Stalled, ("True", "TargetNotOwned")).await;
        assert!(told.status.expect("a status").outputs.is_empty());
        let after = stage.secret(&act.output()).await.expect("it is still there");
        assert_eq!(before, after, "not a byte, not a label, not a managed field");
        stage.delete_secret(&act.output()).await;
        stage.until_ready(act.name).await;
        stage.credentials().delete(act.name, &DeleteParams::default()).await.expect("it is there");
        stage.delete_secret(&act.output()).await;
    }
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a31_an_output_goes_with_its_owner_and_is_repaired_while_it_lives() {
    let stage = Stage::set("owned").await;
    let act = cast::flowlu();
    let issued = stage.issue(act.new_key());
    stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
    stage.declare(act.name, act.spec()).await;
    stage.until_ready(act.name).await;
    let good = stage.secret(&act.output()).await.expect("it is published");
    stage.put_secret(&act.output(), &[("api-key", "tampered"), ("more", "bytes")]).await;
    stage.until_secret(&act.output(), |secret| secret.data == good.data).await;
    stage.delete_secret(&act.output()).await;
    stage.until_secret(&act.output(), |secret| secret.data == good.data).await;
    stage.credentials().delete(act.name, &DeleteParams::default()).await.expect("it is there");
    stage.until_gone(&act.output()).await;
    assert!(stage.secret(&act.source()).await.is_some(), "the source is the user's");
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a07_the_older_of_two_credentials_keeps_the_name_and_the_other_heals_when_it_is_freed() {
    let stage = Stage::set("conflict").await;
    let act = cast::zenflow();
    let issued = stage.issue(act.new_key());
    stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
    let spec = act.spec_with("outputs", json!([{"secretName": "shared-auth"}]));
    stage.declare("first", spec.clone()).await;
    stage.until_ready("first").await;
    stage.declare("second", spec).await;
    stage.until_is("second", ConditionType::Accepted, ("False", "OutputConflict")).await;
    stage.until_is("second", ConditionType::Stalled, ("True", "OutputConflict")).await;
    let held = stage.secret("shared-auth").await.expect("it is published");
    let owner = held.metadata.owner_references.expect("an owner").remove(0);
    assert_eq!(owner.name, "first");
    stage.credentials().delete("first", &DeleteParams::default()).await.expect("it is there");
    stage.until_ready("second").await;
    let taken = stage.until_secret("shared-auth", |secret| {
        secret.metadata.owner_references.iter().flatten().any(|owner| owner.name == "second")
    });
    assert_eq!(value(&taken.await, "api-key").as_deref(), Some(issued.key.as_str()));
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_given_up_goes_to_the_one_that_waits_for_it() {
    let stage = Stage::set("given-up").await;
    let act = cast::zenflow();
    let issued = stage.issue(act.new_key());
    stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
    let spec = |name: &str| act.spec_with("outputs", json!([{"secretName": name}]));
    stage.declare("first", spec("shared-auth")).await;
    stage.until_ready("first").await;
    stage.declare("second", spec("shared-auth")).await;
    stage.until_is("second", ConditionType::Stalled, ("True", "OutputConflict")).await;
    stage.declare("first", spec("elsewhere")).await;
    stage.until_ready("second").await;
    let taken = stage.secret("shared-auth").await.expect("it is published");
    assert_eq!(taken.metadata.owner_references.expect("an owner").remove(0).name, "second");
    stage.finish().await;
}
