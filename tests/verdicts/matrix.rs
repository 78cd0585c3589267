//! Every reply of every provider, to keys of every history: what is said, what is published, when is it asked again?
//!
//! What must come out is written here by hand, once for each kind of reply, and not derived from the code.

mod expected;

use super::rows::{Row, Says, common, own};
use super::world::{DAY, World, providers, shown};
use crate::simulator::{Fault, IssuedKey, NewKey, Provider as Product};
use connector_operator::api::{ConditionType, Reason};
use connector_operator::probe::Limits;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

pub(super) const PRODUCTS: [Product; 5] =
    [Product::InFlow, Product::Flowlu, Product::ZenFlow, Product::Flow, Product::Aventri];

/// What a key went through before the reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum History {
    /// A new key, and nothing is published.
    New,
    /// A new key in place of one that is published.
    Rotated,
    /// Accepted and published; the first such reply.
    Once,
    /// The same reply at the next check.
    Again,
    /// The same reply a day after the first.
    NextDay,
}

impl History {
    pub(super) const ALL: [Self; 5] = [Self::New, Self::Rotated, Self::Once, Self::Again, Self::NextDay];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::New => "new key",
            Self::Rotated => "new key in place of a published one",
            Self::Once => "accepted before: first time",
            Self::Again => "at the next check",
            Self::NextDay => "24 hours later",
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Outcome {
    pub(super) authenticated: String,
    pub(super) authorized: String,
    pub(super) published: String,
    pub(super) ready: String,
    /// `Reconciling` or `Stalled`.
    pub(super) beside: &'static str,
    /// What the output carries.
    pub(super) output: &'static str,
    /// Seconds until the next check.
    pub(super) next: i64,
}

/// One cell of the matrix.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    pub(super) product: Product,
    pub(super) label: String,
    pub(super) says: Says,
    pub(super) history: History,
    pub(super) outcome: Outcome,
    /// Seconds that the provider asked to be left alone for.
    waits: Option<i64>,
}

/// A whole run.
pub(super) struct Matrix {
    pub(super) cells: Vec<Cell>,
    /// Faults that the simulator showed.
    faults: BTreeSet<(Product, String)>,
}

/// Deadlines for what hangs, which is waited for; all else has the product's own, which no reply on loopback misses.
const SHORT: Limits = Limits {
    connect: Duration::from_secs(5),
    read: Duration::from_millis(1500),
    total: Duration::from_secs(2),
    conversation: Duration::from_secs(10),
    body: 256 * 1024,
    slots: 8,
};

/// Everything, the five providers side by side.
pub(super) async fn run() -> Matrix {
    let of_each = PRODUCTS.map(|product| (product, tokio::spawn(of_provider(product))));
    let mut matrix = Matrix { cells: Vec::new(), faults: BTreeSet::new() };
    for (product, run) in of_each {
        let (cells, faults) = run.await.expect("a provider's rows hold");
        matrix.cells.extend(cells);
        matrix.faults.extend(faults.into_iter().map(|fault| (product, fault)));
    }
    matrix
}

async fn of_provider(product: Product) -> (Vec<Cell>, BTreeSet<String>) {
    let (hanging, others): (Vec<_>, Vec<_>) = own(product).into_iter().chain(common()).partition(Row::hangs);
    let others = tokio::spawn(of_rows(product, others, Limits::for_concurrency(64)));
    let (mut cells, mut faults) = of_rows(product, hanging, SHORT).await;
    let (more, others) = others.await.expect("rows hold");
    cells.extend(more);
    faults.extend(others);
    (cells, faults)
}

async fn of_rows(product: Product, rows: Vec<Row>, limits: Limits) -> (Vec<Cell>, BTreeSet<String>) {
    let mut play = Play { world: World::new(providers().await, limits), product, number: 0 };
    let mut cells = Vec::new();
    for row in rows {
        for (history, outcome) in play.row(&row).await {
            let (label, waits) = (row.label.clone(), row.waits);
            cells.push(Cell { product, label, says: row.says, history, outcome, waits });
        }
    }
    assert_eq!(play.world.simulator.decoy_hits(), 0, "a redirect was followed");
    let faults = play.world.simulator.ledger(&Default::default()).into_iter().filter_map(|row| row.fault).collect();
    (cells, faults)
}

/// The rows of one provider, one after another; each has accounts of its own, so that none waits for another's budget.
struct Play {
    world: World,
    product: Product,
    number: u32,
}

impl Play {
    async fn row(&mut self, row: &Row) -> Vec<(History, Outcome)> {
        let mut outcomes = vec![(History::New, self.new_key(row).await), (History::Rotated, self.rotated(row).await)];
        outcomes.extend(self.accepted_before(row).await);
        outcomes
    }

    /// A credential with an account of its own, and two keys for it.
    fn credential(&mut self, row: &Row) -> (String, Value, [IssuedKey; 2]) {
        self.number += 1;
        let number = self.number;
        let (settings, account) = match self.product {
            Product::InFlow => {
                let company = format!("{number:08x}-0000-4000-8000-000000000000");
                (json!({"inflow": {"companyID": company}}), company)
            }
            Product::Flowlu => (json!({"flowlu": {"account": format!("w{number}")}}), format!("w{number}")),
            Product::ZenFlow => (json!({"zenflow": {"scopes": ["read:orders"]}}), String::new()),
            Product::Flow => (json!({"flow": {"purpose": "ImportMembers"}}), String::new()),
            Product::Aventri => {
                let id = (100 + number).to_string();
                (json!({"aventri": {"accountID": id, "region": "NorthAmerica"}}), format!("{id}@na"))
            }
        };
        let settings = row.settings.clone().unwrap_or(settings);
        let scopes = vec!["read:orders".to_owned(), "read:stock".to_owned()];
        let issue =
            || self.world.simulator.add_key(NewKey { scopes: scopes.clone(), ..NewKey::of(self.product, &account) });
        let keys = [issue(), issue()];
        let mut spec = json!({"provider": settings, "keySecretRef": {"name": "source"}});
        if self.product == Product::Flow {
            spec["expiresAt"] = json!("2099-01-01T00:00:00Z");
        }
        (format!("erp-{number}"), spec, keys)
    }

    fn misbehave(&self, row: &Row, key: &IssuedKey) {
        for (fault, path) in &row.faults {
            let path = path.map(str::to_owned);
            let fault = Fault { key_hash: Some(key.hash.clone()), path, ..Fault::of(fault.clone()) };
            self.world.simulator.set_fault(fault);
        }
    }

    async fn end(&mut self, name: &str) {
        self.world.simulator.clear_faults();
        self.world.remove(name).await;
    }

    async fn new_key(&mut self, row: &Row) -> Outcome {
        let (name, spec, [key, _]) = self.credential(row);
        self.misbehave(row, &key);
        self.world.put_secret("source", &key.key);
        self.world.declare(&name, &spec);
        self.world.settle().await;
        let outcome = self.outcome(&name, (&key, &key));
        self.end(&name).await;
        outcome
    }

    async fn rotated(&mut self, row: &Row) -> Outcome {
        let (name, spec, [old, new]) = self.credential(row);
        self.world.put_secret("source", &old.key);
        self.world.declare(&name, &spec);
        self.world.settle().await;
        self.misbehave(row, &new);
        self.world.put_secret("source", &new.key);
        self.world.settle().await;
        let outcome = self.outcome(&name, (&old, &new));
        self.end(&name).await;
        outcome
    }

    async fn accepted_before(&mut self, row: &Row) -> Vec<(History, Outcome)> {
        let (name, spec, [key, _]) = self.credential(row);
        self.world.put_secret("source", &key.key);
        self.world.declare(&name, &spec);
        self.world.settle().await;
        self.misbehave(row, &key);
        let mut outcomes = Vec::new();
        for history in [History::Once, History::Again, History::NextDay] {
            let next = self.world.next_check(&name).expect("a schedule");
            match history {
                History::NextDay => self.world.sleep(DAY).await,
                _ => self.world.run_until(next).await,
            }
            outcomes.push((history, self.outcome(&name, (&key, &key))));
        }
        self.end(&name).await;
        outcomes
    }

    fn outcome(&self, name: &str, (old, new): (&IssuedKey, &IssuedKey)) -> Outcome {
        let status = self.world.status(name);
        let of = |condition| shown(&status, condition).unwrap_or_default();
        let beside = match (of(ConditionType::Reconciling).as_str(), of(ConditionType::Stalled).as_str()) {
            ("", "") => "",
            (_, "") => "Reconciling",
            ("", _) => "Stalled",
            _ => panic!("both Reconciling and Stalled"),
        };
        let output = match self.world.published(&format!("{name}-auth")) {
            None => "none",
            Some(key) if key == new.key => "this key",
            Some(key) if key == old.key => "the former key",
            Some(_) => panic!("an output carries neither key"),
        };
        let next = self.world.next_check(name).expect("a schedule").duration_since(self.world.now());
        Outcome {
            authenticated: of(ConditionType::Authenticated),
            authorized: of(ConditionType::Authorized),
            published: of(ConditionType::Published),
            ready: of(ConditionType::Ready),
            beside,
            output,
            next: next.as_secs(),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a11_every_reply_of_every_provider_is_judged_as_documented() {
    let matrix = super::document::matrix().await;
    let wrong = expected::wrong(matrix);
    assert!(wrong.is_empty(), "{} of {} are wrong:\n{}", wrong.len(), matrix.cells.len(), wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a11_no_inconclusive_reply_flips_a_verdict_or_publishes_a_key() {
    let matrix = super::document::matrix().await;
    let doubts: Vec<_> = matrix.cells.iter().filter(|cell| matches!(cell.says, Says::Doubt(_))).collect();
    assert!(doubts.len() > 5 * 30 * History::ALL.len(), "only {}", doubts.len());
    for cell in doubts {
        let Outcome { authenticated, authorized, output, .. } = &cell.outcome;
        let place = format!("{:?} {} {}", cell.product, cell.label, cell.history.name());
        assert!(!authenticated.starts_with('-') && !authorized.starts_with('-'), "{place}: refused");
        let published = match cell.history {
            History::New => "none",
            History::Rotated => "the former key",
            _ => "this key",
        };
        assert_eq!(*output, published, "{place}");
        let trusted = matches!(cell.history, History::Once | History::Again);
        assert_eq!(authenticated == "+KeyAccepted", trusted, "{place}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a11_every_misbehaviour_of_the_simulator_is_met() {
    let matrix = super::document::matrix().await;
    let all = [
        "latency",
        "hang",
        "slowBody",
        "reset",
        "truncated",
        "badTLS",
        "status",
        "rateLimit",
        "html",
        "empty",
        "brokenJSON",
        "deepJSON",
        "gzipBomb",
        "huge",
        "flood",
        "wideHead",
        "redirect",
        "errorIn200",
        "expired",
        "revoked",
        "scopeMissing",
        "ipNotAllowed",
        "denied",
        "echoKey",
        "reply",
    ];
    // What only some providers can say is in their own rows.
    let own = ["errorIn200", "expired", "revoked", "scopeMissing", "ipNotAllowed", "denied", "reply"];
    let met = |product, name: &str| matrix.faults.contains(&(product, name.to_owned()));
    for name in all {
        let missing: Vec<_> = PRODUCTS.into_iter().filter(|product| !met(*product, name)).collect();
        let enough = if own.contains(&name) { missing.len() < PRODUCTS.len() } else { missing.is_empty() };
        assert!(enough, "{name}: {missing:?}");
    }
}

/// Outcomes by what the reply says, where all replies that say it have the same.
pub(super) fn by_verdict(matrix: &Matrix) -> BTreeMap<(Says, History), BTreeSet<Outcome>> {
    let mut outcomes: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for cell in matrix.cells.iter().filter(|cell| cell.waits.is_none()) {
        outcomes.entry((cell.says, cell.history)).or_default().insert(cell.outcome.clone());
    }
    outcomes
}
