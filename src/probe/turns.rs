//! Who comes back when? Times for those who have to wait, one after another, so that they do not all come at once.
//!
//! Time is passed in, since a fixed point.

use super::budget::Tag;
use super::sweep::Sweep;
use std::collections::HashMap;
use std::time::Duration;

/// When somebody who asks now may come back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub(super) now: Duration,
    pub(super) earliest: Duration,
    pub(super) latest: Duration,
    /// After whoever comes back before.
    pub(super) spacing: Duration,
}

/// Who waits for the same thing.
#[derive(Debug, Default)]
pub(super) struct Turns {
    last: Duration,
    of: HashMap<Tag, Duration>,
    sweep: Sweep,
}

impl Turns {
    /// A turn behind the last one. One that has passed holds up nobody.
    pub(super) fn next(&mut self, terms: Terms) -> Duration {
        let Terms { now, earliest, latest, spacing } = terms;
        let after_others = if self.last > now { self.last.saturating_add(spacing) } else { earliest };
        self.last = after_others.max(earliest).min(latest.max(earliest));
        self.last
    }

    /// The same for somebody who may come back early, because of something else: then its turn stays the same, and
    /// moves nobody's.
    pub(super) fn next_of(&mut self, who: Tag, terms: Terms) -> Duration {
        if let Some(turn) = self.of.get(&who).copied().filter(|turn| *turn > terms.now) {
            return turn;
        }
        if self.sweep.is_due(self.of.len()) {
            self.of.retain(|_, turn| *turn > terms.now);
            self.sweep.is_done(self.of.len());
        }
        let turn = self.next(terms);
        self.of.insert(who, turn);
        turn
    }

    /// Whoever was served does not wait any more.
    pub(super) fn served(&mut self, who: &Tag) {
        self.of.remove(who);
    }

    /// Whether somebody's turn is still to come.
    pub(super) fn has_any(&self, now: Duration) -> bool {
        self.last > now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: Duration = Duration::from_secs(10);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn at(now: u64) -> Terms {
        let now = seconds(now);
        Terms { now, earliest: now.saturating_add(TEN), latest: now.saturating_add(seconds(900)), spacing: TEN }
    }

    fn turn(turns: &mut Turns, who: u8, now: u64) -> Duration {
        turns.next_of([who; 32], at(now))
    }

    #[test]
    fn whoever_comes_back_early_keeps_its_turn_and_moves_nobody_s() {
        let mut turns = Turns::default();
        assert_eq!(turn(&mut turns, 1, 0), seconds(10));
        for now in 1..10 {
            assert_eq!(turn(&mut turns, 1, now), seconds(10));
        }
        assert_eq!(turn(&mut turns, 2, 9), seconds(20));
        assert_eq!(turn(&mut turns, 1, 10), seconds(30), "its turn has passed in vain: it goes behind the others");
    }

    #[test]
    fn whoever_was_served_waits_anew() {
        let mut turns = Turns::default();
        turn(&mut turns, 1, 0);
        turns.served(&[1; 32]);
        assert_eq!(turn(&mut turns, 1, 1), seconds(20));
    }

    #[test]
    fn those_whose_turn_has_passed_are_forgotten() {
        let mut turns = Turns::default();
        for who in 0..super::super::sweep::LEAST {
            let mut tag = [0; 32];
            tag[..8].copy_from_slice(&who.to_le_bytes());
            turns.next_of(tag, Terms { latest: TEN, ..at(0) });
        }
        turn(&mut turns, 1, 11);
        assert_eq!(turns.of.len(), 1);
    }
}
