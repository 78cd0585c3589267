//! How often must a provider refuse a key? Twice if it was proved, half a minute apart, whatever dies in between; once
//! if it is new, or expired.

use crate::controller::cast::{self, Act};
use crate::simulator::{self, LedgerFilter, Provider, Row};
use crate::support::await_object::await_object;
use crate::support::stage::{SOON, Stage, is};
use connector_operator::api::{ConditionType, ConnectorCredential};
use jiff::SignedDuration;
use serde_json::json;

/// Rows about one key from now on.
fn rows(stage: &Stage, hash: &str, after: u64) -> Vec<Row> {
    stage.simulator.ledger(&LedgerFilter { key_hash: Some(hash.to_owned()), after, ..LedgerFilter::default() })
}

fn last_row(stage: &Stage) -> u64 {
    stage.simulator.ledger(&LedgerFilter::default()).last().map_or(0, |row| row.seq)
}

fn is_pending(object: &ConnectorCredential) -> bool {
    let validation = object.status.as_ref().and_then(|status| status.validation.as_ref());
    validation.is_some_and(|validation| validation.first_rejection_time.is_some())
}

fn is_refused(object: &ConnectorCredential) -> bool {
    is(object, ConditionType::Authenticated, ("False", "KeyRejected"))
}

/// Only ZenFlow tells a key that was revoked from one that never was.
fn is_revoked(act: &Act) -> impl Fn(&ConnectorCredential) -> bool {
    let reason = if act.provider == Provider::ZenFlow { "KeyRevoked" } else { "KeyRejected" };
    move |object| is(object, ConditionType::Authenticated, ("False", reason))
}

fn rejections(object: &ConnectorCredential) -> Option<i32> {
    object.status.as_ref().and_then(|status| status.validation.as_ref()).and_then(|known| known.rejections)
}

#[tokio::test(flavor = "multi_thread")]
async fn a13_a_refusal_that_credentials_share_is_one_refusal_and_revoked_is_not_rejected() {
    let stage = Stage::set("shared-refusal").await;
    let act = cast::zenflow();
    let twins = ["first-twin", "second-twin"];
    let twin = |name: &str| {
        let outputs = json!([{"secretName": format!("{name}-auth")}]);
        act.spec_with("outputs", outputs)
    };
    // A new key that nobody issued: asked about once, refused once for each.
    let wrong = stage.wrong_key(act.provider);
    stage.put_secret(&act.source(), &[("api-key", &wrong)]).await;
    for name in twins {
        stage.declare(name, twin(name)).await;
    }
    for name in twins {
        assert_eq!(rejections(&stage.until(name, is_refused).await), Some(1), "{name}");
    }
    assert_eq!(rows(&stage, &simulator::key_hash(&wrong), 0).len(), 1, "one call is one refusal");
    // One that is proved, and revoked then: no call counts twice for either.
    let issued = stage.issue(act.new_key());
    stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
    for name in twins {
        stage.until_ready(name).await;
    }
    let mark = last_row(&stage);
    assert!(stage.simulator.revoke_key(&issued.id));
    for name in twins {
        stage.annotate(name, "connector-operator.io/reconcile-at", "1").await;
    }
    for name in twins {
        let once = await_object(&stage.credentials(), name, 3 * SOON, is_pending).await.expect("it is refused once");
        assert!(is(&once, ConditionType::Ready, ("True", "Ready")), "{name}: one refusal undoes nothing");
    }
    for name in twins {
        let fallen = await_object(&stage.credentials(), name, 3 * SOON, is_revoked(&act)).await;
        fallen.unwrap_or_else(|late| panic!("{name}: the second one counts: {late}"));
    }
    let rows = rows(&stage, &issued.hash, mark);
    let [first, last] = [&rows[0], &rows[rows.len() - 1]];
    assert!(last.time.duration_since(first.time) >= SignedDuration::from_secs(30), "{rows:?}");
    assert!((2..=4).contains(&rows.len()), "{rows:?}");
    stage.finish().await;
}

/// Whether it withdraws its outputs.
fn withdraws(act: &Act) -> bool {
    matches!(act.provider, Provider::InFlow | Provider::ZenFlow)
}

#[tokio::test(flavor = "multi_thread")]
async fn a13_a_proved_key_falls_by_two_refusals_whatever_restarts_and_a_new_one_by_one() {
    let mut stage = Stage::set("refusals").await;
    let mut proved = Vec::new();
    for act in cast::all() {
        let issued = stage.issue(act.new_key());
        stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
        let policy = if withdraws(&act) { "Withdraw" } else { "Keep" };
        stage.declare(act.name, act.spec_with("rejectionPolicy", json!(policy))).await;
        proved.push((act, issued));
    }
    for (act, _) in &proved {
        stage.until_ready(act.name).await;
    }
    let mark = last_row(&stage);
    for (act, issued) in &proved {
        assert!(stage.simulator.revoke_key(&issued.id));
        stage.annotate(act.name, "connector-operator.io/reconcile-at", "1").await;
    }
    for (act, _) in &proved {
        let once = stage.until(act.name, is_pending).await;
        assert!(is(&once, ConditionType::Ready, ("True", "Ready")), "{}: one refusal undoes nothing", act.name);
        assert!(stage.secret(&act.output()).await.is_some(), "{}: published", act.name);
    }
    // Two processes die and know nothing of what they were told.
    for _death in 0..2 {
        stage.operator.kill().expect("it runs");
        stage.operator = stage.another_operator(&[]).await;
        stage.put_secret("new-key", &[("api-key", &stage.wrong_key(Provider::Flowlu))]).await;
    }
    // Meanwhile a new key falls at once.
    let mut new = cast::flowlu().spec();
    new["keySecretRef"] = json!({"name": "new-key"});
    stage.declare("new", new).await;
    let told = stage.until("new", is_refused).await;
    assert!(told.status.and_then(|status| status.validation).is_some_and(|known| known.rejections == Some(1)));
    for (act, issued) in &proved {
        let now = stage.credentials().get(act.name).await.expect("it is there");
        let first = rows(&stage, &issued.hash, mark)[0].time;
        if jiff::Timestamp::now().duration_since(first) > SignedDuration::from_secs(30) {
            continue;
        }
        assert!(is(&now, ConditionType::Ready, ("True", "Ready")) && is_pending(&now), "{}: too early", act.name);
    }
    for (act, issued) in &proved {
        let fallen = await_object(&stage.credentials(), act.name, 3 * SOON, is_revoked(act)).await;
        fallen.expect("the second one counts");
        let rows = rows(&stage, &issued.hash, mark);
        assert_eq!(rows.len(), 2, "{}: two refusals, and no call more: {rows:?}", act.name);
        let apart = rows[1].time.duration_since(rows[0].time);
        assert!(apart >= SignedDuration::from_secs(30), "{}: {apart:?} apart", act.name);
        if withdraws(act) {
            stage.until_gone(&act.output()).await;
            stage.until_is(act.name, ConditionType::Published, ("False", "Withdrawn")).await;
        } else {
            stage.until_is(act.name, ConditionType::Published, ("True", "LastKnownGood")).await;
            assert!(stage.secret(&act.output()).await.is_some(), "{}: Keep keeps it", act.name);
        }
    }
    stage.finish().await;
}
