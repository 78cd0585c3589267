//! What becomes of a key in every combination of verdict, of what was published before, and of both policies.

use crate::api::Reason;
use crate::policy::fixtures::*;
use serde_json::json;

/// The policies: a column each. With `Never`, nobody is to look at the rejection policy.
const POLICIES: [(&str, &str); 6] = [
    ("WhenVerified", "Keep"),
    ("WhenVerified", "Withdraw"),
    ("Always", "Keep"),
    ("Always", "Withdraw"),
    ("Never", "Keep"),
    ("Never", "Withdraw"),
];

/// What was there, and which key is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Story {
    /// Nothing was published; the key is new.
    First,
    /// The old key is published; the new one is in the source.
    Rotated,
    /// The old key is published, and asked about again, as often as it takes.
    Checked,
}

use Story::{Checked, First, Rotated};

/// `<summary> <key that outputs carry>`, by column; the last stands for both columns of `Never`.
type Row = (Story, &'static [Says], [&'static str; 5]);

const TABLE: &[Row] = &[
    (First, &[Yes], ["Ready/Published new"; 5]),
    (First, &[No], refused(["KeyRejected!/WaitingForVerification -", "KeyRejected!/Published new"])),
    (First, &[Revoked], refused(["KeyRevoked!/WaitingForVerification -", "KeyRevoked!/Published new"])),
    (First, &[Expired], refused(["KeyExpired!/WaitingForVerification -", "KeyExpired!/Published new"])),
    (First, &[Denied], either("AccessDenied!/WaitingForVerification -", "AccessDenied!/Published new")),
    (First, &[Silent], either("ProviderUnavailable~/WaitingForVerification -", "ProviderUnavailable~/Published new")),
    (First, &[Busy], either("RateLimited~/WaitingForVerification -", "RateLimited~/Published new")),
    (First, &[Odd], either("UnexpectedResponse~/WaitingForVerification -", "UnexpectedResponse~/Published new")),
    (Rotated, &[Yes], ["Ready/Published new"; 5]),
    (Rotated, &[No], refused(["KeyRejected!/LastKnownGood old", "KeyRejected!/Published new"])),
    (Rotated, &[Revoked], refused(["KeyRevoked!/LastKnownGood old", "KeyRevoked!/Published new"])),
    (Rotated, &[Expired], refused(["KeyExpired!/LastKnownGood old", "KeyExpired!/Published new"])),
    (Rotated, &[Denied], either("AccessDenied!/LastKnownGood old", "AccessDenied!/Published new")),
    (Rotated, &[Silent], either("ProviderUnavailable~/LastKnownGood old", "ProviderUnavailable~/Published new")),
    (Rotated, &[Busy], either("RateLimited~/LastKnownGood old", "RateLimited~/Published new")),
    (Rotated, &[Odd], either("UnexpectedResponse~/LastKnownGood old", "UnexpectedResponse~/Published new")),
    (Checked, &[Yes], ["Ready/Published old"; 5]),
    (Checked, &[No, No], withdrawn("KeyRejected!/LastKnownGood old", "KeyRejected!/Withdrawn -")),
    (Checked, &[Revoked, Revoked], withdrawn("KeyRevoked!/LastKnownGood old", "KeyRevoked!/Withdrawn -")),
    (Checked, &[Expired], withdrawn("KeyExpired!/LastKnownGood old", "KeyExpired!/Withdrawn -")),
    (Checked, &[No], ["Ready/Published old"; 5]),
    (Checked, &[Denied, Denied], either("AccessDenied!/LastKnownGood old", "AccessDenied!/Published old")),
    (Checked, &[Silent], ["Ready/Published old"; 5]),
    (Checked, &[Busy], ["Ready/Published old"; 5]),
    (Checked, &[Odd], ["Ready/Published old"; 5]),
];

/// Withdraw keeps `Always` from publishing what was refused.
const fn refused([proved, always]: [&'static str; 2]) -> [&'static str; 5] {
    [proved, proved, always, proved, proved]
}

/// The rejection policy says nothing about it.
const fn either(proved: &'static str, always: &'static str) -> [&'static str; 5] {
    [proved, proved, always, always, proved]
}

/// The very key that is published was refused.
const fn withdrawn(kept: &'static str, withdrawn: &'static str) -> [&'static str; 5] {
    [kept, withdrawn, "", withdrawn, kept]
}

/// With `Never` nothing is said of outputs, and they stay as they were.
fn never(expected: &str, story: Story) -> String {
    let (ready, _) = expected.split_once('/').unwrap();
    format!("{ready}/- {}", if story == First { "-" } else { "old" })
}

fn carried(world: &World) -> &'static str {
    match (world.publishes(OLD_KEY), world.publishes(NEW_KEY)) {
        (false, false) => "-",
        (true, false) => "old",
        (false, true) => "new",
        (true, true) => "both",
    }
}

fn play(story: Story, says: &[Says], (publish, reject): (&str, &str)) -> World {
    let mut world = World::new();
    if story == First {
        world.put_key(NEW_KEY);
    } else {
        world.visit();
        assert!(world.publishes(OLD_KEY));
    }
    world.edit(json!({"publishPolicy": publish, "rejectionPolicy": reject}));
    if story == Rotated {
        world.put_key(NEW_KEY);
    }
    for says in says {
        world.says = *says;
        if story == Checked {
            world.next_check(*says);
        } else {
            world.pass(MINUTE).visit();
        }
    }
    world
}

#[test]
fn every_verdict_under_every_policy() {
    for (story, says, expected) in TABLE {
        for (column, policies) in POLICIES.into_iter().enumerate() {
            let world = play(*story, says, policies);
            let expected = match column {
                // Always, Keep: what was published stays published.
                2 if expected[2].is_empty() => expected[0].replace("LastKnownGood", "Published"),
                0..4 => expected[column].to_owned(),
                _ => never(expected[4], *story),
            };
            let found = format!("{} {}", world.summary(), carried(&world));
            assert_eq!(found, expected, "{story:?} {says:?} {policies:?}");
        }
    }
}

#[test]
fn a_rotation_is_told_also_within_the_second_of_the_first_publishing() {
    let mut world = World::accepted();
    world.put_key(NEW_KEY);
    let told = world.visit().events;
    assert!(world.publishes(NEW_KEY));
    assert_eq!(told.iter().filter(|event| event.reason == Reason::Published).count(), 1);
    assert!(told.iter().any(|event| event.note.contains("old one may be revoked")), "{told:?}");
}
