//! How far does a new answer move what was known? One refusal does not undo a proved key, an outage not for a day.

use super::schedule;
use super::seen::{Asked, Observed};
use super::source::Resolved;
use super::subject::subject;
use super::{publishing, token};
use crate::api::{ConditionType, Conditions, Finding, Reason, Status, TokenStatus, ValidationStatus};
use crate::providers::{Access, Doubt, Proof, Rejection, Verdict};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use std::time::Duration;

/// A proved key that cannot be asked about is trusted for so long.
pub const GRACE: Duration = Duration::from_secs(24 * 3600);

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

/// Reads out of the status what is known about the key that was resolved.
#[must_use]
pub fn recall(seen: &Observed, resolved: &Resolved) -> Recall {
    let subject = subject(&seen.object.spec);
    let status = seen.object.status.clone().unwrap_or_default();
    let stored = status.validation.unwrap_or_default();
    let about_this = stored.subject.as_deref() == Some(subject.as_str());
    let same_version = status.source.as_ref().is_some_and(|source| {
        source.secret_name == seen.object.spec.key_secret_ref.name
            && source.uid == resolved.uid
            && source.resource_version == resolved.resource_version
    });
    let same_key = match (about_this && same_version, seen.traits.same_key) {
        (true, _) => true,
        (false, Some(same)) => same,
        (false, None) => status.source.is_some() && publishing::still_published(seen, &resolved.key),
    };
    let fresh = ValidationStatus { subject: Some(subject), ..ValidationStatus::default() };
    if !(about_this && same_key) {
        let (standing, authorized, over_privileged, token) = (Standing::New, None, None, None);
        return Recall { same_key, carried: false, validation: fresh, standing, authorized, over_privileged, token };
    }
    Recall {
        same_key,
        carried: true,
        validation: stored,
        standing: standing(&status.conditions),
        authorized: found(&status.conditions, ConditionType::Authorized),
        over_privileged: found(&status.conditions, ConditionType::OverPrivileged),
        token: status.token,
    }
}

fn standing(conditions: &[k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition]) -> Standing {
    match conditions.reason(ConditionType::Authenticated) {
        Some(Reason::KeyAccepted) => Standing::Accepted,
        Some(reason @ (Reason::KeyRejected | Reason::KeyRevoked | Reason::KeyExpired)) => Standing::Rejected(reason),
        Some(reason @ (Reason::ProviderUnavailable | Reason::RateLimited | Reason::UnexpectedResponse)) => {
            Standing::Doubted(reason)
        }
        _ => Standing::New,
    }
}

fn found(
    conditions: &[k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition],
    condition: ConditionType,
) -> Option<Finding> {
    let stored = conditions.of(condition)?;
    let reason = Reason::read(&stored.reason)?;
    let status = [Status::True, Status::False, Status::Unknown].into_iter().find(|s| s.name() == stored.status)?;
    Some(Finding { condition, status, reason, message: stored.message.clone() })
}

/// What is known about the key now.
#[derive(Debug)]
pub struct Judged {
    /// What is known.
    pub standing: Standing,
    /// What the key may do, from the newest proof; `None`: nothing new, or nothing known.
    pub access: Option<AccessNews>,
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
    pub unverifiable: Vec<crate::providers::Scope>,
    /// Scopes beyond what is declared, if they were looked for.
    pub undeclared: Option<Vec<crate::providers::Scope>>,
}

/// Moves what is known by an answer, or by the time that has passed.
#[must_use]
pub fn judge(seen: &Observed, recall: Recall, asked: Option<Asked<'_>>, now: Timestamp) -> Judged {
    let mut judged = Judged {
        standing: recall.standing,
        access: None,
        authorized: recall.authorized,
        over_privileged: recall.over_privileged,
        validation: recall.validation,
        token: recall.token,
    };
    let Some(asked) = asked else {
        wait_out(&mut judged, now);
        return judged;
    };
    judged.validation.last_check_time = Some(Time(asked.at));
    match asked.verdict {
        Verdict::Accepted(proof) => accept(&mut judged, seen, proof, asked.at),
        Verdict::Rejected(rejection) => reject(&mut judged, seen.uid(), *rejection, asked.at),
        Verdict::Inconclusive(doubt) => doubt_it(&mut judged, seen.uid(), *doubt, asked.at, now),
    }
    if let (Some(retry), Some(next)) = (asked.retry_at, judged.validation.next_check_time.as_mut()) {
        next.0 = next.0.max(retry);
    }
    judged
}

/// The day of trust may end while nobody is asked.
fn wait_out(judged: &mut Judged, now: Timestamp) {
    if judged.standing == Standing::Accepted
        && judged.validation.outage_start_time.as_ref().is_some_and(|since| after_grace(&since.0) <= now)
    {
        judged.standing = Standing::Doubted(Reason::ProviderUnavailable);
        judged.authorized = None;
    }
}

/// When the trust in a proved key ends that cannot be asked about since `outage`.
#[must_use]
pub fn after_grace(outage: &Timestamp) -> Timestamp {
    schedule::after(*outage, GRACE)
}

fn accept(judged: &mut Judged, seen: &Observed, proof: &Proof, at: Timestamp) {
    let uid = seen.uid();
    let refused = matches!(proof.access, Access::MissingScopes(_) | Access::Denied | Access::IpNotAllowed);
    let was_allowed = judged.standing == Standing::Accepted
        && judged.authorized.as_ref().is_some_and(|known| known.status != Status::False);
    let validation = &mut judged.validation;
    let unconfirmed = refused && was_allowed && !confirmed(validation, at);
    *validation = ValidationStatus {
        last_check_time: Some(Time(at)),
        last_success_time: Some(Time(at)),
        next_check_time: Some(Time(schedule::healthy(at, seen.interval(), uid))),
        last_scope_audit_time: if proof.undeclared.is_some() {
            Some(Time(at))
        } else {
            validation.last_scope_audit_time.clone()
        },
        first_rejection_time: validation.first_rejection_time.take().filter(|_| unconfirmed),
        subject: validation.subject.take(),
        ..ValidationStatus::default()
    };
    if unconfirmed {
        validation.first_rejection_time.get_or_insert(Time(at));
        validation.next_check_time = Some(Time(schedule::confirmation(at, uid)));
    } else {
        let (access, unverifiable) = (proof.access.clone(), proof.unverifiable.clone());
        judged.access = Some(AccessNews { access, unverifiable, undeclared: proof.undeclared.clone() });
    }
    judged.standing = Standing::Accepted;
    if let (Some(_), Some(lifetime)) =
        (&proof.token, seen.provider().and_then(crate::providers::Provider::token_lifetime))
    {
        let course = token::course(at, lifetime);
        if let (Some(renewal), Some(next)) = (&course.renewal_time, validation.next_check_time.as_mut()) {
            next.0 = next.0.min(renewal.0);
        }
        judged.token = Some(course);
    }
}

/// Whether an earlier refusal lies far enough back for this one to confirm it.
fn confirmed(validation: &ValidationStatus, at: Timestamp) -> bool {
    let first = validation.first_rejection_time.as_ref();
    first.is_some_and(|first| schedule::after(first.0, schedule::CONFIRMATION) <= at)
}

fn reject(judged: &mut Judged, uid: &str, rejection: Rejection, at: Timestamp) {
    let validation = &mut judged.validation;
    let at_once = judged.standing != Standing::Accepted || rejection == Rejection::Expired;
    if !at_once && !confirmed(validation, at) {
        validation.first_rejection_time.get_or_insert(Time(at));
        validation.next_check_time = Some(Time(schedule::confirmation(at, uid)));
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

fn doubt_it(judged: &mut Judged, uid: &str, doubt: Doubt, at: Timestamp, now: Timestamp) {
    let reason = match doubt {
        Doubt::Unavailable => Reason::ProviderUnavailable,
        Doubt::RateLimited => Reason::RateLimited,
        Doubt::Unexpected => Reason::UnexpectedResponse,
    };
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
        let since = validation.outage_start_time.get_or_insert(Time(at)).clone();
        if now < after_grace(&since.0) {
            return;
        }
    }
    judged.standing = Standing::Doubted(reason);
    judged.authorized = None;
}
