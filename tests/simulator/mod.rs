//! Five providers on loopback: they know keys, answer as the real ones do, misbehave on demand and
//! remember what they were asked. For the tests, the demo and (`main.rs`) the developer; holds no
//! real key and reaches no network.
//!
//! `/inflow/{companyID}`, `/flowlu/{account}`, `/zenflow/api/v1`, `/aventri/{region}`, `/flow/api`
//! stand on one port, the administrator's interface (`admin.rs`) on another, and a decoy on a third,
//! where redirects point and nobody should ever come. Rate limits are enforced unless
//! `Switches::limits` is off.
#![allow(dead_code, reason = "the suite, the demo and the example use different parts")]
#![allow(unreachable_pub, unused_imports, missing_docs, reason = "a module of three programs")]
#![allow(clippy::disallowed_methods, reason = "a simulator has a clock and waits")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::expect_used,
    clippy::let_underscore_must_use,
    clippy::wildcard_enum_match_arm,
    reason = "development code: a panic is a failed test"
)]
#![allow(
    clippy::doc_markdown,
    clippy::needless_pass_by_value,
    clippy::option_option,
    clippy::struct_field_names,
    reason = "product names, json! literals, and names fixed by the interface"
)]

mod admin;
mod answer;
mod aventri;
#[cfg(test)]
mod checks;
mod clock;
mod faults;
mod flow;
mod flowlu;
mod inflow;
mod keys;
mod ledger;
mod limits;
mod mischief;
mod provider;
mod reply;
mod serve;
mod shared;
mod switches;
pub(crate) mod tls;
mod wire;
mod world;
mod zenflow;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub use clock::ClockChange;
pub use faults::{Echo, Fault, Misbehaviour, RetryAfter};
pub use keys::{ChangeKey, IssuedKey, NewKey, key_hash, letters};
pub use ledger::{LedgerFilter, Placement, Row};
pub use provider::Provider;
use shared::Shared;
pub use switches::{
    AventriSwitches, ErrorBody, FlowluSwitches, InFlowSwitches, LimitReply, Switches, UnknownAccount, ZenFlowSwitches,
};
pub use tls::Certificate;

/// Where to listen; port 0 takes any free one.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub listen: SocketAddr,
    pub admin: SocketAddr,
    pub tls: bool,
    /// What is wrong with TLS.
    pub certificate: Certificate,
}

impl Default for Options {
    fn default() -> Self {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self { listen: any, admin: any, tls: false, certificate: Certificate::Good }
    }
}

/// A running simulator; dropping it closes its ports and connections.
pub struct Simulator {
    shared: Arc<Shared>,
    admin: SocketAddr,
    listeners: JoinSet<()>,
}

impl Simulator {
    /// Binds the three ports and serves in tasks of the current runtime.
    pub async fn start(options: Options) -> io::Result<Self> {
        let provider = TcpListener::bind(options.listen).await?;
        let admin = TcpListener::bind(options.admin).await?;
        let decoy = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let tls = options.tls.then(|| tls::make(options.certificate)).transpose()?;
        let decoy_base = format!("http://{}", decoy.local_addr()?);
        let shared = Arc::new(Shared::new(provider.local_addr()?, decoy_base, tls));
        let admin_address = admin.local_addr()?;
        let mut listeners = JoinSet::new();
        let (one, two, three) = (shared.clone(), shared.clone(), shared.clone());
        listeners.spawn(serve::accept(provider, move |socket, peer| serve::provider(one.clone(), socket, peer)));
        listeners.spawn(serve::accept(admin, move |socket, _| admin::connection(two.clone(), socket)));
        listeners.spawn(serve::accept(decoy, move |socket, _| serve::decoy(three.clone(), socket)));
        Ok(Self { shared, admin: admin_address, listeners })
    }

    /// `http://127.0.0.1:PORT`, with TLS `https://localhost:PORT`.
    pub fn base(&self) -> String {
        self.shared.base()
    }

    /// The administrator's interface, always plain.
    pub fn admin(&self) -> String {
        format!("http://{}", self.admin)
    }

    /// With TLS, a proxy (`CONNECT`) that leads every host, so also the providers' real ones, here.
    pub fn proxy(&self) -> Option<String> {
        let tls = self.shared.tls.as_ref();
        tls.map(|_| format!("http://{}", self.shared.address))
    }

    /// The authority that signed the certificate.
    pub fn ca_pem(&self) -> Option<&str> {
        self.shared.tls.as_ref().map(|tls| tls.ca_pem.as_str())
    }

    /// The second listener.
    pub fn decoy(&self) -> String {
        self.shared.world().decoy.clone()
    }

    /// Connections to the second listener.
    pub fn decoy_hits(&self) -> u64 {
        self.shared.decoy_hits.load(Ordering::SeqCst)
    }

    /// What came there.
    pub fn decoy_heard(&self) -> Vec<u8> {
        self.shared.decoy_heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Every token that Aventri gave out.
    pub fn minted(&self) -> Vec<String> {
        self.shared.world().tokens.minted().to_vec()
    }

    /// The operator's configuration with all five providers here. With TLS the caller adds
    /// `caBundleFile`.
    pub fn config_yaml(&self) -> String {
        self.shared.config_yaml()
    }

    pub fn add_key(&self, new: NewKey) -> IssuedKey {
        self.shared.change(|world| world.keys.add(new))
    }

    /// False if there is no such key, here and below.
    pub fn change_key(&self, id: &str, change: ChangeKey) -> bool {
        self.shared.change(|world| world.keys.change(id, change))
    }

    pub fn revoke_key(&self, id: &str) -> bool {
        self.change_key(id, ChangeKey::revoke())
    }

    pub fn expire_key(&self, id: &str) -> bool {
        self.change_key(id, ChangeKey::expire(self.now()))
    }

    /// Adds a fault; the first one that matches a request wins.
    pub fn set_fault(&self, fault: Fault) -> u64 {
        self.shared.change(|world| world.faults.set(fault))
    }

    /// False if it was used up already.
    pub fn clear_fault(&self, id: u64) -> bool {
        self.shared.change(|world| world.faults.clear_one(id))
    }

    pub fn clear_faults(&self) {
        self.shared.change(|world| world.faults.clear());
    }

    /// Replaces all switches.
    pub fn set_switches(&self, switches: Switches) {
        self.shared.change(|world| world.switches = switches);
    }

    /// The providers' new time.
    ///
    /// # Panics
    /// If the time cannot be represented.
    pub fn set_clock(&self, change: &ClockChange) -> Timestamp {
        let changed = self.shared.change(|world| world.clock.change(change));
        changed.expect("a test asks for a time between the years -9999 and 9999")
    }

    /// The providers' time.
    pub fn now(&self) -> Timestamp {
        self.shared.world().now()
    }

    /// As just started; the ledger's numbers go on.
    pub fn reset(&self) {
        self.shared.reset();
    }

    pub fn ledger(&self, filter: &LedgerFilter) -> Vec<Row> {
        self.shared.world().ledger.select(filter)
    }

    /// The first row that the filter admits, at once if there is one.
    pub async fn wait_for(&self, filter: &LedgerFilter, within: Duration) -> Option<Row> {
        let rows = self.shared.rows_within(filter, within).await;
        rows.into_iter().next()
    }

    /// Requests that reached a provider's port so far.
    pub fn calls(&self) -> u64 {
        self.shared.world().ledger.number()
    }

    pub fn clear_ledger(&self) {
        self.shared.change(|world| world.ledger.clear());
    }
}
