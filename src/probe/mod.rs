//! Is this key genuine? The only code that calls a provider.
//!
//! Holds the conversation that a provider describes: within its budget, through one hardened client, once for all
//! who ask the same. Knows no Kubernetes objects, and never waits for its turn: it says when to come back.

mod answers;
mod budget;
mod reply;
mod resolver;
mod transport;

use crate::clock::Clock;
use crate::config::Settings;
use crate::credential::Key;
use crate::providers::{
    AccountId, Ask, BaseUrl, Depth, Doubt, Given, Profile, Provider, Reply, Step, Unaddressable, Verdict,
};
use answers::{Answers, Seal};
use budget::{Budgets, Course, Grant, Slot, Slots, Tag};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use transport::{Answer, Transport};

/// Requests of one conversation, whatever its provider wants.
const MOST_REQUESTS: u32 = 8;
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
    /// The product's limits, where `concurrency` reconciles run at a time: a provider gets an eighth of them.
    #[must_use]
    pub fn for_concurrency(concurrency: usize) -> Self {
        Self {
            connect: Duration::from_secs(5),
            read: Duration::from_secs(10),
            total: Duration::from_secs(20),
            conversation: Duration::from_secs(45),
            body: 256 * 1024,
            slots: concurrency.div_ceil(8).max(1),
        }
    }
}

/// How a check is to be made.
#[derive(Debug, Clone)]
pub struct CheckOptions {
    /// How much is asked.
    pub depth: Depth,
    /// Whether the key was accepted before: it may then use what is reserved for such keys.
    pub proved: bool,
    /// Whose fair share of the slots this counts to.
    pub namespace: String,
    /// An answer to the same question that was asked for at this time or later will do. `now` asks for a new one.
    pub since: Timestamp,
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
        let slots = Arc::new(Slots::new(limits.slots));
        Ok(Self {
            settings,
            clock,
            limits,
            transport,
            seal,
            answers: Answers::default(),
            budgets: Arc::default(),
            slots,
        })
    }

    /// Asks `provider` about `key`, unless an equal question was answered since `options.since`, or it is not its turn.
    /// The key must have passed [`Provider::inspect`]. Never waits for a turn. The future may be dropped at any time.
    pub async fn check(&self, provider: &dyn Provider, key: &Key, options: &CheckOptions) -> Outcome {
        let given = Given { key, site: self.settings.site(provider.profile().kind), depth: options.depth };
        let base = match provider.base(given.site) {
            Ok(base) => base,
            Err(why) => return Outcome::NotAsked(why),
        };
        let matter = Matter { provider, given, base };
        let now = self.clock.now();
        let Some(place) = self.answers.place(matter.question(&self.seal), now) else {
            return Outcome::Later { at: after(now, SAME_QUESTION_WAIT), why: Wait::SameQuestion };
        };
        if let Some(checked) = place.answer(options.since, now) {
            return Outcome::Checked { checked, shared: true };
        }
        let (_slot, grant) = match self.admit(&matter, options) {
            Ok(admitted) => admitted,
            Err(later) => return later,
        };
        let checked = Arc::new(self.converse(&matter, grant).await);
        place.leave(Arc::clone(&checked));
        Outcome::Checked { checked, shared: false }
    }

    /// A slot and the account's budget, or when to come back for them.
    fn admit(&self, matter: &Matter<'_>, options: &CheckOptions) -> Result<(Slot, Grant), Outcome> {
        let profile = matter.provider.profile();
        let now = self.clock.monotonic();
        let later =
            |why| move |then: Duration| Outcome::Later { at: after(self.clock.now(), then.saturating_sub(now)), why };
        let slot = self.slots.take(profile.kind, &options.namespace, now).map_err(later(Wait::Slot))?;
        let course = Course { account: matter.account(&self.seal), profile, proved: options.proved };
        let grant = self.budgets.take(&course, now).map_err(later(Wait::Budget))?;
        Ok((slot, grant))
    }

    /// The whole conversation, within its deadline.
    async fn converse(&self, matter: &Matter<'_>, grant: Grant) -> Checked {
        let (asked_at, started) = (self.clock.now(), self.clock.monotonic());
        let mut talk = Talk { prober: self, matter, grant, requests: 0, retry_after: None };
        let verdict = tokio::time::timeout(self.limits.conversation, talk.run()).await;
        let verdict = verdict.unwrap_or(Verdict::Inconclusive(Doubt::Unavailable));
        let wait = match verdict {
            Verdict::Inconclusive(_) => talk.retry_after,
            Verdict::Accepted(_) | Verdict::Rejected(_) => None,
        };
        let now = self.clock.monotonic();
        if let Some(wait) = wait {
            talk.grant.close_until(now.saturating_add(wait));
        }
        let retry_at = wait.map(|wait| after(self.clock.now(), wait));
        Checked { verdict, retry_at, asked_at, duration: now.saturating_sub(started), requests: talk.requests }
    }
}

/// What a check is about.
struct Matter<'a> {
    provider: &'a dyn Provider,
    given: Given<'a>,
    base: BaseUrl,
}

impl Matter<'_> {
    /// Equal for those who may share an answer.
    fn question(&self, seal: &Seal) -> Tag {
        let depth = match self.given.depth {
            Depth::Declared => "declared",
            Depth::LeastPrivilege => "least privilege",
        };
        let member = self.provider.profile().member;
        let account = match self.provider.account() {
            AccountId::Named(account) => account,
            AccountId::ByKey => String::new(),
        };
        let questions = self.provider.questions(self.given.site);
        seal.tag(&["question", member, self.base.as_str(), &account, self.given.key.reveal(), &questions, depth])
    }

    /// Equal for those who share a budget.
    fn account(&self, seal: &Seal) -> Tag {
        let member = self.provider.profile().member;
        match self.provider.account() {
            AccountId::Named(account) => seal.tag(&["account", member, self.base.as_str(), &account]),
            AccountId::ByKey => seal.tag(&["key", member, self.base.as_str(), self.given.key.reveal()]),
        }
    }
}

/// One conversation under way.
struct Talk<'a> {
    prober: &'a Prober,
    matter: &'a Matter<'a>,
    grant: Grant,
    requests: u32,
    /// What the last answer asked for.
    retry_after: Option<Duration>,
}

impl Talk<'_> {
    fn profile(&self) -> &'static Profile {
        self.matter.provider.profile()
    }

    async fn run(&mut self) -> Verdict {
        let mut heard = vec![];
        loop {
            let ask = match self.matter.provider.next(&self.matter.given, &heard) {
                Step::Done(verdict) => return verdict,
                Step::Ask(ask) => ask,
            };
            if self.requests >= MOST_REQUESTS || !self.grant.spend() {
                return Verdict::Inconclusive(Doubt::Unexpected);
            }
            match self.ask(&ask).await {
                Ok(reply) => heard.push(reply),
                Err(doubt) => return Verdict::Inconclusive(doubt),
            }
        }
    }

    async fn ask(&mut self, ask: &Ask) -> Result<Reply, Doubt> {
        self.requests = self.requests.saturating_add(1);
        self.retry_after = None;
        let clock = &self.prober.clock;
        let started = clock.monotonic();
        let answer = self.prober.transport.send(&self.matter.base, ask).await;
        let duration = clock.monotonic().saturating_sub(started);
        let status = answer.as_ref().ok().map(|answer| answer.status);
        let fault = answer.as_ref().map_or_else(|fault| Some(*fault), Answer::fault);
        let judged = match answer {
            Ok(answer) => {
                self.mind(&answer);
                reply::judge(answer)
            }
            Err(_) => Err(Doubt::Unavailable),
        };
        let outcome = match (fault, &judged) {
            (Some(fault), _) => fault.name(),
            (None, Ok(_)) => "answered",
            (None, Err(doubt)) => doubt_name(*doubt),
        };
        let duration = duration.as_secs_f64();
        tracing::info!(provider = self.profile().kind.name(), status, duration, outcome, "called a provider");
        judged
    }

    /// Remembers how long the provider wants to be left alone.
    fn mind(&mut self, answer: &Answer) {
        let now = self.prober.clock.now();
        let date = answer.headers.date.as_deref().and_then(reply::http_date);
        let asked = answer.headers.retry_after.as_deref();
        self.retry_after = asked.and_then(|value| reply::retry_after(value, date, now));
        if let Some([limit, remaining, reset]) =
            answer.headers.rate_limit.as_ref().filter(|_| self.profile().announces_limits)
            && let Some(pause) = reply::pause(limit, remaining, reset, (date, now))
        {
            self.grant.close_until(self.prober.clock.monotonic().saturating_add(pause));
        }
    }
}

const fn doubt_name(doubt: Doubt) -> &'static str {
    match doubt {
        Doubt::Unavailable => "unavailable",
        Doubt::RateLimited => "rate limited",
        Doubt::Unexpected => "unexpected",
    }
}

fn after(now: Timestamp, wait: Duration) -> Timestamp {
    now.saturating_add(wait).unwrap_or(Timestamp::MAX)
}
