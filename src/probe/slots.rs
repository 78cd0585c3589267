//! May one more conversation with this provider begin now? A few at a time, and a quarter of them for one namespace,
//! so that neither a hanging provider nor a busy tenant stalls others.
//!
//! Whoever has to wait waits a moment in line at the most, then is told until when and sent away.

use super::turns::{Terms, Turns};
use crate::clock::Clock;
use crate::providers::ProviderKind;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Namespaces that are looked through for those without conversations.
const SWEEP_AT: usize = 1024;
/// Between two of those who wait for a slot.
const SPACING: Duration = Duration::from_millis(50);
const WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// Where conversations end all the time, one stands in line for so long before one is sent away.
const IN_LINE: Duration = Duration::from_millis(300);
/// But not where none has ended, or begun on a free line, for so long: there nobody stands in another's way.
const STILL: Duration = Duration::from_secs(5);

/// How many conversations there are with each provider, and how many of them for each namespace.
#[derive(Debug)]
pub(super) struct Slots {
    of_provider: usize,
    of_namespace: usize,
    held: Mutex<Held>,
    freed: Notify,
    clock: Arc<dyn Clock>,
}

#[derive(Debug, Default)]
struct Held {
    by_provider: BTreeMap<ProviderKind, Line>,
    by_namespace: BTreeMap<(ProviderKind, String), Share>,
}

/// Conversations under way, and when one of them ended, or the first began.
#[derive(Debug, Default)]
struct Line {
    held: usize,
    moved: Duration,
}

#[derive(Debug, Default)]
struct Share {
    line: Line,
    turns: Turns,
}

impl Line {
    fn take(&mut self, now: Duration) {
        if self.held == 0 {
            self.moved = now;
        }
        self.held = self.held.saturating_add(1);
    }

    fn give_back(&mut self, now: Duration) {
        self.held = self.held.saturating_sub(1);
        self.moved = self.moved.max(now);
    }

    fn stands_still(&self, now: Duration) -> bool {
        now.saturating_sub(self.moved) >= STILL
    }
}

impl Slots {
    /// `of_provider` conversations with each provider at a time, a quarter of them for one namespace.
    pub(super) fn new(of_provider: usize, clock: Arc<dyn Clock>) -> Self {
        let of_namespace = of_provider.div_ceil(4);
        Self { of_provider, of_namespace, held: Mutex::default(), freed: Notify::new(), clock }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a slot, or says when to come back.
    pub(super) fn take(self: &Arc<Self>, kind: ProviderKind, namespace: &str, now: Duration) -> Result<Slot, Duration> {
        self.try_take(kind, namespace, now).map_err(|_| {
            let mut held = self.held();
            let share = held.by_namespace.entry((kind, namespace.to_owned())).or_default();
            let (earliest, latest) = (now.saturating_add(WAIT), now.saturating_add(LONGEST_WAIT));
            share.turns.next(Terms { now, earliest, latest, spacing: SPACING })
        })
    }

    /// Takes a slot; where they come back all the time, it waits for one for a moment.
    pub(super) async fn take_in_line(self: &Arc<Self>, kind: ProviderKind, namespace: &str) -> Result<Slot, Full> {
        let end = self.clock.monotonic().saturating_add(IN_LINE);
        loop {
            // Before the look: what comes back in between is not missed.
            let mut freed = std::pin::pin!(self.freed.notified());
            freed.as_mut().enable();
            let now = self.clock.monotonic();
            match self.try_take(kind, namespace, now) {
                Err(full) if !full.still && now < end => {
                    let _elapsed = tokio::time::timeout(end.saturating_sub(now), freed).await;
                }
                taken => return taken,
            }
        }
    }

    fn try_take(self: &Arc<Self>, kind: ProviderKind, namespace: &str, now: Duration) -> Result<Slot, Full> {
        let mut held = self.held();
        if held.by_namespace.len() >= SWEEP_AT {
            held.by_namespace.retain(|_, share| share.line.held > 0 || share.turns.has_any(now));
        }
        let Held { by_provider, by_namespace } = &mut *held;
        let all = by_provider.entry(kind).or_default();
        let share = &mut by_namespace.entry((kind, namespace.to_owned())).or_default().line;
        let (full, crowded) = (all.held >= self.of_provider, share.held >= self.of_namespace);
        if full || crowded {
            return Err(Full { still: (full && all.stands_still(now)) || (crowded && share.stands_still(now)) });
        }
        all.take(now);
        share.take(now);
        Ok(Slot { slots: Arc::clone(self), kind, namespace: namespace.to_owned() })
    }
}

/// No slot is free; `still`: and none will be soon.
pub(super) struct Full {
    pub(super) still: bool,
}

/// One conversation; dropped when it is over.
#[derive(Debug)]
pub struct Slot {
    slots: Arc<Slots>,
    kind: ProviderKind,
    namespace: String,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let now = self.slots.clock.monotonic();
        let mut held = self.slots.held();
        if let Some(all) = held.by_provider.get_mut(&self.kind) {
            all.give_back(now);
        }
        if let Some(share) = held.by_namespace.get_mut(&(self.kind, std::mem::take(&mut self.namespace))) {
            share.line.give_back(now);
        }
        drop(held);
        self.slots.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    fn line_of(of_provider: usize) -> Arc<Slots> {
        Arc::new(Slots::new(of_provider, Arc::new(SystemClock::new())))
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn one_namespace_never_has_all_slots() {
        let slots = line_of(8);
        let mut held = vec![];
        while let Ok(slot) = slots.take(ProviderKind::ZenFlow, "greedy", Duration::ZERO) {
            held.push(slot);
        }
        assert_eq!(held.len(), 2);
        for namespace in ["a", "b", "c"] {
            held.push(slots.take(ProviderKind::ZenFlow, namespace, Duration::ZERO).unwrap());
            held.push(slots.take(ProviderKind::ZenFlow, namespace, Duration::ZERO).unwrap());
        }
        assert!(slots.take(ProviderKind::ZenFlow, "d", Duration::ZERO).is_err());
        assert!(slots.take(ProviderKind::Flowlu, "greedy", Duration::ZERO).is_ok());
        held.clear();
        assert!(slots.take(ProviderKind::ZenFlow, "greedy", Duration::ZERO).is_ok());
        for concurrency in 1..=256 {
            let slots = line_of(super::super::Limits::for_concurrency(concurrency).slots);
            assert!(slots.of_namespace < slots.of_provider, "{concurrency}: a namespace has them all");
        }
        let one = line_of(1);
        assert!(one.take(ProviderKind::ZenFlow, "a", Duration::ZERO).is_ok());
    }

    #[test]
    fn ten_thousand_who_wait_for_a_slot_are_spread() {
        let slots = line_of(1);
        let _held = slots.take(ProviderKind::ZenFlow, "a", Duration::ZERO).unwrap();
        let waits: Vec<_> =
            (0..10_000).filter_map(|_| slots.take(ProviderKind::ZenFlow, "a", Duration::ZERO).err()).collect();
        assert_eq!(waits.len(), 10_000);
        assert_eq!((waits.first(), waits.last()), (Some(&seconds(1)), Some(&seconds(30))));
    }

    #[tokio::test]
    async fn one_stands_in_line_for_a_moment_where_conversations_end() {
        let slots = line_of(1);
        let held = slots.take_in_line(ProviderKind::ZenFlow, "a").await.ok().unwrap();
        let waiting = tokio::spawn({
            let slots = Arc::clone(&slots);
            async move { slots.take_in_line(ProviderKind::ZenFlow, "b").await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(held);
        assert!(waiting.await.unwrap().is_ok());
        let _held = slots.take_in_line(ProviderKind::ZenFlow, "a").await.ok().unwrap();
        assert!(slots.take_in_line(ProviderKind::ZenFlow, "a").await.is_err(), "not for ever");
    }

    #[test]
    fn nobody_stands_in_line_where_nothing_moves() {
        let slots = line_of(1);
        let held = slots.try_take(ProviderKind::ZenFlow, "a", Duration::ZERO).unwrap_or_else(|_| panic!("it is free"));
        let still = |now| slots.try_take(ProviderKind::ZenFlow, "b", now).err().map(|full| full.still);
        assert_eq!((still(STILL.mul_f64(0.9)), still(STILL)), (Some(false), Some(true)));
        drop(held);
        assert_eq!(still(STILL), None);
    }
}
