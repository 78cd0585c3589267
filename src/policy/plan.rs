//! Is the provider to be asked now? Compares times and versions; reads no clock, draws no lots.

use super::confidence::{Recall, Standing, recall};
use super::schedule::{after, spread_after_start};
use super::seen::Observed;
use super::source::{Resolved, resolve};
use super::token;
use crate::api::{ConnectorCredential, FLUX_REQUESTED_AT, Mode, RECONCILE_AT};
use crate::providers::{Depth, Unaddressable};
use jiff::Timestamp;
use std::time::Duration;

/// Undeclared scopes are looked for once in so long.
const AUDIT_INTERVAL: Duration = Duration::from_secs(24 * 3600);

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
    /// Whether the key was accepted before.
    pub proved: bool,
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
        Ok(resolved) => timing(seen, &recall(seen, &resolved), now),
    }
}

fn standing_in_the_way(seen: &Observed) -> Result<Resolved, Pointless> {
    let spec = &seen.object.spec;
    if spec.suspend == Some(true) {
        return Err(Pointless::Suspended);
    }
    let Some(provider) = seen.provider() else { return Err(Pointless::NotAccepted) };
    if super::publishing::violation(seen).is_some() {
        return Err(Pointless::NotAccepted);
    }
    let resolved = resolve(seen).map_err(|_| Pointless::Unresolved)?;
    if spec.validation.as_ref().and_then(|validation| validation.mode) == Some(Mode::Local) {
        return Err(Pointless::LocalOnly);
    }
    match provider.base(&seen.site) {
        Ok(_) => Ok(resolved),
        Err(Unaddressable::NotConfigured) => Err(Pointless::EndpointNotConfigured),
        Err(Unaddressable::BadField(_)) => Err(Pointless::NotAccepted),
    }
}

fn timing(seen: &Observed, recall: &Recall, now: Timestamp) -> Plan {
    let unscheduled = seen.traits.unscheduled_at;
    let next = recall.validation.next_check_time.as_ref().map(|next| next.0);
    let at_will = |check| if unscheduled <= now { Plan::Due(check) } else { Plan::Later(unscheduled) };
    if !recall.carried || asked_for(&seen.object) {
        let wanted = at_will(check(seen, recall, true, now));
        // A check that falls due while an unscheduled one waits for its turn is made all the same.
        return match (&wanted, next) {
            (Plan::Later(_), Some(next)) if recall.carried && next <= now => Plan::Due(check(seen, recall, false, now)),
            _ => wanted,
        };
    }
    match next {
        None => at_will(check(seen, recall, true, now)),
        Some(next) if next <= now => {
            let start = spread_after_start(seen.traits.leading_since, seen.uid());
            let overdue_at_start = next < seen.traits.leading_since && recall.standing == Standing::Accepted;
            if overdue_at_start && now < start {
                Plan::Later(start)
            } else {
                Plan::Due(check(seen, recall, false, now))
            }
        }
        // Another process may have claimed this very exchange: its claim ends within the minute.
        Some(next) if token_is_lost(seen, recall, now) && next > after(now, token::CLAIM) => {
            at_will(check(seen, recall, true, now))
        }
        Some(next) => Plan::Later(next),
    }
}

/// An output must be written, and the token that it needs is not to be had without an exchange.
fn token_is_lost(seen: &Observed, recall: &Recall, now: Timestamp) -> bool {
    let mints = seen.provider().is_some_and(|provider| provider.profile().mints_token);
    mints
        && recall.standing == Standing::Accepted
        && seen.object.spec.publish_policy != Some(crate::api::PublishPolicy::Never)
        && (seen.traits.token.is_none() || !token::serves(recall.token.as_ref(), now))
}

fn check(seen: &Observed, recall: &Recall, unscheduled: bool, now: Timestamp) -> Check {
    let provider = seen.provider();
    let audited = recall.validation.last_scope_audit_time.as_ref();
    let audit = provider.is_some_and(crate::providers::Provider::audits)
        && audited.is_none_or(|last| after(last.0, AUDIT_INTERVAL) <= now);
    Check {
        depth: if audit { Depth::LeastPrivilege } else { Depth::Declared },
        unscheduled,
        proved: recall.standing == Standing::Accepted,
        claim: provider.is_some_and(|provider| provider.profile().mints_token),
    }
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

/// The values of the two annotations that ask for a check: ours and Flux's.
#[must_use]
pub fn requests(object: &ConnectorCredential) -> (Option<String>, Option<String>) {
    let annotation = |name| {
        object
            .metadata
            .annotations
            .as_ref()
            .and_then(|all| all.get(name))
            .map(|text: &String| text.chars().take(256).collect())
    };
    (annotation(RECONCILE_AT), annotation(FLUX_REQUESTED_AT))
}
