//! What does a credential miss while its check waits in line for a slow provider? Nothing that needs no answer; and
//! whoever has nothing else to do costs the API server nothing.

use super::shows;
use crate::controller::cast::{self, Act};
use crate::simulator::IssuedKey;
use crate::verdicts::api_server::{Counts, secret_path};
use crate::verdicts::world::{DAY, World, providers};
use connector_operator::api::ConditionType;
use connector_operator::probe::Limits;
use connector_operator::providers::ProviderKind;
use futures::future::join_all;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::time::Duration;

const A_SECOND: Duration = Duration::from_secs(1);

/// A published credential whose next check is due in a second, where a namespace may have one conversation.
async fn nearly_due(act: &Act) -> (World, IssuedKey) {
    let mut world = World::new(providers().await, Limits::for_concurrency(8));
    let issued = world.simulator.add_key(act.new_key());
    world.put_secret(&act.source(), &issued.key);
    world.declare(act.name, &act.spec());
    world.settle().await;
    assert_eq!(shows(&world.status(act.name), ConditionType::Ready), "+Ready", "{}", act.name);
    let next = world.next_check(act.name).expect("a schedule");
    world.run_until(next - A_SECOND).await;
    (world, issued)
}

/// What was to be done in line is done, and costs nothing more.
async fn is_done(world: &mut World, kind: ProviderKind, place: &str) {
    assert_eq!(in_line(world, kind).await, Counts::default(), "{place}: it is done");
}

/// Two seconds in line. Returns what they cost the API server; nobody is asked.
async fn in_line(world: &mut World, kind: ProviderKind) -> Counts {
    let (before, calls) = (world.server.counts(), world.calls());
    world.run_in_line(kind, A_SECOND * 2).await;
    assert_eq!(world.calls(), calls, "it waits");
    let now = world.server.counts();
    Counts {
        reads: now.reads - before.reads,
        statuses: now.statuses - before.statuses,
        secrets: now.secrets - before.secrets,
    }
}

fn time(time: Timestamp) -> Value {
    json!(time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

async fn misses_nothing(act: Act, kind: ProviderKind) {
    let place = act.name;
    let (mut world, _) = nearly_due(&act).await;
    assert_eq!(in_line(&mut world, kind).await, Counts::default(), "{place}: it has nothing else to do");
    world.server.delete(&secret_path(&act.output()));
    in_line(&mut world, kind).await;
    assert!(world.server.get(&secret_path(&act.output())).is_some(), "{place}: a lost output is made again");
    is_done(&mut world, kind, place).await;

    let (mut world, issued) = nearly_due(&act).await;
    let other = world.simulator.add_key(act.new_key());
    world.put_secret(&act.source(), &other.key);
    in_line(&mut world, kind).await;
    let authenticated = shows(&world.status(act.name), ConditionType::Authenticated);
    assert_eq!(authenticated, "?NotChecked", "{place}: another key is told");
    assert_eq!(world.published(&act.output()), Some(issued.key), "{place}: and not published");
    is_done(&mut world, kind, place).await;

    let (mut world, _) = nearly_due(&act).await;
    world.declare(act.name, &act.spec_with("description", json!("Another one")));
    in_line(&mut world, kind).await;
    let object = world.object(act.name);
    let told = object.status.and_then(|status| status.observed_generation);
    assert_eq!(told, object.metadata.generation, "{place}: a change of the spec is told");
    is_done(&mut world, kind, place).await;

    let (mut world, _) = nearly_due(&act).await;
    let mut spec = act.spec_with("expiresAt", time(world.now() + DAY + A_SECOND));
    spec["warnBefore"] = json!("24h");
    world.declare(act.name, &spec);
    world.settle().await;
    assert_eq!(shows(&world.status(act.name), ConditionType::Expiring), "", "{place}: too early");
    in_line(&mut world, kind).await;
    assert_eq!(shows(&world.status(act.name), ConditionType::Expiring), "+ExpiringSoon", "{place}: the warning is due");
    is_done(&mut world, kind, place).await;

    let (mut world, _) = nearly_due(&act).await;
    let mut validation = serde_json::to_value(world.status(act.name).validation).expect("JSON");
    validation["outageStartTime"] = time(world.now() - DAY + A_SECOND);
    validation["consecutiveFailures"] = json!(1);
    world.put_status(act.name, "validation", validation);
    in_line(&mut world, kind).await;
    let authenticated = shows(&world.status(act.name), ConditionType::Authenticated);
    assert_eq!(authenticated, "?ProviderUnavailable", "{place}: the day of trust is over");
    is_done(&mut world, kind, place).await;

    // One that is new waits for its first answer unread.
    let mut world = World::new(providers().await, Limits::for_concurrency(8));
    let issued = world.simulator.add_key(act.new_key());
    world.put_secret(&act.source(), &issued.key);
    world.declare(act.name, &act.spec());
    assert_eq!(in_line(&mut world, kind).await, Counts::default(), "{place}: it is new");
    world.run_for(A_SECOND).await;
    assert_eq!(shows(&world.status(act.name), ConditionType::Ready), "+Ready", "{place}: served in the end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a18_who_waits_in_line_for_a_provider_misses_nothing_that_needs_no_answer_and_reads_nothing_without_need() {
    let all = [(cast::inflow(), ProviderKind::InFlow), (cast::aventri(), ProviderKind::Aventri)];
    join_all(all.map(|(act, kind)| tokio::spawn(misses_nothing(act, kind)))).await.into_iter().for_each(|ended| {
        ended.expect("it misses nothing");
    });
}
