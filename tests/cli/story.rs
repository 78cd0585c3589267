//! The commands in a cluster with a running operator: what a user types through the life of a key.

use super::Cluster;
use crate::simulator::{Fault, Misbehaviour, NewKey, Provider, key_hash};
use crate::support::await_object::await_object;
use crate::support::canary::{Canary, find};
use crate::support::stage::{SOON, Stage, is, is_current};
use connector_operator::api::ConditionType;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

fn deployment() -> Deployment {
    serde_json::from_value(json!({
        "metadata": {"name": "sync"},
        "spec": {
            "replicas": 1, "selector": {"matchLabels": {"app": "sync"}},
            "template": {"metadata": {"labels": {"app": "sync"}}, "spec": {"containers": [
                {"name": "sync", "image": "none", "envFrom": [{"secretRef": {"name": "crm-auth"}}]},
            ]}},
        },
    }))
    .expect("a Deployment")
}

/// A stage with one ready credential, `crm`, used by a Deployment.
async fn scene() -> (Stage, Cluster, String) {
    let stage = Stage::set("ctl").await;
    let key = stage.issue(NewKey::of(Provider::Flowlu, "mycompany")).key;
    stage.put_secret("crm-key", &[("api-key", &key)]).await;
    let template = json!([{"secretName": "crm-auth", "format": "Env"}, {"secretName": "crm-file", "format": "Template", "template": {"app.ini": "key = $(apiKey)\n"}}]);
    let end = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(70 * 24);
    stage
        .declare("crm", json!({"expiresAt": jiff::fmt::strtime::format("%Y-%m-%dT%H:%M:%SZ", end).expect("a time"), "provider": {"flowlu": {"account": "mycompany"}}, "keySecretRef": {"name": "crm-key"}, "outputs": template}))
        .await;
    stage.until_ready("crm").await;
    let cluster = Cluster::of(&stage.bed, &stage.namespace);
    (stage, cluster, key)
}

#[track_caller]
fn no_key(key: &str, text: &str) {
    let canary = Canary::new("the key", key).with_public_prefix("flowlu");
    assert_eq!(find(text.as_bytes(), &[canary]), [], "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ready_credential_is_shown_without_its_key() {
    let (stage, cluster, key) = scene().await;
    stage
        .bed
        .api::<Deployment>(&stage.namespace)
        .create(&PostParams::default(), &deployment())
        .await
        .expect("admitted");
    while stage.bed.api::<Pod>(&stage.namespace).list(&ListParams::default()).await.expect("listed").items.is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    let config = super::write(directory.path(), "config.yaml", &stage.simulator.config_yaml());
    let mut all = String::new();
    let mut ok = |arguments: &[&str]| {
        let run = cluster.ctl(arguments).ended(0);
        all.push_str(&run.all());
        run.out
    };
    let status = ok(&["status", "crm"]);
    for words in ["READY for ", "Secret crm-auth (Env)", "Deployment/sync", "Published", "Events"] {
        assert!(status.contains(words), "{words}: {status}");
    }
    let tree = ok(&["tree", "crm"]);
    for words in [
        "Secret/crm-key  holds the key\n└─ ConnectorCredential/crm  Ready=True Ready\n   ├─ Secret/crm-auth  published\n   │  └─ Deployment/sync\n   │     └─ ReplicaSet/sync-",
        "Pod/sync-",
        "└─ Secret/crm-file  published\n      └─ no Pod uses it",
    ] {
        assert!(tree.contains(words), "{words}: {tree}");
    }
    assert!(ok(&["list", "-o", "name"]).contains("connectorcredential.connector-operator.io/crm\n"));
    let rows = ok(&["list", "--no-headers"]);
    assert!(rows.starts_with("crm ") && rows.lines().count() == 1, "a row each, and no timeline: {rows}");
    assert!(ok(&["list", "-o", "wide"]).contains("CHECKED"));
    let list: Value = serde_json::from_str(&ok(&["list", "-o", "json"])).expect("JSON");
    assert_eq!(list["items"][0]["metadata"]["name"], "crm");
    let one: Value = serde_json::from_str(&ok(&["status", "crm", "-o", "json"])).expect("JSON");
    assert_eq!(one["metadata"]["name"], "crm");
    assert!(ok(&["status", "crm", "-o", "yaml"]).contains("kind: ConnectorCredential"));
    let rendered = ok(&["render", "crm", "--config", &config]);
    assert!(rendered.contains("FLOWLU_API_KEY: REDACTED") && rendered.contains("key = REDACTED"), "{rendered}");
    assert_eq!(ok(&["render", "crm", "--config", &config, "-o", "name"]), "secret/crm-auth\nsecret/crm-file\n");
    let report = ok(&["report"]);
    assert!(report.contains("crm-key:") && report.contains("redacted, 16 bytes"), "{report}");
    ok(&["check", "--pre"]);
    no_key(&key, &all);
    let calls = stage.simulator.ledger(&crate::simulator::LedgerFilter::default()).len();
    let shown = cluster.ctl(&["render", "crm", "--config", &config, "--show-secrets", "-o", "json"]).ended(0);
    let shown: Value = serde_json::from_str(&shown.out).expect("JSON");
    let secret = stage.secret("crm-auth").await.expect("published");
    for (name, value) in secret.data.expect("data") {
        assert_eq!(
            shown["items"][0]["stringData"][&name].as_str().map(str::as_bytes),
            Some(value.0.as_slice()),
            "{name}"
        );
    }
    assert_eq!(stage.simulator.ledger(&crate::simulator::LedgerFilter::default()).len(), calls, "render calls nobody");
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_refusal_is_a_warning_and_outputs_that_are_left_are_named() {
    let (stage, cluster, key) = scene().await;
    let refuse = Misbehaviour::Status { status: 401, retry_after: None, bad_key_body: true };
    stage.simulator.set_fault(Fault { key_hash: Some(key_hash(&key)), ..Fault::of(refuse) });
    let run = cluster.ctl(&["reconcile", "crm", "--wait"]).ended(0);
    assert!(
        run.out.contains("reconciled: Ready: ")
            && run.out.contains(" Warning: Flowlu accepted this key before and refused it once"),
        "{}",
        run.out
    );
    stage.simulator.clear_faults();
    let spec = json!({"publishPolicy": "Never"});
    let never = Patch::Merge(json!({"spec": spec}));
    stage.credentials().patch("crm", &PatchParams::default(), &never).await.expect("the administrator may");
    let status = cluster.ctl(&["status", "crm"]);
    assert!(
        status.out.contains("none: publishPolicy is Never") && status.out.contains("crm-auth, not kept up any more")
    );
    let tree = cluster.ctl(&["tree", "crm"]).ended(0);
    assert!(tree.out.contains("Secret/crm-auth  not kept up any more"), "{}", tree.out);
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_is_checked_suspended_and_resumed_at_will() {
    let (stage, cluster, key) = scene().await;
    let run = cluster.ctl(&["reconcile", "crm", "--wait"]).ended(0);
    assert_eq!(
        run.out,
        "connectorcredential.connector-operator.io/crm reconciled: Ready: The key is proved and published.\n"
    );
    cluster.ctl(&["suspend", "crm"]).ended(0);
    stage.until_is("crm", ConditionType::Ready, ("True", "Suspended")).await;
    let status = cluster.ctl(&["status", "crm"]);
    assert!(status.out.contains("SUSPENDED: it was ready before\n"), "{}", status.all());
    let run = cluster.ctl(&["reconcile", "--all", "--wait"]).ended(1);
    assert!(run.err.contains("suspended") && run.err.contains("resume crm"), "{}", run.err);
    let run = cluster.ctl(&["resume", "-l", "team=none"]).ended(1);
    assert!(run.err.contains("no ConnectorCredential"), "{}", run.err);
    let run = cluster.ctl(&["resume", "--all"]).ended(0);
    assert_eq!(run.out, "connectorcredential.connector-operator.io/crm resumed\n");
    stage.until_ready("crm").await;
    let wrong = stage.wrong_key(Provider::Flowlu);
    stage.put_secret("crm-key", &[("api-key", &wrong)]).await;
    // The third check that nobody scheduled: one comes back in half a minute.
    let refused = |object: &_| is_current(object) && is(object, ConditionType::Ready, ("False", "KeyRejected"));
    await_object(&stage.credentials(), "crm", 3 * SOON, refused).await.expect("it is refused");
    let run = cluster.ctl(&["reconcile", "crm", "--wait"]).ended(1);
    assert!(run.out.contains("not ready: KeyRejected: Flowlu refused the key."), "{}", run.all());
    let status = cluster.ctl(&["status", "crm"]).ended(1);
    assert!(status.out.contains("NOT READY for ") && status.out.contains("LastKnownGood"), "{}", status.out);
    no_key(&key, &status.all());
    no_key(&key, &cluster.ctl(&["report"]).ended(0).all());
    let several = cluster.ctl(&["suspend", "nope", "concred/crm"]).ended(1);
    assert_eq!(several.out, "connectorcredential.connector-operator.io/crm suspended\n", "the others have their turn");
    let there_are = format!("hint: in namespace {} there are: crm\n", stage.namespace);
    assert!(several.err.contains("nope") && several.err.contains(&there_are), "{}", several.err);
    cluster.ctl(&["reconcile"]).ended(2);
    cluster.ctl(&["reconcile", "secret/crm"]).ended(2);
    cluster.ctl(&["reconcile", "crm", "--all"]).ended(2);
    stage.finish().await;
}
