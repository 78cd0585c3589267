//! A process that is told to stop beside an API server that takes its time: what was decided is still told.

use std::time::Duration;

use connector_operator::api::ConditionType;
use rustix::process::Signal;
use serde_json::json;

use super::proxy::{Fault, Rule, Seen};
use super::scene::{Scene, pass};
use crate::controller::cast;
use crate::support::stage::SOON;

/// Events that are written at a time.
const AT_ONCE: usize = 32;
/// And so many more wait behind them.
const BEHIND: usize = 8;

fn is_event(seen: &Seen) -> bool {
    (seen.asked.verb, seen.asked.resource.as_str()) == ("create", "events")
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_wait_for_a_slow_api_server_are_told_before_the_process_ends() {
    let mut scene = Scene::set("ending").await;
    scene.proxy.add(Rule::new(Fault::Held).on("create", "events").times(AT_ONCE));
    let act = cast::inflow();
    let names: Vec<_> = (0..AT_ONCE + BEHIND).map(|number| format!("keyless-{number}")).collect();
    for name in &names {
        let spec = json!({"provider": act.settings, "keySecretRef": {"name": "nowhere"}});
        scene.stage.declare(name, spec).await;
    }
    for name in &names {
        scene.stage.until_is(name, ConditionType::Ready, ("False", "SecretNotFound")).await;
    }
    let held = async {
        while scene.proxy.seen().iter().filter(|seen| is_event(seen)).count() < AT_ONCE {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(SOON, held).await.expect("so many are written at a time");
    scene.signal(Signal::TERM);
    pass(4).await;
    for _held in 0..AT_ONCE {
        scene.proxy.release();
    }
    let ended = tokio::task::block_in_place(|| scene.stage.operator.wait(SOON)).expect("it can be waited for");
    assert!(ended.is_some_and(|status| status.success()), "a clean stop: {ended:?}");
    // The proxy passes on whatever it holds; those behind are sent by a process that still lives.
    for name in &names {
        assert_eq!(scene.stage.events(name).await.len(), 1, "{name}");
    }
    scene.finish().await;
}
