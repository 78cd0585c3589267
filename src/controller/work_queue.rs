//! Who waits for a visit? [`Turns`], shared by those who ask and the loop that visits; with clock and metrics.

use super::name::Name;
use super::turns::Turns;
use crate::clock::Clock;
use crate::metrics::Metrics;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// The credentials that wait for a visit, each once, fair by namespace.
pub struct WorkQueue {
    turns: Mutex<Turns>,
    news: Notify,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
}

impl WorkQueue {
    /// An empty queue.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, metrics: Arc<Metrics>) -> Self {
        Self { turns: Mutex::default(), news: Notify::new(), clock, metrics }
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for visits; whoever waits already keeps its place.
    pub fn ask(&self, names: impl IntoIterator<Item = Name>) {
        let now = self.clock.monotonic();
        let mut turns = self.turns();
        for name in names {
            if turns.ask(name, now) {
                self.metrics.queued();
            }
        }
        self.metrics.waiting(turns.waiting());
        drop(turns);
        self.news.notify_one();
    }

    /// The next to be visited. Its visit lasts until [`WorkQueue::ended`].
    pub(super) fn next(&self) -> Option<Arc<Name>> {
        let mut turns = self.turns();
        let now = self.clock.monotonic();
        (0..turns.wake(now)).for_each(|_| self.metrics.queued());
        let (name, waited) = turns.next(now)?;
        self.metrics.waiting(turns.waiting());
        self.metrics.waited(waited);
        Some(name)
    }

    /// A visit ended; the next is due after this time, or when somebody asks.
    pub(super) fn ended(&self, name: Arc<Name>, wait: Option<Duration>) {
        let now = self.clock.monotonic();
        let mut turns = self.turns();
        turns.ended(name, wait.map(|wait| now.saturating_add(wait)), now);
        self.metrics.waiting(turns.waiting());
        drop(turns);
        self.news.notify_one();
    }

    /// Waits until somebody may be next, at most so long.
    pub(super) async fn news(&self, longest: Duration) {
        let wake = self.turns().next_wake();
        let sleep = wake.map_or(longest, |wake| wake.saturating_sub(self.clock.monotonic()).min(longest));
        let _elapsed = tokio::time::timeout(sleep, self.news.notified()).await;
    }
}
