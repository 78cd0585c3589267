//! The main job, once for each provider: a Secret arrives, its key is proved and published, a wrong key is not.

use super::cast;
use crate::support::stage::{Stage, keys, value};
use connector_operator::api::ConditionType;

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_proved_and_published_when_its_secret_arrives() {
    let stage = Stage::set("main-job").await;
    for act in cast::all() {
        stage.declare(act.name, act.spec()).await;
        stage.until_is(act.name, ConditionType::Resolved, ("False", "SecretNotFound")).await;
        let issued = stage.issue(act.new_key());
        stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
        let ready = stage.until_ready(act.name).await;
        let output = stage.secret(&act.output()).await.expect("a ready credential is published");
        assert_eq!(keys(&output), act.keys, "{}", act.name);
        assert_eq!(value(&output, "api-key").as_deref(), Some(issued.key.as_str()), "{}", act.name);
        assert_eq!(output.type_.as_deref(), Some("servicebinding.io/connector"));
        let binding = ready.status.and_then(|status| status.binding);
        assert_eq!(binding.map(|binding| binding.name), Some(act.output()));
        if let Some(token) = value(&output, "access-token") {
            stage.watch_for(&token);
        }
    }
    assert_eq!(stage.simulator.decoy_hits(), 0);
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_rejected_and_never_published() {
    let stage = Stage::set("wrong-key").await;
    for act in cast::all() {
        let wrong = stage.wrong_key(act.provider);
        stage.put_secret(&act.source(), &[("api-key", &wrong)]).await;
        stage.declare(act.name, act.spec()).await;
        stage.until_is(act.name, ConditionType::Authenticated, ("False", "KeyRejected")).await;
        stage.until_is(act.name, ConditionType::Stalled, ("True", "KeyRejected")).await;
        stage.until_is(act.name, ConditionType::Ready, ("False", "KeyRejected")).await;
        assert!(stage.secret(&act.output()).await.is_none(), "{}: nothing is published", act.name);
        let issued = stage.issue(act.new_key());
        stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
        stage.until_ready(act.name).await;
        if let Some(token) = stage.secret(&act.output()).await.and_then(|output| value(&output, "access-token")) {
            stage.watch_for(&token);
        }
    }
    stage.finish().await;
}
