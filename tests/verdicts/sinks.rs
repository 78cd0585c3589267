//! What does a story in memory leave behind, and is a key in it? The log, the Events, the metrics, and all that was
//! written to the API server but for the data of Secrets.

use crate::simulator::Simulator;
use crate::support::canary::{Finding, Sweep, sample};
use crate::support::logged::Logged;
use connector_operator::controller::Queue;
use connector_operator::metrics::{Exposition, Metrics};
use std::collections::BTreeSet;
use std::sync::Mutex;

#[derive(Default)]
pub(crate) struct Sinks {
    pub(crate) log: Logged,
    /// Keys that were in Secrets.
    keys: Mutex<BTreeSet<String>>,
    /// What processes that have ended would have told.
    told: BTreeSet<String>,
}

impl Sinks {
    /// Looks for this value when the story ends.
    pub(crate) fn watch_for(&self, key: &str) {
        self.keys.lock().expect("no test panicked here").insert(key.to_owned());
    }

    /// A process ends, with what it exposes and what it would have told.
    pub(crate) fn take(&mut self, metrics: &Metrics, events: &Queue) {
        self.told(metrics.expose(Exposition::Prometheus));
        self.told(format!("{events:?}"));
    }

    fn told(&mut self, text: String) {
        self.told.insert(text);
    }

    /// # Panics
    ///
    /// When a key is where none may be.
    pub(crate) fn search(&self, written: &BTreeSet<String>, simulator: &Simulator) {
        let found = self.found(written, simulator);
        assert!(found.is_empty(), "keys leaked: {found:?}");
    }

    fn found(&self, written: &BTreeSet<String>, simulator: &Simulator) -> Vec<Finding> {
        let keys = self.keys.lock().expect("no test panicked here");
        let mut canaries = sample(keys.iter());
        let minted = simulator.minted();
        canaries.extend(sample(minted.iter()));
        let sweep = Sweep::new(&canaries);
        let mut found = sweep.find("log", &self.log.text());
        for (place, texts) in [("told", &self.told), ("written", written)] {
            found.extend(texts.iter().flat_map(|text| sweep.find(place, text.as_bytes())));
        }
        found.extend(sweep.find("what the decoy heard", &simulator.decoy_heard()));
        found
    }
}

#[cfg(test)]
mod tests {
    use crate::controller::cast;
    use crate::verdicts::api_server::credential_path;
    use crate::verdicts::world::{World, providers};
    use connector_operator::probe::Limits;
    use serde_json::json;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    async fn published() -> (World, String) {
        let world = World::new(providers().await, Limits::for_concurrency(8));
        let act = cast::inflow();
        let key = world.simulator.add_key(act.new_key()).key;
        world.put_secret(&act.source(), &key);
        world.declare(act.name, &act.spec());
        (world, key)
    }

    /// Where a key is said to have leaked.
    fn said(world: World) -> String {
        let ended = catch_unwind(AssertUnwindSafe(|| drop(world)));
        *ended.expect_err("it does not end well").downcast::<String>().expect("words")
    }

    #[tokio::test]
    async fn a01_a_story_in_memory_that_leaves_a_key_behind_does_not_end_well() {
        let name = cast::inflow().name;
        let (mut world, _) = published().await;
        world.settle().await;
        assert!(String::from_utf8_lossy(&world.sinks.log.text()).contains("called a provider"), "it listens");
        drop(world);

        let (world, key) = published().await;
        world.sinks.log.listen(async { tracing::debug!(target: "connector_operator", key, "planted") }).await;
        assert!(said(world).contains("place: \"log\""));
        let (world, key) = published().await;
        let path = credential_path(name);
        let mut object = world.server.get(&path).expect("it is declared");
        object["status"]["message"] = json!(key);
        world.server.put(&path, object);
        assert!(said(world).contains("place: \"written\""));
        let (mut world, key) = published().await;
        world.sinks.told(key);
        assert!(said(world).contains("place: \"told\""));
    }
}
