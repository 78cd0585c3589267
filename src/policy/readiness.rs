//! What is the sum? Ready from the first failing condition, in the contract's order; Reconciling or Stalled beside it.

use super::message;
use crate::api::{ConditionType, Finding, Reason, Status};

/// Whether a reason needs a person, and not time.
#[must_use]
pub fn stalls(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::InvalidSpec
            | Reason::OutputConflict
            | Reason::SecretTypeNotAllowed
            | Reason::KeyMalformed
            | Reason::KeyRejected
            | Reason::KeyExpired
            | Reason::KeyRevoked
            | Reason::InsufficientScope
            | Reason::AccessDenied
            | Reason::IPNotAllowed
            | Reason::TargetNotOwned
    )
}

/// Whether a condition with this reason is somebody's choice, and no failure.
fn chosen(reason: Reason) -> bool {
    matches!(reason, Reason::LocalOnly | Reason::EndpointNotConfigured)
}

fn fails(finding: &Finding) -> bool {
    match (finding.condition, finding.status) {
        (_, Status::True) | (ConditionType::Authorized, Status::Unknown) => false,
        (_, Status::Unknown) => !chosen(finding.reason),
        (_, Status::False) => true,
    }
}

/// Ready, and Reconciling or Stalled, from the standing conditions in the contract's order.
#[must_use]
pub fn sum(standing: &[Finding]) -> Vec<Finding> {
    let Some(cause) = standing.iter().find(|finding| fails(finding)) else {
        return vec![all_well(standing)];
    };
    let finding =
        |condition, status| Finding { condition, status, reason: cause.reason, message: cause.message.clone() };
    if stalls(cause.reason) {
        vec![finding(ConditionType::Stalled, Status::True), finding(ConditionType::Ready, Status::False)]
    } else {
        vec![finding(ConditionType::Reconciling, Status::True), finding(ConditionType::Ready, cause.status)]
    }
}

fn all_well(standing: &[Finding]) -> Finding {
    let unproved = standing.iter().find(|finding| chosen(finding.reason));
    let unpublished = !standing.iter().any(|finding| finding.condition == ConditionType::Published);
    let (reason, message) = match unproved {
        Some(finding) => (finding.reason, finding.message.clone()),
        None if unpublished => (Reason::Ready, message::READY_UNPUBLISHED.to_owned()),
        None => (Reason::Ready, message::READY.to_owned()),
    };
    Finding { condition: ConditionType::Ready, status: Status::True, reason, message }
}
