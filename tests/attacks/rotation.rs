//! A bad rotation: the key that works stays where workloads read it, and no other key ever gets there.

use super::{shows, world};
use crate::controller::cast::{self, Act};
use crate::simulator::{Fault, Misbehaviour};
use crate::verdicts::api_server::secret_path;
use crate::verdicts::world::{HOUR, MINUTE};
use connector_operator::api::ConditionType;
use futures::future::join_all;
use serde_json::json;

/// What is wrong with the new key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum New {
    /// Nobody issued it.
    Unknown,
    Revoked,
    /// The provider does not say.
    Unheard,
    /// No key at all.
    Malformed,
}

/// What happens to the output meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Output {
    Stays,
    DeletedFirst,
    DeletedLater,
}

async fn rotate_badly(act: &Act, policy: &str, new: New, output: Output) {
    let place = format!("{} {policy} {new:?} {output:?}", act.name);
    let mut world = world().await;
    let good = world.simulator.add_key(act.new_key());
    let bad = world.simulator.add_key(act.new_key());
    let (bad_key, path) = match new {
        New::Unknown => (format!("{}x", bad.key), secret_path(&act.output())),
        New::Malformed => ("two words".to_owned(), secret_path(&act.output())),
        New::Revoked | New::Unheard => (bad.key.clone(), secret_path(&act.output())),
    };
    match new {
        New::Revoked => assert!(world.simulator.revoke_key(&bad.id)),
        New::Unheard => {
            let fault = Fault { key_hash: Some(bad.hash), ..Fault::of(Misbehaviour::Reset) };
            world.simulator.set_fault(fault);
        }
        New::Unknown | New::Malformed => {}
    }
    world.put_secret(&act.source(), &good.key);
    world.declare(act.name, &act.spec_with("rejectionPolicy", json!(policy)));
    world.run_for(MINUTE).await;
    assert_eq!(world.published(&act.output()).as_deref(), Some(good.key.as_str()), "{place}");
    if output == Output::DeletedFirst {
        world.server.delete(&path);
    }
    world.put_secret(&act.source(), &bad_key);
    for hour in 0..4 {
        world.run_for(HOUR).await;
        match hour {
            1 => world.restart(),
            2 if output == Output::DeletedLater => world.server.delete(&path),
            _ => {}
        }
    }
    let status = world.status(act.name);
    assert!(!shows(&status, ConditionType::Ready).starts_with('+'), "{place}");
    let written = world.server.ever_published(&path);
    assert!(written.iter().all(|key| *key == good.key), "{place}: an unproved key was published");
    match output {
        Output::Stays => {
            assert_eq!(world.published(&act.output()).as_deref(), Some(good.key.as_str()), "{place}: it stays");
            assert_eq!(shows(&status, ConditionType::Published), "+LastKnownGood", "{place}");
        }
        Output::DeletedFirst | Output::DeletedLater => {
            assert_eq!(world.published(&act.output()), None, "{place}: it cannot be rebuilt");
            assert_eq!(shows(&status, ConditionType::Published), "-WaitingForVerification", "{place}");
        }
    }
    // The way back, and the way on.
    for right in [good, world.simulator.add_key(act.new_key())] {
        world.put_secret(&act.source(), &right.key);
        world.run_for(HOUR).await;
        assert_eq!(world.published(&act.output()).as_deref(), Some(right.key.as_str()), "{place}");
        assert_eq!(shows(&world.status(act.name), ConditionType::Ready), "+Ready", "{place}");
    }
}

async fn every_bad_rotation(act: Act) {
    for policy in ["Keep", "Withdraw"] {
        for new in [New::Unknown, New::Revoked, New::Unheard, New::Malformed] {
            for output in [Output::Stays, Output::DeletedFirst, Output::DeletedLater] {
                rotate_badly(&act, policy, new, output).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a23_a_bad_rotation_keeps_the_working_key_and_publishes_no_other_under_both_policies() {
    join_all(cast::all().map(|act| tokio::spawn(every_bad_rotation(act)))).await.into_iter().for_each(|rotated| {
        rotated.expect("every bad rotation is survived");
    });
}
