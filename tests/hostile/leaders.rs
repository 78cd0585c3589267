//! One need costs one exchange, whoever leads, whoever believes to, and whatever may not be written.

use super::proxy::{Fault, Proxy, Refusal, Rule};
use super::scene::{STATUS, Scene, exchanges, is_write, pass};
use crate::controller::cast;
use crate::simulator::{self, LedgerFilter, Misbehaviour, Provider};
use crate::support::await_object::await_object;
use crate::support::stage::{SOON, is, value};
use connector_operator::api::{ConditionType, ConnectorCredential};
use k8s_openapi::api::core::v1::Secret;
use rustix::process::Signal;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a21_a_leader_that_was_stopped_calls_nobody_and_writes_nothing_when_it_comes_back() {
    let mut scene = Scene::set("stopped").await;
    let flags = scene.allow_leases().await;
    let flags = flags.each_ref().map(String::as_str);
    scene.lead(&flags).await;
    // One mints tokens and claims before it asks, the others do not; of one the provider is being asked at that moment.
    let (read, asked) = ([cast::aventri(), cast::inflow()], cast::flowlu());
    let all = std::iter::once(&asked).chain(&read);
    for act in all.clone() {
        scene.play(act).await;
        scene.stage.until_ready(act.name).await;
    }
    let own = Proxy::before(&scene.stage.bed, &scene.proxy.kubeconfig(), false).await;
    let kubeconfig = format!("--kubeconfig={}", own.kubeconfig().display());
    let rival = scene.stage.another_operator(&[&kubeconfig, flags[0], flags[1]]).await;

    // It has read the new keys when it is stopped, and would ask next; or it was answered.
    let mark = scene.proxy.mark();
    for act in &read {
        let late = Fault::SlowHeaders(Duration::from_secs(10));
        scene.proxy.add(Rule::new(late).on("get", "secrets").named(&act.source()));
    }
    let second: Vec<_> = all.clone().map(|act| scene.stage.issue(act.new_key())).collect();
    let late = simulator::Fault { key_hash: Some(second[0].hash.clone()), times: Some(1), ..late_answer() };
    scene.stage.simulator.set_fault(late);
    for (act, key) in all.clone().zip(&second) {
        scene.stage.put_secret(&act.source(), &[("api-key", &key.key)]).await;
    }
    for act in &read {
        scene.proxy.until(mark, |seen| seen.asked.verb == "get" && seen.asked.name == act.source()).await;
    }
    let about = |key: &str| LedgerFilter { key_hash: Some(key.to_owned()), ..LedgerFilter::default() };
    let under_way = scene.stage.simulator.wait_for(&about(&second[0].hash), SOON).await;
    under_way.expect("the provider is asked");
    scene.signal(Signal::STOP);
    let mut stand = Vec::new();
    for (act, key) in all.clone().zip(&second) {
        let holds = |secret: &Secret| value(secret, "api-key").as_deref() == Some(&*key.key);
        let taken = await_object(&scene.stage.secrets(), &act.output(), 3 * SOON, holds).await;
        taken.expect("the other takes over");
        scene.stage.until_ready(act.name).await;
        stand.push(scene.stage.secret(&act.output()).await);
    }
    let (calls, mark) = (scene.stage.simulator.ledger(&LedgerFilter::default()).len(), scene.proxy.mark());
    assert_eq!(calls, 7, "two keys each, and the call whose answer nobody heard");

    scene.proxy.clear();
    scene.signal(Signal::CONT);
    let ended = tokio::task::block_in_place(|| scene.stage.operator.wait(SOON)).expect("it can be waited for");
    assert!(ended.is_some_and(|status| !status.success()), "it ends, for it does not lead any more");
    pass(3).await;
    assert_eq!(scene.stage.simulator.ledger(&LedgerFilter::default()).len(), calls, "it called nobody");
    let wrote: Vec<_> = scene.proxy.since(mark).into_iter().filter(is_write).collect();
    assert!(wrote.is_empty(), "{wrote:?}");
    for (act, stood) in all.zip(stand) {
        assert_eq!(scene.stage.secret(&act.output()).await, stood, "{}", act.name);
    }
    scene.stage.operator = rival;
    scene.finish().await;
}

/// An answer that is on its way when the operator is stopped.
fn late_answer() -> simulator::Fault {
    simulator::Fault::of(Misbehaviour::Latency { ms: 9000 })
}

#[tokio::test(flavor = "multi_thread")]
async fn a21_writes_that_are_denied_for_a_while_cost_one_exchange() {
    let scene = Scene::set("denied-writes").await;
    let act = cast::aventri();
    let denied = || Rule::new(Fault::Refuse(Refusal::denied("not now")));
    scene.proxy.add(denied().on("create", "secrets"));
    // The claim passes; what was found cannot be told.
    scene.proxy.add(denied().on("patch", STATUS).after(1));
    scene.play(&act).await;
    let asked = LedgerFilter { provider: Some(Provider::Aventri), ..LedgerFilter::default() };
    scene.stage.simulator.wait_for(&asked, SOON).await.expect("a token is asked for");
    pass(if crate::support::full_length() { 300 } else { 6 }).await;
    assert_eq!(exchanges(&scene.stage, None), 1);
    assert!(scene.stage.secret(&act.output()).await.is_none(), "nothing can be written");
    scene.proxy.clear();
    let ready = |object: &ConnectorCredential| is(object, ConditionType::Ready, ("True", "Ready"));
    await_object(&scene.stage.credentials(), act.name, 3 * SOON, ready).await.expect("it heals");
    assert_eq!(exchanges(&scene.stage, None), 1, "the token that was kept is the one that is stored");
    scene.finish().await;
}
