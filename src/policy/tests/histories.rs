//! Whatever happens in whatever order, every status keeps the rules, a second look has nothing to do, no unproved key is
//! written, and no byte of a key is told. The rules of a status are checked by the world after every visit.

use crate::policy::fixtures::*;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::time::Duration;

const KEYS: [&str; 3] = [OLD_KEY, NEW_KEY, "zenflow_live_EXAMPLE_THIRD_canary"];

#[derive(Debug, Clone)]
enum Event {
    Pass(u64),
    UntilNext,
    Says(Says),
    RetryAfter(Option<u64>),
    Key(usize),
    Malformed,
    Relabel,
    DeleteSource,
    Denied(bool),
    DeleteOutputs,
    Tamper,
    Foreign(bool),
    Edit(Value),
    Annotate(u8),
    Restart,
    WritesFail(bool),
    Budget(u64),
    Conflict(bool),
    DiesAfterClaim,
}

fn says() -> impl Strategy<Value = Says> {
    prop::sample::select(vec![
        Yes,
        Yes,
        Yes,
        Denied,
        MissingScope,
        WrongAddress,
        No,
        No,
        Expired,
        Revoked,
        Silent,
        Busy,
        Odd,
    ])
}

fn edits() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!({"description": "x"}),
        json!({"rejectionPolicy": "Withdraw"}),
        json!({"rejectionPolicy": "Keep"}),
        json!({"publishPolicy": "Never"}),
        json!({"publishPolicy": "WhenVerified"}),
        json!({"outputs": [{"secretName": "out", "format": "Env"}, {"secretName": "two", "format": "Binding"}]}),
        json!({"outputs": [{"secretName": "out", "format": "Binding"}]}),
        json!({"outputs": null}),
        json!({"outputs": [{"secretName": "out", "format": "Template", "template": {"f": "$(nothing)"}}]}),
        json!({"validation": {"interval": "5m"}}),
        json!({"validation": {"interval": "24h"}}),
        json!({"expiresAt": "2026-03-20T00:00:00Z"}),
        json!({"expiresAt": "2026-03-01T05:00:00Z"}),
        json!({"expiresAt": "2027-03-20T00:00:00Z", "maxAge": "48h"}),
        json!({"warnBefore": "26h1ms"}),
        json!({"suspend": true}),
        json!({"suspend": false}),
        json!({"suspend": false}),
        json!({"keySecretRef": {"key": "other"}}),
        json!({"keySecretRef": {"key": null}}),
        json!({"keySecretRef": {"key": null}}),
    ])
}

fn events() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0_u64..200).prop_map(Event::Pass),
        2 => (0_u64..200_000).prop_map(Event::Pass),
        6 => Just(Event::UntilNext),
        6 => says().prop_map(Event::Says),
        1 => prop::option::of(0_u64..7200).prop_map(Event::RetryAfter),
        4 => (0_usize..3).prop_map(Event::Key),
        1 => Just(Event::Malformed),
        1 => Just(Event::Relabel),
        1 => Just(Event::DeleteSource),
        1 => any::<bool>().prop_map(Event::Denied),
        2 => Just(Event::DeleteOutputs),
        1 => Just(Event::Tamper),
        1 => any::<bool>().prop_map(Event::Foreign),
        5 => edits().prop_map(Event::Edit),
        1 => any::<u8>().prop_map(Event::Annotate),
        1 => Just(Event::Restart),
        1 => any::<bool>().prop_map(Event::WritesFail),
        1 => (0_u64..600).prop_map(Event::Budget),
        1 => any::<bool>().prop_map(Event::Conflict),
        1 => Just(Event::DiesAfterClaim),
    ]
}

fn happen(world: &mut World, event: Event) {
    match event {
        Event::Pass(seconds) => drop(world.pass(Duration::from_secs(seconds))),
        Event::UntilNext => world.now = world.visit().next.unwrap_or(world.now),
        Event::Says(says) => world.says = says,
        Event::RetryAfter(wait) => world.retry_after = wait.map(Duration::from_secs),
        Event::Key(key) => world.put_key(KEYS[key]),
        Event::Malformed => world.put_key("two words canary"),
        Event::Relabel => world.relabel(),
        Event::DeleteSource => world.source = None,
        Event::Denied(denied) => world.denied = denied,
        Event::DeleteOutputs => world.targets.clear(),
        Event::Tamper => {
            for secret in world.targets.values_mut() {
                secret.data = None;
            }
        }
        Event::Foreign(true) => world.foreign("out"),
        Event::Foreign(false) => drop(world.targets.remove("out")),
        Event::Edit(patch) => world.edit(patch),
        Event::Annotate(value) => world.annotate("connector-operator.io/reconcile-at", &value.to_string()),
        Event::Restart => world.restart(),
        Event::WritesFail(fail) => world.writes_fail = fail,
        Event::Budget(seconds) => world.budget = Some(crate::policy::after(world.now, Duration::from_secs(seconds))),
        Event::Conflict(true) => drop(world.claimed.insert("out".to_owned())),
        Event::Conflict(false) => world.claimed.clear(),
        Event::DiesAfterClaim => world.die_after_claim(),
    }
}

/// Visits twice: the second time there is nothing to do.
fn settles(world: &mut World, proves: bool) -> Result<(), TestCaseError> {
    let first = world.visit();
    prop_assert!(first.next.is_none_or(|next| next > world.now), "next is ahead: {:?}", first.next);
    for event in &first.events {
        prop_assert!(!event.note.contains("canary") && !event.note.contains("token-") && event.note.len() <= 1000);
    }
    // The one warning of an outage is no transition of Ready, whatever the conditions say beside it.
    let outage = |note: &str| note.contains("from the first such answer");
    let ready = first.events.iter().filter(|event| event.action == "Check" && !outage(&event.note)).count();
    prop_assert!(ready <= 1, "one a visit for Ready: {:?}", first.events);
    let stored = world.status().clone();
    let second = world.visit();
    prop_assert!(!second.asked, "asked twice at {}: {:?}", world.now, second.plan);
    prop_assert_eq!(&stored, world.status());
    prop_assert!(!second.changed && second.events.is_empty(), "{:?}", second.events);
    for key in KEYS.iter().filter(|_| proves) {
        prop_assert!(world.proved.contains(*key) || !world.publishes(key), "an unproved key was published");
    }
    Ok(())
}

fn history(mut world: World, events: Vec<Event>, proves: bool) -> Result<(), TestCaseError> {
    settles(&mut world, proves)?;
    for event in events {
        happen(&mut world, event);
        settles(&mut world, proves)?;
    }
    // In the end all troubles go, and the key is good.
    let end = json!({"suspend": false, "publishPolicy": "WhenVerified", "keySecretRef": {"key": null},
        "outputs": [{"secretName": "last", "format": "Env"}], "expiresAt": "2099-01-01T00:00:00Z"});
    world.edit(end);
    (world.denied, world.writes_fail, world.budget, world.retry_after) = (false, false, None, None);
    (world.says, world.source) = (Yes, None);
    world.claimed.clear();
    world.put_key(OLD_KEY);
    settles(&mut world, proves)?;
    world.pass(DAY * 2);
    for _ in 0..3 {
        settles(&mut world, proves)?;
        world.pass(MINUTE * 2);
    }
    let summary = world.summary();
    prop_assert!(
        ["Ready/Published", "LocalOnly/Published", "EndpointNotConfigured/Published"].contains(&&*summary),
        "{summary}"
    );
    prop_assert!(world.publishes(OLD_KEY) && world.targets.len() <= 2, "what was dropped is gone");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn of_a_key_that_the_provider_proves(events in prop::collection::vec(events(), 0..40)) {
        history(World::new(), events, true)?;
    }

    #[test]
    fn of_a_key_that_is_exchanged_for_a_token(events in prop::collection::vec(events(), 0..40)) {
        history(World::aventri(), events, true)?;
    }

    #[test]
    fn of_a_key_that_nobody_can_prove(events in prop::collection::vec(events(), 0..30)) {
        history(World::flow(), events.clone(), false)?;
        let mut local = World::new();
        local.edit(json!({"validation": {"mode": "Local"}}));
        history(local, events, false)?;
    }

    #[test]
    fn of_a_key_that_is_published_unproved(events in prop::collection::vec(events(), 0..30)) {
        let mut world = World::new();
        world.edit(json!({"publishPolicy": "Always"}));
        history(world, events, false)?;
    }
}
