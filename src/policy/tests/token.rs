//! A token is renewed at two thirds, minted once for each need, and never published when it is over.

use crate::policy::fixtures::*;
use crate::policy::{CLAIM, Plan, after, claim};
use serde_json::json;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn token(world: &World) -> Option<String> {
    world.output("out", "access-token")
}

#[test]
fn a_token_is_renewed_at_two_thirds() {
    let mut world = World::aventri();
    world.visit();
    world.expect("Ready/Published");
    assert_eq!(token(&world).as_deref(), Some("token-1"));
    let course = world.status().token.clone().unwrap();
    assert_eq!(course.expiration_time.unwrap().0, after(world.now, MINUTE * 10));
    assert_eq!(course.renewal_time.unwrap().0, after(world.now, SECOND * 400));
    let start = world.now;
    let visit = world.next_check(Yes);
    assert_eq!(world.now, after(start, SECOND * 400));
    assert_eq!(token(&world).as_deref(), Some("token-2"));
    assert!(visit.events.is_empty(), "a renewed token is no news");
    assert_eq!(world.status().outputs[0].resource_version, world.targets["out"].metadata.resource_version);
}

#[test]
fn nobody_renews_what_nobody_publishes() {
    let mut world = World::aventri();
    world.edit(json!({"publishPolicy": "Never"}));
    let visit = world.visit();
    assert!(visit.next.unwrap().as_second() - world.now.as_second() > 3000);
    assert!(!world.pass(MINUTE * 20).visit().asked);
    world.edit(json!({"publishPolicy": "WhenVerified"}));
    assert!(world.visit().asked, "now it is needed");
    world.expect("Ready/Published");
}

#[test]
fn drift_is_repaired_with_the_known_token() {
    let mut world = World::aventri();
    world.visit();
    world.targets.clear();
    assert!(!world.pass(MINUTE).visit().asked);
    assert_eq!(token(&world).as_deref(), Some("token-1"));
}

#[test]
fn a_lost_token_is_exchanged_anew_but_not_within_a_claim() {
    let mut world = World::aventri();
    world.visit();
    world.restart();
    world.targets.clear();
    assert!(world.pass(MINUTE).visit().asked);
    assert_eq!(token(&world).as_deref(), Some("token-2"));
    let seen = world.pass(MINUTE).observe();
    world.object.status = Some(claim(&seen, world.now));
    world.restart();
    world.targets.clear();
    let visit = world.pass(SECOND * 10).visit();
    assert_eq!(visit.plan, Plan::Later(after(world.now, CLAIM - SECOND * 10)));
    world.expect("WaitingForVerification~/WaitingForVerification");
    world.annotate("connector-operator.io/reconcile-at", "1");
    assert!(!world.pass(SECOND).visit().asked, "nor when it is asked for");
    world.pass(CLAIM).leading_since = world.now;
    let visit = world.visit();
    world.now = visit.next.unwrap_or(world.now);
    assert!(visit.asked || world.visit().asked);
    world.expect("Ready/Published");
    assert_eq!(world.status().last_handled_request.as_deref(), Some("1"));
}

#[test]
fn the_schedule_of_an_outage_counts_more_than_a_lost_token() {
    let mut world = World::aventri();
    world.visit();
    world.retry_after = Some(HOUR);
    world.next_check(Busy);
    world.restart();
    world.pass(MINUTE * 20);
    assert!(!world.visit().asked);
    world.expect("Ready/LastKnownGood");
    assert_eq!(token(&world).as_deref(), Some("token-1"), "it stays until there is a new one");
    world.targets.clear();
    let visit = world.visit();
    assert!(!visit.asked);
    world.expect("WaitingForVerification~/WaitingForVerification");
    assert!(world.targets.is_empty(), "no output without a token that serves");
    world.retry_after = None;
    world.next_check(Yes);
    world.expect("Ready/Published");
}

#[test]
fn a_refusal_that_waits_for_its_confirmation_counts_more_than_a_lost_token() {
    let mut world = World::aventri();
    world.visit();
    (world.says, world.retry_after) = (No, Some(MINUTE * 2));
    world.restart();
    assert!(world.visit().asked);
    assert!(!world.visit().asked);
    world.retry_after = None;
    world.next_check(No);
    world.expect("KeyRejected!/LastKnownGood");
}

#[test]
fn a_claim_outlives_the_interval_that_it_is_made_at() {
    let mut world = World::aventri();
    world.edit(json!({"provider": {"aventri": {"tokenLifetime": "24h"}}}));
    let due = world.visit().next.unwrap();
    world.now = due;
    world.die_after_claim();
    // The successor begins to lead now.
    world.leading_since = due;
    assert_eq!(world.visit().plan, Plan::Later(after(due, CLAIM)));
    world.pass(CLAIM);
    assert!(world.visit().asked);
}

#[test]
fn an_expired_token_is_not_written_to_a_new_output() {
    let mut world = World::aventri();
    world.visit();
    world.next_check(Silent);
    world.pass(MINUTE * 4).edit(json!({"outputs": [
        {"secretName": "out", "format": "Binding"}, {"secretName": "two", "format": "Env"},
    ]}));
    world.budget = Some(after(world.now, HOUR));
    world.visit();
    assert!(!world.targets.contains_key("two"));
    world.expect("WaitingForVerification~/WaitingForVerification");
    (world.budget, world.says) = (None, Yes);
    world.pass(HOUR).visit();
    world.expect("Ready/Published");
    assert_eq!(world.output("two", "AVENTRI_ACCESS_TOKEN").as_deref(), Some("token-3"));
}

#[test]
fn local_mode_has_no_token_and_needs_none() {
    let mut world = World::aventri();
    world.edit(json!({"validation": {"mode": "Local"}}));
    world.visit();
    world.expect("LocalOnly/Published");
    assert_eq!((token(&world), world.checks), (None, 0));
}

#[test]
fn a_claim_moves_the_next_check_and_nothing_else_of_a_known_key() {
    let mut world = World::aventri();
    world.visit();
    world.pass(SECOND * 400);
    let claimed = claim(&world.observe(), world.now);
    let mut expected = world.status().clone();
    expected.validation.as_mut().unwrap().next_check_time =
        Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(after(world.now, CLAIM)));
    assert_eq!(claimed, expected);
    let fresh = World::aventri();
    let claimed = claim(&fresh.observe(), fresh.now);
    assert!(claimed.source.is_some() && claimed.key.is_some());
    assert_eq!(claimed.validation.unwrap().next_check_time.unwrap().0, after(fresh.now, CLAIM));
}

/// Visits at every wake-up until the next exchange.
fn until_asked(world: &mut World) {
    for _ in 0..6 {
        let visit = world.visit();
        if visit.asked {
            return;
        }
        world.now = world.now.max(visit.next.unwrap());
    }
    panic!("nobody asks");
}

#[test]
fn a_process_that_has_just_begun_renews_before_the_token_ends() {
    for (down, dies_after_claim) in [(41, true), (44, false), (44, true), (47, true), (58, false)] {
        let mut world = World::aventri();
        world.edit(json!({"provider": {"aventri": {"tokenLifetime": "1m"}}}));
        world.visit();
        let end = world.status().token.clone().unwrap().expiration_time.unwrap().0;
        // It was down when the renewal was due, or died over it.
        if dies_after_claim {
            world.pass(SECOND * 40).die_after_claim();
        }
        world.now = after(end, SECOND * down).checked_sub(jiff::SignedDuration::from_secs(60)).unwrap();
        world.restart();
        until_asked(&mut world);
        assert!(world.now < end, "{} is not before {end}", world.now);
        assert_eq!((token(&world).as_deref(), world.checks), (Some("token-2"), 2));
    }
}

#[test]
fn a_claim_over_a_token_that_has_ended_stands_through_restarts() {
    let mut world = World::aventri();
    world.edit(json!({"provider": {"aventri": {"tokenLifetime": "1m"}}}));
    world.visit();
    world.pass(SECOND * 70).die_after_claim();
    let claimed = world.now;
    world.restart();
    until_asked(&mut world);
    assert!(world.now >= after(claimed, CLAIM - SECOND), "a process that dies again and again asks once a minute");
}
