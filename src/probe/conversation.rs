//! How is a provider's conversation held? One question after the other, within the deadline and the grant, each of them
//! logged as one line without anything that it carried.

use super::answers::Seal;
use super::budget::{Grant, Tag};
use super::transport::Answer;
use super::{Checked, Prober, after, reply};
use crate::clock::Clock;
use crate::providers::{AccountId, Ask, BaseUrl, Depth, Doubt, Given, Profile, Provider, Reply, Step, Verdict};
use std::time::Duration;
use tracing::Instrument;

/// Requests of one conversation, whatever its provider wants.
const MOST_REQUESTS: u32 = 8;

/// What a check is about.
pub(super) struct Matter<'a> {
    pub(super) provider: &'a dyn Provider,
    pub(super) given: Given<'a>,
    pub(super) base: BaseUrl,
}

impl Matter<'_> {
    /// Equal for those who may share an answer.
    pub(super) fn question(&self, seal: &Seal) -> Tag {
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
    pub(super) fn account(&self, seal: &Seal) -> Tag {
        let member = self.provider.profile().member;
        match self.provider.account() {
            AccountId::Named(account) => seal.tag(&["account", member, self.base.as_str(), &account]),
            AccountId::ByKey => seal.tag(&["key", member, self.base.as_str(), self.given.key.reveal()]),
        }
    }
}

/// The whole conversation, within its deadline.
/// Beside it: whether somebody on the way turned the key away, as a firewall does.
pub(super) async fn converse(prober: &Prober, matter: &Matter<'_>, grant: Grant) -> (Checked, bool) {
    let (asked_at, started) = (prober.clock.now(), prober.clock.monotonic());
    let mut talk = Talk { prober, matter, grant, requests: 0, retry_after: None, turned_away: false };
    let verdict = tokio::time::timeout(prober.limits.conversation, talk.run()).await;
    let verdict = verdict.unwrap_or(Verdict::Inconclusive(Doubt::Unavailable));
    let wait = match verdict {
        Verdict::Inconclusive(_) => talk.retry_after,
        Verdict::Accepted(_) | Verdict::Rejected(_) => None,
    };
    let now = prober.clock.monotonic();
    if let Some(wait) = wait {
        talk.grant.close_until(now.saturating_add(wait));
    }
    let retry_at = wait.map(|wait| after(prober.clock.now(), wait));
    let duration = now.saturating_sub(started);
    (Checked { verdict, retry_at, asked_at, duration, requests: talk.requests }, talk.turned_away)
}

/// One conversation under way.
struct Talk<'a> {
    prober: &'a Prober,
    matter: &'a Matter<'a>,
    grant: Grant,
    requests: u32,
    /// What the last answer asked for.
    retry_after: Option<Duration>,
    /// It was a refusal that is none of the provider's: a firewall's page.
    turned_away: bool,
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
        let mut line = Line::begin(self.prober, self.profile());
        let span = tracing::info_span!("call", provider = self.profile().kind.name());
        let answer = self.prober.transport.send(&self.matter.base, ask).instrument(span).await;
        line.status = answer.as_ref().ok().map(|answer| answer.status);
        let fault = answer.as_ref().map_or_else(|fault| Some(*fault), Answer::fault);
        let judged = match answer {
            Ok(answer) => {
                self.mind(&answer);
                reply::judge(answer)
            }
            Err(_) => Err(Doubt::Unavailable),
        };
        self.turned_away = judged.is_err() && matches!(line.status, Some(401 | 403 | 406));
        line.outcome = match (fault, &judged) {
            (Some(fault), _) => fault.name(),
            (None, Ok(_)) => "answered",
            (None, Err(doubt)) => doubt_name(*doubt),
        };
        judged
    }

    /// Remembers how long the provider wants to be left alone.
    fn mind(&mut self, answer: &Answer) {
        let now = self.prober.clock.now();
        let date = answer.headers.date.as_deref().and_then(reply::http_date);
        let asked = answer.headers.retry_after.as_deref();
        self.retry_after = asked.and_then(|value| reply::wanted_wait(value, answer.headers.date.as_deref(), now));
        if let Some([limit, remaining, reset]) =
            answer.headers.rate_limit.as_ref().filter(|_| self.profile().announces_limits)
            && let Some(pause) = reply::pause(limit, remaining, reset, (date, now))
        {
            self.grant.close_until(self.prober.clock.monotonic().saturating_add(pause));
        }
    }
}

/// The one line of a call, also of one that is given up.
struct Line<'a> {
    clock: &'a dyn Clock,
    provider: &'static str,
    started: Duration,
    status: Option<u16>,
    outcome: &'static str,
}

impl<'a> Line<'a> {
    fn begin(prober: &'a Prober, profile: &'static Profile) -> Self {
        let (clock, provider) = (prober.clock.as_ref(), profile.kind.name());
        Self { clock, provider, started: clock.monotonic(), status: None, outcome: "given up" }
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        let Self { provider, status, outcome, .. } = *self;
        let duration = self.clock.monotonic().saturating_sub(self.started).as_secs_f64();
        tracing::info!(provider, status, duration, outcome, "called a provider");
    }
}

const fn doubt_name(doubt: Doubt) -> &'static str {
    match doubt {
        Doubt::Unavailable => "unavailable",
        Doubt::RateLimited => "rate limited",
        Doubt::Unexpected => "unexpected",
    }
}
