//! What does a day cost? The controller's own visits for 24 hours on a clock that is set, at their own times and at
//! least every ten minutes; the simulator's ledger counts the calls.

mod scenes;
mod stories;

use super::api_server::Counts;
use super::world::{DAY, HOUR, MINUTE, World, providers};
use crate::simulator::{Fault, IssuedKey, Misbehaviour, NewKey, Provider as Product, RetryAfter};
use connector_operator::api::ConditionType;
use connector_operator::config::Settings;
use connector_operator::probe::Limits;
use serde_json::{Value, json};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// One line of the table.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) situation: &'static str,
    pub(super) disturbed: &'static str,
    pub(super) calls: usize,
    pub(super) at_least: usize,
    pub(super) at_most: usize,
    pub(super) counts: Counts,
    visits: usize,
    /// Requests of one check.
    requests: usize,
    mints: bool,
    credentials: usize,
}

/// What happens to the operator and the Secret meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Disturbed {
    Not,
    /// The process ends and another takes over, twenty times.
    Restarts,
    /// The Secret is written again with the same bytes, a hundred times.
    Reapplied,
    /// Twenty times: first the one, then the other.
    ReappliedThenRestarted,
}

use Disturbed::{Not, Reapplied, ReappliedThenRestarted, Restarts};

impl Disturbed {
    const fn name(self) -> &'static str {
        match self {
            Not => "",
            Restarts => "20 restarts",
            Reapplied => "re-applied 100 times",
            ReappliedThenRestarted => "re-applied and restarted 20 times",
        }
    }
}

/// Credentials that reference one Secret, and what the provider does.
struct Scene {
    situation: &'static str,
    product: Product,
    spec: Value,
    scopes: &'static [&'static str],
    /// How many credentials.
    credentials: usize,
    /// Whether each has a Secret of its own, with the same key.
    own_secrets: bool,
    /// Whether the key is accepted and published before the day begins.
    accepted: bool,
    /// What the provider does all day; nothing: it accepts the key.
    fault: Option<Misbehaviour>,
    /// Whether the simulator knows the key.
    genuine: bool,
    /// Requests of one check.
    requests: usize,
    calls: (usize, usize),
}

fn zenflow(situation: &'static str, calls: (usize, usize)) -> Scene {
    Scene {
        situation,
        product: Product::ZenFlow,
        spec: json!({"provider": {"zenflow": {"scopes": ["read:orders"]}}}),
        scopes: &["read:orders", "read:stock", "read:products", "read:webhooks"],
        credentials: 1,
        own_secrets: false,
        accepted: false,
        fault: None,
        genuine: true,
        requests: 1,
        calls,
    }
}

fn aventri(situation: &'static str, calls: (usize, usize)) -> Scene {
    let spec = json!({"provider": {"aventri": {"accountID": "12345", "region": "NorthAmerica"}}});
    Scene { product: Product::Aventri, spec, scopes: &[], ..zenflow(situation, calls) }
}

/// Deadlines that no reply on loopback misses, however busy the machine is.
fn patient() -> Limits {
    Limits::for_concurrency(64)
}

struct Played {
    world: World,
    keys: IssuedKey,
    names: Vec<String>,
}

impl Scene {
    async fn set(&self) -> Played {
        let account = if self.product == Product::Aventri { "12345@na" } else { "" };
        let scopes = self.scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let mut world = World::new(providers().await, patient());
        let mut keys = world.simulator.add_key(NewKey { scopes, ..NewKey::of(self.product, account) });
        if !self.genuine {
            world.simulator.revoke_key(&keys.id);
        }
        let names: Vec<_> = (0..self.credentials).map(|n| format!("erp-{n}")).collect();
        for (n, name) in names.iter().enumerate() {
            let source = if self.own_secrets { format!("source-{n}") } else { "source".to_owned() };
            world.put_secret(&source, &keys.key);
            let mut spec = self.spec.clone();
            spec["keySecretRef"] = json!({"name": source});
            world.declare(name, &spec);
            // They do not all come at once.
            world.run_for(Duration::from_secs(20)).await;
        }
        if self.accepted {
            world.run_for(HOUR * 3).await;
        }
        if let Some(fault) = &self.fault {
            world.simulator.set_fault(Fault::of(fault.clone()));
        }
        keys.id.clear();
        Played { world, keys, names }
    }

    async fn play(self, disturbed: Disturbed) -> Line {
        let Played { mut world, keys, names } = self.set().await;
        // The first day of a key begins with its first check.
        let (calls, counts, visits) =
            if self.accepted { (world.calls(), world.server.counts(), world.visits) } else { Default::default() };
        let parts = if disturbed == Reapplied { 100 } else { 20 };
        for _part in 0..parts {
            world.run_for(DAY / parts).await;
            if matches!(disturbed, Reapplied | ReappliedThenRestarted) {
                for n in 0..self.credentials {
                    let source = if self.own_secrets { format!("source-{n}") } else { "source".to_owned() };
                    world.put_secret(&source, &keys.key);
                }
                world.settle().await;
            }
            if matches!(disturbed, Restarts | ReappliedThenRestarted) {
                world.restart();
            }
        }
        drop(names);
        let now = world.server.counts();
        Line {
            situation: self.situation,
            disturbed: disturbed.name(),
            calls: world.calls() - calls,
            at_least: self.calls.0,
            at_most: self.calls.1,
            counts: Counts {
                reads: now.reads - counts.reads,
                statuses: now.statuses - counts.statuses,
                secrets: now.secrets - counts.secrets,
            },
            visits: world.visits - visits,
            requests: self.requests,
            mints: self.product == Product::Aventri,
            credentials: self.credentials,
        }
    }
}

type Playing = Pin<Box<dyn Future<Output = Line> + Send>>;

/// All lines of the table.
pub(super) async fn run() -> Vec<Line> {
    let playing: Vec<_> = scenes::scenes().into_iter().map(tokio::spawn).collect();
    let mut lines = Vec::new();
    for line in playing {
        lines.push(line.await.expect("a day passes"));
    }
    lines
}

/// What is not as promised.
pub(super) fn wrong(lines: &[Line]) -> Vec<String> {
    let beyond = |line: &&Line| {
        let checks = line.calls / line.requests;
        // A check costs one write, an exchange two; what else is written is the first visit's and each new version's.
        let writes = checks * line.credentials * (1 + usize::from(line.mints));
        let extra = line.credentials * if line.disturbed.contains("re-applied") { 110 } else { 10 };
        let keys_take_turns = line.situation.contains("taking turns");
        !(line.at_least..=line.at_most).contains(&line.calls)
            || (line.counts.statuses > writes + extra && !keys_take_turns)
            || line.visits > 20_000
    };
    lines.iter().filter(beyond).map(|line| format!("{line:?}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a15_a_day_costs_what_is_promised() {
    let lines = super::document::days().await;
    let wrong = wrong(lines);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a15_sharers_and_restarts_cost_what_one_undisturbed_credential_costs() {
    let lines = super::document::days().await;
    let calls = |situation: &str, disturbed: &str| {
        let found = lines.iter().find(|line| line.situation == situation && line.disturbed == disturbed);
        found.unwrap_or_else(|| panic!("no line {situation} {disturbed}")).calls
    };
    for situation in ["healthy", "rejected", "accepted before, now rejected"] {
        for disturbed in [Restarts, Reapplied, ReappliedThenRestarted] {
            let (alone, disturbed) = (calls(situation, ""), calls(situation, disturbed.name()));
            assert!(disturbed <= alone, "{situation}: {disturbed} instead of {alone}");
        }
    }
    for (five, one) in [("healthy, five on one Secret", "healthy"), ("rejected, five on one Secret", "rejected")] {
        for disturbed in [Not, Restarts] {
            assert!(calls(five, disturbed.name()) <= calls(one, "") + 2, "{five} {disturbed:?}");
        }
    }
}
