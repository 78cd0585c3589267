//! A key that was good comes back, as by a `git revert`, after it was revoked: what was heard of it before says nothing.

use super::{shows, world};
use crate::controller::cast;
use crate::verdicts::api_server::secret_path;
use crate::verdicts::world::MINUTE;
use connector_operator::api::ConditionType;
use futures::future::join_all;
use serde_json::json;
use std::time::Duration;

/// Puts a key into the source again that was rotated away and revoked since; `between`, another one stands there for a
/// second, and there is no turn left to ask about it.
async fn put_back(act: &cast::Act, policy: &str, between: bool) {
    let place = format!("{} {policy} {between}", act.name);
    let mut world = world().await;
    let [old, new, other] = [(); 3].map(|()| world.simulator.add_key(act.new_key()));
    world.put_secret(&act.source(), &old.key);
    world.declare(act.name, &act.spec_with("rejectionPolicy", json!(policy)));
    world.run_for(MINUTE).await;
    world.put_secret(&act.source(), &new.key);
    world.run_for(if between { Duration::from_secs(1) } else { MINUTE }).await;
    assert_eq!(world.published(&act.output()).as_deref(), Some(&*new.key), "{place}");
    assert!(world.simulator.revoke_key(&old.id));
    if between {
        assert!(world.simulator.revoke_key(&other.id));
        world.put_secret(&act.source(), &other.key);
        world.run_for(Duration::from_secs(1)).await;
    }
    world.put_secret(&act.source(), &old.key);
    world.run_for(5 * MINUTE).await;
    let status = world.status(act.name);
    assert!(shows(&status, ConditionType::Authenticated).starts_with('-'), "{place}: {status:?}");
    assert_eq!(shows(&status, ConditionType::Published), "+LastKnownGood", "{place}");
    let mut carried = world.server.ever_published(&secret_path(&act.output()));
    carried.dedup();
    assert_eq!(carried, [old.key, new.key.clone()], "{place}: nothing took the good key's place");
    // The way back.
    world.put_secret(&act.source(), &new.key);
    world.run_for(5 * MINUTE).await;
    assert_eq!(shows(&world.status(act.name), ConditionType::Ready), "+Ready", "{place}");
}

/// Another credential, whose Secret holds the old key too, has it checked after the first one has rotated.
async fn put_back_beside_another(act: &cast::Act) {
    let mut world = world().await;
    let [old, new] = [(); 2].map(|()| world.simulator.add_key(act.new_key()));
    let mut beside = act.spec();
    beside["keySecretRef"] = json!({"name": "beside"});
    for source in [act.source(), "beside".to_owned()] {
        world.put_secret(&source, &old.key);
    }
    world.declare(act.name, &act.spec());
    world.declare("beside", &beside);
    world.run_for(MINUTE).await;
    world.put_secret(&act.source(), &new.key);
    world.run_for(10 * MINUTE).await;
    world.ask_for("beside", "now");
    world.run_for(10 * MINUTE).await;
    assert!(world.simulator.revoke_key(&old.id));
    world.put_secret(&act.source(), &old.key);
    world.run_for(5 * MINUTE).await;
    let status = world.status(act.name);
    assert!(shows(&status, ConditionType::Authenticated).starts_with('-'), "{}: {status:?}", act.name);
    assert_eq!(world.published(&act.output()).as_deref(), Some(&*new.key), "{}", act.name);
}

#[tokio::test(flavor = "multi_thread")]
async fn a23_a_revoked_key_that_is_put_back_is_refused_and_replaces_no_good_one() {
    let acts = cast::all();
    let plays = acts.iter().flat_map(|act| {
        let kinds = [("Keep", false), ("Withdraw", false), ("Keep", true)];
        kinds.map(|(policy, between)| put_back(act, policy, between))
    });
    join_all(plays).await;
    join_all(acts.iter().map(put_back_beside_another)).await;
}
