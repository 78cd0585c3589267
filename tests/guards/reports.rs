//! What does `connectorctl report` give away? It is made to be sent to strangers.

use connector_operator::api::ConnectorCredential;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::events::v1::Event;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;

use crate::cli::Cluster;
use crate::support::bed::bed;
use crate::support::canary::{Canary, find};

/// A key that somebody pasted into the wrong field, of which the report must be clean.
const PASTED: &str = "w8Zk3Qp6Ls1Vx9Tb4Nd7";

#[tokio::test(flavor = "multi_thread")]
async fn a39_what_was_pasted_into_a_free_text_is_not_reported() {
    let bed = bed().await;
    let namespace = bed.namespace("reported").await;
    let secret = json!({
        "metadata": {"name": "key", "annotations": {"note": PASTED}, "labels": {"note": PASTED}},
        "stringData": {"api-key": PASTED, "note": PASTED},
    });
    let secret: Secret = serde_json::from_value(secret).expect("a Secret");
    bed.api(&namespace).create(&PostParams::default(), &secret).await.expect("it is admitted");
    let credential = json!({
        "apiVersion": "connector-operator.io/v1alpha1", "kind": "ConnectorCredential",
        "metadata": {"name": "pasted", "annotations": {"note": PASTED}, "labels": {"note": PASTED}},
        "spec": {
            "description": PASTED,
            "provider": {"flow": {"purpose": "ImportMembers", "reference": PASTED}},
            "keySecretRef": {"name": "key"}, "expiresAt": "2030-01-31T00:00:00Z",
            "outputs": [{"secretName": "file", "format": "Template", "template": {"app.ini": PASTED}}],
        },
    });
    let credential: ConnectorCredential = serde_json::from_value(credential).expect("a credential");
    bed.api(&namespace).create(&PostParams::default(), &credential).await.expect("it is admitted");
    let about = json!({"apiVersion": "connector-operator.io/v1alpha1", "kind": "ConnectorCredential",
                       "namespace": namespace, "name": "pasted"});
    // What a stranger's controller says of it may quote it.
    let event = json!({
        "metadata": {"name": "quoted", "annotations": {"note": PASTED}}, "eventTime": "2026-01-01T00:00:00.000000Z",
        "action": "Check", "reason": PASTED, "note": format!("refused: {PASTED}"), "type": "Warning",
        "reportingController": "example.com/stranger", "reportingInstance": "one", "regarding": about,
    });
    let event: Event = serde_json::from_value(event).expect("an Event");
    bed.api(&namespace).create(&PostParams::default(), &event).await.expect("it is admitted");
    let handled = json!({"status": {"lastHandledReconcileAt": PASTED, "lastHandledRequest": PASTED}});
    let credentials = bed.api::<ConnectorCredential>(&namespace);
    credentials.patch_status("pasted", &PatchParams::default(), &Patch::Merge(handled)).await.expect("it is admitted");
    let report = Cluster::of(&bed, &namespace).ctl(&["report"]).ended(0);
    assert!(report.out.contains("name: pasted") && report.out.contains("redacted, 20 bytes"), "{}", report.out);
    assert_eq!(find(report.all().as_bytes(), &[Canary::new("pasted", PASTED)]), [], "{}", report.out);
}
