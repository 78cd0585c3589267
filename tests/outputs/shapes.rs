//! Outputs change with the spec: templates, prefixes, names, types; and what cannot be made is said by name.

use crate::controller::cast::{self, Act};
use crate::simulator::NewKey;
use crate::support::stage::{Stage, is, is_current, keys, value};
use connector_operator::api::{ConditionType, Conditions, ConnectorCredential};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

async fn ready(prefix: &str, act: &Act, outputs: Value) -> (Stage, String) {
    let stage = Stage::set(prefix).await;
    let issued = stage.issue(act.new_key());
    stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
    stage.declare(act.name, act.spec_with("outputs", outputs)).await;
    stage.until_ready(act.name).await;
    (stage, issued.key)
}

fn message(object: &ConnectorCredential, condition: ConditionType) -> String {
    let conditions = object.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    conditions.of(condition).map(|stored| stored.message.clone()).unwrap_or_default()
}

fn template(name: &str, text: &str) -> Value {
    json!([{"secretName": name, "format": "Template", "template": {"app.ini": text}}])
}

async fn exists(stage: &Stage, name: &str) -> Secret {
    stage.secret(name).await.expect("it is published")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_with_an_unknown_variable_is_refused_with_the_names_that_exist() {
    let act = cast::zenflow();
    let text = "[zenflow]\nkey = $(apiKey)\nliteral = $$(apiKey)\n";
    let (stage, key) = ready("template", &act, template("app", text)).await;
    let made = exists(&stage, "app").await;
    let expected = format!("[zenflow]\nkey = {key}\nliteral = $(apiKey)\n");
    assert_eq!((keys(&made), value(&made, "app.ini")), (vec!["app.ini"], Some(expected.clone())));

    stage.declare(act.name, act.spec_with("outputs", template("app", "$(apiKey) $(companyID)"))).await;
    let told = stage.until_is(act.name, ConditionType::Accepted, ("False", "InvalidSpec")).await;
    let told = message(&told, ConditionType::Accepted);
    assert!(told.contains("$(companyID)") && told.contains("app.ini"), "{told}");
    for known in ["apiKey", "baseURL", "headerName", "headerValue", "accept", "environment", "scopes", "host"] {
        assert!(told.contains(known), "{known} is not in: {told}");
    }
    assert!(!told.contains("accountID"), "another provider's: {told}");
    stage.until_is(act.name, ConditionType::Stalled, ("True", "InvalidSpec")).await;
    let kept = exists(&stage, "app").await;
    assert_eq!(kept.metadata.resource_version, made.metadata.resource_version, "what stands is left alone");

    stage.declare(act.name, act.spec_with("outputs", template("app", text))).await;
    stage.until_ready(act.name).await;
    assert_eq!(value(&exists(&stage, "app").await, "app.ini"), Some(expected));
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_larger_than_a_secret_may_be_is_refused_and_what_just_fits_is_written() {
    let act = cast::zenflow();
    let stage = Stage::set("size").await;
    let key = format!("zenflow_live_EXAMPLE{}", "k".repeat(4076));
    let key = stage.issue(NewKey { key: Some(key), ..act.new_key() }).key;
    assert_eq!(key.len(), 4096, "the longest key");
    stage.put_secret(&act.source(), &[("api-key", &key)]).await;
    let repeated = |times: usize| template("large", &"$(apiKey)".repeat(times));
    stage.declare(act.name, act.spec_with("outputs", repeated(251))).await;
    stage.until_ready(act.name).await;
    let made = exists(&stage, "large").await;
    assert_eq!(value(&made, "app.ini").map(|text| text.len()), Some(251 * 4096));
    stage.declare(act.name, act.spec_with("outputs", repeated(252))).await;
    let told = stage.until_is(act.name, ConditionType::Accepted, ("False", "InvalidSpec")).await;
    assert!(message(&told, ConditionType::Accepted).contains("1 MiB"));
    assert_eq!(exists(&stage, "large").await.metadata.resource_version, made.metadata.resource_version);
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn prefix_type_and_name_change_with_the_spec() {
    let act = cast::zenflow();
    let env = json!({"secretName": "app", "format": "Env"});
    let other = json!({"secretName": "other", "format": "Binding"});
    let (stage, key) = ready("changes", &act, json!([env, other])).await;
    let first = exists(&stage, "app").await;
    assert_eq!(first.type_.as_deref(), Some("Opaque"));
    assert!(keys(&first).iter().all(|key| key.starts_with("ZENFLOW_")), "{:?}", keys(&first));

    // A prefix renames all variables, in place.
    let prefixed = json!({"secretName": "app", "format": "Env", "envPrefix": "ERP_"});
    stage.declare(act.name, act.spec_with("outputs", json!([prefixed, other]))).await;
    let renamed = stage.until_secret("app", |secret| value(secret, "ERP_API_KEY").is_some()).await;
    assert!(keys(&renamed).iter().all(|key| key.starts_with("ERP_")), "no old name is left: {:?}", keys(&renamed));
    assert_eq!(renamed.metadata.uid, first.metadata.uid);

    // Env to Binding and back, under one name: the type cannot be changed in place.
    stage.declare(act.name, act.spec_with("outputs", json!([{"secretName": "app"}, other]))).await;
    let binding =
        stage.until_secret("app", |secret| secret.type_.as_deref() == Some("servicebinding.io/connector")).await;
    assert_ne!(binding.metadata.uid, first.metadata.uid);
    assert_eq!(value(&binding, "api-key"), Some(key.clone()));
    let told = stage.until(act.name, |object| is_current(object) && bound_to(object) == Some("app")).await;
    assert!(is(&told, ConditionType::Ready, ("True", "Ready")));
    stage.declare(act.name, act.spec_with("outputs", json!([env, other]))).await;
    let back = stage.until_secret("app", |secret| secret.type_.as_deref() == Some("Opaque")).await;
    assert_eq!(keys(&back), keys(&first));
    stage.until(act.name, |object| is_current(object) && bound_to(object) == Some("other")).await;

    // One is renamed, the other stays as it is.
    let before = exists(&stage, "other").await.metadata.resource_version;
    let new_name = json!({"secretName": "new-name", "format": "Env"});
    stage.declare(act.name, act.spec_with("outputs", json!([other, new_name]))).await;
    stage.until_gone("app").await;
    assert_eq!(value(&exists(&stage, "new-name").await, "ZENFLOW_API_KEY"), Some(key));
    assert_eq!(exists(&stage, "other").await.metadata.resource_version, before);
    // All are removed: the default takes their place.
    stage.declare(act.name, act.spec()).await;
    stage.until_gone("other").await;
    stage.until_gone("new-name").await;
    assert!(stage.secret(&act.output()).await.is_some());
    stage.finish().await;
}

fn bound_to(object: &ConnectorCredential) -> Option<&str> {
    let status = object.status.as_ref()?;
    status.binding.as_ref().map(|binding| binding.name.as_str())
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_of_every_kind_is_repaired_and_a_stranger_s_label_stays() {
    let act = Act { name: LONG, ..cast::zenflow() };
    let stage = Stage::set("drift").await;
    let issued = stage.issue(act.new_key());
    stage.put_secret("source", &[("api-key", &issued.key)]).await;
    let spec = json!({
        "provider": act.settings, "keySecretRef": {"name": "source"},
        "outputs": [{"secretName": "app", "format": "Env"}],
    });
    stage.declare(act.name, spec).await;
    stage.until_ready(act.name).await;
    let asked = stage.simulator.ledger(&Default::default()).len();
    let good = exists(&stage, "app").await;
    let labels = good.metadata.labels.clone().expect("labels");
    assert_eq!(labels["app.kubernetes.io/managed-by"], "connector-operator");
    let marked = &labels["connector-operator.io/credential"];
    assert!(marked.len() == 63 && marked.starts_with(&LONG[..54]), "{marked}");
    assert_eq!(labels.len(), 2);
    for drift in [
        json!({"data": {"ZENFLOW_API_KEY": "dGFtcGVyZWQ="}}),
        json!({"data": {"MORE": "Ynl0ZXM="}}),
        json!({"data": {"ZENFLOW_API_KEY": null}}),
        json!({"metadata": {"labels": {"app.kubernetes.io/managed-by": null}}}),
        json!({"metadata": {"labels": {"connector-operator.io/credential": "other"}}}),
        json!({"immutable": true}),
    ] {
        let drifted = stage.secrets().patch("app", &PatchParams::default(), &Patch::Merge(drift.clone())).await;
        let drifted = drifted.expect("the administrator may write Secrets").metadata.resource_version;
        let repaired = |secret: &Secret| {
            secret.metadata.resource_version != drifted
                && secret.data == good.data
                && secret.immutable != Some(true)
                && secret.metadata.labels == good.metadata.labels
        };
        stage.until_secret("app", repaired).await;
    }
    let theirs = json!({"metadata": {"labels": {"team": "data"}, "annotations": {"note": "ours"}}});
    stage.secrets().patch("app", &PatchParams::default(), &Patch::Merge(theirs)).await.expect("it is there");
    stage.put_secret("source", &[("api-key", &stage.issue(act.new_key()).key)]).await;
    let rotated = stage.until_secret("app", |secret| secret.data != good.data).await;
    assert_eq!(
        rotated.metadata.labels.as_ref().and_then(|labels| labels.get("team")).map(String::as_str),
        Some("data")
    );
    assert_eq!(rotated.metadata.annotations.unwrap_or_default().get("note").map(String::as_str), Some("ours"));
    assert!(stage.simulator.ledger(&Default::default()).len() <= asked + 3, "only the new key was asked about");
    stage.finish().await;
}

const LONG: &str = "a-credential-with-a-name-that-is-longer-than-a-label-may-ever-be-in-kubernetes";
