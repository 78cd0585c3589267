//! An output that is lost because its credential went: a controller that has not heard of it makes nothing for it.

use super::proved;
use crate::controller::cast;
use crate::verdicts::api_server::{credential_path, secret_path};
use crate::verdicts::world::START;
use serde_json::{Value, json};

/// What became of a credential while the watch was behind.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Lives,
    Deleting,
    Gone,
    /// Another one of its name.
    Succeeded,
    /// It declares something else.
    Edited,
}

fn meet(fate: Fate, mut object: Value) -> Option<Value> {
    let meta = &mut object["metadata"];
    match fate {
        Fate::Lives => {}
        Fate::Deleting => meta["deletionTimestamp"] = json!(START),
        Fate::Gone => return None,
        Fate::Succeeded => meta["uid"] = json!("another"),
        Fate::Edited => meta["generation"] = json!(2),
    }
    Some(object)
}

#[tokio::test(flavor = "multi_thread")]
async fn a31_a_lost_output_is_made_again_for_its_living_owner_and_for_no_other() {
    for act in [cast::inflow(), cast::aventri()] {
        for fate in [Fate::Lives, Fate::Deleting, Fate::Gone, Fate::Succeeded, Fate::Edited] {
            let (mut world, _) = proved(&act).await;
            let (credential, output) = (credential_path(act.name), secret_path(&act.output()));
            let seen = world.object(act.name);
            let stored = world.server.get(&credential).expect("it is declared");
            match meet(fate, stored) {
                Some(object) => world.server.put(&credential, object),
                None => world.server.delete(&credential),
            }
            world.server.delete(&output);
            world.visit_as_seen(seen).await;
            let made = world.server.get(&output).is_some();
            assert_eq!(made, matches!(fate, Fate::Lives), "{} {fate:?}", act.name);
        }
    }
}
