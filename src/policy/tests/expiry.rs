//! Expiry and age are announced exactly on time, once, and never take an output away.

use crate::api::{ConditionType, Reason};
use crate::policy::fixtures::*;
use serde_json::json;

/// Visits at every wake-up until `end`; gives the times, in days before it, at which something was told.
fn announced(world: &mut World, end: &str) -> Vec<f64> {
    let end: jiff::Timestamp = end.parse().unwrap();
    let mut days = Vec::new();
    while let Some(next) = world.visit().next.filter(|next| *next <= end) {
        world.now = next;
        let told = |reason| matches!(reason, Reason::ExpiringSoon | Reason::Expired);
        let seconds = i32::try_from(end.as_second() - world.now.as_second()).unwrap();
        let visit = world.visit();
        days.extend(visit.events.iter().filter(|event| told(event.reason)).map(|_| f64::from(seconds) / 86_400.0));
        if seconds == 0 {
            break;
        }
    }
    days
}

#[test]
fn an_expiry_is_announced_at_each_threshold_once() {
    for (warning, expected) in [
        (None, &[30.0, 14.0, 7.0, 3.0, 1.0, 0.0][..]),
        (Some("120h"), &[5.0, 3.0, 1.0, 0.0]),
        (Some("24h"), &[1.0, 0.0]),
    ] {
        let mut world = World::new();
        world.edit(json!({"expiresAt": "2026-06-01T00:00:00Z", "validation": {"interval": "24h"}}));
        world.edit(json!({"warnBefore": warning}));
        assert_eq!(announced(&mut world, "2026-06-01T00:00:00Z"), expected);
        world.expect("Ready/Published");
        assert_eq!(world.condition(ConditionType::Expiring).unwrap().1, Reason::Expired);
        world.restart();
        assert!(!world.pass(MINUTE * 2).visit().events.iter().any(|event| event.reason == Reason::Expired));
    }
}

#[test]
fn fractions_of_a_second_repeat_no_notice() {
    let mut world = World::new();
    world.edit(json!({"expiresAt": "2026-03-01T00:59:00.75Z", "warnBefore": "1h500ms"}));
    assert_eq!(world.visit().events.iter().filter(|event| event.reason == Reason::ExpiringSoon).count(), 1);
    for _ in 0..3 {
        let visit = world.visit();
        assert!(visit.events.is_empty() && !visit.changed);
    }
}

#[test]
fn a_late_start_tells_once() {
    let mut world = World::new();
    world.edit(json!({"expiresAt": "2026-03-03T00:00:00Z"}));
    let told = world.visit().events;
    assert_eq!(told.iter().filter(|event| event.reason == Reason::ExpiringSoon).count(), 1);
    world.edit(json!({"expiresAt": "2026-03-05T00:00:00Z"}));
    assert_eq!(world.visit().events.len(), 1, "another end is news");
    world.edit(json!({"expiresAt": null}));
    world.visit();
    assert_eq!(world.condition(ConditionType::Expiring), None);
    assert!(world.status().expiration.is_none());
}

#[test]
fn the_secret_s_own_expiry_wins_and_outlives_the_secret() {
    let mut world = World::new();
    world.edit(json!({"expiresAt": "2030-01-01T00:00:00Z", "keySecretRef": {"expirationKey": "until"}}));
    world.put("until", "2026-03-10T02:00:00+02:00\n");
    world.visit();
    let end = "2026-03-10T00:00:00Z".parse().unwrap();
    let time = |world: &World| world.status().expiration.clone().unwrap().time.unwrap().0;
    assert_eq!(time(&world), end);
    assert_eq!(world.output("out", "ZENFLOW_EXPIRES_AT").as_deref(), Some("2026-03-10T00:00:00Z"));
    world.source = None;
    world.visit();
    assert_eq!(time(&world), end);
    for bad in ["soon", "2026-03-10", "2026-03-10T00:00:00", ""] {
        world.put_key(OLD_KEY);
        world.put("until", bad);
        world.pass(MINUTE).visit();
        world.expect("KeyMalformed!/LastKnownGood");
    }
}

#[test]
fn a_key_that_cannot_be_proved_expires_on_its_day_and_keeps_its_outputs() {
    for mut world in [World::flow(), World::new()] {
        world.edit(json!({"rejectionPolicy": "Withdraw", "validation": {"mode": "Local"}}));
        world.edit(json!({"expiresAt": "2026-03-02T00:00:00Z"}));
        let visit = world.visit();
        assert!(world.summary().ends_with("/Published"));
        assert_eq!(visit.next, Some("2026-03-02T00:00:00Z".parse().unwrap()));
        world.now = visit.next.unwrap();
        let told: Vec<_> = world.visit().events.iter().map(|event| event.reason).collect();
        world.expect("KeyExpired!/LastKnownGood");
        assert_eq!(told, [Reason::Expired, Reason::KeyExpired, Reason::LastKnownGood]);
        assert!(world.publishes(OLD_KEY) && world.checks == 0);
        world.edit(json!({"expiresAt": "2027-03-02T00:00:00Z"}));
        world.visit();
        assert!(world.summary().ends_with("/Published"));
    }
}

#[test]
fn an_old_key_is_a_reminder_until_it_is_rotated() {
    let mut world = World::new();
    world.edit(json!({"maxAge": "2160h", "validation": {"interval": "24h"}}));
    let limit = crate::policy::after(world.now, DAY * 90);
    world.visit();
    world.pass(DAY * 90 - MINUTE);
    let visit = world.visit();
    assert_eq!(visit.next.map(|next| next.min(limit)), visit.next);
    assert_eq!(world.condition(ConditionType::RotationDue), None);
    world.relabel();
    world.visit();
    world.now = limit;
    assert_eq!(world.visit().events.iter().filter(|event| event.reason == Reason::KeyTooOld).count(), 1);
    world.expect("Ready/Published");
    assert!(world.condition(ConditionType::RotationDue).is_some());
    world.restart();
    assert!(world.pass(MINUTE).visit().events.is_empty());
    world.put_key(NEW_KEY);
    world.visit();
    assert_eq!(world.condition(ConditionType::RotationDue), None);
}

#[test]
fn expiry_goes_on_while_suspended() {
    let mut world = World::accepted();
    world.edit(json!({"expiresAt": "2026-05-01T00:00:00Z", "maxAge": "720h", "suspend": true}));
    let expected = [30.0, 14.0, 7.0, 3.0, 1.0, 0.0];
    assert_eq!(announced(&mut world, "2026-05-01T00:00:00Z"), expected);
    assert!(
        world.condition(ConditionType::Expiring).is_some() && world.condition(ConditionType::RotationDue).is_some()
    );
    assert_eq!(world.checks, 1);
}
