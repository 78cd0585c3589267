//! One refusal does not undo a proved key, an outage not for a day; a doubt never clears or condemns.

use crate::api::{ConditionType, Reason};
use crate::policy::fixtures::*;
use serde_json::json;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_proved_key_needs_two_rejections() {
    for (says, reason) in [(No, "KeyRejected"), (Revoked, "KeyRevoked")] {
        let mut world = World::accepted();
        let first = world.next_check(says);
        world.expect("Ready/Published");
        assert!(first.events.is_empty());
        assert!(world.status().validation.as_ref().unwrap().first_rejection_time.is_some(), "it is kept");
        let before = world.now;
        world.restart();
        let second = world.next_check(says);
        let apart = world.now.as_second() - before.as_second();
        assert!((30..=45).contains(&apart), "{apart}");
        world.expect(&format!("{reason}!/LastKnownGood"));
        assert_eq!(second.events.len(), 2);
        assert_eq!(world.status().validation.as_ref().unwrap().rejections, Some(1));
    }
}

#[test]
fn a_second_rejection_within_half_a_minute_does_not_count() {
    let mut world = World::accepted();
    world.next_check(No);
    let due = world.status().validation.clone().unwrap().next_check_time;
    world.pass(Duration::from_secs(20)).annotate("connector-operator.io/reconcile-at", "now");
    assert!(world.visit().asked);
    world.expect("Ready/Published");
    assert_eq!(world.status().validation.clone().unwrap().next_check_time, due, "the schedule stands");
    world.next_check(No);
    world.expect("KeyRejected!/LastKnownGood");
}

#[test]
fn one_acceptance_or_one_expiry_settles_it() {
    let mut world = World::accepted();
    world.next_check(No);
    world.next_check(Yes);
    world.expect("Ready/Published");
    assert!(world.status().validation.as_ref().unwrap().first_rejection_time.is_none());
    world.next_check(No);
    world.expect("Ready/Published");
    let mut world = World::accepted();
    world.next_check(Expired);
    world.expect("KeyExpired!/LastKnownGood");
}

#[test]
fn a_proved_key_needs_two_denials_and_keeps_its_outputs() {
    for (says, reason) in
        [(Denied, "AccessDenied"), (MissingScope, "InsufficientScope"), (WrongAddress, "IPNotAllowed")]
    {
        let mut world = World::accepted();
        world.next_check(says);
        world.expect("Ready/Published");
        world.next_check(says);
        world.expect(&format!("{reason}!/LastKnownGood"));
        assert_eq!(world.condition(ConditionType::Authenticated), Some(("True".to_owned(), Reason::KeyAccepted)));
        world.next_check(Yes);
        world.expect("Ready/Published");
    }
}

#[test]
fn a_denial_and_a_rejection_do_not_confirm_each_other() {
    for course in [[Denied, No, Denied, No], [No, Denied, No, Denied]] {
        let mut world = World::accepted();
        let start = world.now;
        for says in course {
            world.next_check(says);
            world.expect("Ready/Published");
        }
        assert!(world.now.as_second() - start.as_second() > 3600, "such a provider is not asked each half minute");
    }
    let mut world = World::accepted();
    for says in [Denied, No, No] {
        world.next_check(says);
    }
    world.expect("KeyRejected!/LastKnownGood");
}

#[test]
fn an_outage_is_trusted_for_a_day_exactly() {
    for doubt in [Silent, Busy, Odd] {
        let mut world = World::accepted();
        let first = world.next_check(doubt);
        assert_eq!(first.events.len(), 1, "one warning");
        let start = world.now;
        loop {
            world.pass(SECOND);
            let next = world.status().validation.clone().unwrap().next_check_time.unwrap().0;
            if next.as_second() >= start.as_second() + 86_400 {
                break;
            }
            let visit = world.next_check(doubt);
            assert!(visit.events.is_empty());
            world.expect("Ready/Published");
        }
        world.now = crate::policy::after(start, DAY - SECOND);
        let visit = world.visit();
        world.expect("Ready/Published");
        assert_eq!(visit.next, Some(crate::policy::after(start, DAY)));
        assert!(!world.pass(SECOND).visit().asked, "also without a check");
        world.expect("ProviderUnavailable~/LastKnownGood");
        assert_eq!(world.output("out", "ZENFLOW_API_KEY").as_deref(), Some(OLD_KEY));
        world.next_check(Yes);
        world.expect("Ready/Published");
        assert!(world.status().validation.as_ref().unwrap().outage_start_time.is_none());
    }
}

#[test]
fn a_key_that_was_proved_before_a_long_outage_still_needs_two_rejections() {
    let mut world = World::accepted();
    world.next_check(Silent);
    world.pass(DAY).visit();
    world.expect("ProviderUnavailable~/LastKnownGood");
    world.next_check(No);
    world.expect("ProviderUnavailable~/LastKnownGood");
    world.next_check(No);
    world.expect("KeyRejected!/LastKnownGood");
}

#[test]
fn one_rejection_does_not_prolong_the_trust_in_an_outage() {
    let mut world = World::accepted();
    world.next_check(Silent);
    world.says = No;
    let visit = world.pass(DAY).visit();
    assert!(visit.asked && visit.next.is_some_and(|next| next > world.now));
    world.expect("ProviderUnavailable~/LastKnownGood");
}

#[test]
fn a_rejected_key_stays_rejected_while_nobody_answers() {
    let mut world = World::new();
    world.says = No;
    world.visit();
    for (doubt, hours) in [(Silent, 1), (Busy, 1), (Odd, 1)] {
        let before = world.now;
        world.next_check(doubt);
        world.expect("KeyRejected!/WaitingForVerification");
        assert_eq!(world.now.as_second() - before.as_second(), hours * 3600, "on its own schedule");
    }
    world.next_check(Yes);
    world.expect("Ready/Published");
}

#[test]
fn a_refused_key_is_asked_about_ever_less_often() {
    let mut world = World::new();
    world.says = No;
    world.visit();
    for hours in [1, 2, 4, 8, 16, 24, 24] {
        let before = world.now;
        world.next_check(No);
        assert_eq!(world.now.as_second() - before.as_second(), hours * 3600);
    }
    world.put_key(NEW_KEY);
    world.says = Yes;
    assert!(world.visit().asked, "a new key at once");
}

#[test]
fn retry_after_wins_over_every_backoff_and_is_kept() {
    let mut world = World::new();
    (world.says, world.retry_after) = (Busy, Some(HOUR));
    let visit = world.visit();
    assert_eq!(visit.next, Some(crate::policy::after(world.now, HOUR)));
    world.restart();
    assert!(!world.pass(MINUTE * 59).visit().asked);
    assert!(world.pass(MINUTE).visit().asked);
    let mut world = World::accepted();
    world.retry_after = Some(Duration::from_secs(120));
    world.next_check(No);
    let due = world.status().validation.clone().unwrap().next_check_time.unwrap().0;
    assert_eq!(due.as_second() - world.now.as_second(), 120, "also over a confirmation");
}

#[test]
fn nothing_that_was_said_of_another_key_counts() {
    for first in [Yes, No, Denied, Silent] {
        for then in [No, Silent, Busy, Odd, Denied] {
            for mut world in [World::new(), World::aventri()] {
                world.says = first;
                world.visit();
                world.put_key(NEW_KEY);
                world.says = then;
                let asked = world.pass(MINUTE).visit().asked;
                assert!(asked);
                let ready = world.condition(ConditionType::Ready).unwrap();
                assert_ne!(ready.0, "True", "{first:?} then {then:?}: {}", world.summary());
                assert!(!world.summary().starts_with("NotChecked"));
                assert!(!world.publishes(NEW_KEY));
                let stale = world.status().validation.as_ref().unwrap().last_success_time.is_some();
                assert_eq!(stale, then == Denied);
            }
        }
    }
}

#[test]
fn a_claim_whose_holder_died_says_nothing_of_the_new_key() {
    let mut world = World::aventri();
    world.visit();
    world.expect("Ready/Published");
    world.put_key(NEW_KEY);
    let seen = world.pass(MINUTE).observe();
    world.object.status = Some(crate::policy::claim(&seen, world.now));
    world.restart();
    assert!(!world.visit().asked, "the claim is respected");
    world.expect("NotChecked~/LastKnownGood");
    let published = world.status().key.as_ref().unwrap().published_time.clone();
    assert!(published.is_none(), "the new key was never published");
    world.edit(json!({"rejectionPolicy": "Withdraw"}));
    world.says = No;
    world.pass(MINUTE * 2).visit();
    world.expect("KeyRejected!/LastKnownGood");
}
