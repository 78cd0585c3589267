//! What is missing is named, each with its own reason, and heals by itself when it is there.

use super::cast;
use crate::support::stage::{Stage, is};
use connector_operator::api::ConditionType;
use kube::api::PostParams;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_secret_and_a_missing_key_in_it_heal_when_they_arrive() {
    let stage = Stage::set("missing").await;
    let act = cast::zenflow();
    stage.declare(act.name, act.spec()).await;
    stage.until_is(act.name, ConditionType::Reconciling, ("True", "SecretNotFound")).await;
    stage.put_secret(&act.source(), &[("other", "nothing")]).await;
    stage.until_is(act.name, ConditionType::Resolved, ("False", "SecretKeyNotFound")).await;
    stage.until_is(act.name, ConditionType::Ready, ("False", "SecretKeyNotFound")).await;
    let issued = stage.issue(act.new_key());
    stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
    stage.until_ready(act.name).await;
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a09_a_malformed_key_stalls_without_a_call_and_heals() {
    let stage = Stage::set("malformed").await;
    let act = cast::zenflow();
    for bad in ["", "two words", "zenflow_test_EXAMPLEabcdefgh", "tab\tinside"] {
        stage.put_secret(&act.source(), &[("api-key", bad)]).await;
        stage.declare(act.name, act.spec()).await;
        stage.until_is(act.name, ConditionType::Stalled, ("True", "KeyMalformed")).await;
        stage.delete_secret(&act.source()).await;
        stage.until_is(act.name, ConditionType::Resolved, ("False", "SecretNotFound")).await;
    }
    assert!(stage.simulator.ledger(&Default::default()).is_empty(), "no call for a key that cannot be one");
    let issued = stage.issue(act.new_key());
    stage.put_secret(&act.source(), &[("api-key", &format!("{}\n", issued.key))]).await;
    stage.until_ready(act.name).await;
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a06_secrets_that_are_kubernetes_own_are_never_read_out() {
    let stage = Stage::set("forbidden-types").await;
    let act = cast::flowlu();
    for kind in ["kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token", "helm.sh/release.v1"] {
        let secret = serde_json::from_value(json!({
            "metadata": {"name": act.source(), "annotations": {"kubernetes.io/service-account.name": "default"}},
            "type": kind, "stringData": {"api-key": "abcdefghEXAMPLE"},
        }));
        stage.secrets().create(&PostParams::default(), &secret.expect("a Secret")).await.expect("it is admitted");
        stage.declare(act.name, act.spec()).await;
        stage.until_is(act.name, ConditionType::Stalled, ("True", "SecretTypeNotAllowed")).await;
        stage.delete_secret(&act.source()).await;
        stage.until_is(act.name, ConditionType::Resolved, ("False", "SecretNotFound")).await;
    }
    assert!(stage.simulator.ledger(&Default::default()).is_empty());
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_account_is_told_and_heals_with_the_spec() {
    let stage = Stage::set("account").await;
    let act = cast::flowlu();
    let issued = stage.issue(act.new_key());
    stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
    let elsewhere = json!({"flowlu": {"account": "nobody"}});
    stage.declare(act.name, json!({"provider": elsewhere, "keySecretRef": {"name": act.source()}})).await;
    let told = stage.until_is(act.name, ConditionType::Authenticated, ("False", "KeyRejected")).await;
    let conditions = told.status.expect("a status").conditions;
    assert!(conditions.iter().any(|condition| condition.message.contains("account")), "{conditions:?}");
    stage.declare(act.name, act.spec()).await;
    stage.until_ready(act.name).await;
    stage.finish().await;
}

/// The operator's account without the manifest's cluster-wide right to read Secrets would need a cluster of its own:
/// here another account is bound in the namespace, and loses the right.
#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_is_missing_is_told_and_heals_when_it_is_granted() {
    let mut stage = Stage::set("denied").await;
    stage.operator.kill().expect("it can be killed");
    let account = stage.limited_account().await;
    let kubeconfig = format!("--kubeconfig={}", account.display());
    stage.operator = stage.another_operator(&[&kubeconfig, "--secret-watch=none"]).await;
    let act = cast::inflow();
    let issued = stage.issue(act.new_key());
    stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
    stage.declare(act.name, act.spec()).await;
    stage.until_ready(act.name).await;
    stage.expect_denials();
    stage.unbind("secrets").await;
    stage.annotate(act.name, "connector-operator.io/reconcile-at", "now").await;
    stage.until(act.name, |object| is(object, ConditionType::Resolved, ("False", "SecretAccessDenied"))).await;
    stage.bind("secrets").await;
    stage.annotate(act.name, "connector-operator.io/reconcile-at", "again").await;
    stage.until_ready(act.name).await;
    stage.finish().await;
}
