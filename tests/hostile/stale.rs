//! Old views and lost events: nothing is exchanged, deleted or overwritten from what is no longer so.

use super::proxy::{Fault, Flow, Refusal, Rule};
use super::scene::{Scene, calls, exchanges, is_write, pass};
use crate::controller::cast::{self, Act};
use crate::support::stage::{Stage, is, value};
use connector_operator::api::{ConditionType, ConnectorCredential};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::DeleteParams;
use serde_json::json;

/// Aventri under another name, with an account and a Secret of its own.
fn events(name: &'static str, account: &'static str) -> Act {
    let id = account.trim_end_matches("@na");
    let settings = json!({"aventri": {"accountID": id, "region": "NorthAmerica"}});
    Act { name, account, settings, ..cast::aventri() }
}

async fn token_of(stage: &Stage, act: &Act) -> Option<String> {
    value(&stage.secret(&act.output()).await?, "access-token")
}

#[tokio::test(flavor = "multi_thread")]
async fn a25_a_restart_on_an_old_snapshot_exchanges_deletes_and_overwrites_nothing() {
    let mut scene = Scene::set("snapshot").await;
    let (rotated, renamed, remade) = (events("rotated", "1@na"), events("renamed", "2@na"), events("remade", "3@na"));
    // The same with providers that mint nothing, where nobody claims before asking.
    let (turned, moved, again) = (cast::zenflow(), cast::inflow(), cast::flowlu());
    for act in [&rotated, &renamed, &remade, &turned, &moved, &again] {
        scene.play(act).await;
        scene.stage.until_ready(act.name).await;
    }
    let old = scene.revision().await;
    let second = scene.stage.issue(rotated.new_key());
    scene.stage.put_secret(&rotated.source(), &[("api-key", &second.key)]).await;
    let rests_on = |key: String| move |secret: &Secret| value(secret, "api-key").as_deref() == Some(&*key);
    scene.stage.until_secret(&rotated.output(), rests_on(second.key.clone())).await;
    scene.stage.until_ready(rotated.name).await;
    scene.stage.declare(renamed.name, renamed.spec_with("outputs", json!([{"secretName": "elsewhere"}]))).await;
    scene.stage.until_gone(&renamed.output()).await;
    scene.stage.until_ready(renamed.name).await;
    scene.stage.credentials().delete(remade.name, &DeleteParams::default()).await.expect("it is there");
    scene.stage.until_gone(&remade.output()).await;
    let third = scene.play(&remade).await;
    scene.stage.until_ready(remade.name).await;
    let fourth = scene.stage.issue(turned.new_key());
    scene.stage.put_secret(&turned.source(), &[("api-key", &fourth.key)]).await;
    scene.stage.until_secret(&turned.output(), rests_on(fourth.key.clone())).await;
    scene.stage.until_ready(turned.name).await;
    scene.stage.declare(moved.name, moved.spec_with("outputs", json!([{"secretName": "moved-on"}]))).await;
    scene.stage.until_gone(&moved.output()).await;
    scene.stage.until_ready(moved.name).await;
    scene.stage.credentials().delete(again.name, &DeleteParams::default()).await.expect("it is there");
    scene.stage.until_gone(&again.output()).await;
    scene.play(&again).await;
    scene.stage.until_ready(again.name).await;
    let (asked, before) = (exchanges(&scene.stage, None), versions(&scene.stage).await);
    assert_eq!(asked, 5, "three of them, one rotated, one made anew");
    let called = calls(&scene.stage);
    assert_eq!(called, asked + 2 * 3 + 1 + 2, "one check of each key, three calls long with ZenFlow");

    // It sees the credentials as they were, and Secrets as they are.
    scene.proxy.add(Rule::new(Fault::OldSnapshot(old)).on("list", "connectorcredentials"));
    scene.proxy.set_flow("connectorcredentials", Flow::Frozen);
    let mark = scene.proxy.mark();
    scene.revive().await;
    for act in [&rotated, &turned] {
        scene.proxy.until(mark, |seen| seen.asked.verb == "get" && seen.asked.name == act.source()).await;
    }
    pass(8).await;
    let done = scene.proxy.since(mark);
    let touched: Vec<_> = done
        .iter()
        .filter(|seen| ["update", "delete"].contains(&seen.asked.verb) && seen.asked.resource == "secrets")
        .collect();
    assert!(touched.is_empty(), "{touched:?}");
    let told: Vec<_> = done.iter().filter(|seen| seen.written.is_some()).collect();
    assert!(told.is_empty(), "no status from an old view: {told:?}");
    assert_eq!(exchanges(&scene.stage, None), asked);
    for (name, version) in &before {
        let now = scene.stage.secret(name).await.expect("it is there").metadata.resource_version;
        assert_eq!(now.as_ref(), Some(version), "{name} was written");
    }

    scene.proxy.clear();
    scene.proxy.set_flow("connectorcredentials", Flow::Open);
    // What the old view made it create again goes, once it is seen that nobody wants it.
    scene.stage.until_gone(&renamed.output()).await;
    scene.stage.until_gone(&moved.output()).await;
    for act in [&rotated, &renamed, &remade, &turned, &moved, &again] {
        scene.stage.until_ready(act.name).await;
    }
    assert_eq!(exchanges(&scene.stage, None), asked);
    // What mints nothing may be asked about once more: a name that changed hands has a key that the old view never saw.
    let more = calls(&scene.stage) - called;
    assert!(more <= 3 + 1 + 1, "{more} calls from an old view");
    let output = scene.stage.secret(&remade.output()).await.expect("it is published");
    assert_eq!(value(&output, "api-key"), Some(third.key));
    assert!(token_of(&scene.stage, &rotated).await.is_some());
    scene.finish().await;
}

async fn versions(stage: &Stage) -> Vec<(String, String)> {
    let secrets: Api<Secret> = stage.secrets();
    let all = secrets.list(&Default::default()).await.expect("they can be listed").items.into_iter();
    all.filter_map(|secret| Some((secret.metadata.name?, secret.metadata.resource_version?))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a25_events_that_were_lost_doubled_or_cut_lead_to_no_wrong_call_and_no_wrong_write() {
    let scene = Scene::set("swallowed").await;
    let (kept, gone, taken) = (events("kept", "1@na"), events("gone", "2@na"), events("taken", "3@na"));
    let (one, two) = (events("one", "4@na"), events("two", "5@na"));
    let first = scene.play(&kept).await;
    for act in [&gone, &taken, &one, &two] {
        scene.play(act).await;
    }
    for act in [&kept, &gone, &taken, &one, &two] {
        scene.stage.until_ready(act.name).await;
    }
    let other = scene.stage.issue(kept.new_key());
    let asked = calls(&scene.stage);

    // A→B→A, a deletion, and a name that changed hands: none of it is seen.
    scene.proxy.set_flow("secrets", Flow::Swallowed);
    let written = scene.proxy.mark();
    scene.stage.put_secret(&kept.source(), &[("api-key", &other.key)]).await;
    scene.stage.put_secret(&kept.source(), &[("api-key", &first.key)]).await;
    scene.stage.delete_secret(&gone.source()).await;
    scene.stage.delete_secret(&taken.output()).await;
    let stranger = scene.stage.put_secret(&taken.output(), &[("password", "a stranger's")]).await;
    while scene.proxy.swallowed() < 5 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(scene.proxy.since(written).iter().filter(|seen| is_write(seen)).count(), 0);

    scene.proxy.set_flow("secrets", Flow::Doubled);
    for act in [&kept, &gone, &taken] {
        scene.stage.annotate(act.name, "connector-operator.io/note", "look").await;
        scene.stage.declare(act.name, act.spec_with("description", json!("Look again"))).await;
    }
    scene.stage.until(gone.name, |object| is(object, ConditionType::Resolved, ("False", "SecretNotFound"))).await;
    let blocked = |object: &ConnectorCredential| is(object, ConditionType::Published, ("False", "TargetNotOwned"));
    scene.stage.until(taken.name, blocked).await;
    scene.stage.until_ready(kept.name).await;
    assert_eq!(calls(&scene.stage), asked, "the key is the one that was proved");
    let after = scene.stage.secret(&taken.output()).await.expect("it is the stranger's");
    assert_eq!(after, stranger, "not a byte");

    // Cut in the middle of an event, told that it missed too much, and without bookmarks: one credential each, so that
    // no bucket of unscheduled checks is empty.
    for (flow, act) in [Flow::Cut, Flow::Gone, Flow::NoBookmarks].into_iter().zip([&kept, &one, &two]) {
        scene.proxy.set_flow("secrets", flow);
        let next = scene.stage.issue(act.new_key());
        scene.stage.put_secret(&act.source(), &[("api-key", &next.key)]).await;
        let holds = |secret: &Secret| value(secret, "api-key").as_deref() == Some(&*next.key);
        scene.stage.until_secret(&act.output(), holds).await;
    }
    assert_eq!(calls(&scene.stage), asked + 3, "one exchange for each new key");
    scene.stage.put_secret(&gone.source(), &[("api-key", &scene.stage.issue(gone.new_key()).key)]).await;
    scene.stage.until_ready(gone.name).await;
    assert_eq!(calls(&scene.stage), asked + 4);
    scene.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a25_a_list_that_is_refused_is_asked_for_again() {
    let mut scene = Scene::set("relist").await;
    let act = cast::zenflow();
    scene.play(&act).await;
    scene.stage.until_ready(act.name).await;
    let asked = calls(&scene.stage);
    for resource in ["connectorcredentials", "secrets"] {
        for refusal in [Refusal::gone(), Refusal::too_many("1"), Refusal::internal()] {
            scene.proxy.add(Rule::new(Fault::Refuse(refusal)).on("list", resource).times(1));
        }
    }
    scene.revive().await;
    let second = scene.stage.issue(act.new_key());
    scene.stage.put_secret(&act.source(), &[("api-key", &second.key)]).await;
    let holds = |secret: &Secret| value(secret, "api-key").as_deref() == Some(&*second.key);
    scene.stage.until_secret(&act.output(), holds).await;
    assert_eq!(calls(&scene.stage), asked + 3, "three read scopes of the new key");
    scene.finish().await;
}
