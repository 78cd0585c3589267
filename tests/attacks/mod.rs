//! What providers, tenants and clocks do to the operator, and what must not come of it: the acceptance tests 13 to 20,
//! 23 and 36 of the reliability page, by number. In process on a clock that is set where days pass; otherwise the real
//! binary, its own rights, the real API server.

mod bombs;
mod clocks;
mod hoards;
mod hosts;
mod junk;
mod keyless;
mod lines;
mod neighbours;
mod outage;
mod owners;
mod pairs;
mod patience;
mod planted;
mod refusals;
mod replies;
mod returning;
mod rights;
mod rotation;
mod waiting;

use crate::controller::cast::Act;
use crate::simulator::IssuedKey;
use crate::verdicts::world::{World, providers, shown};
use connector_operator::api::{ConditionType, ConnectorCredentialStatus};
use connector_operator::probe::Limits;
use std::time::Duration;

/// A world on a clock that is set, with deadlines that no reply on loopback misses.
async fn world() -> World {
    World::new(providers().await, Limits::for_concurrency(64))
}

/// A world in which this credential was proved and published.
async fn proved(act: &Act) -> (World, IssuedKey) {
    let mut world = world().await;
    let issued = world.simulator.add_key(act.new_key());
    world.put_secret(&act.source(), &issued.key);
    world.declare(act.name, &act.spec());
    world.settle().await;
    assert_eq!(shows(&world.status(act.name), ConditionType::Ready), "+Ready", "{}", act.name);
    (world, issued)
}

/// A condition as `+Reason`, `-Reason`, `?Reason`, or nothing.
fn shows(status: &ConnectorCredentialStatus, condition: ConditionType) -> String {
    shown(status, condition).unwrap_or_default()
}

/// Lets real time pass.
pub(super) async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}
