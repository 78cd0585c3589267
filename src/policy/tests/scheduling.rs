//! Who is asked when? Only for a reason, never early, and once.

use crate::api::FLUX_REQUESTED_AT;
use crate::policy::fixtures::*;
use crate::policy::{Plan, Pointless, after};
use serde_json::json;
use std::time::Duration;

#[test]
fn changes_of_the_subject_ask_and_nothing_else_does() {
    for patch in [
        json!({"provider": {"zenflow": {"scopes": ["read:stock"]}}}),
        json!({"provider": {"zenflow": {"environment": "Live"}}}),
        json!({"keySecretRef": {"key": "second"}}),
        json!({"keySecretRef": {"expirationKey": "expires-at"}}),
    ] {
        let mut world = World::new();
        world.put("second", OLD_KEY);
        world.put("expires-at", "2027-01-01T00:00:00Z");
        world.visit();
        let first_seen = world.status().key.clone().unwrap().first_seen_time;
        world.edit(patch.clone());
        assert!(world.pass(MINUTE).visit().asked, "{patch}");
        world.expect("Ready/Published");
        assert_eq!(world.status().key.clone().unwrap().first_seen_time, first_seen, "the bytes are the same");
        assert!(!world.visit().asked);
    }
}

#[test]
fn a_new_label_on_the_source_asks_nobody() {
    for restart in [false, true] {
        for expiration in [false, true] {
            let mut world = World::new();
            if expiration {
                world.put("expires-at", "2027-01-01T00:00:00Z");
                world.edit(json!({"keySecretRef": {"expirationKey": "expires-at"}}));
            }
            world.visit();
            world.relabel();
            if restart {
                world.restart();
            }
            let visit = world.pass(MINUTE).visit();
            assert!(!visit.asked && visit.changed && visit.events.is_empty(), "only the version is noted");
            assert!(!world.visit().changed);
        }
    }
    let mut rejected = World::accepted();
    rejected.next_check(No);
    rejected.next_check(No);
    rejected.relabel();
    rejected.restart();
    assert!(!rejected.pass(MINUTE).visit().asked, "its outputs still tell which key it is");
    rejected.expect("KeyRejected!/LastKnownGood");
}

#[test]
fn a_key_that_was_put_back_meanwhile_does_not_inherit_a_verdict() {
    let mut world = World::accepted();
    world.put_key(NEW_KEY);
    world.says = No;
    world.pass(MINUTE).visit();
    world.expect("KeyRejected!/LastKnownGood");
    world.put_key(OLD_KEY);
    world.restart();
    world.says = Yes;
    assert!(world.pass(MINUTE).visit().asked);
    world.expect("Ready/Published");
}

#[test]
fn a_request_is_handled_once() {
    for name in ["connector-operator.io/reconcile-at", FLUX_REQUESTED_AT] {
        let mut world = World::accepted();
        world.annotate(name, "1");
        assert!(world.pass(MINUTE).visit().asked);
        assert!(!world.pass(MINUTE).visit().asked);
        let status = world.status();
        let handled = [&status.last_handled_request, &status.last_handled_reconcile_at];
        assert_eq!(handled.iter().filter(|value| value.as_deref() == Some("1")).count(), 1);
        world.restart();
        assert!(!world.visit().asked);
        world.annotate(name, "2");
        assert!(world.visit().asked);
    }
}

#[test]
fn a_request_waits_for_its_bucket_and_its_budget() {
    let mut world = World::accepted();
    let mut asked = 0;
    for second in 0..60 {
        world.annotate("connector-operator.io/reconcile-at", &second.to_string());
        asked += u32::from(world.visit().asked);
        world.pass(Duration::from_secs(1));
    }
    assert!(asked <= 3, "with the first check four in a minute: {asked}");
    let left = world.visit();
    let handled = |world: &World| world.status().last_handled_request.clone();
    if !left.asked {
        assert_ne!(handled(&world).as_deref(), Some("59"), "not lost");
        world.now = left.next.unwrap();
        assert!(world.visit().asked);
    }
    assert_eq!(handled(&world).as_deref(), Some("59"));
    world.annotate("connector-operator.io/reconcile-at", "budget");
    world.budget = Some(after(world.now, MINUTE * 5));
    let waits = world.pass(MINUTE).visit();
    assert!(!waits.asked && handled(&world).as_deref() == Some("59"));
    assert_eq!(waits.next, world.budget);
    world.now = waits.next.unwrap();
    assert!(world.visit().asked);
    assert_eq!(handled(&world).as_deref(), Some("budget"));
}

#[test]
fn a_new_key_waits_for_its_bucket_unpublished() {
    let mut world = World::accepted();
    for key in [NEW_KEY, OLD_KEY, NEW_KEY, OLD_KEY, NEW_KEY] {
        world.put_key(key);
        world.visit();
    }
    world.expect("NotChecked~/LastKnownGood");
    assert!(world.checks <= 3);
    let visit = world.visit();
    world.now = visit.next.unwrap();
    assert!(world.visit().asked);
    world.expect("Ready/Published");
    assert!(world.publishes(NEW_KEY));
}

#[test]
fn a_shorter_interval_takes_effect_and_a_longer_one_at_the_next_check() {
    let mut world = World::new();
    world.edit(json!({"validation": {"interval": "24h"}}));
    world.visit();
    world.pass(MINUTE).edit(json!({"validation": {"interval": "10m"}}));
    let visit = world.visit();
    assert!(!visit.asked);
    let wait = visit.next.unwrap().as_second() - world.now.as_second();
    assert!((480..=600).contains(&wait), "{wait}");
    assert!(!world.visit().changed);
    world.edit(json!({"validation": {"interval": "24h"}}));
    assert_eq!(world.visit().next, visit.next);
    world.pass(HOUR);
    assert!(world.visit().asked);
    world.pass(HOUR * 12).edit(json!({"validation": {"interval": "5m"}}));
    assert!(world.visit().asked, "overdue by the new interval");
}

#[test]
fn what_is_overdue_at_a_start_is_spread_over_a_minute() {
    for says in [Yes, No, Silent] {
        let mut world = World::new();
        world.says = says;
        world.visit();
        world.pass(DAY).restart();
        let visit = world.visit();
        let Plan::Later(start) = visit.plan else { panic!("not at once") };
        assert!(start.as_second() - world.now.as_second() <= 60);
        assert_eq!(visit.next, Some(start));
        world.now = start;
        assert!(world.visit().asked);
    }
    let mut fresh = World::new();
    fresh.restart();
    assert!(fresh.visit().asked, "a new key waits for nothing");
}

#[test]
fn nobody_is_asked_where_it_is_pointless() {
    let edited = |patch| {
        let mut world = World::new();
        world.edit(patch);
        world.visit().plan
    };
    assert_eq!(edited(json!({"suspend": true})), Plan::Pointless(Pointless::Suspended));
    assert_eq!(edited(json!({"provider": {"zenflow": null}})), Plan::Pointless(Pointless::NotAccepted));
    assert_eq!(edited(json!({"keySecretRef": {"name": "gone", "key": "x"}})), Plan::Pointless(Pointless::Unresolved));
    assert_eq!(edited(json!({"validation": {"mode": "Local"}})), Plan::Pointless(Pointless::LocalOnly));
    assert_eq!(World::flow().visit().plan, Plan::Pointless(Pointless::EndpointNotConfigured));
}

#[test]
fn an_endpoint_that_is_configured_later_is_asked_and_one_that_goes_is_forgotten() {
    let site = crate::providers::Site {
        endpoint: Some("https://flow.example.com/api".to_owned()),
        flow: Some(crate::providers::FlowSite {
            authentication: crate::providers::Authentication::Query { name: "key".to_owned() },
            probe: crate::providers::FlowProbe {
                path: "/members".to_owned(),
                accepted: vec![200],
                rejected: vec![401],
                denied: vec![403],
            },
            probes_by_purpose: std::collections::BTreeMap::new(),
        }),
    };
    let mut world = World::flow();
    world.edit(json!({"rejectionPolicy": "Withdraw"}));
    world.visit();
    world.now = "2026-06-02T00:00:00Z".parse().unwrap();
    world.visit();
    world.expect("KeyExpired!/LastKnownGood");
    world.site = site;
    world.says = Silent;
    assert!(world.visit().asked);
    world.expect("ProviderUnavailable~/LastKnownGood");
    assert!(world.publishes(OLD_KEY), "a declared expiry never withdraws");
    world.next_check(Yes);
    world.expect("Ready/Published");
    let site = std::mem::take(&mut world.site);
    world.edit(json!({"expiresAt": "2027-06-02T00:00:00Z"}));
    world.visit();
    world.expect("EndpointNotConfigured/Published");
    assert!(world.status().validation.as_ref().unwrap().next_check_time.is_none());
    world.site = site;
    assert!(world.visit().asked, "at once, not at the old schedule");
}
