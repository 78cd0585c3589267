//! Does the API server take the CRD whole, and does kubectl show what it says?

use super::admission::create;
use crate::support::await_object::await_object;
use crate::support::bed::{Bed, bed};
use connector_operator::api::ConnectorCredential;
use connector_operator::crd::crd;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams, ValidationDirective};
use serde_json::{Value, json};
use std::time::Duration;

#[track_caller]
fn kubectl(bed: &Bed, arguments: &[&str]) -> String {
    let output = bed.plane.kubectl(arguments).expect("kubectl can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn sample(name: &str, secret: &str, suspend: Option<bool>) -> Value {
    let mut object = json!({
        "apiVersion": "connector-operator.io/v1alpha1",
        "kind": "ConnectorCredential",
        "metadata": {"name": name},
        "spec": {"provider": {"zenflow": {}}, "keySecretRef": {"name": secret}},
    });
    if let Some(suspend) = suspend {
        object["spec"]["suspend"] = json!(suspend);
    }
    object
}

#[tokio::test]
async fn the_crd_is_established_and_stored_as_it_was_sent() {
    let bed = bed().await;
    let api: Api<CustomResourceDefinition> = Api::all(bed.client.clone());
    let name = "connectorcredentials.connector-operator.io";
    let params = PatchParams { field_validation: Some(ValidationDirective::Strict), ..PatchParams::apply("test") };
    api.patch(name, &params.force(), &Patch::Apply(crd())).await.expect("the API server takes it");
    let stored = await_object(&api, name, Duration::from_secs(60), |stored| {
        let conditions = stored.status.iter().flat_map(|status| status.conditions.iter().flatten());
        let said: Vec<_> = conditions.map(|condition| (&*condition.type_, &*condition.status)).collect();
        // Structural, and no rule over its budget: neither is complained of.
        let complaint = said.iter().any(|(kind, status)| *kind == "NonStructuralSchema" && *status == "True");
        said.contains(&("Established", "True")) && said.contains(&("NamesAccepted", "True")) && !complaint
    });
    let stored = stored.await.expect("established");
    assert_eq!(stored.spec.versions, crd().spec.versions, "the API server changed the schema");
    assert_eq!(stored.spec.names.singular.as_deref(), Some("connectorcredential"));
}

#[tokio::test]
async fn a_fresh_object_reads_as_in_progress_and_a_null_as_absent() {
    let bed = bed().await;
    let namespace = bed.namespace("fresh").await;
    let mut object = sample("fresh", "key", None);
    object["spec"]["outputs"] = Value::Null;
    object["status"] = json!({"observedGeneration": 1, "provider": "ZenFlow"});
    let created = create(&bed.client, &namespace, &object).await.expect("valid");
    assert_eq!(created["status"], json!({"observedGeneration": -1}), "a user's status counts for nothing");
    assert_eq!(created["spec"].get("outputs"), None, "null is dropped, so that has() is false");
    assert_eq!(created["metadata"]["generation"], 1);
}

#[tokio::test]
async fn explain_reads_like_documentation() {
    let bed = bed().await;
    // Also makes kubectl forget what it knew before there was our kind.
    let kinds = kubectl(&bed, &["api-resources", "--api-group=connector-operator.io", "--no-headers"]);
    assert_eq!(kinds, "connectorcredentials concred connector-operator.io/v1alpha1 true ConnectorCredential");
    for (field, wanted) in [
        (
            "concred",
            &["A SaaS API key: it is read from a Secret of the same namespace", "spec <Object> -required-"][..],
        ),
        (
            "concred.spec.provider.zenflow",
            &[
                "A ZenFlow key. It is made in ZenFlow's dashboard under Settings, API Keys, Create API Key",
                "`Live`: Keys that begin with `zenflow_live_`.",
                "Default: `Live`.",
                "enum: Live, Test",
            ],
        ),
        (
            "concred.spec.provider",
            &["flow <Object> A FLOW key by OpenPlay.", "inflow <Object> An inFlow Inventory key."],
        ),
        ("concred.spec.validation.interval", &["a duration from `5m` to `24h`", "Default: `1h`."]),
        ("concred.status.conditions", &["lastTransitionTime", "What is, and what to do next."]),
    ] {
        let page = kubectl(&bed, &["explain", field]);
        for words in wanted {
            assert!(page.contains(words), "kubectl explain {field} does not say {words:?}: {page}");
        }
    }
}

#[tokio::test]
async fn kubectl_get_shows_our_columns() {
    let bed = bed().await;
    let namespace = bed.namespace("columns").await;
    create(&bed.client, &namespace, &sample("erp", "key", None)).await.expect("valid");
    let ready = json!({"type": "Ready", "status": "True", "reason": "Ready", "message": "All is well.",
        "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1});
    let status = json!({"status": {"provider": "ZenFlow", "observedGeneration": 1, "conditions": [ready],
        "expiration": {"time": "2099-01-31T00:00:00Z"}, "validation": {"lastCheckTime": "2026-01-01T00:00:00Z"}}});
    let api: Api<ConnectorCredential> = bed.api(&namespace);
    api.patch_status("erp", &PatchParams::default(), &Patch::Merge(status)).await.expect("a valid status");
    let header = "NAME PROVIDER READY REASON EXPIRES CHECKED AGE";
    let narrow = kubectl(&bed, &["get", "concred", "--namespace", &namespace]);
    assert!(narrow.starts_with(&format!("{header} erp ZenFlow True Ready 2099-01-31T00:00:00Z ")), "{narrow}");
    let wide = kubectl(&bed, &["get", "connectors", "--namespace", &namespace, "--output", "wide"]);
    assert!(wide.starts_with(&format!("{header} MESSAGE erp")) && wide.ends_with("All is well."), "{wide}");
}

#[tokio::test]
async fn objects_are_selected_by_source_suspension_and_provider() {
    let bed = bed().await;
    let namespace = bed.namespace("selectors").await;
    for (name, secret, suspend) in [("a", "one", None), ("b", "one", Some(true)), ("c", "two", Some(false))] {
        create(&bed.client, &namespace, &sample(name, secret, suspend)).await.expect("valid");
    }
    let api: Api<ConnectorCredential> = bed.api(&namespace);
    let provider = Patch::Merge(json!({"status": {"provider": "ZenFlow"}}));
    api.patch_status("c", &PatchParams::default(), &provider).await.expect("a valid status");
    for (selector, wanted) in [
        ("spec.keySecretRef.name=one", &["a", "b"][..]),
        ("spec.suspend=true", &["b"]),
        ("status.provider=ZenFlow", &["c"]),
        ("spec.keySecretRef.name=one,spec.suspend!=true", &["a"]),
    ] {
        let list = api.list(&ListParams::default().fields(selector)).await.expect("a selectable field");
        let names: Vec<_> = list.items.iter().filter_map(|item| item.metadata.name.as_deref()).collect();
        assert_eq!(names, wanted, "{selector}");
    }
}
