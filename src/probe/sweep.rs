//! When is a map looked through for what need not be remembered any more? Each time that it has doubled: so a look costs
//! each entry little, however many there are.

use std::sync::atomic::{AtomicUsize, Ordering};

/// A map of fewer entries is not looked through.
pub(super) const LEAST: usize = 1024;

/// The size at which it is due.
#[derive(Debug, Default)]
pub(super) struct Sweep(AtomicUsize);

impl Sweep {
    /// Whether a map of this size is to be looked through.
    pub(super) fn is_due(&self, size: usize) -> bool {
        size >= self.0.load(Ordering::Relaxed).max(LEAST)
    }

    /// So many were left.
    pub(super) fn is_done(&self, left: usize) {
        self.0.store(left.saturating_mul(2), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_looked_through_when_it_has_doubled() {
        let sweep = Sweep::default();
        assert!(!sweep.is_due(LEAST - 1) && sweep.is_due(LEAST));
        sweep.is_done(LEAST);
        assert!(!sweep.is_due(2 * LEAST - 1) && sweep.is_due(2 * LEAST));
        sweep.is_done(3);
        assert!(!sweep.is_due(LEAST - 1) && sweep.is_due(LEAST));
    }
}
