//! Only proved bytes are published, and a bad rotation costs nobody anything.

use super::cast;
use crate::support::await_object::await_object;
use crate::support::stage::{SOON, Stage, is, is_current, value};
use connector_operator::api::ConditionType;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_key_is_published_once_it_is_proved_and_a_bad_one_never() {
    let stage = Stage::set("rotation").await;
    let act = cast::zenflow();
    let first = stage.issue(act.new_key());
    stage.put_secret(&act.source(), &[("api-key", &first.key)]).await;
    stage.declare(act.name, act.spec()).await;
    stage.until_ready(act.name).await;

    let second = stage.issue(act.new_key());
    stage.put_secret(&act.source(), &[("api-key", &second.key)]).await;
    stage.until_secret(&act.output(), |secret| value(secret, "api-key").as_deref() == Some(second.key.as_str())).await;
    stage.until_ready(act.name).await;

    let wrong = stage.wrong_key(act.provider);
    stage.put_secret(&act.source(), &[("api-key", &wrong)]).await;
    let told = stage.until_is(act.name, ConditionType::Authenticated, ("False", "KeyRejected")).await;
    assert!(is(&told, ConditionType::Published, ("True", "LastKnownGood")));
    assert!(is(&told, ConditionType::Ready, ("False", "KeyRejected")));
    let kept = stage.secret(&act.output()).await.expect("it stays");
    assert_eq!(value(&kept, "api-key").as_deref(), Some(second.key.as_str()));
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_is_withdrawn_only_if_asked_for_and_only_after_a_second_refusal() {
    let stage = Stage::set("withdraw").await;
    let act = cast::inflow();
    let issued = stage.issue(act.new_key());
    stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
    stage.declare(act.name, act.spec_with("rejectionPolicy", json!("Withdraw"))).await;
    stage.until_ready(act.name).await;
    stage.simulator.revoke_key(&issued.id);
    stage.annotate(act.name, "connector-operator.io/reconcile-at", "1").await;
    let pending = stage.until(act.name, |object| {
        let validation = object.status.as_ref().and_then(|status| status.validation.as_ref());
        validation.is_some_and(|validation| validation.first_rejection_time.is_some())
    });
    assert!(is(&pending.await, ConditionType::Ready, ("True", "Ready")), "one refusal does not undo a proved key");
    assert!(stage.secret(&act.output()).await.is_some());
    let refused = |object: &_| is(object, ConditionType::Authenticated, ("False", "KeyRejected"));
    // The second refusal comes after half a minute.
    await_object(&stage.credentials(), act.name, 3 * SOON, refused).await.expect("it counts");
    stage.until_gone(&act.output()).await;
    stage.until_is(act.name, ConditionType::Published, ("False", "Withdrawn")).await;
    stage.finish().await;
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
