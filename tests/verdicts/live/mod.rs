//! What only a real API server can show: the unmodified operator, its own rights, the audit log as witness.
//!
//! `cargo test` plays these stories short; with `FULL_LENGTH=1` they have full length and numbers.

mod audit;
mod crowd;
mod flipping;
mod flow;
mod retry_after;
mod scopes;

use crate::simulator::{IssuedKey, LedgerFilter, NewKey, Provider as Product};
use crate::support::full_length;
use crate::support::stage::Stage;
use std::time::Duration;

fn short_or_full<T>(short: T, full: T) -> T {
    if full_length() { full } else { short }
}

fn calls(stage: &Stage) -> usize {
    stage.simulator.ledger(&LedgerFilter::default()).len()
}

fn calls_about(stage: &Stage, key: &IssuedKey) -> usize {
    stage.simulator.ledger(&LedgerFilter { key_hash: Some(key.hash.clone()), ..LedgerFilter::default() }).len()
}

/// A ZenFlow key with these scopes.
fn with_scopes(scopes: &[&str]) -> NewKey {
    NewKey { scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(), ..NewKey::of(Product::ZenFlow, "") }
}

async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}
