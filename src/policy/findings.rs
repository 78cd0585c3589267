//! What is true of the key? `Accepted` to `Authorized` and the advisories; what writing cannot change.

use super::confidence::Judged;
use super::expiry::{self, Outlook};
use super::recall::{Standing, pending};
use super::seen::Observed;
use super::source::{Resolved, Unresolved};
use super::{message, publishing};
use crate::api::{ConditionType, Finding, KeyStatus, Reason, Status};
use crate::providers::{Access, Provider, Unaddressable};
use jiff::Timestamp;

/// By whom the key can be proved.
pub(super) enum HowProved {
    /// By its provider.
    ByProvider,
    /// By nobody: reason and message of `Authenticated=Unknown`.
    Unproved(Reason, String),
}

/// Looks at mode and endpoint.
pub(super) fn how_proved(seen: &Observed) -> HowProved {
    let Some(provider) = seen.provider() else {
        return HowProved::Unproved(Reason::NotChecked, message::NOT_CHECKED.to_owned());
    };
    if publishing::is_local(seen) {
        return HowProved::Unproved(Reason::LocalOnly, message::LOCAL_ONLY.to_owned());
    }
    match provider.base(&seen.site) {
        Err(Unaddressable::NotConfigured) => {
            let reason = Reason::EndpointNotConfigured;
            HowProved::Unproved(reason, message::not_accepted(provider.profile(), reason))
        }
        Ok(_) | Err(Unaddressable::BadField(_)) => HowProved::ByProvider,
    }
}

fn finding(condition: ConditionType, status: Status, reason: Reason, message: impl Into<String>) -> Finding {
    Finding { condition, status, reason, message: message.into() }
}

/// `Accepted`.
pub(super) fn accepted(violation: Option<&(Reason, String)>) -> Finding {
    match violation {
        None => finding(ConditionType::Accepted, Status::True, Reason::Accepted, message::ACCEPTED),
        Some((reason, message)) => finding(ConditionType::Accepted, Status::False, *reason, message),
    }
}

/// `Resolved`.
pub(super) fn resolved(seen: &Observed, resolved: Option<&Result<Resolved, Unresolved>>) -> Finding {
    let spec = &seen.object.spec;
    match resolved {
        None => finding(ConditionType::Resolved, Status::Unknown, Reason::NotChecked, message::NOT_CHECKED),
        Some(Ok(_)) => finding(ConditionType::Resolved, Status::True, Reason::SecretResolved, message::resolved(spec)),
        Some(Err(why)) => finding(ConditionType::Resolved, Status::False, why.reason(), message::unresolved(spec, why)),
    }
}

/// `Authenticated`.
pub(super) fn authenticated(seen: &Observed, judged: Option<&Judged>, proof: &HowProved, outlook: &Outlook) -> Finding {
    let make = |status, reason, message: String| finding(ConditionType::Authenticated, status, reason, message);
    let (Some(judged), Some(provider)) = (judged, seen.provider()) else {
        return make(Status::Unknown, Reason::NotChecked, message::NO_KEY.to_owned());
    };
    if let HowProved::Unproved(reason, why) = proof {
        let end = outlook.status.as_ref().and_then(|status| status.time.as_ref()).filter(|_| outlook.expired);
        return match end {
            Some(end) => make(Status::False, Reason::KeyExpired, message::expired_unproved(end.0)),
            None => make(Status::Unknown, *reason, why.clone()),
        };
    }
    let profile = provider.profile();
    let validation = &judged.validation;
    match judged.standing {
        Standing::New => make(Status::Unknown, Reason::NotChecked, message::NOT_ASKED.to_owned()),
        Standing::Accepted => {
            let message = message::accepted(profile, validation.outage_start_time.is_some(), pending(validation));
            make(Status::True, Reason::KeyAccepted, message)
        }
        Standing::Rejected(reason) => make(Status::False, reason, message::not_accepted(profile, reason)),
        Standing::Doubted(reason) => make(Status::Unknown, reason, message::not_accepted(profile, reason)),
    }
}

/// `Authorized`.
pub(super) fn authorized(seen: &Observed, judged: Option<&Judged>) -> Finding {
    let unknown = finding(ConditionType::Authorized, Status::Unknown, Reason::NotChecked, message::ACCESS_NOT_CHECKED);
    let (Some(judged), Some(provider)) = (judged, seen.provider()) else { return unknown };
    let Some(news) = &judged.access else { return judged.authorized.clone().unwrap_or(unknown) };
    let (status, reason) = match &news.access {
        Access::Verified => (Status::True, Reason::AccessVerified),
        Access::NotVerifiable => (Status::Unknown, Reason::NotVerifiable),
        Access::MissingScopes(_) => (Status::False, Reason::InsufficientScope),
        Access::Denied => (Status::False, Reason::AccessDenied),
        Access::IpNotAllowed => (Status::False, Reason::IPNotAllowed),
    };
    let message = message::access(provider.profile(), &seen.object.spec, &news.access, &news.unverifiable);
    finding(ConditionType::Authorized, status, reason, message)
}

/// `Expiring`, `RotationDue` and `OverPrivileged`, where raised.
pub(super) fn advisories(
    seen: &Observed,
    judged: Option<&Judged>,
    outlook: &Outlook,
    aged: (Option<&KeyStatus>, Timestamp),
) -> Vec<Finding> {
    let accepted = judged.is_some_and(|judged| judged.standing == Standing::Accepted);
    let expiring = expiry::expiring(outlook, accepted);
    let due = expiry::rotation_due(seen, aged.0, aged.1);
    expiring.into_iter().chain(due).chain(over_privileged(seen, judged)).collect()
}

fn over_privileged(seen: &Observed, judged: Option<&Judged>) -> Option<Finding> {
    let judged = judged?;
    let watched = seen.provider().is_some_and(Provider::audits);
    match &judged.undeclared {
        Some(found) if found.is_empty() => None,
        Some(found) => Some(finding(
            ConditionType::OverPrivileged,
            Status::True,
            Reason::UndeclaredScope,
            message::over_privileged(found),
        )),
        None => judged.over_privileged.clone().filter(|_| watched),
    }
}
