//! What does the status remember about this very key? Nothing that was said of another key or another subject.

use super::evidence;
use super::schedule::{self, after};
use super::seen::Observed;
use super::source::Resolved;
use super::subject::subject;
use super::token::CLAIM;
use crate::api::{
    ConditionType, Conditions, ConnectorCredentialStatus, Finding, Reason, Status, TokenStatus, ValidationStatus,
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// What is known about the key before anybody is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing.
    New,
    /// The provider accepted it.
    Accepted,
    /// The provider refused it, for this reason.
    Rejected(Reason),
    /// The provider did not say, for this reason.
    Doubted(Reason),
}

/// A refusal that does not count before it is confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pending {
    /// Of the key itself.
    Rejection,
    /// Of access, to a genuine key.
    Denial,
}

/// What the status remembers about these very key bytes.
#[derive(Debug)]
pub struct Recall {
    /// Whether the source holds the bytes that the status speaks of.
    pub same_key: bool,
    /// Whether the stored verdict is about these bytes and these settings.
    pub carried: bool,
    /// The course of validation so far; empty but for the subject when nothing is carried.
    pub validation: ValidationStatus,
    /// What was known.
    pub standing: Standing,
    /// The stored `Authorized`, if it is carried.
    pub authorized: Option<Finding>,
    /// The stored `OverPrivileged`, if it is carried.
    pub over_privileged: Option<Finding>,
    /// The token's course, if it is carried.
    pub token: Option<TokenStatus>,
}

impl Recall {
    /// The same key, of which nothing is known: a verdict does not outlive the possibility to ask.
    #[must_use]
    pub fn forgotten(self) -> Self {
        let validation = ValidationStatus { subject: self.validation.subject, ..ValidationStatus::default() };
        nothing_known(self.same_key, self.carried, validation)
    }
}

/// Reads out of the status what is known about the key that was resolved.
#[must_use]
pub fn recall(seen: &Observed, resolved: &Resolved, now: Timestamp) -> Recall {
    let subject = subject(&seen.object.spec, &seen.site);
    let status = seen.object.status.clone().unwrap_or_default();
    let stored = no_later_than(now, status.validation.clone().unwrap_or_default());
    let about_this = stored.subject.as_deref() == Some(subject.as_str());
    let same_key = same_key(seen, resolved, &status, about_this);
    if !(about_this && same_key) {
        let validation = ValidationStatus { subject: Some(subject), ..ValidationStatus::default() };
        return nothing_known(same_key, false, validation);
    }
    if stored.last_check_time.is_none() {
        // Claimed, or waiting for its first check: conditions may still speak of what was there before.
        let next = stored.next_check_time.clone().filter(|next| next.0 <= after(now, CLAIM));
        return nothing_known(same_key, true, ValidationStatus { next_check_time: next, ..stored });
    }
    let standing = standing(&status.conditions);
    Recall {
        same_key,
        carried: true,
        validation: ValidationStatus { next_check_time: next_check(seen, &stored, standing, now), ..stored },
        standing,
        authorized: stored_finding(&status.conditions, ConditionType::Authorized),
        over_privileged: stored_finding(&status.conditions, ConditionType::OverPrivileged),
        token: status.token,
    }
}

/// What lies in the future was stored before the clock was set back: it counts from now on. The last check keeps its
/// time, which is how that is noticed; a rejection comes a second after the last success, to be told from a denial.
fn no_later_than(now: Timestamp, mut stored: ValidationStatus) -> ValidationStatus {
    let now = schedule::whole_second(now);
    let refused = if pending(&stored) == Some(Pending::Rejection) { after(now, schedule::A_SECOND) } else { now };
    for (time, latest) in [
        (&mut stored.last_success_time, now),
        (&mut stored.first_rejection_time, refused),
        (&mut stored.outage_start_time, now),
        (&mut stored.last_scope_audit_time, now),
    ] {
        if let Some(time) = time {
            time.0 = time.0.min(latest);
        }
    }
    stored
}

fn nothing_known(same_key: bool, carried: bool, validation: ValidationStatus) -> Recall {
    let (standing, authorized, over_privileged, token) = (Standing::New, None, None, None);
    Recall { same_key, carried, validation, standing, authorized, over_privileged, token }
}

/// Whether the source holds the bytes that the status speaks of: by version, by this process's memory, or because our
/// outputs were made of them.
fn same_key(seen: &Observed, resolved: &Resolved, status: &ConnectorCredentialStatus, about_this: bool) -> bool {
    let same_version = status.source.as_ref().is_some_and(|source| {
        source.secret_name == seen.object.spec.key_secret_ref.name
            && source.uid == resolved.uid
            && source.resource_version == resolved.resource_version
    });
    match (about_this && same_version, seen.traits.same_key) {
        (true, _) => true,
        (false, Some(same)) => same,
        (false, None) => evidence::still_published(seen, &resolved.key),
    }
}

fn standing(conditions: &[Condition]) -> Standing {
    match conditions.reason(ConditionType::Authenticated) {
        Some(Reason::KeyAccepted) => Standing::Accepted,
        Some(reason @ (Reason::KeyRejected | Reason::KeyRevoked | Reason::KeyExpired)) => Standing::Rejected(reason),
        Some(reason @ (Reason::ProviderUnavailable | Reason::RateLimited | Reason::UnexpectedResponse)) => {
            Standing::Doubted(reason)
        }
        _ => Standing::New,
    }
}

/// The stored time, unless the interval was shortened meanwhile. What is at hand stays: it may be a claim.
fn next_check(seen: &Observed, stored: &ValidationStatus, standing: Standing, now: Timestamp) -> Option<Time> {
    let next = stored.next_check_time.as_ref()?;
    if stored.last_check_time.as_ref().is_some_and(|last| last.0 > after(now, CLAIM)) {
        // The clock was set back since: nothing that was computed from it holds, least of all a token's life.
        return Some(Time(now));
    }
    let undisturbed =
        standing == Standing::Accepted && stored.consecutive_failures.is_none() && pending(stored).is_none();
    match &stored.last_check_time {
        Some(last) if undisturbed && next.0 > after(now, CLAIM) => {
            Some(Time(next.0.min(schedule::healthy(last.0, seen.interval(), seen.spread()))))
        }
        _ => Some(next.clone()),
    }
}

/// The refusal that waits for its confirmation. A denial is also a proof that the key is genuine, a rejection is not.
#[must_use]
pub fn pending(validation: &ValidationStatus) -> Option<Pending> {
    let first = validation.first_rejection_time.as_ref()?;
    let proved_then = validation.last_success_time.as_ref().is_some_and(|success| success.0 >= first.0);
    Some(if proved_then { Pending::Denial } else { Pending::Rejection })
}

/// A stored condition, as it was found.
#[must_use]
pub fn stored_finding(conditions: &[Condition], condition: ConditionType) -> Option<Finding> {
    let known = conditions.of(condition)?;
    let reason = Reason::read(&known.reason)?;
    let all = [Status::True, Status::False, Status::Unknown];
    let status = all.into_iter().find(|status| status.name() == known.status)?;
    Some(Finding { condition, status, reason, message: known.message.clone() })
}
