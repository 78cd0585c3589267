//! Outputs take proved bytes only, stay when in doubt, and are never somebody else's.

use crate::api::{ConditionType, Conditions, Format, OutputStatus, Reason};
use crate::policy::fixtures::*;
use crate::policy::{Acted, Done, OutputResult, conclude, decide, dropped_may_go, published};
use k8s_openapi::ByteString;
use serde_json::json;

fn two() -> World {
    let mut world = World::new();
    world.edit(json!({"outputs": [{"secretName": "out", "format": "Env"}, {"secretName": "two", "format": "Dotenv"}]}));
    world
}

#[test]
fn a_rotation_publishes_the_new_key_once_it_is_proved() {
    let mut world = World::accepted();
    world.put_key(NEW_KEY);
    world.says = Silent;
    let told: Vec<_> = world.pass(MINUTE).visit().events.iter().map(|event| event.reason).collect();
    assert_eq!(told, [Reason::ProviderUnavailable, Reason::LastKnownGood]);
    world.expect("ProviderUnavailable~/LastKnownGood");
    assert!(world.publishes(OLD_KEY) && !world.publishes(NEW_KEY));
    let visit = world.next_check(Yes);
    world.expect("Ready/Published");
    assert!(world.publishes(NEW_KEY) && !world.publishes(OLD_KEY));
    assert!(visit.events.iter().any(|event| event.note.contains("old one may be revoked")));
}

#[test]
fn a_bad_rotation_keeps_the_working_key_under_both_policies() {
    for policy in ["Keep", "Withdraw"] {
        for says in [No, Expired, Revoked, Denied] {
            let mut world = World::accepted();
            world.edit(json!({"rejectionPolicy": policy}));
            world.put_key(NEW_KEY);
            world.says = says;
            world.pass(MINUTE).visit();
            assert!(world.summary().ends_with("!/LastKnownGood"), "{}", world.summary());
            assert!(world.publishes(OLD_KEY));
            world.targets.clear();
            world.pass(MINUTE).visit();
            assert!(world.summary().ends_with("!/WaitingForVerification"));
            let published = &world.status().conditions.iter().find(|c| c.type_ == "Published").unwrap().message;
            assert!(published.contains("was deleted"), "{published}");
            assert!(world.targets.is_empty(), "what is lost cannot be made of an unproved key");
            world.put_key(OLD_KEY);
            world.says = Yes;
            world.pass(MINUTE * 10).visit();
            world.expect("Ready/Published");
        }
    }
}

#[test]
fn withdraw_deletes_what_carries_the_refused_key_and_heals() {
    for (says, reason) in [(No, "KeyRejected"), (Revoked, "KeyRevoked"), (Expired, "KeyExpired")] {
        let mut world = World::accepted();
        world.edit(json!({"rejectionPolicy": "Withdraw"}));
        world.visit();
        world.next_check(says);
        if says != Expired {
            assert!(world.publishes(OLD_KEY), "not on one refusal");
            world.next_check(says);
        }
        world.expect(&format!("{reason}!/Withdrawn"));
        assert!(world.targets.is_empty() && world.status().outputs.is_empty());
        world.restart();
        assert!(!world.pass(MINUTE).visit().changed);
        let visit = world.next_check(Yes);
        world.expect("Ready/Published");
        assert!(visit.events.iter().any(|event| event.reason == Reason::Ready));
    }
}

#[test]
fn neither_a_denial_nor_doubt_withdraws() {
    let mut world = World::accepted();
    world.edit(json!({"rejectionPolicy": "Withdraw"}));
    for says in [Denied, Denied, Silent, Busy, Odd] {
        world.next_check(says);
        assert!(world.publishes(OLD_KEY));
    }
    world.pass(DAY * 2).visit();
    assert!(world.publishes(OLD_KEY));
}

#[test]
fn keep_keeps_what_carries_the_refused_key() {
    let mut world = World::accepted();
    world.next_check(No);
    world.next_check(No);
    world.expect("KeyRejected!/LastKnownGood");
    assert!(world.publishes(OLD_KEY));
    world.edit(json!({"rejectionPolicy": "Withdraw"}));
    assert!(!world.visit().asked);
    world.expect("KeyRejected!/Withdrawn");
}

#[test]
fn withdraw_looks_at_each_output_for_itself() {
    let mut world = two();
    world.edit(json!({"rejectionPolicy": "Withdraw"}));
    world.foreign("two");
    world.visit();
    world.expect("TargetNotOwned!/TargetNotOwned");
    world.next_check(Expired);
    assert!(!world.targets.contains_key("out") && world.targets.contains_key("two"));
}

#[test]
fn what_was_put_back_and_refused_is_withdrawn_too() {
    let mut world = World::accepted();
    world.edit(json!({"rejectionPolicy": "Withdraw"}));
    world.put_key(NEW_KEY);
    world.says = Silent;
    world.pass(MINUTE).visit();
    world.put_key(OLD_KEY);
    world.says = No;
    world.pass(MINUTE).visit();
    world.expect("KeyRejected!/Withdrawn");
    assert!(!world.visit().changed);
}

#[test]
fn a_refused_key_does_not_hide_behind_what_others_put_beside_it() {
    for format in ["Binding", "Env", "Dotenv", "HTTP", "Curl", "Nexla"] {
        let mut world = World::new();
        world.edit(json!({"outputs": [{"secretName": "out", "format": format}], "rejectionPolicy": "Withdraw"}));
        world.visit();
        world.put_key(NEW_KEY);
        world.says = Silent;
        world.pass(MINUTE).visit();
        world.pad("out");
        world.put_key(OLD_KEY);
        world.says = No;
        world.pass(MINUTE).visit();
        assert_eq!(world.summary(), "KeyRejected!/Withdrawn", "{format}");
        assert!(world.targets.is_empty(), "{format}");
    }
}

#[test]
fn what_others_put_beside_a_good_key_does_not_withdraw_it_for_another() {
    let mut world = World::accepted();
    world.edit(json!({"rejectionPolicy": "Withdraw"}));
    world.put_key(NEW_KEY);
    world.says = No;
    world.pad("out");
    world.pass(MINUTE).visit();
    world.expect("KeyRejected!/LastKnownGood");
    assert!(world.publishes(OLD_KEY));
}

#[test]
fn an_output_of_ours_on_which_much_is_written_stays_as_it_is_and_a_planted_one_is_made_ours() {
    let mut world = World::accepted();
    world.cut = true;
    assert!(!world.visit().changed);
    let version = world.targets["out"].metadata.resource_version.clone();
    world.object.status.as_mut().unwrap().outputs.clear();
    world.visit();
    assert_ne!(world.targets["out"].metadata.resource_version, version, "nobody knows that it was written");
}

#[test]
fn what_is_wrong_with_an_output_is_told_also_while_another_is_not_looked_at() {
    let mut world = two();
    world.visit();
    world.expect("Ready/Published");
    let seen = world.observe();
    for (other, expected) in [
        (Done::NotOwned, Reason::TargetNotOwned),
        (Done::Failed, Reason::WriteFailed),
        (Done::Unchanged(None), Reason::Published),
        (Done::Withdrawn, Reason::Published),
    ] {
        let result =
            |(name, done): (&str, &Done)| OutputResult { name: name.into(), format: Format::Env, done: done.clone() };
        let results = [("out", &Done::Overtaken), ("two", &other)].map(result).into();
        let acted = Acted { results, undeleted: Vec::new() };
        let status = conclude(&seen, decide(&seen, None, None, world.now), &acted, world.now).status;
        assert_eq!(status.conditions.reason(ConditionType::Published), Some(expected), "{other:?}");
    }
}

#[test]
fn always_publishes_unproved_unless_withdraw_forbids_the_refused() {
    let mut world = World::new();
    world.edit(json!({"publishPolicy": "Always"}));
    world.says = Silent;
    world.visit();
    world.expect("ProviderUnavailable~/Published");
    assert!(world.publishes(OLD_KEY));
    world.put_key(NEW_KEY);
    world.says = No;
    world.pass(MINUTE).visit();
    world.expect("KeyRejected!/Published");
    assert!(world.publishes(NEW_KEY));
    world.edit(json!({"rejectionPolicy": "Withdraw"}));
    world.visit();
    world.expect("KeyRejected!/Withdrawn");
    assert!(!world.visit().changed);
}

#[test]
fn never_leaves_outputs_alone_and_is_ready_without() {
    let mut world = World::new();
    world.edit(json!({"publishPolicy": "Never"}));
    world.visit();
    world.expect("Ready/-");
    assert!(world.targets.is_empty());
    let mut world = World::accepted();
    world.edit(json!({"publishPolicy": "Never"}));
    assert!(!world.visit().asked);
    world.expect("Ready/-");
    assert!(world.publishes(OLD_KEY) && world.status().outputs.len() == 1);
    world.put_key(NEW_KEY);
    world.pass(MINUTE).visit();
    world.expect("Ready/-");
    assert!(world.publishes(OLD_KEY), "as it was");
    world.edit(json!({"publishPolicy": "WhenVerified"}));
    world.visit();
    world.expect("Ready/Published");
    assert!(world.publishes(NEW_KEY));
}

#[test]
fn a_foreign_secret_is_left_alone_until_it_goes() {
    let mut world = two();
    world.foreign("two");
    world.visit();
    world.expect("TargetNotOwned!/TargetNotOwned");
    assert!(world.publishes(OLD_KEY), "the other output is written");
    assert!(world.targets["two"].data.is_none());
    assert!(!world.visit().changed);
    world.targets.remove("two");
    assert!(!world.visit().asked);
    world.expect("Ready/Published");
    world.foreign("out");
    world.visit();
    world.expect("TargetNotOwned!/TargetNotOwned");
    world.edit(json!({"suspend": true}));
    world.visit();
    let conditions = &world.status().conditions;
    let told = &conditions.iter().find(|condition| condition.type_ == "Ready").unwrap().message;
    assert_eq!(told, crate::policy::message::SUSPENDED, "what is declared is what was looked at");
}

#[test]
fn a_failed_write_is_reported_and_repeated() {
    let mut world = World::new();
    world.writes_fail = true;
    world.visit();
    world.expect("WriteFailed~/WriteFailed");
    assert!(!world.visit().asked);
    world.writes_fail = false;
    assert!(!world.visit().asked);
    world.expect("Ready/Published");
    world.writes_fail = true;
    world.put_key(NEW_KEY);
    world.pass(MINUTE).visit();
    world.expect("WriteFailed~/WriteFailed");
    assert_eq!(world.status().outputs.len(), 1, "the old one still stands");
    assert!(world.status().key.as_ref().unwrap().published_time.is_none());
}

#[test]
fn drift_is_repaired_and_a_lost_output_written_again_without_a_check() {
    type Drift = fn(&mut World);
    let drifts: [Drift; 5] = [
        |world| world.targets.clear(),
        |world| {
            let data = world.targets.get_mut("out").unwrap().data.as_mut().unwrap();
            data.insert("ZENFLOW_API_KEY".to_owned(), ByteString(b"tampered".to_vec()));
        },
        |world| {
            let data = world.targets.get_mut("out").unwrap().data.as_mut().unwrap();
            data.insert("extra".to_owned(), ByteString(b"x".to_vec()));
        },
        |world| world.targets.get_mut("out").unwrap().metadata.labels = None,
        |world| world.targets.get_mut("out").unwrap().immutable = Some(true),
    ];
    for drift in drifts {
        let mut world = World::accepted();
        let good = world.targets["out"].data.clone();
        drift(&mut world);
        let visit = world.visit();
        assert!(!visit.asked && visit.changed && visit.events.is_empty());
        world.expect("Ready/Published");
        assert_eq!(world.targets["out"].data, good);
        assert!(matches!(visit.acted.results[0].done, Done::Written(_)));
    }
}

#[test]
fn a_foreign_annotation_on_an_output_is_no_news() {
    let mut world = World::accepted();
    let metadata = &mut world.targets.get_mut("out").unwrap().metadata;
    metadata.resource_version = Some("999".to_owned());
    metadata.annotations = Some([("their".to_owned(), "own".to_owned())].into());
    assert!(!world.visit().changed);
}

#[test]
fn the_type_changes_with_the_format_and_binding_is_reported_once_written() {
    let mut world = World::accepted();
    assert!(world.status().binding.is_none());
    world.put_key(NEW_KEY);
    world.says = Silent;
    world.edit(json!({"outputs": [{"secretName": "out", "format": "Binding"}]}));
    world.pass(MINUTE).visit();
    assert_eq!(world.targets["out"].type_.as_deref(), Some("Opaque"), "last known good");
    assert_eq!(world.status().outputs[0].format, Format::Env, "as it was written");
    assert!(world.status().binding.is_none());
    world.next_check(Yes);
    assert_eq!(world.targets["out"].type_.as_deref(), Some("servicebinding.io/connector"));
    assert_eq!(world.status().binding.as_ref().unwrap().name, "out");
    world.next_check(Silent);
    world.pass(DAY).visit();
    assert_eq!(world.status().binding.as_ref().unwrap().name, "out");
    world.targets.clear();
    world.visit();
    assert!(world.status().binding.is_none());
}

#[test]
fn a_dropped_output_goes_after_the_others_stand() {
    let mut world = two();
    world.visit();
    world.edit(json!({"outputs": [{"secretName": "new", "format": "Env"}]}));
    world.put_key(NEW_KEY);
    world.says = Silent;
    world.pass(MINUTE).visit();
    let names = |world: &World| world.status().outputs.iter().map(|o| o.secret_name.clone()).collect::<Vec<_>>();
    assert_eq!((world.targets.len(), names(&world)), (2, vec!["out".to_owned(), "two".to_owned()]));
    world.foreign("two");
    world.next_check(Yes);
    assert_eq!(world.targets.keys().collect::<Vec<_>>(), ["new", "two"], "a foreign one is not ours to delete");
    assert_eq!(names(&world), ["new"]);
    let results = |done| [crate::policy::OutputResult { name: "o".to_owned(), format: Format::Env, done }];
    assert!(dropped_may_go(&results(Done::Withdrawn)) && !dropped_may_go(&results(Done::Failed)));
}

#[test]
fn edits_of_description_labels_and_outputs_ask_nobody() {
    let mut world = World::accepted();
    for patch in [
        json!({"description": "new"}),
        json!({"outputs": [{"secretName": "out", "format": "Curl"}, {"secretName": "two", "format": "Binding"}]}),
        json!({"outputs": null}),
        json!({"rejectionPolicy": "Withdraw"}),
        json!({"expiresAt": "2027-01-01T00:00:00Z"}),
        json!({"warnBefore": "1h", "maxAge": "2160h"}),
    ] {
        world.edit(patch.clone());
        let visit = world.visit();
        assert!(!visit.asked, "{patch}");
        world.expect("Ready/Published");
    }
    assert_eq!(world.targets.keys().collect::<Vec<_>>(), ["erp-auth"]);
    assert_eq!(world.condition(ConditionType::Ready), Some(("True".to_owned(), Reason::Ready)));
}

#[test]
fn an_output_that_was_overtaken_has_no_version_to_rest_upon() {
    let stored =
        OutputStatus { secret_name: "out".to_owned(), format: Format::Env, resource_version: Some("7".to_owned()) };
    let result = |done| OutputResult { name: "out".to_owned(), format: Format::Env, done };
    let standing = |done| {
        let acted = Acted { results: vec![result(done)], undeleted: Vec::new() };
        published::standing(&acted, std::slice::from_ref(&stored))
    };
    assert_eq!(standing(Done::Failed), vec![stored.clone()]);
    assert_eq!(standing(Done::Overtaken), vec![OutputStatus { resource_version: None, ..stored.clone() }]);
}
