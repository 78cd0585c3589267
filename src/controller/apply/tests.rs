//! What becomes of a status that meets a later version of its object?

use super::super::fixtures::{context, declaring, recording, refusal};
use super::*;
use http::Method;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};

/// What became of it, and how often it was sent.
struct Met {
    failure: Option<Failure>,
    writes: usize,
}

/// Stores a status, or a claim, over version 1, while version 2 is stored, which differs by `metadata`.
async fn meets(metadata: Value, claim: bool) -> Met {
    let object = declaring("erp", 0, &[]);
    let mut later = serde_json::to_value(&object).unwrap();
    later["metadata"]["resourceVersion"] = json!("2");
    later["metadata"].as_object_mut().unwrap().extend(metadata.as_object().unwrap().clone());
    let first = AtomicBool::new(true);
    let (client, told) = recording(move |asked| {
        let refused = asked.method != Method::GET && first.swap(false, Ordering::Relaxed);
        if refused { refusal(409, "Conflict") } else { (200, later.clone()) }
    });
    let ctx = context(client);
    let status = ConnectorCredentialStatus { observed_generation: Some(1), ..ConnectorCredentialStatus::default() };
    let object = Arc::new(object);
    let done =
        if claim { apply_claim(&ctx, &object, &status).await } else { apply_status(&ctx, &object, &status).await };
    let writes = told.lock().unwrap().iter().filter(|asked| asked.method != Method::GET).count();
    Met { failure: done.err(), writes }
}

#[tokio::test]
async fn whatever_is_being_deleted_meanwhile_gets_no_status_and_no_claim() {
    for claim in [false, true] {
        let met = meets(json!({"deletionTimestamp": "2026-03-02T00:00:00Z"}), claim).await;
        assert_eq!((met.failure, met.writes), (Some(Failure::overtaken(STATUS)), 1), "claim: {claim}");
    }
}

#[tokio::test]
async fn whatever_got_a_label_meanwhile_gets_its_status_all_the_same() {
    for claim in [false, true] {
        let met = meets(json!({"labels": {"team": "erp"}}), claim).await;
        assert_eq!((met.failure, met.writes), (None, 2), "claim: {claim}");
    }
}

#[tokio::test]
async fn whoever_leads_no_more_writes_nothing_and_asks_nothing() {
    let (client, told) = recording(|_| refusal(500, "InternalError"));
    let ctx = context(client);
    ctx.fence.lose();
    let object = Arc::new(declaring("erp", 0, &[]));
    let failure = apply_status(&ctx, &object, &ConnectorCredentialStatus::default()).await.expect_err("it is not led");
    assert_eq!((failure.class(), told.lock().unwrap().len()), (Class::Conflict, 0));
}
