//! The right to read one Secret is taken away and given back, and no event tells of it.

use super::{proved, shows};
use crate::controller::cast;
use crate::verdicts::api_server::secret_path;
use crate::verdicts::world::MINUTE;
use connector_operator::api::ConditionType;
use futures::future::join_all;
use std::time::Duration;

async fn heals(act: cast::Act) {
    let (mut world, _) = proved(&act).await;
    let source = secret_path(&act.source());
    world.server.deny(&source, true);
    // Somebody asks, so that it is noticed before the next check.
    world.ask_for(act.name, "now");
    world.settle().await;
    let told = |world: &crate::verdicts::world::World| shows(&world.status(act.name), ConditionType::Resolved);
    assert_eq!(told(&world), "-SecretAccessDenied", "{}", act.name);
    let calls = world.calls();
    for minute in 0..120 {
        let before = world.server.counts();
        world.run_for(MINUTE).await;
        let now = world.server.counts();
        assert!(now.reads - before.reads <= 1, "{}: {} reads in minute {minute}", act.name, now.reads - before.reads);
        assert_eq!((now.statuses, now.secrets), (before.statuses, before.secrets), "{}: it is told once", act.name);
    }
    assert_eq!(world.calls(), calls, "{}: nobody is asked about a key that cannot be read", act.name);
    // Granted just after it was asked for in vain.
    let before = world.server.counts();
    while world.server.counts() == before {
        world.run_for(Duration::from_secs(1)).await;
    }
    world.server.deny(&source, false);
    let mut waited = Duration::ZERO;
    while shows(&world.status(act.name), ConditionType::Ready) != "+Ready" {
        assert!(waited < MINUTE * 5, "{}: {}", act.name, told(&world));
        world.run_for(Duration::from_secs(1)).await;
        waited += Duration::from_secs(1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a30_a_denied_secret_is_asked_for_once_a_minute_at_the_most_and_heals_within_five_minutes_of_the_grant() {
    join_all(cast::all().map(|act| tokio::spawn(heals(act)))).await.into_iter().for_each(|ended| {
        ended.expect("it heals");
    });
}
