//! A Secret that does not stand still: only changes of the key are reasons to ask, and only a few of them.

use super::audit::Mark;
use super::{calls, calls_about, pass, short_or_full, with_scopes};
use crate::controller::cast;
use crate::support::await_object::await_object;
use crate::support::stage::{SOON, Stage, is, value};
use connector_operator::api::ConditionType;
use kube::api::Patch;
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const SPEC: &str = r#"{"provider": {"zenflow": {"scopes": ["read:orders"]}}, "keySecretRef": {"name": "source"}}"#;

#[tokio::test(flavor = "multi_thread")]
async fn a16_a_secret_that_flips_ten_times_a_second_costs_few_calls_and_its_last_value_wins() {
    let seconds = short_or_full(15, 60);
    let stage = Stage::set("flipping").await;
    let key = stage.issue(with_scopes(&["read:orders"]));
    stage.put_secret("source", &[("api-key", &key.key)]).await;
    stage.declare("erp", serde_json::from_str(SPEC).expect("a spec")).await;
    stage.until_ready("erp").await;
    let before = calls(&stage);
    let start = Instant::now();
    let mut last = key;
    for n in 0..seconds * 10 {
        last = stage.simulator.add_key(with_scopes(&["read:orders"]));
        stage.put_secret("source", &[("api-key", &last.key)]).await;
        let due = Duration::from_millis(100) * (n + 1);
        pass(due.saturating_sub(start.elapsed())).await;
    }
    let meanwhile = calls(&stage) - before;
    // Two at once, and one back every half minute.
    let took = start.elapsed();
    let at_most = 2 + usize::try_from(took.as_secs() / 30).expect("a short time");
    assert!((1..=at_most).contains(&meanwhile), "{meanwhile} calls in {took:?}");
    let carries_the_last = |secret: &_| value(secret, "api-key").as_deref() == Some(last.key.as_str());
    let late = Duration::from_secs(35) + SOON;
    await_object(&stage.secrets(), "erp-auth", late, carries_the_last).await.expect("the last value wins");
    stage.until_ready("erp").await;
    let (all, took) = (calls(&stage) - before, start.elapsed());
    let at_most = 2 + usize::try_from(took.as_secs() / 30).expect("a short time");
    assert!(all <= at_most, "{all} calls in {took:?}, the last value's with them");
    assert_eq!(calls_about(&stage, &last), 1);
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a16_a_secret_that_is_relabelled_or_applied_again_asks_nobody_and_a_corrected_key_is_published_at_once() {
    let stage = Stage::set("relabelled").await;
    // The account's budget would not hold back a second question about this key.
    let act = cast::inflow();
    let wrong = stage.wrong_key(act.provider);
    stage.put_secret(&act.source(), &[("api-key", &wrong)]).await;
    stage.declare(act.name, act.spec()).await;
    stage.until_is(act.name, ConditionType::Stalled, ("True", "KeyRejected")).await;
    let (asked, secrets) = (calls(&stage), stage.secrets());
    assert_eq!(asked, 1);
    let mark = Mark::now(&stage.bed);
    for n in 0..20 {
        let labelled = json!({"metadata": {"labels": {"round": n.to_string()}}});
        secrets.patch(&act.source(), &Default::default(), &Patch::Merge(labelled)).await.expect("it is there");
        let version = stage.put_secret(&act.source(), &[("api-key", &wrong)]).await.metadata.resource_version;
        if n == 19 {
            let seen = |object: &connector_operator::api::ConnectorCredential| {
                let source = object.status.as_ref().and_then(|status| status.source.as_ref());
                source.map(|source| &source.resource_version) == version.as_ref()
            };
            stage.until(act.name, seen).await;
        }
    }
    assert_eq!(calls(&stage), asked, "the same bytes are no reason to ask");
    assert!(mark.deeds(&stage.bed, &stage.namespace).statuses <= 20, "a version at the most");
    let right = stage.issue(act.new_key());
    let since = Instant::now();
    stage.put_secret(&act.source(), &[("api-key", &right.key)]).await;
    stage.until_secret(&act.output(), |secret| value(secret, "api-key").as_deref() == Some(right.key.as_str())).await;
    let took = since.elapsed();
    // Had the same bytes been reasons to ask, it would wait for half a minute.
    assert!(took < SOON / 2, "{took:?}");
    let ready = stage.until_ready(act.name).await;
    assert!(is(&ready, ConditionType::Authenticated, ("True", "KeyAccepted")));
    stage.finish().await;
}

/// Ten times a second: labels and a request for a check of one credential, then its Secret between two keys.
#[tokio::test(flavor = "multi_thread")]
async fn a16_labels_requests_and_two_keys_that_flap_cost_the_budget_and_delay_no_neighbour() {
    let seconds = short_or_full(10, 30);
    let stage = Stage::set("flapping").await;
    let keys = [stage.issue(with_scopes(&["read:orders"])), stage.issue(with_scopes(&["read:orders"]))];
    stage.put_secret("source", &[("api-key", &keys[0].key)]).await;
    stage.declare("erp", serde_json::from_str(SPEC).expect("a spec")).await;
    stage.until_ready("erp").await;
    for (what, neighbour) in [("requests", cast::inflow()), ("keys", cast::flowlu())] {
        let (before, mark, start) = (calls(&stage), Mark::now(&stage.bed), Instant::now());
        let (mut rounds, served) = (0, AtomicBool::new(false));
        // It goes on until the neighbour is served: one that starves gets nothing afterwards.
        let flap = async {
            while rounds < seconds * 10 || !served.load(Ordering::Relaxed) {
                let n = rounds;
                let key = &keys[usize::from(n % 2 == 1)].key;
                if what == "keys" {
                    stage.put_secret("source", &[("api-key", key)]).await;
                } else {
                    let meta = json!({"labels": {"round": n.to_string()},
                                      "annotations": {"connector-operator.io/reconcile-at": n.to_string()}});
                    let flapped = Patch::Merge(json!({"metadata": meta}));
                    stage.credentials().patch("erp", &Default::default(), &flapped).await.expect("it is there");
                }
                rounds += 1;
                pass((Duration::from_millis(100) * rounds).saturating_sub(start.elapsed())).await;
            }
        };
        let beside = async {
            pass(Duration::from_secs(2)).await;
            let issued = stage.issue(neighbour.new_key());
            stage.put_secret(&neighbour.source(), &[("api-key", &issued.key)]).await;
            stage.declare(neighbour.name, neighbour.spec()).await;
            stage.until_ready(neighbour.name).await;
            served.store(true, Ordering::Relaxed);
        };
        tokio::join!(flap, beside);
        let took = start.elapsed();
        // The neighbour's one, two at once, and one back every half minute.
        let at_most = 1 + 2 + usize::try_from(took.as_secs() / 30).expect("a short time");
        let meanwhile = calls(&stage) - before;
        assert!(meanwhile <= at_most, "{what}: {meanwhile} calls in {took:?}");
        let deeds = mark.deeds(&stage.bed, &stage.namespace);
        assert!(deeds.statuses <= usize::try_from(rounds).expect("a small number"), "{what}: {deeds:?}");
        pass(Duration::from_secs(1)).await;
    }
    stage.finish().await;
}
