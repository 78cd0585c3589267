//! Retry-After in all its forms: clamped and obeyed, and never a hot loop.

use super::{calls_about, pass, with_scopes};
use crate::simulator::{Fault, LedgerFilter, Misbehaviour, RetryAfter};
use crate::support::await_object::await_object;
use crate::support::stage::{SOON, Stage, is};
use connector_operator::api::{ConditionType, ConnectorCredential};
use jiff::Timestamp;
use serde_json::json;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a17_every_form_of_retry_after_is_clamped_and_obeyed() {
    let mut stage = Stage::set("retry-after").await;
    let mut cast = Vec::new();
    for (name, after, wait) in [
        ("huge", Some(RetryAfter::Seconds(1_000_000_000_000)), Some(3600)),
        ("far", Some(RetryAfter::Date { date_in: 86_400 }), Some(3600)),
        ("minute", Some(RetryAfter::Seconds(60)), Some(60)),
        ("negative", Some(RetryAfter::Seconds(-1)), None),
        ("zero", Some(RetryAfter::Seconds(0)), None),
        ("garbage", Some(RetryAfter::Text("banana".to_owned())), None),
        ("past", Some(RetryAfter::Date { date_in: -90 }), None),
        ("absent", None, None),
    ] {
        let key = stage.issue(with_scopes(&["read:orders"]));
        let fault = Misbehaviour::RateLimit { retry_after: after };
        stage.simulator.set_fault(Fault { key_hash: Some(key.hash.clone()), ..Fault::of(fault) });
        stage.put_secret(name, &[("api-key", &key.key)]).await;
        let provider = json!({"zenflow": {"scopes": ["read:orders"]}});
        stage.declare(name, json!({"provider": provider, "keySecretRef": {"name": name}})).await;
        cast.push((name, key, wait));
    }
    for (name, _, wait) in &cast {
        let told = stage.until_is(name, ConditionType::Authenticated, ("Unknown", "RateLimited")).await;
        assert!(is(&told, ConditionType::Reconciling, ("True", "RateLimited")));
        if let Some(wait) = wait {
            let next = told.status.and_then(|status| status.validation?.next_check_time).expect("a schedule").0;
            let left = next.duration_since(Timestamp::now()).as_secs();
            assert!((wait - 40..=wait + 2).contains(&left), "{name}: {left}");
        }
    }
    pass(Duration::from_secs(10)).await;
    for (name, key, _) in cast.iter().filter(|(_, _, wait)| wait.is_some()) {
        assert_eq!(calls_about(&stage, key), 1, "{name} is asked although it is to be left alone");
    }
    let failures_of = |object: &ConnectorCredential| {
        let known = object.status.as_ref().and_then(|status| status.validation.as_ref());
        known.and_then(|known| known.consecutive_failures).unwrap_or_default()
    };
    // Without a word the backoff counts: 2 s, doubling. But a new key's second check needs room for four requests beside
    // the half that is kept for others, so it waits for one to come back: ten seconds.
    for (name, key, _) in cast.iter().filter(|(_, _, wait)| wait.is_none()) {
        let twice = await_object(&stage.credentials(), name, 3 * SOON, |object| failures_of(object) >= 2).await;
        twice.expect("it is asked again, and the answer told");
        let asked = calls_about(&stage, key);
        assert!((2..=10).contains(&asked), "{name}: {asked} calls");
    }
    // A new process knows no more than what is stored, and that is enough.
    stage.operator.kill().expect("it runs");
    let mut stored = Vec::new();
    for (name, key, _) in cast.iter().filter(|(_, _, wait)| wait.is_none()) {
        let told = stage.credentials().get(name).await.expect("it is there");
        let known = told.status.and_then(|status| status.validation).expect("it was checked");
        let [last, next] = [known.last_check_time, known.next_check_time].map(|time| time.expect("a schedule").0);
        let (asked, failures) = (calls_about(&stage, key), known.consecutive_failures.unwrap_or_default());
        // What means nothing is as if nothing had been said: the backoff, which begins with 2 s and doubles.
        assert!((2..=7).contains(&failures), "{name}: {failures} failures");
        let most = 2_i64 << failures;
        assert!((0..=most).contains(&next.duration_since(last).as_secs()), "{name}: {last} and then {next}");
        stored.push((*name, key, next, failures, asked));
    }
    stage.operator = stage.another_operator(&[]).await;
    for (name, key, next, failures, asked) in stored {
        await_object(&stage.credentials(), name, 4 * SOON, |object| failures_of(object) > failures)
            .await
            .expect("it is asked again, and goes on counting");
        let rows =
            stage.simulator.ledger(&LedgerFilter { key_hash: Some(key.hash.clone()), ..LedgerFilter::default() });
        let first = rows.get(asked).expect("a call of the new process").time;
        assert!(first >= next, "{name}: asked at {first}, before {next}");
    }
    let key = stage.issue(with_scopes(&["read:orders"]));
    stage.put_secret("after", &[("api-key", &key.key)]).await;
    let provider = json!({"zenflow": {"scopes": ["read:orders"]}});
    stage.declare("after", json!({"provider": provider, "keySecretRef": {"name": "after"}})).await;
    stage.until_ready("after").await;
    for (name, key, wait) in cast.iter().filter(|(_, _, wait)| *wait == Some(3600)) {
        stage.annotate(name, "connector-operator.io/reconcile-at", "now").await;
        assert_eq!(calls_about(&stage, key), 1, "{name}: {wait:?}");
    }
    pass(Duration::from_secs(2)).await;
    for (name, key, _) in cast.iter().filter(|(_, _, wait)| *wait == Some(3600)) {
        assert_eq!(calls_about(&stage, key), 1, "{name} is asked although it is to be left alone");
    }
    stage.finish().await;
}
