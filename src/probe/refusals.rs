//! Has a provider refused a namespace's keys again and again? Then the next keys that it has never accepted wait: a host
//! that sees one bad key after the other may lock out the address, and with it every tenant of the cluster.
//!
//! Only refusals count, so that good keys wait for nobody, however many are new. Time is passed in, since a fixed point.

use super::budget::Tag;
use super::sweep::Sweep;
use super::turns::{Terms, Turns};
use crate::providers::ProviderKind;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Refusals that may follow each other at once.
const AT_ONCE: f64 = 30.0;
/// Then one more in so long.
const EACH: Duration = Duration::from_secs(30);
const LONGEST_WAIT: Duration = Duration::from_secs(900);

/// Whose keys, at which provider, and whether they take the place of accepted ones: neither a neighbour's junk nor one's
/// own holds up a rotation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Asker {
    pub(super) kind: ProviderKind,
    pub(super) namespace: String,
    pub(super) rotates: bool,
}

/// What one asker has left.
#[derive(Debug)]
struct Allowance {
    left: f64,
    /// When that was true.
    at: Duration,
    turns: Turns,
}

impl Allowance {
    fn refill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.at).as_secs_f64();
        self.left = (self.left + passed / EACH.as_secs_f64()).min(AT_ONCE);
        self.at = self.at.max(now);
    }

    /// Whoever has to wait comes back alone.
    fn wait(&mut self, who: Tag, now: Duration) -> Result<(), Duration> {
        self.refill(now);
        if self.left >= 1.0 - 1e-9 {
            self.turns.served(&who);
            return Ok(());
        }
        let earliest = now.saturating_add(EACH.mul_f64(1.0 - self.left));
        let latest = now.saturating_add(LONGEST_WAIT);
        Err(self.turns.next_of(who, Terms { now, earliest, latest, spacing: EACH }))
    }
}

/// Refusals of keys that were never accepted.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<HashMap<Asker, Allowance>>, Sweep);

impl Refusals {
    fn all(&self) -> MutexGuard<'_, HashMap<Asker, Allowance>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether one more key may be asked about, or when to come back.
    pub(super) fn permit(&self, asker: &Asker, who: Tag, now: Duration) -> Result<(), Duration> {
        self.all().get_mut(asker).map_or(Ok(()), |allowance| allowance.wait(who, now))
    }

    /// A key was refused. Those that were asked about at the same time may overdraw; later ones wait the longer.
    pub(super) fn count(&self, asker: Asker, now: Duration) {
        let mut all = self.all();
        if self.1.is_due(all.len()) {
            all.retain(|_, allowance| {
                allowance.refill(now);
                allowance.left < AT_ONCE
            });
            self.1.is_done(all.len());
        }
        let full = || Allowance { left: AT_ONCE, at: now, turns: Turns::default() };
        let allowance = all.entry(asker).or_insert_with(full);
        allowance.refill(now);
        allowance.left -= 1.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asker(namespace: &str, rotates: bool) -> Asker {
        Asker { kind: ProviderKind::ZenFlow, namespace: namespace.to_owned(), rotates }
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Somebody else each time.
    fn somebody(number: u32) -> Tag {
        let mut tag = [0; 32];
        tag[..4].copy_from_slice(&number.to_le_bytes());
        tag
    }

    /// Has keys refused as fast as it may, and comes back when told; how many within `length`.
    fn refused(refusals: &Refusals, asker: &Asker, length: Duration) -> u32 {
        let (mut now, mut refused) = (Duration::ZERO, 0_u32);
        while now < length {
            match refusals.permit(asker, somebody(refused), now) {
                Ok(()) => {
                    refusals.count(asker.clone(), now);
                    refused = refused.saturating_add(1);
                }
                Err(then) => {
                    assert!(then > now && then <= now.saturating_add(LONGEST_WAIT));
                    now = then;
                }
            }
        }
        refused
    }

    #[test]
    fn a_namespace_s_junk_costs_a_provider_a_hundred_and_fifty_calls_in_the_first_hour_and_others_nothing() {
        let refusals = Refusals::default();
        let junk = refused(&refusals, &asker("junk", false), seconds(3600));
        assert!((140..=150).contains(&junk), "{junk}");
        assert!(refusals.permit(&asker("junk", false), somebody(0), seconds(3590)).is_err());
        for other in [
            asker("junk", true),
            asker("neighbour", false),
            Asker { kind: ProviderKind::Flowlu, ..asker("junk", false) },
        ] {
            assert_eq!(refusals.permit(&other, somebody(0), seconds(3600)), Ok(()), "{other:?} waits for others' junk");
        }
    }

    #[test]
    fn who_is_never_refused_never_waits() {
        let refusals = Refusals::default();
        for number in 0..10_000 {
            assert_eq!(refusals.permit(&asker("good", false), somebody(number), Duration::ZERO), Ok(()));
        }
        assert!(refusals.all().is_empty());
    }

    #[test]
    fn those_who_wait_come_back_one_by_one_and_in_a_quarter_of_an_hour() {
        let refusals = Refusals::default();
        for _ in 0..30 {
            refusals.count(asker("junk", false), Duration::ZERO);
        }
        let waits: Vec<_> = (0..100)
            .filter_map(|n| refusals.permit(&asker("junk", false), somebody(n), Duration::ZERO).err())
            .collect();
        assert_eq!((waits.len(), waits[0], waits[1]), (100, seconds(30), seconds(60)));
        assert_eq!(waits.iter().max(), Some(&seconds(900)));
    }

    #[test]
    fn a_full_allowance_needs_no_remembering() {
        let refusals = Refusals::default();
        for n in 0..super::super::sweep::LEAST {
            refusals.count(asker(&n.to_string(), false), Duration::ZERO);
        }
        refusals.count(asker("last", false), seconds(31));
        assert_eq!(refusals.all().len(), 1);
    }
}
