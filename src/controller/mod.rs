//! Brings credentials up to date: the phases in their order, a file each. Effects only; what is to be done is decided
//! in `policy`.

mod act;
mod apply;
mod claims;
mod compact;
mod consult;
mod events;
mod few;
#[cfg(test)]
mod fixtures;
mod health;
mod index;
mod jumps;
mod kept;
mod lanes;
mod large;
mod memory;
mod name;
mod objects;
mod observe;
mod reread;
mod rest;
mod series;
mod slim;
mod status;
mod turns;
mod watches;
mod wire;
mod work;
mod work_queue;

pub use events::{Queue, Teller, queue, send};
pub use health::Pulse;
pub use index::Index;
pub use jumps::watch_clock;
pub use memory::Memory;
pub use name::{Name, Sight};
pub use objects::{Brief, Objects};
pub use series::StoreSeries;
pub use slim::SecretMeta;
pub use watches::{Gate, Known, Watches};
pub use work::work;
pub use work_queue::WorkQueue;

use crate::api::ConnectorCredential;
use crate::args::SecretWatch;
use crate::clock::Clock;
use crate::config::Settings;
use crate::error::{Class, Failure};
use crate::leader::Fence;
use crate::metrics::Metrics;
use crate::policy::{Asked, Observed, Plan, Source, after, decide, jittered, probe_plan};
use crate::probe::Prober;
use consult::{Heard, consult, line_up};
use jiff::Timestamp;
use kube::core::DeserializeGuard;
use rest::{Rest, at_rest, only_waits};
use std::sync::Arc;
use std::time::Duration;

/// A credential, or the metadata of an object that does not fit the schema.
pub type Guarded = DeserializeGuard<ConnectorCredential>;

/// Everything that the phases share.
pub struct Context {
    /// Reads and writes.
    pub client: kube::Client,
    /// Whose business a Secret is.
    pub index: Arc<Index>,
    /// What only this process knows.
    pub memory: Arc<Memory>,
    /// The administrator's settings.
    pub sites: Arc<Settings>,
    /// Asks providers.
    pub prober: Prober,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Takes Events.
    pub events: Teller,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// Whether this process still leads.
    pub fence: Fence,
    /// Since when it does.
    pub leading_since: Timestamp,
    /// How changes of Secrets are noticed.
    pub secret_watch: SecretWatch,
    /// Visits at once, over all namespaces.
    pub concurrency: u16,
}

/// Without a watch, Secrets are read again in so long.
const REREAD: Duration = Duration::from_secs(270);
/// And at the most so much more.
const REREAD_SPREAD: Duration = Duration::from_secs(60);

impl Context {
    /// The time in whole seconds, as statuses have it.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let now = self.clock.now();
        Timestamp::from_second(now.as_second()).unwrap_or(now)
    }

    /// Whether the watch has seen that there is no such Secret.
    #[must_use]
    pub fn is_absent(&self, secret: &Name) -> bool {
        self.watches_secrets(&secret.namespace) && self.index.sight(secret) == Sight::Absent
    }

    /// Whether changes of this namespace's Secrets are seen: not without the flag, nor without the right.
    #[must_use]
    pub fn watches_secrets(&self, namespace: &str) -> bool {
        self.secret_watch == SecretWatch::Metadata && self.index.is_watched(namespace)
    }
}

/// Brings one credential up to date: looks, thinks, writes, tells; in that order. Returns when to look again.
///
/// # Errors
/// [`Failure`], when it could not look or could not write. All else is a finding in the status.
pub async fn reconcile(ctx: &Context, object: Arc<ConnectorCredential>) -> Result<Option<Timestamp>, Failure> {
    if let Rest::Until(next) = at_rest(ctx, &object) {
        return Ok(next);
    }
    let slot = match line_up(ctx, &object).await {
        Ok(slot) => slot,
        Err(later) if only_waits(ctx, &object) => return Ok(Some(later)),
        Err(_) => None,
    };
    let mut seen = observe::observe(ctx, object).await?;
    let plan = probe_plan(&seen, ctx.clock.now());
    tracing::debug!(?plan, "looked");
    let slot = slot.filter(|_| matches!(plan, Plan::Due(_)));
    let (heard, wait) = match plan {
        Plan::Due(check) => match consult(ctx, &mut seen, (check, slot)).await? {
            Heard::Answer(checked) => (Some(checked), None),
            Heard::Later(at) => {
                tracing::debug!(%at, "not this check's turn");
                (None, Some(at))
            }
            Heard::Nothing => (None, None),
        },
        Plan::Later(at) => (None, Some(at)),
        Plan::Pointless(_) => (None, None),
    };
    ctx.must_lead()?;
    ctx.must_be_current(&seen)?;
    let asked = heard.as_ref().map(|heard| Asked {
        verdict: &heard.verdict,
        at: whole(heard.asked_at),
        retry_at: heard.retry_at,
    });
    let mut decision = decide(&seen, asked, wait, ctx.now());
    let (acted, failure) = act::act(ctx, &seen, &mut decision).await;
    let more = seen.dropped.len() >= observe::DROPPED_AT_ONCE && acted.undeleted.is_empty();
    let next = status::report(ctx, &seen, decision, &acted).await?;
    let next = if more { next.into_iter().chain([after(ctx.now(), A_SECOND)]).min() } else { next };
    failure.map_or(Ok(ctx.sooner(next, &seen)), Err)
}

impl Context {
    /// Nothing is written by a process that does not lead any more.
    fn must_lead(&self) -> Result<(), Failure> {
        if self.fence.holds() { Ok(()) } else { Err(Failure::overtaken("leases")) }
    }

    /// A verdict never speaks of another version than the one that was asked about.
    fn must_be_current(&self, seen: &Observed) -> Result<(), Failure> {
        let Source::Found(secret) = &seen.source else { return Ok(()) };
        let known = self.index.sight(&Name::of(&secret.metadata));
        let overtaken = matches!(known, Sight::Present { .. }) && Sight::of(&secret.metadata).is_overtaken_by(&known);
        if overtaken { Err(Failure::overtaken("secrets")) } else { Ok(()) }
    }

    /// Without a watch on Secrets they are read again every five minutes or so.
    fn sooner(&self, next: Option<Timestamp>, seen: &Observed) -> Option<Timestamp> {
        if self.watches_secrets(seen.object.metadata.namespace.as_deref().unwrap_or_default()) {
            return next;
        }
        let spread = jittered(REREAD_SPREAD, seen.uid(), "reread");
        next.into_iter().chain([after(self.now(), REREAD.saturating_add(spread))]).min()
    }
}

/// Since when this process leads; a clock that was set back since puts nobody off until that time comes again.
fn led_since(leading_since: Timestamp, now: Timestamp) -> Timestamp {
    if leading_since > now { Timestamp::UNIX_EPOCH } else { leading_since }
}

fn whole(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

/// The first wait after somebody was faster.
const A_MOMENT: Duration = Duration::from_millis(100);
/// The first wait after the API server did not do what was asked.
const A_SECOND: Duration = Duration::from_secs(1);

/// How long to wait after a failure: what the server asked for, a moment when somebody was faster, else a backoff.
#[must_use]
pub fn retry_after(ctx: &Context, uid: &str, failure: &Failure) -> Duration {
    match failure.class() {
        Class::Throttled(Some(wait)) => wait.min(Duration::from_secs(60)),
        Class::Conflict | Class::NotFound | Class::AlreadyExists => ctx.memory.failed(uid, A_MOMENT),
        Class::Forbidden
        | Class::Unauthorized
        | Class::Invalid
        | Class::Throttled(None)
        | Class::Timeout
        | Class::Unavailable
        | Class::Gone
        | Class::Unexpected => ctx.memory.failed(uid, A_SECOND),
    }
}
