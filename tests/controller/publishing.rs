//! Only proved bytes are published, and a bad rotation costs nobody anything.

use super::cast;
use crate::support::await_object::await_object;
use crate::support::stage::{SOON, Stage, is, is_current, value};
use connector_operator::api::ConditionType;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a23_a_rotated_key_is_published_once_it_is_proved_and_a_bad_one_never() {
    let stage = Stage::set("rotation").await;
    tokio::join!(rotate_well_and_badly(&stage, "Keep"), rotate_well_and_badly(&stage, "Withdraw"));
    stage.finish().await;
}

async fn rotate_well_and_badly(stage: &Stage, policy: &str) {
    let act = if policy == "Keep" { cast::zenflow() } else { cast::flowlu() };
    let first = stage.issue(act.new_key());
    stage.put_secret(&act.source(), &[("api-key", &first.key)]).await;
    stage.declare(act.name, act.spec_with("rejectionPolicy", json!(policy))).await;
    stage.until_ready(act.name).await;

    let second = stage.issue(act.new_key());
    stage.put_secret(&act.source(), &[("api-key", &second.key)]).await;
    stage.until_secret(&act.output(), |secret| value(secret, "api-key").as_deref() == Some(second.key.as_str())).await;
    stage.until_ready(act.name).await;

    let wrong = stage.wrong_key(act.provider);
    stage.put_secret(&act.source(), &[("api-key", &wrong)]).await;
    let refused = |object: &_| is(object, ConditionType::Authenticated, ("False", "KeyRejected"));
    // Two unscheduled checks at once, then one every half minute.
    let told = await_object(&stage.credentials(), act.name, 3 * SOON, refused).await.expect("it is refused");
    assert!(is(&told, ConditionType::Published, ("True", "LastKnownGood")));
    assert!(is(&told, ConditionType::Ready, ("False", "KeyRejected")));
    let kept = stage.secret(&act.output()).await.expect("it stays");
    assert_eq!(value(&kept, "api-key").as_deref(), Some(second.key.as_str()));
    // What somebody deletes now cannot be rebuilt, and is not made of what there is.
    stage.delete_secret(&act.output()).await;
    stage.until_is(act.name, ConditionType::Published, ("False", "WaitingForVerification")).await;
    assert!(stage.secret(&act.output()).await.is_none(), "{policy}: the refused key was published");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_cannot_be_proved_is_published_and_plainly_said_to_be_unproved() {
    let stage = Stage::set("local").await;
    let act = cast::flowlu();
    let key = stage.wrong_key(act.provider);
    stage.put_secret(&act.source(), &[("api-key", &key)]).await;
    stage.declare(act.name, act.spec_with("validation", json!({"mode": "Local"}))).await;
    let ready = stage.until_is(act.name, ConditionType::Ready, ("True", "LocalOnly")).await;
    assert!(is(&ready, ConditionType::Authenticated, ("Unknown", "LocalOnly")));
    assert!(stage.secret(&act.output()).await.is_some());
    assert!(stage.simulator.ledger(&Default::default()).is_empty(), "nobody was asked");
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_output_that_is_no_longer_declared_is_deleted_once_the_others_stand() {
    let stage = Stage::set("outputs").await;
    let act = cast::zenflow();
    let issued = stage.issue(act.new_key());
    stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
    stage
        .declare(
            act.name,
            act.spec_with("outputs", json!([{"secretName": "one"}, {"secretName": "two", "format": "Env"}])),
        )
        .await;
    stage.until_ready(act.name).await;
    assert!(stage.secret("one").await.is_some() && stage.secret("two").await.is_some());
    stage.declare(act.name, act.spec_with("outputs", json!([{"secretName": "three", "format": "Env"}]))).await;
    stage.until_gone("one").await;
    stage.until_gone("two").await;
    let ready = stage.until(act.name, |object| {
        is_current(object) && object.status.as_ref().is_some_and(|status| status.outputs.len() == 1)
    });
    assert_eq!(ready.await.status.expect("a status").outputs[0].secret_name, "three");
    assert!(stage.secret("three").await.is_some());
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn suspended_nothing_is_asked_or_written_and_resumed_nobody_is_asked_again() {
    let stage = Stage::set("suspend").await;
    let act = cast::zenflow();
    let issued = stage.issue(act.new_key());
    stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
    stage.declare(act.name, act.spec()).await;
    stage.until_ready(act.name).await;
    let asked = stage.simulator.ledger(&Default::default()).len();
    stage.declare(act.name, act.spec_with("suspend", json!(true))).await;
    stage.until_is(act.name, ConditionType::Ready, ("True", "Suspended")).await;
    stage.delete_secret(&act.output()).await;
    stage.annotate(act.name, "connector-operator.io/reconcile-at", "later").await;
    stage.declare(act.name, act.spec_with("suspend", json!(true))).await;
    assert!(stage.secret(&act.output()).await.is_none(), "nothing is written");
    assert_eq!(stage.simulator.ledger(&Default::default()).len(), asked, "nobody is asked");
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_change_the_names_of_their_outputs_do_not_wait_for_each_other() {
    let stage = Stage::set("swapped").await;
    let acts = [cast::zenflow(), cast::flowlu()];
    let declare = async |act: &cast::Act, output: &str| {
        let outputs = json!([{"secretName": output, "format": if output == "one" { "Binding" } else { "Env" }}]);
        stage.declare(act.name, act.spec_with("outputs", outputs)).await;
    };
    for (act, output) in acts.iter().zip(["one", "two"]) {
        let issued = stage.issue(act.new_key());
        stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
        declare(act, output).await;
        stage.until_ready(act.name).await;
    }
    // Nobody else wants what the first one has, so it keeps it.
    declare(&acts[0], "two").await;
    let blocked = |object: &_| {
        // Whichever is the younger: both may be made in one second.
        let stalled = |reason| is_current(object) && is(object, ConditionType::Stalled, ("True", reason));
        stalled("TargetNotOwned") || stalled("OutputConflict")
    };
    stage.until(acts[0].name, blocked).await;
    assert!(stage.secret("one").await.is_some(), "it stays until the other stands");
    declare(&acts[1], "one").await;
    for (act, output) in acts.iter().zip(["two", "one"]) {
        let ready = stage.until_ready(act.name).await;
        let secret = stage.secret(output).await.expect("it is written");
        assert_eq!(secret.metadata.owner_references.expect("owners")[0].uid, ready.metadata.uid.expect("a uid"));
    }
    stage.finish().await;
}
