//! May one more conversation with this provider begin now? A few at a time, and a quarter of them for one namespace,
//! so that neither a hanging provider nor a busy tenant stalls others.
//!
//! Time is passed in, since a fixed point. Whoever has to wait is told until when and sent away.

use super::budget::Turns;
use crate::providers::ProviderKind;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Namespaces that are looked through for those without conversations.
const SWEEP_AT: usize = 1024;
/// Between two of those who wait for a slot.
const SPACING: Duration = Duration::from_millis(50);
const WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// How many conversations there are with each provider, and how many of them for each namespace.
#[derive(Debug)]
pub(super) struct Slots {
    of_provider: usize,
    of_namespace: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    by_provider: BTreeMap<ProviderKind, usize>,
    by_namespace: BTreeMap<(ProviderKind, String), Share>,
}

#[derive(Debug, Default)]
struct Share {
    held: usize,
    turns: Turns,
}

impl Slots {
    /// `of_provider` conversations with each provider at a time, a quarter of them for one namespace.
    pub(super) fn new(of_provider: usize) -> Self {
        Self { of_provider, of_namespace: of_provider.div_ceil(4), held: Mutex::default() }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a slot, or says when to come back.
    pub(super) fn take(self: &Arc<Self>, kind: ProviderKind, namespace: &str, now: Duration) -> Result<Slot, Duration> {
        let mut held = self.held();
        if held.by_namespace.len() >= SWEEP_AT {
            held.by_namespace.retain(|_, share| share.held > 0 || share.turns.0 > now);
        }
        let Held { by_provider, by_namespace } = &mut *held;
        let all = by_provider.entry(kind).or_default();
        let share = by_namespace.entry((kind, namespace.to_owned())).or_default();
        if *all >= self.of_provider || share.held >= self.of_namespace {
            let latest = now.saturating_add(LONGEST_WAIT);
            return Err(share.turns.next(now, (now.saturating_add(WAIT), latest), SPACING));
        }
        *all = all.saturating_add(1);
        share.held = share.held.saturating_add(1);
        Ok(Slot { slots: Arc::clone(self), kind, namespace: namespace.to_owned() })
    }
}

/// One conversation; dropped when it is over.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Arc<Slots>,
    kind: ProviderKind,
    namespace: String,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut held = self.slots.held();
        if let Some(all) = held.by_provider.get_mut(&self.kind) {
            *all = all.saturating_sub(1);
        }
        if let Some(share) = held.by_namespace.get_mut(&(self.kind, std::mem::take(&mut self.namespace))) {
            share.held = share.held.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn one_namespace_never_has_all_slots() {
        let slots = Arc::new(Slots::new(8));
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
            let slots = Slots::new(super::super::Limits::for_concurrency(concurrency).slots);
            assert!(slots.of_namespace < slots.of_provider, "{concurrency}: a namespace has them all");
        }
        let one = Arc::new(Slots::new(1));
        assert!(one.take(ProviderKind::ZenFlow, "a", Duration::ZERO).is_ok());
    }

    #[test]
    fn ten_thousand_who_wait_for_a_slot_are_spread() {
        let slots = Arc::new(Slots::new(1));
        let _held = slots.take(ProviderKind::ZenFlow, "a", Duration::ZERO).unwrap();
        let waits: Vec<_> =
            (0..10_000).filter_map(|_| slots.take(ProviderKind::ZenFlow, "a", Duration::ZERO).err()).collect();
        assert_eq!(waits.len(), 10_000);
        assert_eq!((waits.first(), waits.last()), (Some(&seconds(1)), Some(&seconds(30))));
    }
}
