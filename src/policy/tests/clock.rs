//! Clocks are set forward and back; what is told is told once, and no token outlives its provider's patience.

use crate::api::{ConditionType, Reason};
use crate::policy::fixtures::*;
use crate::policy::{Notice, Severity};
use serde_json::json;
use std::time::Duration;

const STEP: Duration = Duration::from_secs(26 * 3600);

fn back(world: &mut World, by: Duration) {
    world.now = world.now.checked_sub(jiff::SignedDuration::try_from(by).unwrap()).unwrap();
}

fn told(world: &mut World, reason: Reason) -> usize {
    world.visit().events.iter().filter(|event| event.reason == reason).count()
}

#[test]
fn a_threshold_that_was_crossed_by_mistake_is_told_once_and_taken_back() {
    let mut world = World::new();
    world.edit(json!({"expiresAt": "2026-03-02T02:00:00Z", "warnBefore": "1h", "validation": {"mode": "Local"}}));
    world.visit();
    assert_eq!(world.condition(ConditionType::Expiring), None);
    // Forward past the threshold and the end: both at once.
    assert_eq!(told(world.pass(STEP), Reason::Expired), 1);
    world.expect("KeyExpired!/LastKnownGood");
    back(&mut world, STEP);
    let visit = world.visit();
    let warned = |event: &Notice| event.severity == Severity::Warning && event.reason == Reason::Expired;
    assert!(!visit.events.iter().any(warned), "only that it is over is told");
    assert_eq!(world.condition(ConditionType::Expiring), None, "it is not so any more");
    world.expect("LocalOnly/Published");
    assert_eq!(visit.next, Some("2026-03-02T01:00:00Z".parse().unwrap()), "the threshold is waited for again");
    // In its own time it is so, and was told.
    world.now = visit.next.unwrap();
    assert_eq!(told(&mut world, Reason::ExpiringSoon), 0);
    assert_eq!(world.condition(ConditionType::Expiring).unwrap().1, Reason::ExpiringSoon);
}

#[test]
fn a_key_s_age_survives_steps() {
    let mut world = World::new();
    world.edit(json!({"maxAge": "24h"}));
    world.visit();
    assert_eq!(told(world.pass(STEP), Reason::KeyTooOld), 1);
    back(&mut world, STEP);
    world.visit();
    assert_eq!(world.condition(ConditionType::RotationDue), None);
    world.pass(STEP).visit();
    assert!(world.condition(ConditionType::RotationDue).is_some());
}

#[test]
fn a_clock_that_is_set_back_costs_one_check_and_no_silence() {
    for mut world in [World::new(), World::aventri()] {
        world.pass(STEP).visit();
        world.expect("Ready/Published");
        let checks = world.checks;
        back(&mut world, STEP);
        assert!(world.visit().asked, "what was computed from the wrong time holds no more");
        let next = world.visit().next.unwrap();
        assert_eq!(world.checks, checks + 1);
        assert!(next <= crate::policy::after(world.now, HOUR * 2), "the schedule is of this time");
        world.expect("Ready/Published");
    }
}

#[test]
fn a_token_that_was_minted_in_the_future_is_not_trusted_until_then() {
    let mut world = World::aventri();
    world.pass(STEP).visit();
    back(&mut world, STEP);
    world.visit();
    let end = world.status().token.clone().unwrap().expiration_time.unwrap().0;
    assert_eq!(end, crate::policy::after(world.now, MINUTE * 10));
    assert_eq!(world.output("out", "access-token").as_deref(), Some("token-2"));
}

#[test]
fn a_claim_from_the_future_blocks_nobody() {
    let mut world = World::aventri();
    world.pass(STEP).die_after_claim();
    back(&mut world, STEP);
    world.restart();
    assert!(world.visit().asked);
    world.expect("Ready/Published");
}

#[test]
fn steps_by_the_minute_cost_one_exchange_each_at_the_most() {
    let mut world = World::aventri();
    world.visit();
    for step in 0..20 {
        let before = world.checks;
        if step % 2 == 0 {
            world.pass(STEP);
        } else {
            back(&mut world, STEP);
        }
        for _ in 0..6 {
            world.pass(Duration::from_secs(10)).visit();
        }
        assert!(world.checks <= before + 2, "at most two a minute");
    }
}

/// A world in which this was said a day and more from now, by the clock as it is now.
fn said_in_the_future(says: &[Says]) -> World {
    let mut world = World::accepted();
    world.pass(STEP);
    for says in says {
        world.next_check(*says);
    }
    world.expect("Ready/Published");
    back(&mut world, STEP);
    world
}

#[test]
fn two_refusals_a_minute_apart_count_also_when_the_success_or_the_first_lies_in_the_future() {
    for (before, says, ends) in [
        (vec![Yes], No, "KeyRejected!/LastKnownGood"),
        (vec![Yes, No], No, "KeyRejected!/LastKnownGood"),
        (vec![Yes], Denied, "AccessDenied!/LastKnownGood"),
        (vec![Yes, Denied], Denied, "AccessDenied!/LastKnownGood"),
    ] {
        let mut world = said_in_the_future(&before);
        let start = world.now;
        world.says = says;
        for _ in 0..2 {
            world.visit();
            world.expect("Ready/Published");
            world.pass(Duration::from_secs(30));
        }
        world.next_check(says);
        world.expect(ends);
        assert!(world.now <= crate::policy::after(start, MINUTE * 2), "{before:?} then {says:?}: {}", world.now);
    }
}

#[test]
fn a_rejection_in_the_future_is_not_confirmed_by_a_denial_now() {
    let mut world = said_in_the_future(&[Yes, No]);
    world.says = Denied;
    world.visit();
    world.pass(MINUTE).visit();
    world.expect("Ready/Published");
    let mut world = said_in_the_future(&[Yes, Denied]);
    world.says = No;
    world.visit();
    world.expect("Ready/Published");
}

#[test]
fn an_outage_that_began_in_the_future_is_trusted_for_a_day_from_now_and_told_once() {
    let mut world = said_in_the_future(&[Silent]);
    let start = world.now;
    assert_eq!(world.visit().events.len(), 0, "it was told");
    while world.now < crate::policy::after(start, DAY) {
        world.expect("Ready/Published");
        world.pass(HOUR).visit();
    }
    world.expect("ProviderUnavailable~/LastKnownGood");
}

#[test]
fn an_audit_in_the_future_is_repeated_a_day_from_now() {
    let mut world = said_in_the_future(&[Yes]);
    let mut validation = world.status().validation.clone().unwrap();
    validation.last_scope_audit_time = validation.last_success_time.clone();
    world.object.status.as_mut().unwrap().validation = Some(validation);
    world.says = Silent;
    world.visit();
    let kept = world.status().validation.clone().unwrap().last_scope_audit_time.unwrap().0;
    assert_eq!(kept, world.now);
}
