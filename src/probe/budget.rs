//! May this account be asked now? A tenth of what the provider allows it, in every window, half of it kept for keys
//! that were accepted before.
//!
//! Time is passed in, since a fixed point. Whoever has to wait is told until when and sent away.

use super::bucket::Bucket;
use super::sweep::Sweep;
use crate::providers::Profile;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Stands for an account or a question without saying which: a keyed hash.
pub(super) type Tag = [u8; 32];

/// The longest conversation that a provider may need with one of its accounts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Course {
    pub(super) account: Tag,
    /// Whose it is: equal for those who share an answer.
    pub(super) who: Tag,
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
        let Course { account, who, profile, proved, .. } = *course;
        let mut buckets = self.buckets();
        if self.1.is_due(buckets.len()) && !buckets.contains_key(&account) {
            // Full ones need no remembering.
            buckets.retain(|_, bucket| !bucket.is_as_new(now));
            self.1.is_done(buckets.len());
        }
        let bucket = buckets.entry(account).or_insert_with(|| Bucket::new(course, now));
        bucket.take(f64::from(profile.longest), (who, proved), now)?;
        Ok(Grant { budgets: Arc::clone(self), account, proved, left: profile.longest })
    }
}

/// The right to ask an account a few times.
#[derive(Debug)]
pub(super) struct Grant {
    budgets: Arc<Budgets>,
    account: Tag,
    proved: bool,
    left: u32,
}

impl Grant {
    /// One request is about to be sent. False when the course is longer than was granted.
    pub(super) fn spend(&mut self) -> bool {
        let left = self.left.checked_sub(1);
        self.left = left.unwrap_or(0);
        left.is_some()
    }

    /// The provider wants to be left alone until then: by everybody if it said so of a proved key, else by new keys.
    pub(super) fn close_until(&self, then: Duration) {
        if let Some(bucket) = self.budgets.buckets().get_mut(&self.account) {
            bucket.close_until(then, self.proved);
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
        Course { account, who: account, profile, proved, idle: None }
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
    fn what_is_said_of_a_new_key_closes_the_account_to_new_keys_only() {
        for kind in ProviderKind::ALL {
            let budgets = Arc::new(Budgets::default());
            let ask = |proved, at| budgets.take(&course(ACCOUNT, kind.profile(), proved), seconds(at));
            ask(false, 10).unwrap().close_until(seconds(3610));
            assert!(ask(false, 3609).is_err_and(|then| then >= seconds(3610)), "{kind:?}: a new key is asked about");
            for at in [11, 2000, 3609] {
                assert!(ask(true, at).is_ok(), "{kind:?}: junk closed the account of a proved key");
            }
            assert!(ask(false, 3610).is_ok(), "{kind:?}");
            ask(true, 4000).unwrap().close_until(seconds(4100));
            assert!(ask(true, 4099).is_err() && ask(false, 4099).is_err(), "{kind:?}: asked in spite of Retry-After");
        }
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
        let ask = |who: u8| budgets.take(&Course { who: [who; 32], ..course(ACCOUNT, profile, true) }, Duration::ZERO);
        let waits: Vec<_> = (2..12).filter_map(|who| ask(who).err()).collect();
        assert!(waits.windows(2).all(|pair| pair[1] >= pair[0] + seconds(19)), "{waits:?}");
    }

    #[test]
    fn a16_whoever_looks_again_and_again_waits_no_longer_for_it() {
        for kind in ProviderKind::ALL {
            let (profile, budgets) = (kind.profile(), Arc::new(Budgets::default()));
            let ask = |now| budgets.take(&course(ACCOUNT, profile, false), now);
            let (mut now, mut until) = (Duration::ZERO, None);
            while until.is_none() {
                until = ask(now).map(|mut grant| grant.spend()).err();
            }
            let until = until.unwrap();
            assert!(until <= seconds(60), "{kind:?}: one course comes back in {until:?}");
            while now < until {
                assert!(ask(now).is_ok() || ask(now).is_err_and(|then| then == until), "{kind:?}");
                now += seconds(1);
            }
            assert!(ask(until).is_ok(), "{kind:?}");
        }
    }
}
