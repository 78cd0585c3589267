//! What was asked, and how was it answered? One row for every request that reached a provider's
//! port. Holds hashes, never key bytes. Times are real, whatever the providers' clock says.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::provider::Provider;

/// The oldest rows are dropped beyond this many.
const MOST_ROWS: usize = 100_000;

/// Where the key or token stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Placement {
    Header,
    Query,
    Form,
    None,
}

/// One request.
///
/// A row appears when the answer is decided, before it is sent: `duration_ms` is absent until the
/// answer is out, `status` if there is none (`hang`, `reset`, `badTLS`). A TLS handshake spoilt by
/// `badTLS` is a row without a method.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    pub seq: u64,
    pub time: Timestamp,
    /// The connection's number: requests on one connection have the same.
    pub connection: u64,
    /// The client's port.
    pub port: u16,
    /// Absent if the address belongs to no provider.
    pub provider: Option<Provider>,
    pub account: String,
    pub method: String,
    pub host: String,
    pub sni: Option<String>,
    pub path: String,
    pub query_names: Vec<String>,
    /// Lower case, in the order they came.
    pub header_names: Vec<String>,
    pub placement: Placement,
    pub key_hash: Option<String>,
    /// Issued here, be it revoked, expired or another account's by now.
    pub known_key: bool,
    pub accept: Option<String>,
    pub user_agent: Option<String>,
    pub status: Option<u16>,
    /// The fault's name, as in `PUT /faults`.
    pub fault: Option<String>,
    pub duration_ms: Option<u64>,
}

/// Rows to be seen; a member left out filters nothing.
#[derive(Clone, Debug, Default)]
pub struct LedgerFilter {
    pub provider: Option<Provider>,
    pub key_hash: Option<String>,
    /// Only rows with a greater `seq`.
    pub after: u64,
}

impl LedgerFilter {
    fn admits(&self, row: &Row) -> bool {
        row.seq > self.after
            && self.provider.is_none_or(|provider| row.provider == Some(provider))
            && (self.key_hash.is_none() || self.key_hash == row.key_hash)
    }
}

#[derive(Default)]
pub(super) struct Ledger {
    rows: VecDeque<Row>,
    last: u64,
}

impl Ledger {
    /// Adds a row under the next number, which it returns. Numbers go on after `clear`.
    pub(super) fn push(&mut self, row: Row) -> u64 {
        self.last += 1;
        self.rows.push_back(Row { seq: self.last, ..row });
        if self.rows.len() > MOST_ROWS {
            self.rows.pop_front();
        }
        self.last
    }

    /// The last row's number, whether it is still kept or not.
    pub(super) fn number(&self) -> u64 {
        self.last
    }

    pub(super) fn finish(&mut self, seq: u64, duration_ms: u64) {
        if let Some(row) = self.rows.iter_mut().rev().find(|row| row.seq == seq) {
            row.duration_ms = Some(duration_ms);
        }
    }

    pub(super) fn select(&self, filter: &LedgerFilter) -> Vec<Row> {
        self.rows.iter().filter(|row| filter.admits(row)).cloned().collect()
    }

    pub(super) fn clear(&mut self) {
        self.rows.clear();
    }
}
