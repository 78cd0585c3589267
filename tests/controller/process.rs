//! The process: probes, leadership, a restart that asks nobody, an object that does not fit, a configuration refused.

use super::cast;
use crate::support::operator::{Operator, OperatorOptions};
use crate::support::stage::{SOON, Stage, get, listening};
use connector_operator::api::ConditionType;

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_asks_nobody_writes_nothing_and_reads_no_secret() {
    let mut stage = Stage::set("restart").await;
    for act in cast::all() {
        let issued = stage.issue(act.new_key());
        stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
        stage.declare(act.name, act.spec()).await;
        stage.until_ready(act.name).await;
    }
    let asked = stage.simulator.ledger(&Default::default()).len();
    let versions = versions(&stage).await;
    let stopped = tokio::task::block_in_place(|| stage.operator.stop(SOON));
    assert!(stopped.expect("it ends").success());
    stage.operator = stage.another_operator(&[]).await;
    ready(&stage).await;
    // A new credential is served after the old ones: by then they were all looked at.
    let act = cast::zenflow();
    let issued = stage.issue(act.new_key());
    stage.put_secret("new-key", &[("api-key", &issued.key)]).await;
    stage.declare("new", serde_json::json!({"provider": act.settings, "keySecretRef": {"name": "new-key"}})).await;
    stage.until_ready("new").await;
    let calls = stage.simulator.ledger(&Default::default()).len() - asked;
    assert_eq!(calls, 3, "three read scopes of the new one, and nothing for the old ones");
    let now = self::versions(&stage).await;
    for (name, version) in versions {
        assert_eq!(now.get(&name), Some(&version), "{name} was written");
    }
    let looked =
        stage.operator.log().lines().filter(|line| line.contains("looked") && !line.contains("\"new\"")).count();
    assert_eq!(looked, 0, "whoever is at rest is not read");
    stage.finish().await;
}

async fn versions(stage: &Stage) -> std::collections::BTreeMap<String, Option<String>> {
    let credentials = stage.credentials().list(&Default::default()).await.expect("they can be listed");
    let secrets = stage.secrets().list(&Default::default()).await.expect("they can be listed");
    let credentials = credentials.items.into_iter().map(|object| object.metadata);
    let secrets = secrets.items.into_iter().map(|object| object.metadata);
    credentials.chain(secrets).map(|meta| (meta.uid.unwrap_or_default(), meta.resource_version)).collect()
}

async fn ready(stage: &Stage) {
    let wait = async {
        loop {
            if let Some(address) = listening(&stage.operator, "health listening")
                && get(&format!("http://{address}/readyz")).await.trim() == "ok"
            {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, wait).await.expect("it gets ready");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_take_turns_and_only_the_leader_works() {
    let mut stage = Stage::set("replicas").await;
    stage.operator.kill().expect("it can be killed");
    let lease = format!("--lease-namespace={}", "connector-operator");
    stage.operator = stage.another_operator(&["--leader-elect", &lease]).await;
    let act = cast::zenflow();
    let issued = stage.issue(act.new_key());
    stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
    stage.declare(act.name, act.spec()).await;
    stage.until_ready(act.name).await;
    let standby = stage.another_operator(&["--leader-elect", &lease]).await;
    let asked = stage.simulator.ledger(&Default::default()).len();
    let stopped = tokio::task::block_in_place(|| stage.operator.stop(SOON));
    assert!(stopped.expect("it ends").success());
    stage.operator = standby;
    let other = cast::inflow();
    let issued = stage.issue(other.new_key());
    stage.put_secret(&other.source(), &[("api-key", &issued.key)]).await;
    stage.declare(other.name, other.spec()).await;
    stage.until_ready(other.name).await;
    let calls = stage.simulator.ledger(&Default::default()).len() - asked;
    assert_eq!(calls, 1, "the successor asks about the new one only");
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_still_is_not_asked_and_not_written() {
    let stage = Stage::set("quiet").await;
    let act = cast::aventri();
    let issued = stage.issue(act.new_key());
    stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
    stage.declare(act.name, act.spec()).await;
    stage.until_ready(act.name).await;
    let before = versions(&stage).await;
    let asked = stage.simulator.ledger(&Default::default()).len();
    assert_eq!(asked, 1, "one exchange for one need");
    // A label on the source and a description are no reasons to ask or to write an output.
    let labelled = serde_json::json!({"metadata": {"labels": {"team": "data"}}});
    let secrets = stage.secrets();
    secrets.patch(&act.source(), &Default::default(), &kube::api::Patch::Merge(labelled)).await.expect("it is there");
    stage.declare(act.name, act.spec_with("description", serde_json::json!("New words"))).await;
    stage.until(act.name, crate::support::stage::is_current).await;
    assert_eq!(stage.simulator.ledger(&Default::default()).len(), asked);
    let output = stage.secret(&act.output()).await.expect("it is published").metadata;
    assert_eq!(before.get(&output.uid.unwrap_or_default()), Some(&output.resource_version));
    stage.until_is(act.name, ConditionType::Ready, ("True", "Ready")).await;
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_configuration_is_refused_with_its_place() {
    let bed = crate::support::bed::bed().await;
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    let file = directory.path().join("config.yaml");
    std::fs::write(&file, "providers:\n  zenflow: {endpiont: https://api.zenflow.com.ar}\n")
        .expect("it can be written");
    let args =
        vec![format!("--config={}", file.display()), format!("--kubeconfig={}", bed.plane.kubeconfig().display())];
    let mut operator = Operator::spawn(&bed, &OperatorOptions { args, environment: Vec::new() }).expect("it starts");
    let wait = async {
        loop {
            if let Some(status) = operator.ended().expect("it can be asked") {
                return status;
            }
            tokio::task::yield_now().await;
        }
    };
    let status = tokio::time::timeout(SOON, wait).await.expect("it ends");
    assert_eq!(status.code(), Some(1));
    let log = operator.log();
    assert!(log.contains("line 2") && log.contains("column"), "{log}");
}
