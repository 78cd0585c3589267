//! Every row of the contract's table of conditions, from a history that leads to it.

use crate::api::{ConditionType, Conditions, Reason};
use crate::policy::fixtures::*;
use serde_json::json;

#[track_caller]
fn holds(world: &World, condition: ConditionType, status: &str, reason: Reason) {
    assert_eq!(world.condition(condition), Some((status.to_owned(), reason)));
}

#[test]
fn an_accepted_key_is_published_and_ready() {
    let mut world = World::new();
    let visit = world.visit();
    world.expect("Ready/Published");
    holds(&world, ConditionType::Accepted, "True", Reason::Accepted);
    holds(&world, ConditionType::Resolved, "True", Reason::SecretResolved);
    holds(&world, ConditionType::Authenticated, "True", Reason::KeyAccepted);
    holds(&world, ConditionType::Authorized, "True", Reason::AccessVerified);
    holds(&world, ConditionType::Published, "True", Reason::Published);
    assert_eq!(world.output("out", "ZENFLOW_API_KEY").as_deref(), Some(OLD_KEY));
    let told: Vec<_> = visit.events.iter().map(|event| event.reason).collect();
    assert_eq!(told, [Reason::Ready], "that it is published, `Ready` says");
    let quiet = world.visit();
    assert!(!quiet.changed && quiet.events.is_empty() && !quiet.asked);
}

#[test]
fn each_verdict_on_a_new_key_has_its_row() {
    for (says, summary, authenticated, authorized) in [
        (No, "KeyRejected!", ("False", Reason::KeyRejected), ("Unknown", Reason::NotChecked)),
        (Expired, "KeyExpired!", ("False", Reason::KeyExpired), ("Unknown", Reason::NotChecked)),
        (Revoked, "KeyRevoked!", ("False", Reason::KeyRevoked), ("Unknown", Reason::NotChecked)),
        (Denied, "AccessDenied!", ("True", Reason::KeyAccepted), ("False", Reason::AccessDenied)),
        (MissingScope, "InsufficientScope!", ("True", Reason::KeyAccepted), ("False", Reason::InsufficientScope)),
        (WrongAddress, "IPNotAllowed!", ("True", Reason::KeyAccepted), ("False", Reason::IPNotAllowed)),
        (Silent, "ProviderUnavailable~", ("Unknown", Reason::ProviderUnavailable), ("Unknown", Reason::NotChecked)),
        (Busy, "RateLimited~", ("Unknown", Reason::RateLimited), ("Unknown", Reason::NotChecked)),
        (Odd, "UnexpectedResponse~", ("Unknown", Reason::UnexpectedResponse), ("Unknown", Reason::NotChecked)),
    ] {
        let mut world = World::new();
        world.says = says;
        world.visit();
        world.expect(&format!("{summary}/WaitingForVerification"));
        holds(&world, ConditionType::Authenticated, authenticated.0, authenticated.1);
        holds(&world, ConditionType::Authorized, authorized.0, authorized.1);
        assert!(world.targets.is_empty(), "{says:?}: nothing unproved is published");
        world.next_check(Yes);
        world.expect("Ready/Published");
    }
}

#[test]
fn each_trouble_with_the_source_has_its_row_and_heals_with_a_check() {
    type Trouble = fn(&mut World);
    let troubles: [(Trouble, Trouble, &str); 7] = [
        (|world| world.source = None, |world| world.put_key(OLD_KEY), "SecretNotFound~"),
        (|world| world.denied = true, |world| world.denied = false, "SecretAccessDenied~"),
        (
            |world| world.edit(json!({"keySecretRef": {"key": "other"}})),
            |world| world.edit(json!({"keySecretRef": {"key": null}})),
            "SecretKeyNotFound~",
        ),
        (
            |world| world.source.as_mut().unwrap().type_ = Some("helm.sh/release.v1".to_owned()),
            |world| world.source.as_mut().unwrap().type_ = None,
            "SecretTypeNotAllowed!",
        ),
        (|world| world.put_key("two words"), |world| world.put_key(OLD_KEY), "KeyMalformed!"),
        (|world| world.put_key("zenflow_test_canary"), |world| world.put_key(OLD_KEY), "KeyMalformed!"),
        (|world| world.put_key(""), |world| world.put_key(OLD_KEY), "KeyMalformed!"),
    ];
    for policy in ["Keep", "Withdraw"] {
        for (break_it, heal_it, summary) in troubles {
            let mut fresh = World::new();
            break_it(&mut fresh);
            assert!(!fresh.visit().asked);
            fresh.expect(&format!("{summary}/WaitingForVerification"));
            let mut world = World::accepted();
            world.edit(json!({"rejectionPolicy": policy}));
            world.visit();
            break_it(world.pass(MINUTE));
            assert!(!world.visit().asked);
            world.expect(&format!("{summary}/LastKnownGood"));
            holds(&world, ConditionType::Authenticated, "Unknown", Reason::NotChecked);
            assert_eq!(world.output("out", "ZENFLOW_API_KEY").as_deref(), Some(OLD_KEY));
            assert!(world.status().validation.is_none(), "nothing is due");
            heal_it(world.pass(MINUTE));
            assert!(world.visit().asked, "{summary}");
            world.expect("Ready/Published");
        }
    }
}

#[test]
fn a_right_that_was_taken_away_is_looked_for_within_five_minutes() {
    let mut world = World::accepted();
    world.denied = true;
    let visit = world.visit();
    let wait = visit.next.unwrap().as_second() - world.now.as_second();
    assert!((240..300).contains(&wait), "{wait}");
    assert!(!world.status().outputs.is_empty(), "outputs that nobody can read are not lost");
}

#[test]
fn a_spec_that_cannot_be_acted_on_is_invalid() {
    for patch in [
        json!({"provider": {"inflow": {"companyID": "x"}}}),
        json!({"provider": {"zenflow": null}}),
        json!({"provider": {"zenflow": null, "flowlu": {"account": "evil.com/"}}}),
        json!({"provider": {"zenflow": null, "flow": {"purpose": "FLOWAPI"}}}),
        json!({"outputs": [{"secretName": "out", "format": "Template", "template": {"f": "$(nonsense)"}}]}),
        json!({"outputs": [{"secretName": "out", "format": "Env"}, {"secretName": "out", "format": "Curl"}]}),
        json!({"outputs": [{"secretName": "source", "format": "Env"}]}),
    ] {
        let mut world = World::accepted();
        world.edit(patch.clone());
        assert!(!world.visit().asked, "{patch}");
        world.expect("InvalidSpec!/Published");
        let mut fresh = World::new();
        fresh.edit(patch);
        assert!(!fresh.visit().asked);
        fresh.expect("InvalidSpec!/WaitingForVerification");
    }
}

#[test]
fn a_key_that_a_format_cannot_hold_is_no_published_key() {
    let mut world = World::with(&json!({
        "provider": {"inflow": {"companyID": "00000000-0000-4000-8000-000000000000"}},
        "keySecretRef": {"name": "source"},
        "outputs": [{"secretName": "out", "format": "Template", "template": {"f": "$(apiKey)".repeat(400)}}],
    }));
    world.visit();
    world.expect("Ready/Published");
    world.put_key(&"canary_".repeat(560));
    world.pass(MINUTE).visit();
    world.expect("InvalidSpec!/Published");
    assert!(world.output("out", "f").unwrap().starts_with(OLD_KEY), "the old key stays");
}

#[test]
fn an_older_credential_s_output_is_a_conflict_until_the_name_is_freed() {
    let mut world = World::new();
    world.claimed.insert("out".to_owned());
    world.visit();
    world.expect("OutputConflict!/WaitingForVerification");
    world.claimed.clear();
    assert!(world.visit().asked);
    world.expect("Ready/Published");
}

#[test]
fn what_cannot_be_proved_is_ready_by_choice() {
    for (policy, published) in [("WhenVerified", "Published"), ("Always", "Published"), ("Never", "-")] {
        let mut local = World::new();
        local.edit(json!({"validation": {"mode": "Local"}, "publishPolicy": policy}));
        assert!(!local.visit().asked);
        local.expect(&format!("LocalOnly/{published}"));
        let mut flow = World::flow();
        flow.edit(json!({"publishPolicy": policy}));
        assert!(!flow.visit().asked);
        flow.expect(&format!("EndpointNotConfigured/{published}"));
    }
}

#[test]
fn without_an_endpoint_what_needs_one_is_invalid() {
    for format in ["HTTP", "Curl", "Nexla"] {
        let mut world = World::flow();
        world.edit(json!({"outputs": [{"secretName": "out", "format": format}]}));
        world.visit();
        world.expect("InvalidSpec!/WaitingForVerification");
        let mut local = World::aventri();
        local.edit(json!({"validation": {"mode": "Local"}, "outputs": [{"secretName": "out", "format": format}]}));
        local.visit();
        local.expect("InvalidSpec!/WaitingForVerification");
        let mut proved = World::aventri();
        proved.edit(json!({"outputs": [{"secretName": "out", "format": format}]}));
        proved.visit();
        proved.expect("Ready/Published");
    }
}

#[test]
fn a_suspended_credential_stays_as_it_was() {
    for (prepare, before, after) in [
        (Yes, "Ready/Published", "True"),
        (No, "KeyRejected!/WaitingForVerification", "False"),
        (Silent, "ProviderUnavailable~/WaitingForVerification", "Unknown"),
    ] {
        let mut world = World::new();
        world.says = prepare;
        world.visit();
        world.expect(before);
        world.edit(json!({"suspend": true}));
        world.put_key(NEW_KEY);
        let told: Vec<_> = world.visit().events.into_iter().map(|event| event.reason).collect();
        assert_eq!(told, [Reason::Suspended]);
        holds(&world, ConditionType::Ready, after, Reason::Suspended);
        assert_eq!(world.condition(ConditionType::Reconciling), None);
        assert_eq!(world.status().observed_generation, Some(2));
        world.targets.clear();
        let visit = world.pass(DAY).visit();
        assert!(!visit.asked && !visit.changed && world.targets.is_empty());
        world.edit(json!({"suspend": false}));
        world.says = Yes;
        assert!(world.visit().asked, "a new key is asked about when resumed");
        world.expect("Ready/Published");
    }
    let mut unseen = World::new();
    unseen.edit(json!({"suspend": true}));
    unseen.visit();
    holds(&unseen, ConditionType::Ready, "Unknown", Reason::Suspended);
}

#[test]
fn a_suspended_credential_says_that_what_changed_meanwhile_was_not_looked_at() {
    let says_so = |world: &World| {
        let status = world.status();
        let ready = status.conditions.of(ConditionType::Ready).unwrap();
        assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("True", "Suspended"));
        ready.message == crate::policy::message::SUSPENDED_BEHIND
    };
    for (patch, behind) in [
        (json!({"description": "new"}), false),
        (json!({"validation": {"interval": "2h"}}), false),
        (json!({"keySecretRef": {"name": "another"}}), true),
        (json!({"outputs": [{"secretName": "brand-new"}]}), true),
        (json!({"outputs": [{"secretName": "out", "format": "Curl"}]}), true),
        (json!({"validation": {"mode": "Local"}}), true),
    ] {
        let mut world = World::accepted();
        world.edit(json!({"suspend": true}));
        world.visit();
        assert!(!says_so(&world));
        world.edit(patch.clone());
        world.visit();
        assert_eq!(says_so(&world), behind, "{patch}");
        world.edit(json!({"description": "once more"}));
        world.visit();
        assert_eq!(says_so(&world), behind, "{patch}, later");
    }
}

#[test]
fn a_key_that_came_while_suspended_is_proved_first() {
    let mut world = World::accepted();
    world.edit(json!({"suspend": true}));
    world.visit();
    world.put_key(NEW_KEY);
    world.visit();
    world.edit(json!({"suspend": false}));
    world.says = Silent;
    assert!(world.pass(MINUTE).visit().asked);
    world.expect("ProviderUnavailable~/LastKnownGood");
    assert!(!world.publishes(NEW_KEY));
}

#[test]
fn resuming_asks_nobody() {
    let mut world = World::accepted();
    world.edit(json!({"suspend": true}));
    world.visit();
    world.edit(json!({"suspend": false}));
    assert!(!world.visit().asked);
    world.expect("Ready/Published");
}

#[test]
fn a_malformed_object_is_invalid_and_keeps_its_transition_times() {
    let world = World::accepted();
    let first = crate::policy::malformed(&world.status().conditions, 2, world.now);
    let again = crate::policy::malformed(&first.conditions, 2, crate::policy::after(world.now, HOUR));
    assert_eq!(first, again, "and is written once");
    let mut object = world.object.clone();
    object.metadata.generation = Some(2);
    object.status = Some(first);
    super::lint::lint(world.object.status.as_ref(), &object);
}
