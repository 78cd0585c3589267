//! What is asked for of what stands under an output's name, where no watch tells whose it is?

use super::super::fixtures::{Asked, context, declaring, owned_by, recording, refusal};
use super::*;
use crate::args::SecretWatch;
use serde_json::{Value, json};
use std::sync::Mutex;

/// A credential with the output `out`, whose status lists it or not, and says that outputs stand or do not, where `owner`
/// made it, or nobody.
async fn observed(listed: Option<(&str, &str)>, owner: Option<&'static str>) -> (Observed, Vec<Asked>) {
    let secret = |name: &str, owners: Value| {
        let meta =
            json!({"name": name, "namespace": "data", "uid": name, "resourceVersion": "5", "ownerReferences": owners});
        json!({"metadata": meta, "data": {"api-key": "a2V5"}})
    };
    let (client, told) = recording(move |asked| match (asked.name.as_str(), owner) {
        ("source", _) => (200, secret("source", json!([]))),
        (_, Some(uid)) => (200, secret("out", owned_by(uid))),
        (_, None) => refusal(404, "NotFound"),
    });
    let ctx = Context { secret_watch: SecretWatch::None, ..context(client) };
    let mut object = declaring("erp", 0, &["out"]);
    let outputs: Vec<_> = listed
        .map(|(_, version)| json!({"secretName": "out", "format": "Binding", "resourceVersion": version}))
        .into_iter()
        .collect();
    let published = listed.map(|(status, _)| {
        json!({"type": "Published", "status": status, "reason": "Any", "message": "",
            "lastTransitionTime": "2026-03-01T00:00:00Z"})
    });
    let conditions: Vec<_> = published.into_iter().collect();
    object.status = serde_json::from_value(json!({"outputs": outputs, "conditions": conditions})).unwrap();
    let seen = observe(&ctx, Arc::new(object)).await.expect("it can be looked at");
    let told: Arc<Mutex<Vec<Asked>>> = told;
    let about_output = told.lock().unwrap().iter().filter(|asked| asked.name == "out").cloned().collect();
    (seen, about_output)
}

#[tokio::test]
async fn without_a_watch_no_foreign_secret_is_read_but_for_its_metadata() {
    let (seen, asked) = observed(None, Some("somebody")).await;
    assert!(asked.len() == 1 && asked[0].metadata, "{asked:?}");
    assert_eq!(seen.targets[0].secret.as_ref().map(|secret| ownership(secret, "erp")), Some(Ownership::Foreign));
    let (seen, asked) = observed(None, None).await;
    assert!(asked.len() == 1 && seen.targets[0].secret.is_none(), "{asked:?}");
    let (seen, asked) = observed(None, Some("erp")).await;
    assert_eq!(asked.iter().map(|asked| asked.metadata).collect::<Vec<_>>(), [true, false]);
    assert!(seen.targets[0].secret.as_ref().unwrap().data.is_some(), "an output of ours is compared");
}

#[tokio::test]
async fn without_a_watch_what_the_status_lists_costs_one_request_and_is_dropped_if_it_is_foreign() {
    let (seen, asked) = observed(Some(("True", "5")), Some("erp")).await;
    assert!(asked.len() == 1 && !asked[0].metadata, "{asked:?}");
    assert!(seen.targets[0].secret.as_ref().unwrap().data.is_some());
    let (seen, asked) = observed(Some(("True", "4")), Some("somebody")).await;
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(seen.targets[0].secret.as_ref().unwrap().data.is_none(), "nothing of it is kept");
    // A name that another credential has, or an output that is not managed: whoever has it now, is not read.
    let (_, asked) = observed(Some(("False", "4")), Some("somebody")).await;
    assert!(asked.len() == 1 && asked[0].metadata, "{asked:?}");
}
