//! Was this asked already? Equal endpoint, account, key and question have one answer in this process: one asks, and
//! who comes later takes the answer if it is new enough. So many are kept and no more, and none longer than it may serve.
//!
//! Keys are known here by a hash under a key of this process's own, which is never written anywhere.

use super::Checked;
use super::budget::Tag;
use crate::providers::Verdict;
use jiff::{SignedDuration, Timestamp};
use ring::hmac;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// No check is further apart from the next than this.
const KEPT: Duration = Duration::from_secs(24 * 3600);
/// How long nothing learned is still news: after that somebody asks again.
const DOUBT_KEPT: Duration = Duration::from_secs(60);
/// Answers that are kept; then the oldest eighth goes. Whoever would have shared one of them asks for itself.
const MOST: usize = 16_384;
/// How often all of them are looked through for what has served its time.
const LOOK: SignedDuration = SignedDuration::from_secs(60);

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

/// The answers of this process.
#[derive(Debug, Default)]
pub(super) struct Answers(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    kept: HashMap<Tag, Kept>,
    /// Questions that are being asked.
    open: HashSet<Tag>,
    looked: Option<Timestamp>,
    last: u64,
}

/// An answer, the how manieth it is, and until when it is kept.
#[derive(Debug)]
struct Kept {
    answer: Arc<Checked>,
    nth: u64,
    until: Timestamp,
}

impl Answers {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The place of one question's answer; `None` while somebody is asking it. Whoever holds the place may ask, and
    /// leaves the answer in it; dropped without, it is as it was.
    pub(super) fn place(&self, question: Tag, now: Timestamp) -> Option<Place<'_>> {
        let mut held = self.held();
        held.forget_old(now);
        if !held.open.insert(question) {
            return None;
        }
        // Before it was asked for: the clock was set back.
        let found = held.kept.get(&question).filter(|kept| kept.answer.asked_at <= now && now < kept.until);
        Some(Place { answers: self, question, found: found.map(|kept| Arc::clone(&kept.answer)) })
    }
}

impl Held {
    /// Also after the clock was set back.
    fn forget_old(&mut self, now: Timestamp) {
        if self.looked.is_some_and(|last| now.duration_since(last).abs() < LOOK) {
            return;
        }
        self.looked = Some(now);
        self.kept.retain(|_, kept| now < kept.until);
    }

    fn keep(&mut self, question: Tag, answer: Arc<Checked>, until: Timestamp) {
        if self.kept.len() >= MOST && !self.kept.contains_key(&question) {
            let mut ages: Vec<u64> = self.kept.values().map(|kept| kept.nth).collect();
            let (_, eldest_to_stay, _) = ages.select_nth_unstable(MOST / 8);
            let eldest_to_stay = *eldest_to_stay;
            self.kept.retain(|_, kept| kept.nth >= eldest_to_stay);
        }
        self.last = self.last.saturating_add(1);
        self.kept.insert(question, Kept { answer, nth: self.last, until });
    }
}

/// Until when an answer may be shared: a token no longer than it lives.
fn until(answer: &Checked, life: Option<Duration>) -> Timestamp {
    let kept = match &answer.verdict {
        Verdict::Accepted(_) | Verdict::Rejected(_) => KEPT,
        Verdict::Inconclusive(_) => DOUBT_KEPT,
    };
    let kept = if answer.token().is_some() { life.unwrap_or(kept).min(kept) } else { kept };
    super::after(answer.asked_at, kept)
}

/// Where one question's answer is.
pub(super) struct Place<'a> {
    answers: &'a Answers,
    question: Tag,
    found: Option<Arc<Checked>>,
}

impl Place<'_> {
    /// The last answer, if it was asked for at `since` or later; a token, also at `minted_since` or later.
    pub(super) fn answer(&self, since: Timestamp, minted_since: Timestamp) -> Option<Arc<Checked>> {
        let answer = self.found.as_ref()?;
        let since = if answer.token().is_some() { since.max(minted_since) } else { since };
        Some(answer).filter(|answer| answer.asked_at >= since).cloned()
    }

    /// Leaves the answer for others; `life` is how long a token in it lives.
    pub(super) fn leave(self, answer: Arc<Checked>, life: Option<Duration>) {
        let until = until(&answer, life);
        self.answers.held().keep(self.question, answer, until);
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.answers.held().open.remove(&self.question);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::AccessToken;
    use crate::providers::{Access, Doubt, Proof, Rejection};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn checked(verdict: Verdict, asked_at: i64) -> Arc<Checked> {
        Arc::new(Checked { verdict, retry_at: None, asked_at: at(asked_at), duration: Duration::ZERO, requests: 1 })
    }

    fn answered(answers: &Answers, question: Tag, verdict: Verdict, asked_at: i64) {
        answers.place(question, at(asked_at)).unwrap().leave(checked(verdict, asked_at), None);
    }

    fn tag(n: u32) -> Tag {
        let mut tag = [0; 32];
        tag[..4].copy_from_slice(&n.to_be_bytes());
        tag
    }

    fn finds(answers: &Answers, question: Tag, (since, now): (i64, i64)) -> bool {
        answers.place(question, at(now)).unwrap().answer(at(since), at(900)).is_some()
    }

    #[test]
    fn an_answer_serves_those_who_come_later_while_it_is_new_enough() {
        let answers = Answers::default();
        answered(&answers, tag(1), Verdict::Accepted(Proof::of(Access::Verified)), 1000);
        for (since, now, found) in [(0, 2000, true), (1000, 2000, true), (1001, 2000, false), (0, 1000 + 86_400, false)]
        {
            assert_eq!(finds(&answers, tag(1), (since, now)), found, "{since} {now}");
        }
        assert!(!finds(&answers, tag(2), (0, 2000)));
    }

    #[test]
    fn a_doubt_is_shared_for_a_minute_only() {
        let answers = Answers::default();
        answered(&answers, tag(1), Verdict::Inconclusive(Doubt::Unavailable), 1000);
        assert!(finds(&answers, tag(1), (0, 1059)) && !finds(&answers, tag(1), (0, 1060)));
    }

    #[test]
    fn one_asks_at_a_time_and_an_asker_who_goes_away_blocks_nobody() {
        let answers = Answers::default();
        let place = answers.place(tag(1), at(0));
        assert!(place.is_some() && answers.place(tag(1), at(0)).is_none());
        assert!(answers.place(tag(2), at(0)).is_some());
        drop(place);
        assert!(answers.place(tag(1), at(0)).is_some());
        assert!(answers.held().open.is_empty() && answers.held().kept.is_empty(), "unanswered questions stay");
    }

    #[test]
    fn a_hundred_thousand_keys_leave_so_many_answers_and_the_newest() {
        const ASKED: u32 = 100_000;
        let answers = Answers::default();
        for n in 0..ASKED {
            answered(&answers, tag(n), Verdict::Rejected(Rejection::Key), 1000);
            assert!(answers.held().kept.len() <= MOST, "{n} answers are kept");
        }
        let kept = u32::try_from(answers.held().kept.len()).unwrap();
        assert!(kept >= u32::try_from(MOST / 8 * 7).unwrap(), "only {kept} are kept");
        let found = |n| finds(&answers, tag(n), (0, 1001));
        assert!((ASKED - kept..ASKED).all(found) && !(0..ASKED - kept).any(found), "the oldest go first");
    }

    #[test]
    fn an_answer_with_a_token_is_gone_when_the_token_is() {
        let answers = Answers::default();
        let token = AccessToken::parse("EXAMPLE").unwrap();
        let minted = checked(Verdict::Accepted(Proof { token: Some(token), ..Proof::of(Access::NotVerifiable) }), 1000);
        let watched = Arc::downgrade(&minted);
        answers.place(tag(1), at(1000)).unwrap().leave(minted, Some(Duration::from_secs(600)));
        assert!(finds(&answers, tag(1), (0, 1599)), "the token serves whoever shares the Secret");
        let as_short_lived = answers.place(tag(1), at(1200)).unwrap().answer(at(0), at(1001));
        assert!(as_short_lived.is_none(), "a token serves nobody for whom it has ended");
        // Its credential is gone; somebody asks about something else.
        assert!(!finds(&answers, tag(2), (0, 1660)));
        assert_eq!(watched.strong_count(), 0, "the token is still in memory");
    }

    #[test]
    fn old_answers_are_forgotten() {
        let answers = Answers::default();
        for n in 0..100 {
            answered(&answers, tag(n), Verdict::Inconclusive(Doubt::Unavailable), 1000);
        }
        let _place = answers.place(tag(900), at(1061));
        assert_eq!(answers.held().kept.len(), 0);
    }

    #[test]
    fn a_tag_depends_on_each_part_and_on_the_process() {
        let seal = Seal::new().unwrap();
        assert_eq!(seal.tag(&["ab", "c"]), seal.tag(&["ab", "c"]));
        assert_ne!(seal.tag(&["ab", "c"]), seal.tag(&["a", "bc"]));
        assert_ne!(seal.tag(&["ab", "c"]), Seal::new().unwrap().tag(&["ab", "c"]));
    }
}
