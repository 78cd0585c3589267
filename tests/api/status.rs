//! Is the status that our types write the status that the API server keeps?

use super::admission::create;
use super::rows::rows;
use crate::support::bed::{Bed, bed};
use connector_operator::api::{ConditionType, ConnectorCredential, ConnectorCredentialStatus, Reason};
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

const NOW: &str = "2026-01-31T00:00:00Z";

/// A status in which every field is set, as long as it gets.
fn full() -> Value {
    let condition = |kind: &ConditionType| {
        json!({"type": kind.name(), "status": "Unknown", "reason": Reason::NotChecked.name(),
            "message": "m".repeat(1024), "lastTransitionTime": NOW, "observedGeneration": 3})
    };
    let version = u64::MAX.to_string();
    let output = |number| {
        let name = format!("{number:0253}");
        json!({"secretName": name, "format": "Binding", "resourceVersion": version})
    };
    json!({
        "observedGeneration": 3, "provider": "Aventri",
        "conditions": ConditionType::ALL.iter().map(condition).collect::<Vec<_>>(),
        "source": {"secretName": "a".repeat(253), "uid": "123e4567-e89b-12d3-a456-426614174000",
            "resourceVersion": version},
        "validation": {"lastCheckTime": NOW, "lastSuccessTime": NOW, "nextCheckTime": NOW,
            "consecutiveFailures": i32::MAX,
            "outageStartTime": NOW, "firstRejectionTime": NOW, "rejections": 2, "lastScopeAuditTime": NOW,
            "subject": "f".repeat(64)},
        "expiration": {"time": NOW, "lastNoticeTime": NOW},
        "key": {"firstSeenTime": NOW, "publishedTime": NOW},
        "token": {"expirationTime": NOW, "renewalTime": NOW},
        "binding": {"name": "erp-auth"},
        "outputs": (0..16).map(output).collect::<Vec<_>>(),
        "lastHandledReconcileAt": "now", "lastHandledRequest": "then",
    })
}

async fn object(bed: &Bed) -> (Api<ConnectorCredential>, Value) {
    let namespace = bed.namespace("status").await;
    let row = rows().into_iter().find(|row| row.name == "the smallest aventri").expect("there is such a row");
    let created = create(&bed.client, &namespace, &row.manifest).await.expect("valid");
    (bed.api(&namespace), created)
}

/// Applies the status as the operator does.
async fn apply(api: &Api<ConnectorCredential>, object: &Value, status: Value) -> kube::Result<ConnectorCredential> {
    let name = object["metadata"]["name"].as_str().expect("a name");
    let patch = json!({"apiVersion": object["apiVersion"], "kind": object["kind"],
        "metadata": {"uid": object["metadata"]["uid"]}, "status": status});
    api.patch_status(name, &PatchParams::apply("connector-operator").force(), &Patch::Apply(patch)).await
}

#[tokio::test]
async fn a_full_status_is_kept_as_it_was_written() {
    let bed = bed().await;
    let (api, object) = object(&bed).await;
    let stored = apply(&api, &object, full()).await.expect("a valid status");
    assert!(json!(stored.status) == full(), "fields are lost, or have other names in the types");
    let read: ConnectorCredentialStatus = serde_json::from_value(full()).expect("a status");
    let again = apply(&api, &object, json!(read)).await.expect("a valid status");
    assert_eq!(again.metadata.resource_version, stored.metadata.resource_version, "the same status is no write");
}

#[tokio::test]
async fn what_a_status_lacks_is_removed_and_lists_merge_by_their_keys() {
    let bed = bed().await;
    let (api, object) = object(&bed).await;
    apply(&api, &object, full()).await.expect("a valid status");
    let mut fewer = full();
    fewer["conditions"].as_array_mut().expect("a list").drain(..10);
    fewer["outputs"].as_array_mut().expect("a list").drain(1..);
    fewer.as_object_mut().expect("an object").remove("token");
    let stored = apply(&api, &object, fewer.clone()).await.expect("a valid status");
    assert!(json!(stored.status) == fewer, "what was left out is still there");
}

#[tokio::test]
async fn a_malformed_status_is_refused() {
    let bed = bed().await;
    let (api, object) = object(&bed).await;
    for (path, value) in [
        ("/provider", json!("Acme")),
        ("/conditions/0/status", json!("Maybe")),
        ("/conditions/0/reason", json!("")),
        ("/conditions/0/message", json!("m".repeat(32_769))),
        ("/conditions/0/lastTransitionTime", json!("today")),
        ("/outputs/0/format", json!("JSON")),
        ("/outputs/1/secretName", full()["outputs"][0]["secretName"].clone()),
        ("/validation/subject", json!("f".repeat(129))),
        ("/lastHandledRequest", json!("r".repeat(1025))),
    ] {
        let mut status = full();
        *status.pointer_mut(path).expect("the field is there") = value;
        match apply(&api, &object, status).await {
            Err(kube::Error::Api(refusal)) => assert!([422, 500].contains(&refusal.code), "{path}: {refusal:?}"),
            other => panic!("{path} is not refused: {other:?}"),
        }
    }
}
