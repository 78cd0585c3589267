//! Clocks that are set, and lifetimes that nobody has: what is to be told is told in time, and no exchange is repeated
//! for it.

use super::{proved, shows, world};
use crate::controller::cast::{self, Act};
use crate::verdicts::world::{DAY, HOUR, MINUTE, World};
use connector_operator::api::ConditionType;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::time::Duration;

const A_SECOND: Duration = Duration::from_secs(1);
/// How late a threshold may be acted on: of itself, and after a clock was set.
const LATE: Duration = Duration::from_secs(5);
const LATE_AFTER_A_JUMP: Duration = Duration::from_secs(65);
/// The most that a wrong clock is expected to be wrong by.
const JUMP: SignedDuration = SignedDuration::from_hours(26);

fn expiring(world: &World, name: &str) -> bool {
    !shows(&world.status(name), ConditionType::Expiring).is_empty()
}

/// How long until the condition is as wanted; nothing but time passes.
async fn until_expiring(world: &mut World, name: &str, wanted: bool, limit: Duration) -> Duration {
    for second in 0..=limit.as_secs() {
        if expiring(world, name) == wanted {
            return Duration::from_secs(second);
        }
        world.run_for(A_SECOND).await;
    }
    panic!("Expiring is not {wanted} after {limit:?}, at {}", world.now());
}

/// A credential that begins to expire two days from now.
async fn expires(act: &Act) -> (World, Timestamp) {
    let (mut world, _) = proved(act).await;
    let threshold = world.now() + DAY * 2;
    let mut spec = act.spec();
    spec["expiresAt"] = json!((threshold + HOUR * 48).to_string());
    spec["warnBefore"] = json!("48h");
    world.declare(act.name, &spec);
    world.settle().await;
    assert!(!expiring(&world, act.name));
    (world, threshold)
}

#[tokio::test(flavor = "multi_thread")]
async fn a36_a_warning_is_on_time_however_the_clock_is_set() {
    for act in cast::all() {
        // Undisturbed.
        let (mut world, threshold) = expires(&act).await;
        world.run_until(threshold - A_SECOND).await;
        assert!(!expiring(&world, act.name), "{}: too early", act.name);
        world.run_for(A_SECOND).await;
        until_expiring(&mut world, act.name, true, LATE).await;

        // Set back: it is not so any more, and will be so again in its time.
        world.jump(-JUMP);
        until_expiring(&mut world, act.name, false, LATE_AFTER_A_JUMP).await;
        world.run_until(threshold - A_SECOND).await;
        assert!(!expiring(&world, act.name), "{}: too early", act.name);
        world.run_for(A_SECOND).await;
        until_expiring(&mut world, act.name, true, LATE).await;

        // Set forward past the threshold, which a timer would reach a day later.
        let (mut world, threshold) = expires(&act).await;
        world.run_until(threshold - HOUR * 20).await;
        world.jump(JUMP);
        assert!(world.now() > threshold);
        until_expiring(&mut world, act.name, true, LATE_AFTER_A_JUMP).await;

        // Back and forth before the threshold: neither early nor late.
        let (mut world, threshold) = expires(&act).await;
        world.run_until(threshold - HOUR * 40).await;
        for jump in [JUMP, -JUMP, -JUMP, JUMP, JUMP] {
            world.jump(jump);
            world.run_for(MINUTE * 10).await;
            assert!(!expiring(&world, act.name), "{}: too early at {}", act.name, world.now());
        }
        world.run_until(threshold).await;
        until_expiring(&mut world, act.name, true, LATE).await;
        assert_eq!(shows(&world.status(act.name), ConditionType::Ready), "+Ready", "{}", act.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a36_a_check_is_made_in_its_time_however_the_clock_is_set() {
    for act in cast::all() {
        for jump in [JUMP, -JUMP, SignedDuration::from_hours(24 * 400), SignedDuration::from_hours(-24 * 400)] {
            let (mut world, _) = proved(&act).await;
            world.run_for(HOUR * 3).await;
            let before = world.calls();
            world.jump(jump);
            world.run_for(HOUR * 3).await;
            let asked = world.calls() - before;
            let requests = if act.name == cast::zenflow().name { 3 } else { 1 };
            let at_most = if act.name == cast::aventri().name { 29 } else { 5 * requests };
            assert!((2 * requests..=at_most).contains(&asked), "{} {jump:?}: {asked} calls", act.name);
            assert_eq!(shows(&world.status(act.name), ConditionType::Ready), "+Ready", "{} {jump:?}", act.name);
        }
    }
}

fn aventri_living(lifetime: &str) -> Value {
    let mut spec = cast::aventri().spec();
    spec["provider"]["aventri"]["tokenLifetime"] = json!(lifetime);
    spec
}

/// The most exchanges within any minute, while time passes in steps of five seconds.
async fn most_in_a_minute(world: &mut World, minutes: usize) -> usize {
    let mut calls = vec![world.calls()];
    for _ in 0..minutes * 12 {
        world.run_for(Duration::from_secs(5)).await;
        calls.push(world.calls());
    }
    calls.windows(13).map(|minute| minute[12] - minute[0]).max().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a36_no_lifetime_and_no_clock_makes_more_than_two_exchanges_a_minute() {
    let act = cast::aventri();
    for lifetime in ["1m", "10m", "24h", "0s", "1ms", "99999h", "99999999999h", "-5s", "1e18", ""] {
        let mut world = world().await;
        let issued = world.simulator.add_key(act.new_key());
        world.put_secret(&act.source(), &issued.key);
        world.declare(act.name, &aventri_living(lifetime));
        world.run_for(A_SECOND).await;
        let most = most_in_a_minute(&mut world, 15).await;
        assert!(most <= 2, "{lifetime}: {most} exchanges in a minute");
        assert_eq!(shows(&world.status(act.name), ConditionType::Ready), "+Ready", "{lifetime}");
        for (n, jump) in [JUMP, -JUMP, JUMP, JUMP, -JUMP].into_iter().enumerate() {
            world.jump(jump);
            if n.is_multiple_of(2) {
                world.restart();
            }
            let most = most_in_a_minute(&mut world, 4).await;
            assert!(most <= 2, "{lifetime} {jump:?}: {most} exchanges in a minute");
        }
        world.run_for(MINUTE * 2).await;
        assert_eq!(shows(&world.status(act.name), ConditionType::Ready), "+Ready", "{lifetime}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a36_no_time_that_stands_in_a_status_makes_more_than_two_exchanges_a_minute_or_none_at_all() {
    let act = cast::aventri();
    for ahead in [-26 * 3600, -60, 0, 60, 26 * 3600, 24 * 3600 * 400] {
        for member in ["lastCheckTime", "nextCheckTime", "lastSuccessTime"] {
            let (mut world, _) = proved(&act).await;
            let time = world.now() + SignedDuration::from_secs(ahead);
            let mut validation = serde_json::to_value(world.status(act.name).validation).expect("JSON");
            validation[member] = json!(time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
            world.put_status(act.name, "validation", validation);
            world.restart();
            world.run_for(A_SECOND).await;
            let before = world.calls();
            let most = most_in_a_minute(&mut world, 11).await;
            assert!(most <= 2, "{member} {ahead}: {most} exchanges in a minute");
            assert!(world.calls() > before, "{member} {ahead}: the token is renewed");
            assert_eq!(shows(&world.status(act.name), ConditionType::Ready), "+Ready", "{member} {ahead}");
        }
    }
}
