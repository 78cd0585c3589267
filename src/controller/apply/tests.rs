//! What becomes of a status that meets a later version of its object?

use super::super::fixtures::{context, declaring, server};
use super::*;
use http::Method;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};

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
    let writes = Arc::new(AtomicUsize::new(0));
    let written = Arc::clone(&writes);
    let ctx = context(server(move |request| {
        let is_first_write = *request.method() != Method::GET && written.fetch_add(1, Ordering::Relaxed) == 0;
        (if is_first_write { 409 } else { 200 }, later.clone())
    }));
    let status = ConnectorCredentialStatus { observed_generation: Some(1), ..ConnectorCredentialStatus::default() };
    let object = Arc::new(object);
    let done =
        if claim { apply_claim(&ctx, &object, &status).await } else { apply_status(&ctx, &object, &status).await };
    Met { failure: done.err(), writes: writes.load(Ordering::Relaxed) }
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
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let ctx = context(server(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        (500, Value::Null)
    }));
    ctx.fence.lose();
    let object = Arc::new(declaring("erp", 0, &[]));
    let failure = apply_status(&ctx, &object, &ConnectorCredentialStatus::default()).await.expect_err("it is not led");
    assert_eq!((failure.class(), asked.load(Ordering::Relaxed)), (Class::Conflict, 0));
}
