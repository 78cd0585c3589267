//! May this account be asked now? A tenth of what the provider allows it, in every window, half of it kept for keys
//! that were accepted before.
//!
//! Time is passed in, since a fixed point. Whoever has to wait is told until when and sent away.

use super::sweep::Sweep;
use crate::providers::{Budget, Profile};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Stands for an account or a question without saying which: a keyed hash.
pub(super) type Tag = [u8; 32];

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

/// Hands out times to come back, one after another: those who wait do not all come at once.
#[derive(Debug, Default)]
pub(super) struct Turns(pub(super) Duration);

impl Turns {
    /// A turn that has passed holds up nobody.
    pub(super) fn next(
        &mut self,
        now: Duration,
        (earliest, latest): (Duration, Duration),
        spacing: Duration,
    ) -> Duration {
        let after_others = if self.0 > now { self.0.saturating_add(spacing) } else { earliest };
        self.0 = after_others.max(earliest).min(latest.max(earliest));
        self.0
    }
}

/// What one account has left.
#[derive(Debug)]
struct Bucket {
    levels: Vec<Level>,
    /// When the levels were true.
    at: Duration,
    /// Empty until then, because the provider said so.
    closed_until: Duration,
    turns_of_new: Turns,
    turns_of_proved: Turns,
}

impl Bucket {
    /// Full, unless the account was asked before this process knew it: then the worst is taken for true, that nothing
    /// was left but one course, and what has come back since.
    fn new(course: &Course, now: Duration) -> Self {
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

    /// Takes the cost of a course, or says when to come back.
    fn take(&mut self, cost: f64, proved: bool, now: Duration) -> Result<(), Duration> {
        self.refill(now);
        let closed = self.closed_until.saturating_sub(now);
        let wait = self.levels.iter().map(|level| level.wait(cost, proved)).fold(closed, Duration::max);
        if wait.is_zero() {
            for level in &mut self.levels {
                level.left -= cost;
            }
            return Ok(());
        }
        let earliest = now.saturating_add(wait);
        let rate = self.levels.iter().map(|level| level.rate).fold(f64::INFINITY, f64::min);
        let spacing = Duration::from_secs_f64((cost / rate).min(LONGEST_BUDGET_WAIT.as_secs_f64()));
        let turns = if proved { &mut self.turns_of_proved } else { &mut self.turns_of_new };
        Err(turns.next(now, (earliest, now.saturating_add(LONGEST_BUDGET_WAIT)), spacing))
    }

    fn give_back(&mut self, unused: f64) {
        for level in &mut self.levels {
            level.left = (level.left + unused).min(level.capacity);
        }
    }

    fn is_as_new(&self) -> bool {
        self.closed_until <= self.at && self.levels.iter().all(|level| level.left >= level.capacity)
    }
}

/// The longest conversation that a provider may need with one of its accounts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Course {
    pub(super) account: Tag,
    pub(super) profile: &'static Profile,
    /// Whether the key was accepted before.
    pub(super) proved: bool,
    /// How long ago the account was asked, perhaps by another process; `None`: never.
    pub(super) idle: Option<Duration>,
}

/// The buckets of all accounts.
#[derive(Debug, Default)]
pub(super) struct Budgets(Mutex<HashMap<Tag, Bucket>>, Sweep);

impl Budgets {
    fn buckets(&self) -> MutexGuard<'_, HashMap<Tag, Bucket>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a course from its account, or says when to come back. What is not spent returns when the grant is dropped.
    pub(super) fn take(self: &Arc<Self>, course: &Course, now: Duration) -> Result<Grant, Duration> {
        let Course { account, profile, proved, .. } = *course;
        let mut buckets = self.buckets();
        if self.1.is_due(buckets.len()) && !buckets.contains_key(&account) {
            // Full ones need no remembering.
            buckets.retain(|_, bucket| {
                bucket.refill(now);
                !bucket.is_as_new()
            });
            self.1.is_done(buckets.len());
        }
        let bucket = buckets.entry(account).or_insert_with(|| Bucket::new(course, now));
        bucket.take(f64::from(profile.longest), proved, now)?;
        Ok(Grant { budgets: Arc::clone(self), account, left: profile.longest })
    }
}

/// The right to ask an account a few times.
#[derive(Debug)]
pub(super) struct Grant {
    budgets: Arc<Budgets>,
    account: Tag,
    left: u32,
}

impl Grant {
    /// One request is about to be sent. False when the course is longer than was granted.
    pub(super) fn spend(&mut self) -> bool {
        let left = self.left.checked_sub(1);
        self.left = left.unwrap_or(0);
        left.is_some()
    }

    /// The provider wants to be left alone until then.
    pub(super) fn close_until(&self, then: Duration) {
        if let Some(bucket) = self.budgets.buckets().get_mut(&self.account) {
            bucket.closed_until = bucket.closed_until.max(then);
        }
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        if let Some(bucket) = self.budgets.buckets().get_mut(&self.account) {
            bucket.give_back(f64::from(self.left));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::ProviderKind;

    const ACCOUNT: Tag = [1; 32];

    fn course(account: Tag, profile: &'static Profile, proved: bool) -> Course {
        Course { account, profile, proved, idle: None }
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Asks as often as it is allowed to for `length`, `each` requests a course; the times of all requests.
    fn greedy(kind: ProviderKind, proved: bool, each: u32, length: Duration) -> Vec<Duration> {
        let budgets = Arc::new(Budgets::default());
        let (mut now, mut sent) = (Duration::ZERO, vec![]);
        while now < length {
            match budgets.take(&course(ACCOUNT, kind.profile(), proved), now) {
                Ok(mut grant) => {
                    for _ in 0..each {
                        assert!(grant.spend());
                        sent.push(now);
                    }
                }
                Err(then) => {
                    assert!(then > now);
                    now = then;
                }
            }
        }
        sent
    }

    #[expect(clippy::arithmetic_side_effects, reason = "indices and times of a test")]
    fn most_within(sent: &[Duration], window: Duration) -> usize {
        let (mut first, mut most) = (0, 0);
        for (last, at) in sent.iter().enumerate() {
            while *at >= sent[first] + window {
                first += 1;
            }
            most = most.max(last - first + 1);
        }
        most
    }

    #[test]
    fn no_account_is_asked_beyond_its_windows_by_the_greediest() {
        for kind in ProviderKind::ALL {
            let profile = kind.profile();
            for each in [1, profile.longest] {
                let sent = greedy(*kind, true, each, seconds(90_000));
                let [(a_minute, minute), longer @ ..] = profile.budget.windows else { panic!("no window") };
                let at_most = usize::try_from(a_minute + profile.budget.burst).unwrap();
                assert!(most_within(&sent, *minute) <= at_most, "{kind:?}");
                for (number, window) in longer {
                    assert!(most_within(&sent, *window) <= usize::try_from(*number).unwrap(), "{kind:?} {window:?}");
                }
                let slowest = profile
                    .budget
                    .windows
                    .iter()
                    .map(|(n, w)| f64::from(*n) / w.as_secs_f64())
                    .fold(f64::MAX, f64::min);
                assert!(
                    f64::from(u32::try_from(sent.len()).unwrap()) > slowest * 90_000.0 * 0.8,
                    "{kind:?} is asked too little"
                );
            }
        }
    }

    #[test]
    fn half_is_kept_for_proved_keys() {
        for kind in ProviderKind::ALL {
            let profile = kind.profile();
            let budgets = Arc::new(Budgets::default());
            let mut grants = vec![];
            while let Ok(grant) = budgets.take(&course(ACCOUNT, profile, false), Duration::ZERO) {
                grants.push(grant);
            }
            assert!(!grants.is_empty(), "{kind:?}: a new key is never asked");
            assert!(budgets.take(&course(ACCOUNT, profile, true), Duration::ZERO).is_ok(), "{kind:?}: nothing is kept");
        }
    }

    #[test]
    fn a_crowd_of_new_keys_does_not_starve_a_proved_one() {
        let profile = ProviderKind::Flowlu.profile();
        let budgets = Arc::new(Budgets::default());
        for second in 0..3600 {
            for _ in 0..100 {
                if let Ok(mut grant) = budgets.take(&course(ACCOUNT, profile, false), seconds(second)) {
                    while grant.spend() {}
                }
            }
            if second % 60 == 59 {
                let mut grant =
                    budgets.take(&course(ACCOUNT, profile, true), seconds(second)).expect("the victim is on time");
                grant.spend();
            }
        }
    }

    #[test]
    fn what_is_not_spent_returns() {
        let profile = ProviderKind::ZenFlow.profile();
        let budgets = Arc::new(Budgets::default());
        for _ in 0..100 {
            assert!(budgets.take(&course(ACCOUNT, profile, false), Duration::ZERO).is_ok());
        }
        for _ in 0..5 {
            let mut grant = budgets.take(&course(ACCOUNT, profile, true), Duration::ZERO).unwrap();
            assert!(grant.spend());
        }
        assert!(budgets.take(&course(ACCOUNT, profile, true), Duration::ZERO).is_err());
        let mut grant = budgets.take(&course(ACCOUNT, profile, true), seconds(60)).unwrap();
        assert_eq!((0..5).filter(|_| grant.spend()).count(), 4);
    }

    #[test]
    fn a_closed_account_is_left_alone_until_then() {
        let profile = ProviderKind::InFlow.profile();
        let budgets = Arc::new(Budgets::default());
        let grant = budgets.take(&course(ACCOUNT, profile, true), seconds(10)).unwrap();
        grant.close_until(seconds(100));
        grant.close_until(seconds(50));
        drop(grant);
        assert!(budgets.take(&course(ACCOUNT, profile, true), seconds(99)).is_err_and(|then| then >= seconds(100)));
        assert!(budgets.take(&course(ACCOUNT, profile, true), seconds(100)).is_ok());
        assert!(budgets.take(&course([2; 32], profile, true), seconds(20)).is_ok());
    }

    #[test]
    fn restarts_do_not_fill_the_bucket_of_an_account_that_was_asked() {
        for kind in ProviderKind::ALL {
            let profile = kind.profile();
            let mut asked = 0;
            for restart in 0..20 {
                let budgets = Arc::new(Budgets::default());
                let again = Course { idle: Some(seconds(30)), ..course(ACCOUNT, profile, true) };
                let from = seconds(restart * 30);
                while let Ok(mut grant) = budgets.take(&again, from) {
                    while grant.spend() {
                        asked += 1;
                    }
                }
            }
            let (a_minute, minute) = profile.budget.windows.first().unwrap();
            let refilled = f64::from(*a_minute) * 600.0 / minute.as_secs_f64();
            let at_most = f64::from(20 * profile.longest) + refilled;
            assert!(f64::from(asked) <= at_most, "{kind:?}: {asked} of {at_most}");
            let fresh = Arc::new(Budgets::default());
            let full = (0..).take_while(|_| {
                fresh.take(&course(ACCOUNT, profile, true), Duration::ZERO).is_ok_and(|mut grant| grant.spend())
            });
            assert!(full.count() + 1 >= usize::try_from(profile.budget.burst / profile.longest).unwrap());
        }
    }

    #[test]
    fn those_who_wait_come_back_one_by_one() {
        let profile = ProviderKind::Flowlu.profile();
        let budgets = Arc::new(Budgets::default());
        let mut grants = vec![];
        while let Ok(mut grant) = budgets.take(&course(ACCOUNT, profile, true), Duration::ZERO) {
            while grant.spend() {}
            grants.push(grant);
        }
        let waits: Vec<_> =
            (0..10).filter_map(|_| budgets.take(&course(ACCOUNT, profile, true), Duration::ZERO).err()).collect();
        assert!(waits.windows(2).all(|pair| pair[1] >= pair[0] + seconds(19)), "{waits:?}");
    }
}
