//! When does the key die, and who is told when? Thresholds, not polls.

use super::message;
use super::schedule::{after, no_sooner, whole_second};
use super::seen::Observed;
use crate::api::{
    ConditionType, ConnectorCredentialSpec, ExpirationStatus, Finding, KeyStatus, Reason, Status, parse_duration,
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// `spec.warnBefore` when it is not set.
const DEFAULT_WARNING: Duration = Duration::from_secs(30 * 24 * 3600);
/// Days before the expiry at which an Event tells again.
const REMINDERS: [u32; 4] = [14, 7, 3, 1];

/// What follows from the expiry at a time.
#[derive(Debug)]
pub struct Outlook {
    /// For the status.
    pub status: Option<ExpirationStatus>,
    /// Whether the declared expiry has passed.
    pub expired: bool,
    /// Whether a threshold was crossed that nobody was told of.
    pub announce: bool,
    /// The next threshold.
    pub next: Option<Timestamp>,
    /// Whether the key is within `warnBefore` of its expiry.
    pub soon: bool,
}

/// Looks at the expiry: the Secret's own wins over the declared one; unresolved, the stored one stands.
#[must_use]
pub fn outlook(seen: &Observed, own: Option<Timestamp>, resolved: bool, now: Timestamp) -> Outlook {
    let stored = seen.object.status.as_ref().and_then(|status| status.expiration.as_ref());
    let declared = seen.object.spec.expires_at.as_ref().map(|time| time.0);
    let kept = stored.and_then(|stored| stored.time.as_ref()).map(|time| time.0);
    let by_secret = seen.object.spec.key_secret_ref.expiration_key.is_some();
    let Some(end) = (if by_secret && !resolved { kept } else { own }).or(declared) else {
        return Outlook { status: None, expired: false, announce: false, next: None, soon: false };
    };
    let end = whole_second(end);
    let thresholds = thresholds(seen, end);
    let passed = thresholds.iter().copied().filter(|time| *time <= now).max();
    let told =
        stored.filter(|_| kept == Some(end)).and_then(|stored| stored.last_notice_time.as_ref()).map(|time| time.0);
    Outlook {
        status: Some(ExpirationStatus { time: Some(Time(end)), last_notice_time: passed.max(told).map(Time) }),
        expired: end <= now,
        announce: passed > told,
        next: thresholds.iter().copied().filter(|time| *time > now).min(),
        soon: passed.is_some(),
    }
}

/// How long before the end the warning comes.
#[must_use]
pub fn warning(spec: &ConnectorCredentialSpec) -> Duration {
    spec.warn_before.as_deref().and_then(parse_duration).unwrap_or(DEFAULT_WARNING)
}

/// `warnBefore`, the reminders within it, and the end.
fn thresholds(seen: &Observed, end: Timestamp) -> Vec<Timestamp> {
    let warning = warning(&seen.object.spec);
    let reminders = REMINDERS.iter().map(|days| DAY.saturating_mul(*days)).filter(|before| *before < warning);
    let all = std::iter::once(warning).chain(reminders).chain(std::iter::once(Duration::ZERO));
    // Announced thresholds are stored in whole seconds, and are compared with what was stored.
    all.filter_map(|before| SignedDuration::try_from(before).ok().and_then(|before| end.checked_sub(before).ok()))
        .map(whole_second)
        .collect()
}

/// `Expiring`, if it is to be raised.
#[must_use]
pub fn expiring(outlook: &Outlook, accepted: bool) -> Option<Finding> {
    let end = outlook.status.as_ref()?.time.as_ref()?;
    let (reason, message) = match (outlook.expired, outlook.soon) {
        (true, _) => (Reason::Expired, message::expired(&end.0, accepted)),
        (false, true) => (Reason::ExpiringSoon, message::expiring(&end.0)),
        (false, false) => return None,
    };
    Some(Finding { condition: ConditionType::Expiring, status: Status::True, reason, message })
}

/// When `RotationDue` is raised for a key that was first seen at that time.
#[must_use]
pub fn too_old_at(seen: &Observed, key: Option<&KeyStatus>) -> Option<Timestamp> {
    let limit = seen.object.spec.max_age.as_deref().and_then(parse_duration)?;
    key.and_then(|key| key.first_seen_time.as_ref()).map(|since| no_sooner(after(since.0, limit)))
}

/// `RotationDue`, if it is to be raised.
#[must_use]
pub fn rotation_due(seen: &Observed, key: Option<&KeyStatus>, now: Timestamp) -> Option<Finding> {
    too_old_at(seen, key).filter(|limit| *limit <= now)?;
    let message = message::too_old(seen.object.spec.max_age.as_deref().unwrap_or_default());
    Some(Finding { condition: ConditionType::RotationDue, status: Status::True, reason: Reason::KeyTooOld, message })
}
