//! What does this process know that the cluster does not? A keyed hash of each key, the token minted last, the bucket
//! of unscheduled checks, and what was written last. All of it may be lost: then it is done without.

use super::name::is_newer;
use crate::api::{ConnectorCredential, SourceStatus};
use crate::credential::{AccessToken, Key};
use crate::policy::{after, jittered};
use jiff::{SignedDuration, Timestamp};
use ring::hmac;
use ring::rand::SystemRandom;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Visits that may undo what others did to outputs, one right after the other.
const TURNS_AT_ONCE: u32 = 10;
/// Then one more in so long.
const TURN_EACH: Duration = Duration::from_secs(1);
/// One unscheduled check comes back in so long; two may follow each other at once.
const REFILL: Duration = Duration::from_secs(30);
const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// Which key a status speaks of.
struct Fingerprint {
    key: [u8; 32],
    /// The version of the source that the status named with it.
    source: u64,
}

#[derive(Default)]
struct Entry {
    fingerprint: Option<Fingerprint>,
    token: Option<(Arc<AccessToken>, Option<Timestamp>)>,
    full_at: Timestamp,
    /// When as many turns may follow each other at once as ever.
    turns_at: Timestamp,
    written: Option<Arc<ConnectorCredential>>,
    failures: u32,
    /// The key that was accepted last, and when that was asked for.
    accepted: Option<([u8; 32], Timestamp)>,
}

/// What this process knows of each credential, by its uid.
pub struct Memory {
    key: hmac::Key,
    sources: RandomState,
    entries: Mutex<HashMap<String, Entry>>,
}

impl Memory {
    /// An empty memory with a hashing key of its own.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn new() -> Result<Self, ring::error::Unspecified> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())?;
        Ok(Self { key, sources: RandomState::new(), entries: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tag(&self, key: &Key) -> Option<[u8; 32]> {
        hmac::sign(&self.key, key.reveal().as_bytes()).as_ref().try_into().ok()
    }

    fn is(&self, key: &Key, tag: &[u8; 32]) -> bool {
        hmac::verify(&self.key, key.reveal().as_bytes(), tag).is_ok()
    }

    /// Whether `key` is the one that was remembered last; `None` when none was.
    pub fn same_key(&self, uid: &str, key: &Key) -> Option<bool> {
        let entries = self.lock();
        let tag = &entries.get(uid)?.fingerprint.as_ref()?.key;
        Some(self.is(key, tag))
    }

    /// Remembers that the status speaks of `key` now, which is that of `source`. Whether a token was minted from it, the
    /// status says.
    pub fn remember_key(&self, uid: &str, source: &SourceStatus, key: &Key) {
        let source = self.version(source);
        let fingerprint = self.tag(key).map(|key| Fingerprint { key, source });
        self.lock().entry(uid.to_owned()).or_default().fingerprint = fingerprint;
    }

    /// The status speaks of the key of `source`: of another one than was remembered, when a write went through whose
    /// reply was lost, or another process wrote.
    pub fn heard_of(&self, uid: &str, source: &SourceStatus) {
        let source = self.version(source);
        if let Some(entry) = self.lock().get_mut(uid) {
            entry.fingerprint = entry.fingerprint.take().filter(|known| known.source == source);
        }
    }

    fn version(&self, source: &SourceStatus) -> u64 {
        self.sources.hash_one((&source.secret_name, &source.uid, &source.resource_version))
    }

    /// The token that was minted last, unless the status speaks of one that ends at `end`, later: another process
    /// minted that.
    pub fn token(&self, uid: &str, end: Option<Timestamp>) -> Option<Arc<AccessToken>> {
        let entries = self.lock();
        let (token, known) = entries.get(uid)?.token.as_ref()?;
        (*known >= end).then(|| Arc::clone(token))
    }

    /// Remembers a token that ends at `end`.
    pub fn remember_token(&self, uid: &str, token: Arc<AccessToken>, end: Option<Timestamp>) {
        self.lock().entry(uid.to_owned()).or_default().token = Some((token, end));
    }

    /// When the next unscheduled check may start: in so long as one takes to come back at the latest, also when the
    /// clock was set back since the last.
    pub fn unscheduled_at(&self, uid: &str, now: Timestamp) -> Timestamp {
        let mut entries = self.lock();
        let Some(entry) = entries.get_mut(uid) else { return Timestamp::UNIX_EPOCH };
        entry.full_at = entry.full_at.min(after(now, REFILL.saturating_mul(2)));
        let free_at = SignedDuration::try_from(REFILL).ok().and_then(|ahead| entry.full_at.checked_sub(ahead).ok());
        free_at.unwrap_or(entry.full_at)
    }

    /// Takes a turn to undo what others did to outputs, or says how long to wait for the next one.
    ///
    /// # Errors
    /// The wait.
    pub fn take_turn(&self, uid: &str, now: Timestamp) -> Result<(), Duration> {
        let mut entries = self.lock();
        let entry = entries.entry(uid.to_owned()).or_default();
        let all = TURN_EACH.saturating_mul(TURNS_AT_ONCE);
        // Kept, so that a clock that was set back costs no more than an empty bucket.
        entry.turns_at = entry.turns_at.min(after(now, all));
        let used = Duration::try_from(entry.turns_at.duration_since(now)).unwrap_or_default();
        let next = used.saturating_add(TURN_EACH);
        if next > all {
            return Err(next.saturating_sub(all));
        }
        entry.turns_at = now.saturating_add(next).unwrap_or(now);
        Ok(())
    }

    /// Takes one unscheduled check out of the bucket.
    pub fn take_unscheduled(&self, uid: &str, now: Timestamp) {
        let mut entries = self.lock();
        let entry = entries.entry(uid.to_owned()).or_default();
        entry.full_at = after(entry.full_at.clamp(now, after(now, REFILL)), REFILL);
    }

    /// Remembers that `key` was accepted, and when that was asked for.
    pub fn remember_accepted(&self, uid: &str, key: &Key, asked_at: Timestamp) {
        let accepted = self.tag(key).map(|tag| (tag, asked_at));
        self.lock().entry(uid.to_owned()).or_default().accepted = accepted;
    }

    /// Whether `key` is the one that was accepted last, and when that was asked for; `None` when none was.
    pub fn accepted(&self, uid: &str, key: &Key) -> Option<(bool, Timestamp)> {
        let entries = self.lock();
        let (tag, asked_at) = entries.get(uid)?.accepted.as_ref()?;
        Some((self.is(key, tag), *asked_at))
    }

    /// Remembers what was written last.
    pub fn remember_written(&self, uid: &str, object: Arc<ConnectorCredential>) {
        self.lock().entry(uid.to_owned()).or_default().written = Some(object);
    }

    /// What was written last, if the watch has not delivered it yet.
    pub fn newer(&self, watched: &ConnectorCredential) -> Option<Arc<ConnectorCredential>> {
        let version = |object: &ConnectorCredential| object.metadata.resource_version.clone().unwrap_or_default();
        let mut entries = self.lock();
        let entry = entries.get_mut(watched.metadata.uid.as_deref()?)?;
        if entry.written.as_ref().is_some_and(|written| !is_newer(&version(written), &version(watched))) {
            entry.written = None;
        }
        entry.written.clone()
    }

    /// How long to wait after a failure; each one in a row doubles it.
    pub fn failed(&self, uid: &str, first: Duration) -> Duration {
        let mut entries = self.lock();
        let entry = entries.entry(uid.to_owned()).or_default();
        entry.failures = entry.failures.saturating_add(1);
        let range = first.saturating_mul(2_u32.saturating_pow(entry.failures.min(10))).min(LONGEST_RETRY);
        let half = range.mul_f64(0.5);
        half.saturating_add(jittered(half, uid, &entry.failures.to_string()))
    }

    /// The API server did what was asked.
    pub fn succeeded(&self, uid: &str) {
        if let Some(entry) = self.lock().get_mut(uid) {
            entry.failures = 0;
        }
    }

    /// The watch delivered this version: what was written before it need not be kept.
    pub fn delivered(&self, uid: &str, version: &str) {
        if let Some(entry) = self.lock().get_mut(uid) {
            let old = |written: &Arc<ConnectorCredential>| {
                !is_newer(written.metadata.resource_version.as_deref().unwrap_or_default(), version)
            };
            entry.written = entry.written.take().filter(|written| !old(written));
        }
    }

    /// Forgets a credential that is gone.
    pub fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    /// Forgets everybody else.
    pub fn keep_only(&self, uids: &HashSet<String>) {
        self.lock().retain(|uid, _| uids.contains(uid));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn ten_turns_follow_each_other_and_then_one_a_second_whatever_the_clock_does() {
        let memory = Memory::new().unwrap();
        for _ in 0..TURNS_AT_ONCE {
            assert_eq!(memory.take_turn("a", at(10_000)), Ok(()));
        }
        assert_eq!(memory.take_turn("a", at(10_000)), Err(TURN_EACH));
        assert_eq!(memory.take_turn("b", at(10_000)), Ok(()), "another's bucket is another's");
        assert_eq!(memory.take_turn("a", at(10_001)), Ok(()));
        assert_eq!(memory.take_turn("a", at(9_000)), Err(TURN_EACH));
        assert_eq!(memory.take_turn("a", at(9_001)), Ok(()), "the clock was set back, and goes on");
        assert_eq!(memory.take_turn("a", at(20_000)), Ok(()));
    }

    #[test]
    fn a_clock_that_was_set_back_puts_off_unscheduled_checks_by_half_a_minute_at_the_most() {
        let memory = Memory::new().unwrap();
        memory.take_unscheduled("a", at(10_000));
        assert!(memory.unscheduled_at("a", at(10_000)) <= at(10_000));
        memory.take_unscheduled("a", at(10_000));
        assert_eq!(memory.unscheduled_at("a", at(10_000)), at(10_030));
        assert_eq!(memory.unscheduled_at("a", at(1_000)), at(1_030));
        assert_eq!(memory.unscheduled_at("a", at(1_029)), at(1_030), "the clock goes on, and the moment comes");
        memory.take_unscheduled("a", at(1_030));
        assert_eq!(memory.unscheduled_at("a", at(1_030)), at(1_060));
    }
}
