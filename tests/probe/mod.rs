//! Does the prober read five providers rightly, over the wire, and whatever they do? Each test has a simulator and a
//! prober of its own.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::unchecked_time_subtraction,
    clippy::wildcard_enum_match_arm,
    reason = "a panic is a failed test"
)]

mod conformance;
mod faults;
mod sharing;
mod tls;

use crate::simulator::{self, IssuedKey, LedgerFilter, NewKey, Options, Provider as Product, Row, Simulator};
use connector_operator::clock::{Clock, SystemClock};
use connector_operator::config::Settings;
use connector_operator::credential::Key;
use connector_operator::probe::{CheckOptions, Checked, Limits, Outcome, Prober, Wait};
use connector_operator::providers::{
    Aventri, Depth, Flow, Flowlu, InFlow, Provider, Purpose, Region, Verdict, ZenFlow,
};
use jiff::Timestamp;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const COMPANY: &str = "00000000-0000-4000-8000-000000000000";
const ACCOUNT: &str = "mycompany";
const ACCOUNT_ID: &str = "12345";

/// The system's clock, moved forward at will.
#[derive(Debug, Default)]
struct Shifted {
    clock: SystemClock,
    by: Mutex<Duration>,
}

impl Shifted {
    fn advance(&self, by: Duration) {
        *self.by.lock().unwrap() += by;
    }
}

impl Clock for Shifted {
    fn now(&self) -> Timestamp {
        self.clock.now() + *self.by.lock().unwrap()
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic() + *self.by.lock().unwrap()
    }
}

/// The product's limits, which no answer on loopback misses.
fn limits() -> Limits {
    Limits::for_concurrency(64)
}

/// Deadlines for what hangs, which is waited for.
fn short() -> Limits {
    Limits {
        connect: Duration::from_secs(1),
        read: Duration::from_secs(1),
        total: Duration::from_millis(1500),
        conversation: Duration::from_secs(3),
        ..limits()
    }
}

/// A simulator and who asks it.
struct Bed {
    simulator: Simulator,
    prober: Prober,
    clock: Arc<Shifted>,
}

impl Bed {
    async fn new() -> Self {
        Self::with(limits()).await
    }

    async fn with(limits: Limits) -> Self {
        let simulator = Simulator::start(Options::default()).await.unwrap();
        let settings = Settings::parse(&simulator.config_yaml()).unwrap();
        let clock = Arc::new(Shifted::default());
        let prober = Prober::new(Arc::new(settings), Arc::<Shifted>::clone(&clock), limits).unwrap();
        Self { simulator, prober, clock }
    }

    /// A key without restrictions, and settings that fit it.
    fn credential(&self, product: Product) -> (IssuedKey, Box<dyn Provider>) {
        let (account, settings) = settings(product);
        let scopes = if product == Product::ZenFlow { vec!["read:orders".to_owned()] } else { vec![] };
        (self.simulator.add_key(NewKey { scopes, ..NewKey::of(product, &account) }), settings)
    }

    async fn try_check(&self, provider: &dyn Provider, key: &str, options: &CheckOptions) -> Outcome {
        self.prober.check(provider, &Key::parse(key.as_bytes()).unwrap(), options).await
    }

    /// A new answer, a minute later than the last.
    async fn checked(&self, provider: &dyn Provider, key: &str) -> Arc<Checked> {
        self.clock.advance(Duration::from_secs(120));
        match self.try_check(provider, key, &self.options()).await {
            Outcome::Checked { checked, shared: false } => checked,
            other => panic!("asked nobody: {other:?}"),
        }
    }

    async fn told(&self, provider: &dyn Provider, key: &str) -> String {
        told(&self.checked(provider, key).await.verdict)
    }

    /// What a check of a new key wants: a new answer.
    fn options(&self) -> CheckOptions {
        CheckOptions {
            depth: Depth::Declared,
            proved: false,
            asked_before: None,
            namespace: "data".to_owned(),
            since: self.clock.now(),
        }
    }

    fn rows(&self) -> Vec<Row> {
        self.simulator.ledger(&LedgerFilter::default())
    }
}

/// An account of the simulator's, and settings for it.
fn settings(product: Product) -> (String, Box<dyn Provider>) {
    match product {
        Product::InFlow => (COMPANY.to_owned(), Box::new(inflow(COMPANY))),
        Product::Flowlu => (ACCOUNT.to_owned(), Box::new(Flowlu { account: ACCOUNT.to_owned() })),
        Product::ZenFlow => (String::new(), Box::new(ZenFlow::default())),
        Product::Flow => (String::new(), Box::new(flow())),
        Product::Aventri => (format!("{ACCOUNT_ID}@na"), Box::new(aventri(Region::NorthAmerica))),
    }
}

fn inflow(company: &str) -> InFlow {
    InFlow { company_id: company.to_owned(), api_version: None }
}

fn flow() -> Flow {
    Flow { reference: None, purpose: Purpose::ImportMembers, checkout_theme: None }
}

fn aventri(region: Region) -> Aventri {
    Aventri { account_id: ACCOUNT_ID.to_owned(), region, token_lifetime: None }
}

const PRODUCTS: [Product; 5] = [Product::InFlow, Product::Flowlu, Product::ZenFlow, Product::Flow, Product::Aventri];

/// A verdict in words.
fn told(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Rejected(rejection) => format!("rejected {rejection:?}"),
        Verdict::Inconclusive(doubt) => format!("inconclusive {doubt:?}"),
        Verdict::Accepted(proof) => {
            let token = if proof.token.is_some() { " token" } else { "" };
            let undeclared = proof.undeclared.as_ref().map(|scopes| format!(" undeclared={scopes:?}"));
            let unverifiable = Some(&proof.unverifiable)
                .filter(|scopes| !scopes.is_empty())
                .map(|scopes| format!(" unverifiable={scopes:?}"));
            let rest = [unverifiable, undeclared].into_iter().flatten().collect::<String>();
            format!("accepted {:?}{token}{rest}", proof.access)
        }
    }
}
