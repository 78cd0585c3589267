//! The process: probes, leadership, a restart that asks nobody, an object that does not fit, a configuration refused.

use super::cast;
use crate::support::await_object::await_object;
use crate::support::bed::private_bed;
use crate::support::operator::{Operator, OperatorOptions};
use crate::support::stage::{SOON, Stage, get, listening};
use connector_operator::api::ConditionType;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use serde_json::json;

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
    let began = stage.operator.log();
    let begins = began.lines().any(|line| {
        let words = ["\"starting\"", env!("CARGO_PKG_VERSION"), "https://127.0.0.1:", "leader_elect", &stage.namespace];
        words.iter().all(|word| line.contains(word))
    });
    assert!(begins && began.contains("\"synced\""), "version, address and namespaces, then the number: {began}");
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
    let lease = format!("--lease-namespace={}", stage.lease_namespace().await);
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

/// What an older schema let in: the CRD of this test's own control plane knows one more provider for a while.
#[tokio::test(flavor = "multi_thread")]
async fn a29_an_object_that_does_not_fit_is_told_so_and_stays_alone_and_heals() {
    let stage = Stage::set_on(private_bed().await, "poison", &[]).await;
    let crds: Api<CustomResourceDefinition> = Api::all(stage.bed.client.clone());
    let name = "connectorcredentials.connector-operator.io";
    let strict = crds.get(name).await.expect("it is installed");
    let mut loose = serde_json::to_value(strict).expect("JSON");
    let place =
        "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/provider/properties/zenflow/properties";
    let environment = loose.pointer_mut(&format!("{place}/environment")).and_then(|field| field.as_object_mut());
    environment.expect("the field is there").remove("enum").expect("it is an enumeration");
    let loose = serde_json::from_value(loose).expect("a CRD");
    crds.replace(name, &Default::default(), &loose).await.expect("it is admitted");
    let poison = json!({"provider": {"zenflow": {"environment": "Mars"}}, "keySecretRef": {"name": "erp-key"}});
    let wait = async {
        // The API server takes a moment to serve the looser schema.
        while stage.try_declare("poison", &poison).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, wait).await.expect("the looser schema is served");
    let conditions =
        |object: &kube::api::DynamicObject| object.data.pointer("/status/conditions").cloned().unwrap_or_default();
    let is = |object: &kube::api::DynamicObject, kind: &str, status: &str, reason: &str| {
        conditions(object).as_array().is_some_and(|all| {
            all.iter().any(|one| one["type"] == kind && one["status"] == status && one["reason"] == reason)
        })
    };
    let objects = stage.untyped();
    let told = await_object(&objects, "poison", SOON, |object| is(object, "Stalled", "True", "InvalidSpec")).await;
    assert!(is(&told.expect("it is told"), "Ready", "False", "InvalidSpec"));

    let act = cast::inflow();
    let issued = stage.issue(act.new_key());
    stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
    stage.declare(act.name, act.spec()).await;
    stage.until_ready(act.name).await;

    let good = cast::zenflow();
    let issued = stage.issue(good.new_key());
    stage.put_secret("erp-key", &[("api-key", &issued.key)]).await;
    stage.declare("poison", good.spec()).await;
    let healed = stage.until_ready("poison").await;
    let kinds: Vec<_> = healed.status.expect("a status").conditions.into_iter().map(|one| one.type_).collect();
    assert!(!kinds.iter().any(|kind| kind == "Stalled" || kind == "Reconciling"), "{kinds:?}");
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_right_to_watch_secrets_the_operator_works_and_reads_them() {
    let mut stage = Stage::set("unwatched").await;
    stage.operator.kill().expect("it can be killed");
    let account = stage.limited_account().await;
    stage.expect_denials();
    stage.operator = stage.another_operator(&[&format!("--kubeconfig={}", account.display())]).await;
    let act = cast::inflow();
    let issued = stage.issue(act.new_key());
    stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
    stage.declare(act.name, act.spec()).await;
    stage.until_ready(act.name).await;
    ready(&stage).await;
    stage.finish().await;
}
