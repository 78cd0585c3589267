//! What listeners, administrator and tests share: the providers' world and a bell for its changes.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::ledger::{LedgerFilter, Row};
use super::tls::Tls;
use super::world::World;

pub(super) struct Shared {
    world: Mutex<World>,
    changed: watch::Sender<()>,
    pub(super) decoy_hits: AtomicU64,
    pub(super) decoy_heard: Mutex<Vec<u8>>,
    pub(super) address: SocketAddr,
    pub(super) tls: Option<Tls>,
}

impl Shared {
    pub(super) fn new(address: SocketAddr, decoy: String, tls: Option<Tls>) -> Self {
        let world = World { decoy, ..World::default() };
        let (changed, decoy_hits, decoy_heard) = (watch::Sender::new(()), AtomicU64::new(0), Mutex::default());
        Self { world: Mutex::new(world), changed, decoy_hits, decoy_heard, address, tls }
    }

    /// To look at; never held across an await.
    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To change, and to wake those who wait for a row.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        let result = change(&mut self.world());
        self.changed.send_replace(());
        result
    }

    pub(super) fn reset(&self) {
        self.change(World::reset);
        self.decoy_hits.store(0, Ordering::SeqCst);
    }

    /// The rows the filter admits, waiting for the first.
    pub(super) async fn rows_within(&self, filter: &LedgerFilter, within: Duration) -> Vec<Row> {
        let mut changed = self.changed.subscribe();
        let arrival = async {
            loop {
                changed.mark_unchanged();
                let rows = self.world().ledger.select(filter);
                if !rows.is_empty() || changed.changed().await.is_err() {
                    return rows;
                }
            }
        };
        timeout(within, arrival).await.unwrap_or_default()
    }

    pub(super) fn base(&self) -> String {
        match self.tls {
            Some(_) => format!("https://localhost:{}", self.address.port()),
            None => format!("http://{}", self.address),
        }
    }

    pub(super) fn config_yaml(&self) -> String {
        let base = self.base();
        format!(
            r#"providers:
  zenflow: {{endpoint: "{base}/zenflow/api/v1"}}
  inflow: {{endpoint: "{base}/inflow"}}
  flowlu: {{endpoint: "{base}/flowlu/{{account}}"}}
  aventri: {{endpoint: "{base}/aventri/{{region}}"}}
  flow:
    endpoint: "{base}/flow/api"
    authentication: {{header: Authorization, scheme: Bearer}}
    probe: {{path: "/members?limit=1", accepted: [200], rejected: [401], denied: [403]}}
"#
        )
    }
}
