//! The reply to a status write is lost, and the write went through: what the process remembers of the key is not what
//! the status speaks of.

use super::{shows, world};
use crate::controller::cast::{self, Act};
use crate::verdicts::api_server::secret_path;
use crate::verdicts::world::{HOUR, MINUTE};
use connector_operator::api::ConditionType;
use futures::future::join_all;
use serde_json::json;

/// How the refused key comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Back {
    /// Into the Secret.
    Put,
    /// In a new Secret, while there was none.
    Anew,
}

async fn put_back(act: &Act, policy: &str, back: Back) {
    let place = format!("{} {policy} {back:?}", act.name);
    let mut world = world().await;
    let (refused, good) = (world.simulator.add_key(act.new_key()), world.simulator.add_key(act.new_key()));
    world.put_secret(&act.source(), &refused.key);
    world.declare(act.name, &act.spec_with("rejectionPolicy", json!(policy)));
    world.run_for(MINUTE).await;
    assert!(world.simulator.revoke_key(&refused.id));
    world.run_for(3 * HOUR).await;
    assert!(shows(&world.status(act.name), ConditionType::Authenticated).starts_with('-'), "{place}: it is refused");
    world.put_secret(&act.source(), &good.key);
    world.server.lose_reply_to("KeyAccepted");
    world.run_for(MINUTE).await;
    assert!(!world.server.has_reply_to_lose(), "{place}: the reply was lost");
    assert_eq!(shows(&world.status(act.name), ConditionType::Ready), "+Ready", "{place}: and the write went through");
    let written = world.server.ever_published(&secret_path(&act.output())).len();
    if back == Back::Anew {
        world.server.delete(&secret_path(&act.source()));
        world.settle().await;
    }
    world.put_secret(&act.source(), &refused.key);
    world.run_for(MINUTE).await;
    let later = world.server.ever_published(&secret_path(&act.output())).split_off(written);
    assert!(!later.contains(&refused.key), "{place}: the refused key was published");
    let authenticated = shows(&world.status(act.name), ConditionType::Authenticated);
    assert!(authenticated.starts_with('-'), "{place}: {authenticated}");
    assert_eq!(world.published(&act.output()).as_deref(), Some(good.key.as_str()), "{place}: the good key stays");
}

async fn every_way_back(act: Act) {
    for policy in ["Keep", "Withdraw"] {
        for back in [Back::Put, Back::Anew] {
            put_back(&act, policy, back).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a25_a_refused_key_that_comes_back_after_a_lost_reply_is_not_taken_for_the_good_one() {
    join_all(cast::all().map(|act| tokio::spawn(every_way_back(act)))).await.into_iter().for_each(|came_back| {
        came_back.expect("no verdict on another key counts");
    });
}
