//! What goes on while a credential is suspended? Expiry and age, and nothing else.

use super::decide::Decision;
use super::expiry;
use super::message;
use super::notice::Notice;
use super::recall::stored_finding;
use super::seen::{Observed, declared_outputs};
use super::subject::subject;
use crate::api::{ConditionType, Conditions, ConnectorCredentialStatus, Finding, PublishPolicy, Reason, Status};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use std::collections::BTreeMap;

/// While suspended nothing moves but expiry and age.
pub(super) fn suspended(seen: &Observed, now: Timestamp) -> Decision {
    let stored = seen.object.status.clone().unwrap_or_default();
    let outlook = expiry::outlook(seen, None, false, now);
    let key = stored.key.clone();
    let accepted = stored.conditions.is_true(ConditionType::Authenticated);
    let expiring = expiry::expiring(&outlook, accepted);
    let announced = expiring.clone().filter(|_| outlook.announce);
    let too_old = expiry::too_old_at(seen, key.as_ref()).filter(|limit| *limit > now);
    Decision {
        findings: Vec::new(),
        advisories: expiring.into_iter().chain(expiry::rotation_due(seen, key.as_ref(), now)).collect(),
        outputs: None,
        dropped: Vec::new(),
        status: ConnectorCredentialStatus {
            observed_generation: seen.object.metadata.generation,
            provider: seen.provider().map(|provider| provider.profile().kind),
            expiration: outlook.status.clone(),
            ..stored
        },
        notices: announced.map(|found| Notice::warning(found.reason, "Watch", found.message)).into_iter().collect(),
        next: outlook.next.into_iter().chain(too_old).min(),
        same_key: true,
        suspended: true,
    }
}

/// Every condition stays as it was, but for Ready's reason, Reconciling and the advisories.
pub(super) fn paused(seen: &Observed, stored: &[Condition], decision: &Decision) -> Vec<Finding> {
    let kept = [
        ConditionType::Accepted,
        ConditionType::Resolved,
        ConditionType::Authenticated,
        ConditionType::Authorized,
        ConditionType::Published,
        ConditionType::OverPrivileged,
        ConditionType::Stalled,
    ];
    let mut findings: Vec<_> = kept.iter().filter_map(|kind| stored_finding(stored, *kind)).collect();
    if stored.of(ConditionType::Ready).is_none() {
        findings = unvisited(seen.object.spec.publish_policy);
    }
    let status = stored_finding(stored, ConditionType::Ready).map_or(Status::Unknown, |ready| ready.status);
    findings.extend(decision.advisories.iter().cloned());
    let message = if is_behind(seen) { message::SUSPENDED_BEHIND } else { message::SUSPENDED };
    let (reason, message) = (Reason::Suspended, message.to_owned());
    findings.push(Finding { condition: ConditionType::Ready, status, reason, message });
    findings
}

/// Whether another key, account or output is declared than the status tells of. What was not written for another reason
/// says nothing.
fn is_behind(seen: &Observed) -> bool {
    let Some(status) = &seen.object.status else { return false };
    let told = status.validation.as_ref().and_then(|validation| validation.subject.as_ref());
    let source = status.source.as_ref().map(|source| &source.secret_name);
    let declared = declared_outputs(&seen.object).into_iter();
    let declared: BTreeMap<_, _> =
        declared.map(|output| (output.secret_name, output.format.unwrap_or_default())).collect();
    let written: BTreeMap<_, _> = status.outputs.iter().map(|one| (one.secret_name.clone(), one.format)).collect();
    let all_written = status.conditions.reason(ConditionType::Published) == Some(Reason::Published);
    told.is_some_and(|told| *told != subject(&seen.object.spec, &seen.site))
        || source.is_some_and(|source| *source != seen.object.spec.key_secret_ref.name)
        || (all_written && declared.iter().any(|(name, format)| written.get(name) != Some(format)))
}

/// The standing conditions of a credential that was never looked at.
pub(super) fn unvisited(policy: Option<PublishPolicy>) -> Vec<Finding> {
    let unknown = |condition| Finding {
        condition,
        status: Status::Unknown,
        reason: Reason::NotChecked,
        message: message::NOT_CHECKED.to_owned(),
    };
    let accepted = Finding {
        condition: ConditionType::Accepted,
        status: Status::True,
        reason: Reason::Accepted,
        message: message::ACCEPTED.to_owned(),
    };
    let published = Finding {
        condition: ConditionType::Published,
        status: Status::False,
        reason: Reason::WaitingForVerification,
        message: message::WAITING.to_owned(),
    };
    let kinds = [ConditionType::Resolved, ConditionType::Authenticated, ConditionType::Authorized];
    let published = Some(published).filter(|_| policy != Some(PublishPolicy::Never));
    std::iter::once(accepted).chain(kinds.into_iter().map(unknown)).chain(published).collect()
}
