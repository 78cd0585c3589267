//! A process that is told to stop beside an API server that takes its time: what was decided is still told.

use std::time::{Duration, Instant};

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
    // It gives them eight seconds: where the machine stood still for half of them, the scene shows nothing.
    for _again in 0..2 {
        let (untold, took) = ends().await;
        if took < Duration::from_secs(7) {
            return assert_eq!(untold, Vec::<String>::new(), "after {took:?}");
        }
    }
    let (untold, took) = ends().await;
    assert_eq!(untold, Vec::<String>::new(), "after {took:?}");
}

/// Whose Event is not told when the process ends, and how long it took to end.
async fn ends() -> (Vec<String>, Duration) {
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
    let start = Instant::now();
    scene.signal(Signal::TERM);
    pass(4).await;
    for _held in 0..AT_ONCE {
        scene.proxy.release();
    }
    let ended = tokio::task::block_in_place(|| scene.stage.operator.wait(SOON)).expect("it can be waited for");
    let took = start.elapsed();
    assert!(ended.is_some_and(|status| status.success()), "a clean stop: {ended:?}");
    // The proxy passes on whatever it holds; those behind are sent by a process that still lives.
    let mut untold = Vec::new();
    for name in names {
        if scene.stage.events(&name).await.len() != 1 {
            untold.push(name);
        }
    }
    scene.finish().await;
    (untold, took)
}
