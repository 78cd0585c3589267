//! A status that arrives late, or while others write to the object all the time: it never stands over a later one, is
//! written all the same, and costs no further call.

use std::time::Duration;

use connector_operator::api::{ConditionType, ConnectorCredential};
use kube::api::{Patch, PatchParams};
use rustix::process::Signal;
use serde_json::json;

use super::proxy::{Fault, Proxy, Rule, Seen};
use super::scene::{STATUS, Scene, calls, is_write, pass};
use crate::controller::cast::{self, Act};
use crate::simulator::{self, Misbehaviour};
use crate::support::await_object::await_object;
use crate::support::stage::{SOON, Stage, is};

fn is_refused(object: &ConnectorCredential) -> bool {
    let refused = |reason| is(object, ConditionType::Authenticated, ("False", reason));
    refused("KeyRejected") || refused("KeyRevoked")
}

fn is_status(seen: &Seen) -> bool {
    seen.asked.resource == STATUS
}

#[tokio::test(flavor = "multi_thread")]
async fn a21_a_status_that_arrives_after_a_change_of_leader_does_not_stand_over_the_successors() {
    let mut scene = Scene::set("delayed").await;
    let flags = scene.allow_leases().await;
    let flags = flags.each_ref().map(String::as_str);
    scene.lead(&flags).await;
    let acts = [cast::inflow(), cast::zenflow()];
    scene.proxy.add(Rule::new(Fault::Held).on("patch", STATUS));
    let mark = scene.proxy.mark();
    let mut issued = Vec::new();
    for act in &acts {
        let key = scene.stage.issue(act.new_key());
        scene.stage.put_secret(&act.source(), &[("api-key", &key.key)]).await;
        scene.stage.declare(act.name, act.spec_with("publishPolicy", json!("Never"))).await;
        issued.push(key);
    }
    for act in &acts {
        scene.proxy.until_met(mark, |seen| is_status(seen) && seen.asked.name == act.name).await;
    }
    scene.signal(Signal::STOP);
    for key in &issued {
        assert!(scene.stage.simulator.revoke_key(&key.id));
    }
    let own = Proxy::before(&scene.stage.bed, &scene.proxy.kubeconfig(), false).await;
    let kubeconfig = format!("--kubeconfig={}", own.kubeconfig().display());
    let rival = scene.stage.another_operator(&[&kubeconfig, flags[0], flags[1]]).await;
    let mut stand = Vec::new();
    for act in &acts {
        let refused = await_object(&scene.stage.credentials(), act.name, 3 * SOON, is_refused).await;
        stand.push(refused.expect("the other takes over"));
    }
    let asked = calls(&scene.stage);

    for _held in &acts {
        scene.proxy.release();
    }
    for act in &acts {
        let answered = |seen: &Seen| is_status(seen) && seen.asked.name == act.name && seen.code.is_some();
        scene.proxy.until(mark, answered).await;
    }
    scene.signal(Signal::CONT);
    let ended = tokio::task::block_in_place(|| scene.stage.operator.wait(SOON)).expect("it can be waited for");
    assert!(ended.is_some_and(|status| !status.success()), "it ends, for it does not lead any more");
    pass(2).await;
    for (act, stood) in acts.iter().zip(stand) {
        let now = scene.stage.credentials().get(act.name).await.expect("it is there");
        assert_eq!(now.status, stood.status, "{}: the successor's status stands", act.name);
    }
    let written: Vec<_> = scene.proxy.since(mark).into_iter().filter(is_write).collect();
    assert!(written.iter().all(|seen| seen.code == Some(409)), "{written:?}");
    assert_eq!(calls(&scene.stage), asked, "nobody was asked again");
    scene.stage.operator = rival;
    scene.stage.finish().await;
}

/// Writes another label to the object so often, for ever.
async fn meddle(stage: &Stage, act: &Act, every: Duration) {
    for number in 0.. {
        let patch = Patch::Merge(json!({"metadata": {"labels": {"antagonist": format!("{number}")}}}));
        let written = stage.credentials().patch(act.name, &PatchParams::default(), &patch).await;
        written.expect("the administrator may write");
        tokio::time::sleep(every).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a28_whoever_writes_to_the_object_all_the_time_delays_no_status_and_costs_no_call() {
    let scene = Scene::set("antagonist").await;
    let acts = [cast::inflow(), cast::aventri(), cast::zenflow()];
    // Each check takes so long that the object changes meanwhile.
    scene.stage.simulator.set_fault(simulator::Fault::of(Misbehaviour::Latency { ms: 300 }));
    for act in &acts {
        let key = scene.stage.issue(act.new_key());
        scene.stage.put_secret(&act.source(), &[("api-key", &key.key)]).await;
        scene.stage.try_declare(act.name, &act.spec_with("suspend", json!(true))).await.expect("it is admitted");
    }
    let every = [100, 150, 100].map(Duration::from_millis);
    let meddlers = acts.iter().zip(every).map(|(act, every)| meddle(&scene.stage, act, every));
    let meddlers = futures::future::join_all(meddlers);
    let story = async {
        let mark = scene.proxy.mark();
        for act in &acts {
            scene.stage.declare(act.name, act.spec()).await;
        }
        for act in &acts {
            scene.stage.until_ready(act.name).await;
        }
        pass(2).await;
        scene.proxy.since(mark)
    };
    let seen = tokio::select! {
        told = story => told,
        _ = meddlers => unreachable!("they never end"),
    };
    assert_eq!(calls(&scene.stage), 1 + 1 + 3, "one check each");
    let refused = seen.iter().filter(|seen| is_status(seen) && seen.code == Some(409)).count();
    let done = seen.iter().filter(|seen| is_status(seen) && seen.code == Some(200)).count();
    assert!(refused >= 1, "nobody was in the way: this shows nothing");
    assert!(done <= 2 * acts.len() && refused <= 30, "{done} statuses, {refused} in vain");
    scene.finish().await;
}
