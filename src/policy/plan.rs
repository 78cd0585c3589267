//! Is the provider to be asked now? Compares times and versions; reads no clock, draws no lots.

use super::recall::{Recall, Standing, pending, recall};
use super::schedule::{self, after, spread_after_start};
use super::seen::Observed;
use super::source::{Resolved, resolve};
use super::violation::violation;
use super::{publishing, token};
use crate::api::{
    ConditionType, Conditions, ConnectorCredential, FLUX_REQUESTED_AT, PublishPolicy, RECONCILE_AT, Reason,
};
use crate::providers::{Depth, Provider, Unaddressable};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// Undeclared scopes are looked for once in so long.
const AUDIT_INTERVAL: Duration = Duration::from_secs(24 * 3600);

/// A token is renewed so long before its end, even by a process that has just begun.
const LEAD: SignedDuration = SignedDuration::from_secs(10);

/// Whether the provider is asked now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// Now.
    Due(Check),
    /// Not before this time.
    Later(Timestamp),
    /// Not at all, as things stand.
    Pointless(Pointless),
}

/// A check that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Check {
    /// How much is asked.
    pub depth: Depth,
    /// Whether it draws on the object's bucket of unscheduled checks.
    pub unscheduled: bool,
    /// Whether the key was accepted before, or takes the place of one that is.
    pub proved: bool,
    /// When these very bytes were checked last, if they were accepted then.
    pub asked_before: Option<Timestamp>,
    /// Whether a claim is stored before the call, because the call mints a token.
    pub claim: bool,
}

/// Why nobody is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pointless {
    /// The credential is suspended.
    Suspended,
    /// The spec cannot be acted on, or another credential's output is in the way.
    NotAccepted,
    /// There is no usable key.
    Unresolved,
    /// Only local checks are asked for.
    LocalOnly,
    /// The administrator has configured no endpoint.
    EndpointNotConfigured,
}

/// Decides whether the provider is asked at `now`.
#[must_use]
pub fn probe_plan(seen: &Observed, now: Timestamp) -> Plan {
    match standing_in_the_way(seen) {
        Err(why) => Plan::Pointless(why),
        Ok(resolved) => timing(seen, &recall(seen, &resolved, now), now),
    }
}

fn standing_in_the_way(seen: &Observed) -> Result<Resolved, Pointless> {
    let spec = &seen.object.spec;
    if spec.suspend == Some(true) {
        return Err(Pointless::Suspended);
    }
    let Some(provider) = seen.provider() else { return Err(Pointless::NotAccepted) };
    if violation(seen).is_some() {
        return Err(Pointless::NotAccepted);
    }
    let resolved = resolve(seen).map_err(|_| Pointless::Unresolved)?;
    if publishing::is_local(seen) {
        return Err(Pointless::LocalOnly);
    }
    match provider.base(&seen.site) {
        Ok(_) => Ok(resolved),
        Err(Unaddressable::NotConfigured) => Err(Pointless::EndpointNotConfigured),
        Err(Unaddressable::BadField(_)) => Err(Pointless::NotAccepted),
    }
}

fn timing(seen: &Observed, recall: &Recall, now: Timestamp) -> Plan {
    let next = recall.validation.next_check_time.as_ref().map(|next| inherited(seen, recall, next.0, now));
    // The process that led before may have claimed this very exchange: its claim ends within a minute of that.
    let claims_end = after(seen.traits.leading_since, token::CLAIM);
    if let Some(end) = next.filter(|next| mints(seen) && *next > now && *next <= claims_end) {
        return Plan::Later(end);
    }
    let start = match next {
        Some(next) if next < seen.traits.leading_since => turn_after_start(seen, recall),
        _ => now,
    };
    if next.is_some_and(|next| next <= now) && start <= now {
        return Plan::Due(check(seen, recall, false, now));
    }
    let wanted = next.is_none() || asked_for(&seen.object) || token_is_lost(seen, recall, now);
    let alone = schedule::left_alone(&recall.validation).filter(|until| *until > now);
    let unscheduled = seen.traits.unscheduled_at.max(alone.unwrap_or(seen.traits.unscheduled_at));
    if wanted && unscheduled <= now {
        return Plan::Due(check(seen, recall, true, now));
    }
    let turn = Some(unscheduled).filter(|_| wanted);
    Plan::Later(turn.into_iter().chain(next.map(|next| next.max(start))).min().unwrap_or(unscheduled))
}

/// The next check; but a claim of a process that led before this one gives way while the token that it was to replace
/// still serves: whoever claimed is dead, or may not call any more.
fn inherited(seen: &Observed, recall: &Recall, next: Timestamp, now: Timestamp) -> Timestamp {
    let claimed = mints(seen) && seen.object.status.as_ref().is_some_and(|status| token::is_claimed(status, now));
    let formerly = next < after(seen.traits.leading_since, token::CLAIM);
    let end = recall.token.as_ref().and_then(|token| token.expiration_time.as_ref()).map(|end| end.0);
    let end = end.filter(|end| claimed && formerly && now < *end && *end < next);
    end.and_then(|end| end.checked_sub(LEAD).ok()).unwrap_or(next)
}

/// Overdue checks are spread, but a token that workloads hold is renewed while it serves.
fn turn_after_start(seen: &Observed, recall: &Recall) -> Timestamp {
    let since = seen.traits.leading_since;
    let turn = spread_after_start(since, seen.spread());
    let end = recall.token.as_ref().and_then(|token| token.expiration_time.as_ref()).map(|end| end.0);
    match end.and_then(|end| end.checked_sub(LEAD).ok()) {
        Some(last) if mints(seen) && seen.object.spec.publish_policy != Some(PublishPolicy::Never) => {
            turn.min(last).max(since)
        }
        _ => turn,
    }
}

fn mints(seen: &Observed) -> bool {
    seen.provider().is_some_and(|provider| provider.profile().mints_token)
}

/// An output must be written, and the token that it needs is not to be had without an exchange. While the provider is
/// in trouble or refuses, its schedule counts.
fn token_is_lost(seen: &Observed, recall: &Recall, now: Timestamp) -> bool {
    mints(seen)
        && recall.standing == Standing::Accepted
        && recall.validation.consecutive_failures.is_none()
        && pending(&recall.validation).is_none()
        && seen.object.spec.publish_policy != Some(PublishPolicy::Never)
        && (seen.traits.token.is_none() || !token::serves(recall.token.as_ref(), now))
}

fn check(seen: &Observed, recall: &Recall, unscheduled: bool, now: Timestamp) -> Check {
    let provider = seen.provider();
    let audited = recall.validation.last_scope_audit_time.as_ref();
    let audit =
        provider.is_some_and(Provider::audits) && audited.is_none_or(|last| after(last.0, AUDIT_INTERVAL) <= now);
    let accepted = recall.standing == Standing::Accepted;
    Check {
        depth: if audit { Depth::LeastPrivilege } else { Depth::Declared },
        unscheduled,
        proved: accepted || follows_a_proved_key(seen, recall),
        asked_before: recall.validation.last_check_time.as_ref().map(|last| last.0).filter(|_| accepted),
        claim: mints(seen),
    }
}

/// A rotation: the key before this one is accepted for the very same account. Whoever has no genuine key of the account
/// never stands here, so junk does not delay it.
fn follows_a_proved_key(seen: &Observed, recall: &Recall) -> bool {
    let Some(status) = &seen.object.status else { return false };
    let stored = status.validation.as_ref().and_then(|validation| validation.subject.as_ref());
    stored.is_some()
        && stored == recall.validation.subject.as_ref()
        && status.conditions.reason(ConditionType::Authenticated) == Some(Reason::KeyAccepted)
}

/// Whether one of the two annotations holds a value that was not acted on yet.
#[must_use]
pub fn asked_for(object: &ConnectorCredential) -> bool {
    let status = object.status.as_ref();
    let (ours, flux) = requests(object);
    let is_new = |asked: Option<String>, handled: Option<&String>| asked.is_some() && asked.as_ref() != handled;
    is_new(ours, status.and_then(|status| status.last_handled_request.as_ref()))
        || is_new(flux, status.and_then(|status| status.last_handled_reconcile_at.as_ref()))
}

/// Of a request by annotation only the beginning is looked at.
pub const REQUEST_CHARS: usize = 256;

/// The values of the two annotations that ask for a check: ours and Flux's.
#[must_use]
pub fn requests(object: &ConnectorCredential) -> (Option<String>, Option<String>) {
    let annotation = |name| {
        object
            .metadata
            .annotations
            .as_ref()
            .and_then(|all| all.get(name))
            .map(|text: &String| text.chars().take(REQUEST_CHARS).collect())
    };
    (annotation(RECONCILE_AT), annotation(FLUX_REQUESTED_AT))
}
