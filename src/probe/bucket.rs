//! What has one account left? The windows of its budget, what the provider closed, and whose turn is next.
//!
//! Time is passed in, since a fixed point.

use super::budget::{Course, Tag};
use super::turns::{Terms, Turns};
use crate::providers::Budget;
use std::time::Duration;

/// What a window after the first holds at once: an eighth. The rest refills over its length, so that no stretch of
/// that length ever sees more than the window's number.
const SHARE_AT_ONCE: f64 = 1.0 / 8.0;
const LONGEST_BUDGET_WAIT: Duration = Duration::from_secs(900);

/// One window of one account.
#[derive(Debug)]
struct Level {
    left: f64,
    capacity: f64,
    /// Per second.
    rate: f64,
}

impl Level {
    fn all(budget: &Budget) -> Vec<Self> {
        let burst = f64::from(budget.burst);
        let level = |(nth, (number, length)): (usize, &(u32, Duration))| {
            let number = f64::from(*number);
            let capacity = if nth == 0 { burst } else { burst.max(number * SHARE_AT_ONCE) };
            let refill = if nth == 0 { number } else { number - capacity };
            Self { left: capacity, capacity, rate: refill / length.as_secs_f64() }
        };
        budget.windows.iter().enumerate().map(level).collect()
    }

    /// How long until `cost` can be had; a new key leaves half, but can always have the longest course.
    fn wait(&self, cost: f64, proved: bool) -> Duration {
        let reserved = if proved { 0.0 } else { (self.capacity / 2.0).min(self.capacity - cost).max(0.0) };
        let lacking = cost + reserved - self.left;
        if lacking <= 1e-9 { Duration::ZERO } else { Duration::from_secs_f64((lacking / self.rate).min(86_400.0)) }
    }
}

/// What one account has left.
#[derive(Debug)]
pub(super) struct Bucket {
    levels: Vec<Level>,
    /// When the levels were true.
    at: Duration,
    /// Empty until then, because the provider said so of a proved key.
    closed_until: Duration,
    /// Empty for new keys until then: what a provider says of junk must not hold up those whose keys work.
    closed_to_new_until: Duration,
    turns_of_new: Turns,
    turns_of_proved: Turns,
}

impl Bucket {
    /// Full, unless the account was asked before this process knew it: then the worst is taken for true, that nothing
    /// was left but one course, and what has come back since.
    pub(super) fn new(course: &Course, now: Duration) -> Self {
        let mut levels = Level::all(course.profile.budget);
        if let Some(idle) = course.idle {
            let one = f64::from(course.profile.longest);
            for level in &mut levels {
                level.left = level.rate.mul_add(idle.as_secs_f64(), one).min(level.capacity);
            }
        }
        Self {
            levels,
            at: now,
            closed_until: Duration::ZERO,
            closed_to_new_until: Duration::ZERO,
            turns_of_new: Turns::default(),
            turns_of_proved: Turns::default(),
        }
    }

    fn refill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.at).as_secs_f64();
        for level in &mut self.levels {
            level.left = level.rate.mul_add(passed, level.left).min(level.capacity);
        }
        self.at = self.at.max(now);
    }

    /// Takes the cost of somebody's course, or says when to come back.
    pub(super) fn take(&mut self, cost: f64, (who, proved): (Tag, bool), now: Duration) -> Result<(), Duration> {
        self.refill(now);
        let closed_until = if proved { self.closed_until } else { self.closed_until.max(self.closed_to_new_until) };
        let mut wait = closed_until.saturating_sub(now);
        let mut rate = self.levels.first().map_or(f64::INFINITY, |level| level.rate);
        for level in &self.levels {
            let lacking = level.wait(cost, proved);
            if lacking > wait {
                (wait, rate) = (lacking, level.rate);
            }
        }
        let turns = if proved { &mut self.turns_of_proved } else { &mut self.turns_of_new };
        if wait.is_zero() {
            turns.served(&who);
            for level in &mut self.levels {
                level.left -= cost;
            }
            return Ok(());
        }
        let earliest = now.saturating_add(wait);
        let spacing = Duration::from_secs_f64((cost / rate).min(LONGEST_BUDGET_WAIT.as_secs_f64()));
        Err(turns.next_of(who, Terms { now, earliest, latest: now.saturating_add(LONGEST_BUDGET_WAIT), spacing }))
    }

    pub(super) fn give_back(&mut self, unused: f64) {
        for level in &mut self.levels {
            level.left = (level.left + unused).min(level.capacity);
        }
    }

    /// Closes the account, or only what new keys may have of it.
    pub(super) fn close_until(&mut self, then: Duration, proved: bool) {
        let closed = if proved { &mut self.closed_until } else { &mut self.closed_to_new_until };
        *closed = then.max(*closed);
    }

    pub(super) fn is_as_new(&mut self, now: Duration) -> bool {
        self.refill(now);
        self.closed_until.max(self.closed_to_new_until) <= self.at
            && self.levels.iter().all(|level| level.left >= level.capacity)
    }
}
