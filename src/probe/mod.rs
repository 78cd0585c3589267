//! Is this key genuine? The only code that calls a provider.
//!
//! Holds the conversation that a provider describes: within its budget, through one hardened client, once for all
//! who ask the same. Knows no Kubernetes objects, and hardly ever waits for its turn: it says when to come back.

mod answers;
mod bucket;
mod budget;
mod conversation;
mod refusals;
mod reply;
mod resolver;
mod slots;
mod sweep;
mod tls;
mod transport;
mod turns;

pub use reply::{wanted_pause, wanted_wait};

use crate::clock::Clock;
use crate::config::Settings;
use crate::credential::{AccessToken, Key};
use crate::providers::{Depth, Given, Provider, ProviderKind, Unaddressable, Verdict};
use answers::{Answers, Place, Seal};
use budget::{Budgets, Course, Grant, Tag};
use conversation::{Matter, converse};
use jiff::{SignedDuration, Timestamp};
use refusals::{Asker, Refusals};
pub use slots::Slot;
use slots::Slots;
use std::sync::Arc;
use std::time::Duration;
use transport::Transport;

/// Until somebody else's answer to the same question is looked for.
const SAME_QUESTION_WAIT: Duration = Duration::from_secs(1);

/// How long, how much and how many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Until a connection stands.
    pub connect: Duration,
    /// Between two pieces of an answer.
    pub read: Duration,
    /// For one question and its answer.
    pub total: Duration,
    /// For a whole conversation.
    pub conversation: Duration,
    /// Bytes of a body.
    pub body: usize,
    /// Conversations with one provider at a time.
    pub slots: usize,
}

impl Limits {
    /// The product's limits, where `concurrency` reconciles run at a time: a provider gets an eighth of them, and two at
    /// least, so that no single namespace ever has them all.
    #[must_use]
    pub fn for_concurrency(concurrency: usize) -> Self {
        Self {
            connect: Duration::from_secs(5),
            read: Duration::from_secs(10),
            total: Duration::from_secs(20),
            conversation: Duration::from_secs(45),
            body: 256 * 1024,
            slots: concurrency.div_ceil(8).max(2),
        }
    }
}

/// How a check is to be made.
#[derive(Debug, Clone)]
pub struct CheckOptions {
    /// How much is asked.
    pub depth: Depth,
    /// Whether the key was accepted before, or takes the place of one that is: it may then use what is reserved for such keys.
    pub proved: bool,
    /// When the account was asked about this very key, if it was accepted then; a process that has just begun knows it from
    /// the status.
    pub asked_before: Option<Timestamp>,
    /// Whose fair share of the slots this counts to.
    pub namespace: String,
    /// An answer to the same question that was asked for at this time or later will do. `now` asks for a new one.
    pub since: Timestamp,
}

impl CheckOptions {
    /// Who answers for it if the key is refused; nobody for a key that was accepted before.
    fn asker(&self, kind: ProviderKind) -> Option<Asker> {
        let asker = || Asker { kind, namespace: self.namespace.clone(), rotates: self.proved };
        self.asked_before.is_none().then(asker)
    }
}

/// What became of a check.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// Nobody was asked, because it is not this check's turn.
    Later {
        /// When to come back.
        at: Timestamp,
        /// What was in the way.
        why: Wait,
    },
    /// The provider answered, or was found not to.
    Checked {
        /// The answer.
        checked: Arc<Checked>,
        /// Whether it was fetched for an equal question earlier, and not by this check.
        shared: bool,
    },
    /// There is nobody to ask.
    NotAsked(Unaddressable),
}

/// What a check waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wait {
    /// The same question is being asked right now.
    SameQuestion,
    /// Every slot of the provider, or of the namespace's share, is taken.
    Slot,
    /// The account's budget is used up for now, or the provider told us to wait.
    Budget,
    /// Too many of the namespace's keys were refused.
    Refusals,
}

/// One answer, and what belongs to it. Shared by all who asked the same.
#[derive(Debug)]
pub struct Checked {
    /// What the provider said about the key.
    pub verdict: Verdict,
    /// Until when the provider wants to be left alone: its Retry-After, at most an hour.
    pub retry_at: Option<Timestamp>,
    /// When the first question was sent; a token's lifetime counts from here.
    pub asked_at: Timestamp,
    /// How long the conversation took.
    pub duration: Duration,
    /// How many requests were sent.
    pub requests: u32,
}

impl Checked {
    fn token(&self) -> Option<&AccessToken> {
        match &self.verdict {
            Verdict::Accepted(proof) => proof.token.as_ref(),
            Verdict::Rejected(_) | Verdict::Inconclusive(_) => None,
        }
    }
}

/// Why no calls can be made at all. Says nothing that a file holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unprepared {
    /// The file of `caBundleFile` cannot be read, or holds no certificate.
    #[error("caBundleFile cannot be read as PEM certificates")]
    BadBundle,
    /// Neither the system nor `caBundleFile` has a certificate authority.
    #[error("no certificate authorities are installed: mount a CA bundle or set caBundleFile")]
    NoRoots,
    /// Equal questions cannot be told from others without leaking keys.
    #[error("the system gives no random bytes")]
    Randomness,
    /// The HTTP client refuses its settings.
    #[error("the HTTP client cannot be built")]
    Client,
}

/// Asks providers.
#[derive(Debug)]
pub struct Prober {
    settings: Arc<Settings>,
    clock: Arc<dyn Clock>,
    limits: Limits,
    transport: Transport,
    seal: Seal,
    answers: Answers,
    budgets: Arc<Budgets>,
    refusals: Refusals,
    slots: Arc<Slots>,
}

impl Prober {
    /// Prepares the client; calls nobody.
    ///
    /// # Errors
    /// [`Unprepared`], when certificate authorities are missing or unreadable.
    pub fn new(settings: Arc<Settings>, clock: Arc<dyn Clock>, limits: Limits) -> Result<Self, Unprepared> {
        let transport = Transport::new(&settings, &limits)?;
        let seal = Seal::new().ok_or(Unprepared::Randomness)?;
        let slots = Arc::new(Slots::new(limits.slots, Arc::clone(&clock)));
        Ok(Self {
            settings,
            clock,
            limits,
            transport,
            seal,
            answers: Answers::default(),
            budgets: Arc::default(),
            refusals: Refusals::default(),
            slots,
        })
    }

    /// Asks `provider` about `key`, unless an equal question was answered since `options.since`, or it is not its turn.
    /// The key must have passed [`Provider::inspect`]. Never waits for a turn. The future may be dropped at any time.
    pub async fn check(&self, provider: &dyn Provider, key: &Key, options: &CheckOptions) -> Outcome {
        match self.turn(provider, key, options) {
            Turn::Ours(granted) => Outcome::Checked { checked: granted.ask().await, shared: false },
            Turn::Over(outcome) => outcome,
        }
    }

    /// Takes a turn to ask, without asking yet: what must be stored before a call can be stored in between. A turn that
    /// is dropped is given back.
    pub fn turn<'a>(&'a self, provider: &'a dyn Provider, key: &'a Key, options: &CheckOptions) -> Turn<'a> {
        self.turn_with(provider, key, (options, None))
    }

    /// Takes the right to talk to a provider before it is known about what; where conversations end all the time, this
    /// waits for one to end, for a fraction of a second.
    pub async fn line_up(&self, kind: ProviderKind, namespace: &str) -> Line {
        match self.slots.take_in_line(kind, namespace).await {
            Ok(slot) => Line::Ours(slot),
            Err(full) if full.still => Line::Still,
            Err(_) => Line::Moving,
        }
    }

    /// The same as [`Prober::turn`] for whoever has lined up; whoever has not does so now.
    pub async fn turn_in_line<'a>(
        &'a self,
        provider: &'a dyn Provider,
        key: &'a Key,
        (options, slot): (&CheckOptions, Option<Slot>),
    ) -> Turn<'a> {
        let slot = match slot {
            Some(slot) => Some(slot),
            None => self.slots.take_in_line(provider.profile().kind, &options.namespace).await.ok(),
        };
        self.turn_with(provider, key, (options, slot))
    }

    fn turn_with<'a>(
        &'a self,
        provider: &'a dyn Provider,
        key: &'a Key,
        (options, slot): (&CheckOptions, Option<Slot>),
    ) -> Turn<'a> {
        let given = Given { key, site: self.settings.site(provider.profile().kind), depth: options.depth };
        let base = match provider.base(given.site) {
            Ok(base) => base,
            Err(why) => return Turn::Over(Outcome::NotAsked(why)),
        };
        let matter = Matter { provider, given, base };
        let now = self.clock.now();
        let question = matter.question(&self.seal);
        let Some(place) = self.answers.place(question, now) else {
            return Turn::Over(Outcome::Later { at: after(now, SAME_QUESTION_WAIT), why: Wait::SameQuestion });
        };
        if let Some(checked) = place.answer(options.since, minted_since(provider, now)) {
            return Turn::Over(Outcome::Checked { checked, shared: true });
        }
        let asker = options.asker(matter.provider.profile().kind);
        match self.admit((&matter, question), (options, asker.as_ref()), slot) {
            Ok((slot, grant)) => {
                Turn::Ours(Box::new(Granted { prober: self, matter, place, asker, grant, _slot: slot }))
            }
            Err(later) => Turn::Over(later),
        }
    }

    /// A slot and the account's budget, or when to come back for them.
    fn admit(
        &self,
        (matter, who): (&Matter<'_>, Tag),
        (options, asker): (&CheckOptions, Option<&Asker>),
        slot: Option<Slot>,
    ) -> Result<(Slot, Grant), Outcome> {
        let profile = matter.provider.profile();
        let now = self.clock.monotonic();
        let later =
            |why| move |then: Duration| Outcome::Later { at: after(self.clock.now(), then.saturating_sub(now)), why };
        asker.map_or(Ok(()), |asker| self.refusals.permit(asker, who, now)).map_err(later(Wait::Refusals))?;
        let slot = match slot {
            Some(slot) => slot,
            None => self.slots.take(profile.kind, &options.namespace, now).map_err(later(Wait::Slot))?,
        };
        let idle = options.asked_before.map(|last| self.clock.now().duration_since(last));
        let idle = idle.map(|idle| Duration::try_from(idle).unwrap_or_default());
        let course = Course { account: matter.account(&self.seal), who, profile, proved: options.proved, idle };
        let grant = self.budgets.take(&course, now).map_err(later(Wait::Budget))?;
        Ok((slot, grant))
    }
}

/// Whether there is room for a conversation.
#[derive(Debug)]
pub enum Line {
    /// There is; given back when dropped.
    Ours(Slot),
    /// Not yet, but others are being served.
    Moving,
    /// Nobody is served.
    Still,
}

/// Whether a check may be made now.
pub enum Turn<'a> {
    /// It may.
    Ours(Box<Granted<'a>>),
    /// It need not, or may not yet.
    Over(Outcome),
}

/// The right to ask once; given back when dropped.
pub struct Granted<'a> {
    prober: &'a Prober,
    matter: Matter<'a>,
    place: Place<'a>,
    asker: Option<Asker>,
    grant: Grant,
    _slot: Slot,
}

impl Granted<'_> {
    /// Asks. The answer is left for those who ask the same.
    pub async fn ask(self) -> Arc<Checked> {
        let (checked, turned_away) = converse(self.prober, &self.matter, self.grant).await;
        let checked = Arc::new(checked);
        let refused = turned_away || matches!(checked.verdict, Verdict::Rejected(_));
        if let Some(asker) = self.asker.filter(|_| refused) {
            self.prober.refusals.count(asker, self.prober.clock.monotonic());
        }
        self.place.leave(Arc::clone(&checked), self.matter.provider.token_lifetime());
        checked
    }
}

/// A token that was minted before this has ended, as this credential declares it.
fn minted_since(provider: &dyn Provider, now: Timestamp) -> Timestamp {
    let life = provider.token_lifetime();
    life.and_then(|life| now.checked_sub(SignedDuration::try_from(life).ok()?).ok()).unwrap_or(Timestamp::MIN)
}

/// Saturates at the end of time.
fn after(now: Timestamp, wait: Duration) -> Timestamp {
    now.saturating_add(wait).unwrap_or(Timestamp::MAX)
}
