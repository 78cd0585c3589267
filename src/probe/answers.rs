//! Was this asked already? Equal endpoint, account, key and question have one answer in this process: one asks, and
//! who comes later takes the answer if it is new enough.
//!
//! Keys are known here by a hash under a key of this process's own, which is never written anywhere.

use super::Checked;
use super::budget::Tag;
use super::sweep::Sweep;
use crate::providers::Verdict;
use jiff::Timestamp;
use ring::hmac;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::OwnedMutexGuard;

/// No check is further apart from the next than this.
const KEPT: Duration = Duration::from_secs(24 * 3600);
/// How long nothing learned is still news: after that somebody asks again.
const DOUBT_KEPT: Duration = Duration::from_secs(60);

/// Makes keyed hashes.
pub(super) struct Seal(hmac::Key);

impl Seal {
    /// A key of this process's own; `None` when the system has no randomness.
    pub(super) fn new() -> Option<Self> {
        hmac::Key::generate(hmac::HMAC_SHA256, &ring::rand::SystemRandom::new()).ok().map(Self)
    }

    /// A hash of the parts, each of them whole.
    pub(super) fn tag(&self, parts: &[&str]) -> Tag {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut tag = Tag::default();
        tag.iter_mut().zip(context.sign().as_ref()).for_each(|(to, from)| *to = *from);
        tag
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal(redacted)")
    }
}

type Entry = Arc<tokio::sync::Mutex<Option<Arc<Checked>>>>;

/// The answers of this process.
#[derive(Debug, Default)]
pub(super) struct Answers(Mutex<HashMap<Tag, Entry>>, Sweep);

impl Answers {
    /// The place of one question's answer; `None` while somebody is asking it. Whoever holds the place may ask, and
    /// leaves the answer in it; dropped without, it is as it was.
    pub(super) fn place(&self, question: Tag, now: Timestamp) -> Option<Place> {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if self.1.is_due(entries.len()) && !entries.contains_key(&question) {
            entries.retain(|_, entry| {
                entry.try_lock().map_or(true, |entry| entry.as_ref().is_some_and(|a| is_kept(a, now)))
            });
            self.1.is_done(entries.len());
        }
        Arc::clone(entries.entry(question).or_default()).try_lock_owned().ok().map(Place)
    }
}

fn is_kept(answer: &Checked, now: Timestamp) -> bool {
    let age = Duration::try_from(now.duration_since(answer.asked_at)).unwrap_or_default();
    match answer.verdict {
        Verdict::Accepted(_) | Verdict::Rejected(_) => age < KEPT,
        Verdict::Inconclusive(_) => age < DOUBT_KEPT,
    }
}

/// Where one question's answer is.
pub(super) struct Place(OwnedMutexGuard<Option<Arc<Checked>>>);

impl Place {
    /// The last answer, if it was asked for at `since` or later and is still news.
    pub(super) fn answer(&self, since: Timestamp, now: Timestamp) -> Option<Arc<Checked>> {
        self.0.as_ref().filter(|answer| answer.asked_at >= since && is_kept(answer, now)).cloned()
    }

    /// Leaves the answer for others.
    pub(super) fn leave(mut self, answer: Arc<Checked>) {
        *self.0 = Some(answer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::{Access, Doubt, Proof};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn checked(verdict: Verdict, asked_at: i64) -> Arc<Checked> {
        Arc::new(Checked { verdict, retry_at: None, asked_at: at(asked_at), duration: Duration::ZERO, requests: 1 })
    }

    #[test]
    fn an_answer_serves_those_who_come_later_while_it_is_new_enough() {
        let answers = Answers::default();
        let accepted = checked(Verdict::Accepted(Proof::of(Access::Verified)), 1000);
        answers.place([1; 32], at(1000)).unwrap().leave(accepted);
        let place = answers.place([1; 32], at(2000)).unwrap();
        for (since, now, found) in [(0, 2000, true), (1000, 2000, true), (1001, 2000, false), (0, 1000 + 86_400, false)]
        {
            assert_eq!(place.answer(at(since), at(now)).is_some(), found, "{since} {now}");
        }
        assert!(answers.place([2; 32], at(2000)).unwrap().answer(at(0), at(2000)).is_none());
    }

    #[test]
    fn a_doubt_is_shared_for_a_minute_only() {
        let answers = Answers::default();
        answers.place([1; 32], at(1000)).unwrap().leave(checked(Verdict::Inconclusive(Doubt::Unavailable), 1000));
        let place = answers.place([1; 32], at(1059)).unwrap();
        assert!(place.answer(at(0), at(1059)).is_some());
        assert!(place.answer(at(0), at(1060)).is_none());
    }

    #[test]
    fn one_asks_at_a_time_and_an_asker_who_goes_away_blocks_nobody() {
        let answers = Answers::default();
        let place = answers.place([1; 32], at(0));
        assert!(place.is_some() && answers.place([1; 32], at(0)).is_none());
        assert!(answers.place([2; 32], at(0)).is_some());
        drop(place);
        assert!(answers.place([1; 32], at(0)).is_some());
    }

    #[test]
    fn old_answers_are_forgotten() {
        let answers = Answers::default();
        for n in 0..u16::try_from(crate::probe::sweep::LEAST).unwrap() {
            let mut tag = [0; 32];
            tag[..2].copy_from_slice(&n.to_be_bytes());
            answers.place(tag, at(0)).unwrap().leave(checked(Verdict::Inconclusive(Doubt::Unavailable), 0));
        }
        let _place = answers.place([9; 32], at(61));
        assert_eq!(answers.0.lock().unwrap().len(), 1);
    }

    #[test]
    fn a_tag_depends_on_each_part_and_on_the_process() {
        let seal = Seal::new().unwrap();
        assert_eq!(seal.tag(&["ab", "c"]), seal.tag(&["ab", "c"]));
        assert_ne!(seal.tag(&["ab", "c"]), seal.tag(&["a", "bc"]));
        assert_ne!(seal.tag(&["ab", "c"]), Seal::new().unwrap().tag(&["ab", "c"]));
    }
}
