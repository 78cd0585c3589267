//! A provider that is away: its users notice nothing for a day, and after that only that nothing is known.

use super::{proved, shows};
use crate::controller::cast::{self, Act};
use crate::simulator::{Fault, Misbehaviour, Provider};
use crate::verdicts::world::{DAY, HOUR, MINUTE, World};
use connector_operator::api::{ConditionType, ConnectorCredentialStatus};
use futures::future::join_all;
use jiff::Timestamp;

fn outage_start(status: &ConnectorCredentialStatus) -> Option<Timestamp> {
    Some(status.validation.as_ref()?.outage_start_time.as_ref()?.0)
}

/// What workloads hold and what people read is as before.
fn untouched(world: &World, act: &Act, key: &str) {
    let (status, at) = (world.status(act.name), world.now());
    assert_eq!(world.published(&act.output()).as_deref(), Some(key), "{} {at}: the output", act.name);
    // A token that ended cannot be renewed meanwhile, and that is said.
    let published = shows(&status, ConditionType::Published);
    let kept = act.provider == Provider::Aventri && published == "+LastKnownGood";
    assert!(published == "+Published" || kept, "{} {at}: {published}", act.name);
    assert_eq!(shows(&status, ConditionType::Ready), "+Ready", "{} {at}", act.name);
    assert_eq!(shows(&status, ConditionType::Authenticated), "+KeyAccepted", "{} {at}", act.name);
    assert_eq!(shows(&status, ConditionType::Reconciling), "", "{} {at}", act.name);
}

/// Nothing is known; nobody is blamed, and nothing is taken away.
fn unknown(world: &World, act: &Act, key: &str) {
    let (status, at) = (world.status(act.name), world.now());
    assert_eq!(world.published(&act.output()).as_deref(), Some(key), "{} {at}: the output", act.name);
    for condition in [ConditionType::Ready, ConditionType::Authenticated] {
        assert!(shows(&status, condition).starts_with('?'), "{} {at}: {condition:?}", act.name);
    }
    assert!(!shows(&status, ConditionType::Authorized).starts_with('-'), "{} {at}", act.name);
    assert_eq!(shows(&status, ConditionType::Published), "+LastKnownGood", "{} {at}", act.name);
    assert!(shows(&status, ConditionType::Reconciling).starts_with('+'), "{} {at}", act.name);
    assert_eq!(shows(&status, ConditionType::Stalled), "", "{} {at}", act.name);
}

async fn outlast(act: Act, fault: Misbehaviour) {
    let (mut world, issued) = proved(&act).await;
    let name = fault.name();
    world.simulator.set_fault(Fault::of(fault));
    while outage_start(&world.status(act.name)).is_none() {
        untouched(&world, &act, &issued.key);
        world.run_for(MINUTE).await;
    }
    let start = outage_start(&world.status(act.name)).expect("it began");
    let mut last = (world.now(), false);
    for step in 0..3 * 24 * 6 {
        world.run_for(MINUTE * 10).await;
        if step % 25 == 7 {
            world.restart();
            world.settle().await;
        }
        if world.now() < start + DAY {
            untouched(&world, &act, &issued.key);
        } else {
            unknown(&world, &act, &issued.key);
            last.1 = true;
        }
        assert_eq!(outage_start(&world.status(act.name)), Some(start), "one outage: {name}");
        last.0 = world.now();
    }
    assert!(last.1 && last.0 > start + DAY * 2);
    world.simulator.clear_faults();
    world.run_for(HOUR / 4 + MINUTE).await;
    untouched(&world, &act, &issued.key);
}

#[tokio::test(flavor = "multi_thread")]
async fn a14_a_day_of_outage_keeps_outputs_and_ready_then_nothing_is_known_and_never_false() {
    let html = Misbehaviour::Html { status: 401, content_type: None };
    let bad_key = Misbehaviour::Status { status: 500, retry_after: None, bad_key_body: true };
    let outages = [
        (cast::inflow(), Misbehaviour::Reset),
        (cast::flowlu(), bad_key),
        (cast::zenflow(), Misbehaviour::RateLimit { retry_after: None }),
        (cast::flow(), html),
        (cast::aventri(), Misbehaviour::Empty),
    ];
    join_all(outages.map(|(act, fault)| tokio::spawn(outlast(act, fault)))).await.into_iter().for_each(|outlasted| {
        outlasted.expect("an outage is outlasted");
    });
}
