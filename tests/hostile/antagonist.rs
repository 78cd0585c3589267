//! Somebody writes an output back, fifty times a second: no war of writes, no storm of Events, and nobody waits for it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::scene::{Scene, is_write};
use crate::controller::cast;
use crate::support::await_object::await_object;
use crate::support::stage::{SOON, value};

const EACH: Duration = Duration::from_millis(20);
const ROUNDS: u32 = 500;

/// Writes of ours in that time: ten at once, then one a second, with its status; and some more.
fn at_most(time: Duration) -> usize {
    20 + 2 * (10 + usize::try_from(time.as_secs()).expect("a short time"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a28_an_output_that_somebody_writes_back_fifty_times_a_second_costs_few_writes_and_delays_nobody() {
    let scene = Scene::set_with("antagonist", &["--log-level=info"]).await;
    let (act, stage) = (cast::zenflow(), &scene.stage);
    let issued = scene.play(&act).await;
    stage.until_ready(act.name).await;
    let (told, mark) = (stage.events(act.name).await.len(), scene.proxy.mark());
    let (start, served) = (Instant::now(), AtomicBool::new(false));
    // It goes on until the neighbour is served: one that starves gets nothing afterwards.
    let writes_back = async {
        let mut round = 0;
        while round < ROUNDS || !served.load(Ordering::Relaxed) {
            round += 1;
            let theirs = Patch::Merge(json!({"stringData": {"api-key": format!("theirs-{round}")}}));
            let secrets = stage.secrets();
            let _gone = secrets.patch(&act.output(), &PatchParams::default(), &theirs).await;
            tokio::time::sleep((EACH * round).saturating_sub(start.elapsed())).await;
        }
    };
    let beside = async {
        tokio::time::sleep(Duration::from_secs(4)).await;
        let other = cast::flowlu();
        scene.play(&other).await;
        stage.until_ready(other.name).await;
        served.store(true, Ordering::Relaxed);
    };
    tokio::join!(writes_back, beside);
    let took = start.elapsed();
    let about = |seen: &&super::proxy::Seen| is_write(seen) && [act.name, &act.output()].contains(&&*seen.asked.name);
    let ours = scene.proxy.since(mark).iter().filter(about).count();
    eprintln!("{ROUNDS} writes of theirs at least in {took:?}: {ours} of ours");
    assert!(ours <= at_most(took), "{ours} writes of ours in {took:?}");
    // Once they leave off, it is as it was.
    let restored = |secret: &Secret| value(secret, "api-key").as_deref() == Some(&*issued.key);
    await_object(&stage.secrets(), &act.output(), SOON, restored).await.expect("it is restored");
    stage.until_ready(act.name).await;
    let events = stage.events(act.name).await;
    assert!(events.len() <= told + 1, "an Event once: {events:?}");
    scene.finish().await;
}
