//! Does this process still lead? Asked often, answered without I/O; confirmed by the Lease itself where it matters.

use super::Candidate;
use crate::clock::Clock;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Whether this process still leads; to be asked before each write and each call that must not happen twice.
#[derive(Clone)]
pub struct Fence {
    clock: Arc<dyn Clock>,
    /// Milliseconds of monotonic time.
    until: Arc<AtomicU64>,
    lost: CancellationToken,
    candidate: Option<Arc<Candidate>>,
}

impl Fence {
    /// A fence that does not hold yet.
    pub(super) fn new(candidate: &Arc<Candidate>) -> Self {
        let clock = Arc::clone(&candidate.clock);
        Self { clock, until: Arc::default(), lost: CancellationToken::new(), candidate: Some(Arc::clone(candidate)) }
    }

    /// A fence that always holds: there is no election.
    #[must_use]
    pub fn open(clock: Arc<dyn Clock>) -> Self {
        let until = Arc::new(AtomicU64::new(u64::MAX));
        Self { clock, until, lost: CancellationToken::new(), candidate: None }
    }

    /// Whether the Lease is held by our own clock, which runs on while the process is stopped. No I/O.
    #[must_use]
    pub fn holds(&self) -> bool {
        !self.lost.is_cancelled() && !self.left().is_zero()
    }

    /// Whether the Lease itself still names us: for what must not happen twice even if the host slept. An absent API
    /// server means no. Finds a theft before the next renewal does.
    pub async fn confirm(&self) -> bool {
        let Some(candidate) = &self.candidate else { return true };
        if !self.holds() {
            return false;
        }
        let Ok(found) = candidate.read().await else { return false };
        if !found.is_some_and(|lease| candidate.election().is_ours(&lease)) {
            self.lost.cancel();
        }
        self.holds()
    }

    /// Resolves when the Lease is lost.
    pub async fn lost(&self) {
        self.lost.cancelled().await;
    }

    /// The Lease is lost now.
    #[cfg(test)]
    pub(crate) fn lose(&self) {
        self.lost.cancel();
    }

    /// How long it holds without a renewal.
    pub(super) fn left(&self) -> Duration {
        let until = Duration::from_millis(self.until.load(Ordering::Acquire));
        until.saturating_sub(self.clock.monotonic())
    }

    /// Holds until then.
    pub(super) fn extend(&self, until: Duration) {
        self.until.store(u64::try_from(until.as_millis()).unwrap_or(u64::MAX), Ordering::Release);
    }

    /// The Lease is lost at the latest when this is dropped.
    pub(super) fn ends_with_this(&self) -> DropGuard {
        self.lost.clone().drop_guard()
    }
}
