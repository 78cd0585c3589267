//! How far does a new answer move what was known? One refusal does not undo a proved key, an outage not for a day.

use super::recall::{Pending, Recall, Standing, pending};
use super::schedule::{self, after, no_sooner, whole_second};
use super::seen::{Asked, Observed};
use super::token;
use crate::api::{Finding, PublishPolicy, Reason, Status, TokenStatus, ValidationStatus};
use crate::providers::{Access, Doubt, Proof, Provider, Rejection, Scope, Verdict};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use std::time::Duration;

/// A proved key that cannot be asked about is trusted for so long.
pub const GRACE: Duration = Duration::from_secs(24 * 3600);

/// What is known about the key now.
#[derive(Debug)]
pub struct Judged {
    /// What is known.
    pub standing: Standing,
    /// What the key may do, from the newest proof; `None`: nothing new, or nothing known.
    pub access: Option<AccessNews>,
    /// Scopes beyond what is declared, if they were looked for just now.
    pub undeclared: Option<Vec<Scope>>,
    /// The stored `Authorized` while it stands.
    pub authorized: Option<Finding>,
    /// The stored `OverPrivileged` while it stands.
    pub over_privileged: Option<Finding>,
    /// The course of validation.
    pub validation: ValidationStatus,
    /// The token's course.
    pub token: Option<TokenStatus>,
}

/// What a proof says beyond "genuine".
#[derive(Debug, Clone)]
pub struct AccessNews {
    /// Access to what is declared.
    pub access: Access,
    /// Declared scopes that cannot be shown.
    pub unverifiable: Vec<Scope>,
}

/// Moves what is known by an answer, or by the time that has passed.
#[must_use]
pub fn judge(seen: &Observed, recall: Recall, asked: Option<Asked<'_>>, now: Timestamp) -> Judged {
    let mut judged = Judged {
        standing: recall.standing,
        access: None,
        undeclared: None,
        authorized: recall.authorized,
        over_privileged: recall.over_privileged,
        validation: recall.validation,
        token: recall.token,
    };
    let Some(asked) = asked else {
        wait_out(&mut judged, Reason::ProviderUnavailable, now);
        return judged;
    };
    let at = whole_second(asked.at);
    judged.validation.last_check_time = Some(Time(at));
    match asked.verdict {
        Verdict::Accepted(proof) => accept(&mut judged, seen, proof, at),
        Verdict::Rejected(rejection) => {
            reject(&mut judged, seen.spread(), *rejection, at);
            wait_out(&mut judged, Reason::ProviderUnavailable, now);
        }
        Verdict::Inconclusive(doubt) => {
            doubt_it(&mut judged, seen.spread(), doubted(*doubt), at);
            wait_out(&mut judged, doubted(*doubt), now);
        }
    }
    let proved = matches!(asked.verdict, Verdict::Accepted(_));
    if let Some(next) = judged.validation.next_check_time.as_mut() {
        // An answer that is shared may be older than its own schedule.
        let earliest = asked.retry_at.filter(|_| !proved).into_iter().chain([after(now, schedule::A_SECOND)]).max();
        next.0 = no_sooner(next.0.max(earliest.unwrap_or(next.0)));
    }
    judged
}

/// The day of trust may end while nobody is asked.
fn wait_out(judged: &mut Judged, reason: Reason, now: Timestamp) {
    if judged.standing == Standing::Accepted
        && judged.validation.outage_start_time.as_ref().is_some_and(|since| after_grace(&since.0) <= now)
    {
        judged.standing = Standing::Doubted(reason);
        judged.authorized = None;
    }
}

/// When the trust in a proved key ends that cannot be asked about since `outage`.
#[must_use]
pub fn after_grace(outage: &Timestamp) -> Timestamp {
    after(*outage, GRACE)
}

fn accept(judged: &mut Judged, seen: &Observed, proof: &Proof, at: Timestamp) {
    let refused = matches!(proof.access, Access::MissingScopes(_) | Access::Denied | Access::IpNotAllowed);
    let was_allowed = judged.standing == Standing::Accepted
        && judged.authorized.as_ref().is_some_and(|known| known.status != Status::False);
    let before = std::mem::take(&mut judged.validation);
    let unconfirmed = refused && was_allowed && !confirms(&before, Pending::Denial, at);
    let audited = proof.undeclared.is_some().then_some(Time(at));
    judged.validation = ValidationStatus {
        last_check_time: Some(Time(at)),
        last_success_time: Some(Time(at)),
        next_check_time: Some(Time(schedule::healthy(at, seen.interval(), seen.spread()))),
        last_scope_audit_time: audited.or_else(|| before.last_scope_audit_time.clone()),
        subject: before.subject.clone(),
        ..ValidationStatus::default()
    };
    if unconfirmed {
        pend_denial(&mut judged.validation, &before, seen.spread(), at);
    } else {
        judged.access = Some(AccessNews { access: proof.access.clone(), unverifiable: proof.unverifiable.clone() });
    }
    judged.undeclared.clone_from(&proof.undeclared);
    judged.standing = Standing::Accepted;
    if proof.token.is_some() {
        keep_token(judged, seen, at);
    }
}

/// Keeps a denial in mind. One that contradicts a rejection is looked into at the next ordinary check: a provider that
/// says now this, now that shall not be asked each half minute.
fn pend_denial(validation: &mut ValidationStatus, before: &ValidationStatus, uid: &str, at: Timestamp) {
    let first = before.first_rejection_time.clone().filter(|_| pending(before) == Some(Pending::Denial));
    if pending(before) != Some(Pending::Rejection) {
        let since = first.as_ref().map_or(at, |first| first.0);
        validation.next_check_time = Some(Time(schedule::confirmation(since, uid)));
    }
    validation.first_rejection_time = Some(first.unwrap_or(Time(at)));
}

/// Counts a minted token's life. It is renewed early only if an output carries it.
fn keep_token(judged: &mut Judged, seen: &Observed, at: Timestamp) {
    let Some(lifetime) = seen.provider().and_then(Provider::token_lifetime) else { return };
    let course = token::course(at, lifetime);
    let published = seen.object.spec.publish_policy != Some(PublishPolicy::Never);
    if let (Some(renewal), Some(next)) = (&course.renewal_time, judged.validation.next_check_time.as_mut())
        && published
    {
        next.0 = next.0.min(renewal.0);
    }
    judged.token = Some(course);
}

/// Whether an earlier refusal of the same kind lies far enough back for this one to confirm it.
fn confirms(validation: &ValidationStatus, kind: Pending, at: Timestamp) -> bool {
    let first = validation.first_rejection_time.as_ref().filter(|_| pending(validation) == Some(kind));
    first.is_some_and(|first| schedule::earliest_confirmation(first.0) <= at)
}

fn reject(judged: &mut Judged, uid: &str, rejection: Rejection, at: Timestamp) {
    let validation = &mut judged.validation;
    // Also a key that was accepted before a long outage.
    let proved_before = validation.last_success_time.is_some() && !matches!(judged.standing, Standing::Rejected(_));
    if proved_before && rejection != Rejection::Expired && !confirms(validation, Pending::Rejection, at) {
        pend_rejection(validation, uid, at);
        return;
    }
    let rejections = validation.rejections.unwrap_or(0).saturating_add(1);
    validation.rejections = Some(rejections);
    validation.consecutive_failures = None;
    validation.outage_start_time = None;
    validation.first_rejection_time = None;
    validation.next_check_time = Some(Time(schedule::rejected(at, rejections)));
    judged.token = None;
    judged.authorized = None;
    judged.standing = Standing::Rejected(match rejection {
        Rejection::Key => Reason::KeyRejected,
        Rejection::Expired => Reason::KeyExpired,
        Rejection::Revoked => Reason::KeyRevoked,
    });
}

/// Keeps a rejection in mind, as one that came after the last success.
fn pend_rejection(validation: &mut ValidationStatus, uid: &str, at: Timestamp) {
    let repeated = pending(validation) == Some(Pending::Rejection);
    let known = validation.first_rejection_time.take().filter(|_| repeated);
    let since_success = validation.last_success_time.as_ref().map(|success| after(success.0, schedule::A_SECOND));
    let first = known.unwrap_or_else(|| Time(since_success.map_or(at, |since| since.max(at))));
    validation.next_check_time = Some(Time(schedule::confirmation(first.0, uid)));
    validation.first_rejection_time = Some(first);
}

const fn doubted(doubt: Doubt) -> Reason {
    match doubt {
        Doubt::Unavailable => Reason::ProviderUnavailable,
        Doubt::RateLimited => Reason::RateLimited,
        Doubt::Unexpected => Reason::UnexpectedResponse,
    }
}

fn doubt_it(judged: &mut Judged, uid: &str, reason: Reason, at: Timestamp) {
    let validation = &mut judged.validation;
    if let Standing::Rejected(_) = judged.standing {
        // Some providers answer a bad key with a server error: the refusal stands, on its own schedule.
        let rejections = validation.rejections.unwrap_or(1);
        validation.next_check_time = Some(Time(schedule::rejected(at, rejections)));
        return;
    }
    let failures = validation.consecutive_failures.unwrap_or(0).saturating_add(1);
    validation.consecutive_failures = Some(failures);
    validation.next_check_time = Some(Time(schedule::inconclusive(at, failures, uid)));
    if judged.standing == Standing::Accepted {
        validation.outage_start_time.get_or_insert(Time(at));
    } else {
        judged.standing = Standing::Doubted(reason);
        judged.authorized = None;
    }
}
