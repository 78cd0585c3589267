//! The time of the host, around the real binary: a wall clock that is set while it runs, and an hour of throttling that
//! passes in half a minute.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use connector_operator::api::{ConditionType, ConnectorCredential};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use serde_json::json;

use super::proxy::{Fault, Flow, Refusal, Rule};
use super::scene::{Scene, calls, is_write, quiet};
use crate::controller::cast;
use crate::support::around::{Around, WallClock};
use crate::support::await_object::await_object;
use crate::support::stage::{get, is, listening, value};

/// How late the operator may act after a clock was set.
const LATE: Duration = Duration::from_secs(65 + 30);
/// By how much a wrong clock is wrong.
const HOURS: i64 = 26;
/// No write for so long: it has come to rest.
const STILL: Duration = Duration::from_secs(4);

impl Scene {
    /// Starts the operator anew in these surroundings, and with these flags, which it keeps.
    async fn surround(&mut self, around: &Around, flags: &[String]) {
        tokio::task::block_in_place(|| self.stage.operator.kill()).expect("it can be reaped");
        let proxied = format!("--kubeconfig={}", self.proxy.kubeconfig().display());
        let flags: Vec<_> = flags.iter().map(String::as_str).chain([proxied.as_str()]).collect();
        self.stage.operator = self.stage.another_operator_in(&around.variables(), &flags).await;
        self.proxy.set_victim(self.stage.operator.id());
    }

    async fn lease(&self) -> Lease {
        let leases: Api<Lease> = self.stage.bed.api(&self.stage.namespace);
        leases.get("connector-operator").await.expect("it is held")
    }

    /// Waits until the condition is there, or is not; then until all is at rest.
    async fn until_expiring(&self, wanted: bool) {
        let reached = |object: &ConnectorCredential| {
            let spoken = |status| is(object, ConditionType::Expiring, (status, "ExpiringSoon"));
            spoken("True") == wanted
        };
        let waited = await_object(&self.stage.credentials(), cast::zenflow().name, LATE, reached).await;
        waited.unwrap_or_else(|late| panic!("Expiring is not {wanted}: {late}\n{}", self.stage.operator.log()));
        quiet(&self.proxy, STILL).await;
    }
}

/// Sets the clock by so many hours under a running leader, and right again.
async fn set_and_put_right(prefix: &str, hours: i64) {
    let mut scene = Scene::set(prefix).await;
    let clock = WallClock::right(scene.stage.directory());
    let flags = scene.allow_leases().await;
    // Not faster: the time that a Lease is renewed in would pass faster too.
    scene.surround(&Around::nothing().clock(&clock), &flags).await;
    // Between the right time and the wrong one the warning begins.
    let expires = Timestamp::now() + SignedDuration::from_hours(24 + hours / 2);
    let acts = [cast::inflow(), cast::zenflow(), cast::aventri()];
    for act in &acts {
        let issued = scene.stage.issue(act.new_key());
        scene.stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
        let mut spec = act.spec();
        if act.name == cast::zenflow().name {
            spec["expiresAt"] = json!(Timestamp::from_second(expires.as_second()).expect("in range").to_string());
            spec["warnBefore"] = json!("24h");
        }
        scene.stage.declare(act.name, spec).await;
        scene.stage.until_ready(act.name).await;
    }
    scene.until_expiring(hours < 0).await;
    let held = scene.lease().await.spec.expect("a spec");
    for (ahead, expiring) in [(hours, hours > 0), (0, hours < 0)] {
        let (mark, asked) = (scene.proxy.mark(), calls(&scene.stage));
        clock.set_ahead(ahead);
        scene.until_expiring(expiring).await;
        let written = scene.proxy.since(mark).iter().filter(|seen| is_write(seen)).count();
        let asked = calls(&scene.stage) - asked;
        // One check each, of five requests together, and a status for it; a token more is a claim and an output.
        assert!(asked <= 2 * 5, "{ahead} h ahead: {asked} calls");
        assert!(written <= 2 * 6, "{ahead} h ahead: {written} writes");
        assert_eq!(scene.stage.operator.ended().expect("it can be asked"), None, "{ahead} h ahead: it ended");
        let now = scene.lease().await.spec.expect("a spec");
        assert_eq!(
            (&held.holder_identity, held.lease_transitions, &held.acquire_time),
            (&now.holder_identity, now.lease_transitions, &now.acquire_time),
            "{ahead} h ahead: the Lease is another's"
        );
        for act in &acts {
            scene.stage.until_ready(act.name).await;
        }
    }
    scene.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a36_the_clock_of_a_running_leader_is_set_by_26_hours_and_right_again() {
    tokio::join!(set_and_put_right("set-forward", HOURS), set_and_put_right("set-back", -HOURS));
}

/// How much faster time goes here.
const TIMES: u32 = 15;
/// A loop that stood still is taken for dead after five minutes.
const THROTTLED: Duration = Duration::from_secs(7 * 60);

/// Seven minutes in which every request is answered with 429 and *come back in an hour*.
#[tokio::test(flavor = "multi_thread")]
async fn a33_an_api_server_that_throttles_for_minutes_restarts_nobody_and_is_left_alone() {
    let mut scene = Scene::set("throttled").await;
    scene.surround(&Around::nothing().faster(TIMES), &[]).await;
    let act = cast::zenflow();
    scene.play(&act).await;
    scene.stage.until_ready(act.name).await;
    let next = scene.stage.issue(act.new_key());
    let probes = listening(&scene.stage.operator, "health listening").expect("it listens");

    scene.proxy.add(Rule::new(Fault::Refuse(Refusal::too_many("3600"))));
    for resource in ["connectorcredentials", "secrets"] {
        scene.proxy.set_flow(resource, Flow::Gone);
    }
    let mark = scene.proxy.mark();
    scene.stage.put_secret(&act.source(), &[("api-key", &next.key)]).await;
    let start = Instant::now();
    while start.elapsed() < THROTTLED / TIMES {
        let said = get(&format!("http://{probes}/livez")).await;
        assert_eq!(said, "ok\n", "after {:?} of its own time", start.elapsed() * TIMES);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let asked = scene.proxy.since(mark);
    let mut kinds = BTreeMap::new();
    for seen in &asked {
        *kinds.entry((seen.asked.verb, seen.asked.resource.clone())).or_insert(0) += 1;
    }
    assert!((2..=100).contains(&asked.len()), "in seven minutes of throttling: {kinds:?}");

    scene.proxy.clear();
    for resource in ["connectorcredentials", "secrets"] {
        scene.proxy.set_flow(resource, Flow::Open);
    }
    let holds = |secret: &k8s_openapi::api::core::v1::Secret| value(secret, "api-key").as_deref() == Some(&*next.key);
    scene.stage.until_secret(&act.output(), holds).await;
    scene.finish().await;
}
