//! How often is a provider asked in a day? The schedule's own wake-ups, and visits for no reason between them.

use crate::policy::fixtures::*;
use serde_json::json;

/// Checks in 24 hours from the first visit; a visit comes at every wake-up and every seven minutes.
fn checks_of_a_day(mut world: World, restarts: bool) -> u32 {
    let end = crate::policy::after(world.now, DAY);
    let before = world.checks;
    while world.now < end {
        let wake = world.visit().next;
        let idle = crate::policy::after(world.now, MINUTE * 7);
        world.now = wake.map_or(idle, |wake| wake.min(idle));
        if restarts && idle == world.now {
            world.restart();
        }
    }
    world.checks - before
}

fn with(says: Says, retry_after: Option<std::time::Duration>) -> World {
    let mut world = World::new();
    (world.says, world.retry_after) = (says, retry_after);
    world
}

#[test]
fn a_healthy_key_is_checked_at_most_27_times() {
    for restarts in [false, true] {
        let checks = checks_of_a_day(World::new(), restarts);
        assert!((22..=27).contains(&checks), "{checks}");
    }
}

#[test]
fn a15_checks_lie_so_far_apart_that_no_process_needs_to_remember_the_budget() {
    let scopes = ["read:orders", "read:stock", "read:products", "read:webhooks"];
    for number in 1..=scopes.len() {
        for restarts in [false, true] {
            let mut world = World::new();
            world.edit(json!({
                "provider": {"zenflow": {"scopes": scopes[..number]}}, "validation": {"interval": "5m"},
            }));
            let requests = checks_of_a_day(world, restarts) * u32::try_from(number).unwrap();
            assert!((250..=1000).contains(&requests), "{number} scopes: {requests}");
        }
    }
}

#[test]
fn a_refused_key_is_checked_at_most_five_times_or_six() {
    for restarts in [false, true] {
        for says in [No, Revoked, Expired] {
            let new = checks_of_a_day(with(says, None), restarts);
            assert!((4..=5).contains(&new), "{says:?} {new}");
            let mut world = World::accepted();
            world.next_check(Yes);
            world.says = says;
            world.pass(HOUR * 2);
            let proved = checks_of_a_day(world, restarts);
            assert!((4..=6).contains(&proved), "{says:?} {proved}");
        }
    }
}

#[test]
fn an_outage_costs_at_most_250_checks_of_a_new_and_of_a_proved_key() {
    for restarts in [false, true] {
        for says in [Silent, Busy, Odd] {
            for mut world in [World::new(), World::accepted()] {
                world.says = says;
                let checks = checks_of_a_day(world, restarts);
                assert!((100..=250).contains(&checks), "{says:?} {checks}");
            }
        }
    }
}

#[test]
fn an_hour_of_retry_after_costs_at_most_25_checks() {
    for says in [Busy, Silent, Odd] {
        let checks = checks_of_a_day(with(says, Some(HOUR)), false);
        assert!((24..=25).contains(&checks), "{checks}");
    }
}

#[test]
fn a_denied_key_is_checked_at_its_interval() {
    let checks = checks_of_a_day(with(Denied, None), true);
    assert!((22..=27).contains(&checks), "{checks}");
}

#[test]
fn who_is_not_asked_is_not_asked() {
    for patch in [
        json!({"suspend": true}),
        json!({"validation": {"mode": "Local"}}),
        json!({"provider": {"zenflow": null}}),
        json!({"keySecretRef": {"key": "other"}}),
        json!({"keySecretRef": {"expirationKey": "api-key"}}),
    ] {
        let mut world = World::new();
        world.edit(patch.clone());
        assert_eq!(checks_of_a_day(world, true), 0, "{patch}");
    }
    assert_eq!(checks_of_a_day(World::flow(), true), 0);
    let mut world = World::new();
    world.source = None;
    assert_eq!(checks_of_a_day(world, true), 0);
    let mut world = World::new();
    world.denied = true;
    assert_eq!(checks_of_a_day(world, true), 0);
}

#[test]
fn a_token_of_ten_minutes_costs_at_most_217_exchanges() {
    let checks = checks_of_a_day(World::aventri(), false);
    assert!((210..=217).contains(&checks), "{checks}");
    for (says, retry_after, most) in [(Silent, None, 250), (Busy, Some(HOUR), 25), (No, None, 6)] {
        let mut world = World::aventri();
        world.visit();
        (world.says, world.retry_after) = (says, retry_after);
        let checks = checks_of_a_day(world, true);
        assert!(checks <= most, "{says:?} {checks}");
    }
}
