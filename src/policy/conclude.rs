//! What is reported, now that the writes were made or refused? The whole status, and what a person is told.

use super::decide::{Decision, decide};
use super::notice::{self, Notice};
use super::published::{self, Acted, Done};
use super::schedule::{after, whole_second};
use super::seen::Observed;
use super::suspension::{paused, unvisited};
use super::token::CLAIM;
use super::{message, readiness};
use crate::api::{ConditionType, Conditions, ConnectorCredentialStatus, Finding, PublishPolicy, Reason, Status, merge};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// What is written to the API server about a visit.
#[derive(Debug)]
pub struct Conclusion {
    /// The whole status.
    pub status: ConnectorCredentialStatus,
    /// Events, to be sent once the status is stored.
    pub notices: Vec<Notice>,
    /// When to look again.
    pub next: Option<Timestamp>,
}

/// Sums up a visit.
#[must_use]
pub fn conclude(seen: &Observed, decision: Decision, acted: &Acted, now: Timestamp) -> Conclusion {
    let stored = seen.object.status.clone().unwrap_or_default();
    let now = Time(whole_second(now));
    let generation = seen.object.metadata.generation.unwrap_or_default();
    let findings = if decision.suspended {
        paused(seen, &stored.conditions, &decision)
    } else {
        active(seen, &decision, acted, &stored.conditions)
    };
    let mut status = decision.status;
    status.conditions = merge(&stored.conditions, &findings, generation, &now);
    if decision.outputs.is_some() {
        status.outputs = published::standing(acted, &stored.outputs);
        status.binding = published::binding(&acted.results, &status.outputs);
        if let Some(key) = status.key.as_mut().filter(|_| published::everywhere(&acted.results)) {
            key.published_time.get_or_insert_with(|| now.clone());
        }
    }
    let rewritten = acted.results.iter().any(|result| matches!(result.done, Done::Written(_)));
    // A renewed token or a repaired drift is no news.
    let same_key = decision.same_key && stored.key.as_ref().is_some_and(|key| key.published_time.is_some());
    let news = rewritten && !(same_key && stored.conditions.is_true(ConditionType::Published));
    let (before, after) = (stored.conditions.as_slice(), status.conditions.as_slice());
    let mut notices = decision.notices;
    let first = same_key || stored.outputs.is_empty();
    let published = notice::published_notice(before, after, news, first);
    notices.extend(notice::together(notice::ready_notice(before, after), published));
    notices.extend(notice::advisory_notices(before, after));
    Conclusion { status, notices, next: decision.next }
}

fn active(seen: &Observed, decision: &Decision, acted: &Acted, stored: &[Condition]) -> Vec<Finding> {
    let mut findings = decision.findings.clone();
    if seen.object.spec.publish_policy != Some(PublishPolicy::Never) {
        findings.push(match &decision.outputs {
            Some(_) if published::overtaken(&acted.results) => {
                let wrong = published::wrong_beside(&acted.results, is_proved(&findings));
                wrong.unwrap_or_else(|| published::stored(stored))
            }
            Some(_) => published::worst(&acted.results, is_proved(&findings)),
            None => published::stored(stored),
        });
    }
    let sum = readiness::sum(&findings);
    findings.extend(decision.advisories.iter().cloned());
    findings.extend(sum);
    findings
}

fn is_proved(findings: &[Finding]) -> bool {
    let is = |condition, status| findings.iter().any(|found| found.condition == condition && found.status == status);
    is(ConditionType::Authenticated, Status::True) && !is(ConditionType::Authorized, Status::False)
}

/// The status that claims an exchange until [`CLAIM`] is over. Of a key that is known it moves the next check and
/// nothing else; of another one it says that nothing is known yet, so that no verdict on the former key is taken for
/// one on this. It announces nothing: what is to be told is left to the visit that follows.
#[must_use]
pub fn claim(seen: &Observed, now: Timestamp) -> ConnectorCredentialStatus {
    let stored = seen.object.status.clone().unwrap_or_default();
    let end = Some(Time(whole_second(after(now, CLAIM))));
    let mut decision = decide(seen, None, end.as_ref().map(|end| end.0), now);
    let known = stored.validation.as_ref().is_some_and(|validation| validation.last_check_time.is_some());
    let same =
        about(&stored) == about(&decision.status) && stored.observed_generation == seen.object.metadata.generation;
    let mut status = if known && same {
        ConnectorCredentialStatus { source: decision.status.source, ..stored }
    } else {
        decision.outputs = None;
        let told = [ConditionType::Expiring, ConditionType::RotationDue];
        decision.advisories = told.iter().filter_map(|kind| stored_advisory(&stored, *kind)).collect();
        let status = conclude(seen, decision, &Acted::default(), now).status;
        ConnectorCredentialStatus { expiration: stored.expiration, ..status }
    };
    status.validation.get_or_insert_default().next_check_time = end;
    status
}

/// Of what a verdict is.
fn about(status: &ConnectorCredentialStatus) -> (Option<&str>, Option<&Time>) {
    let validation = status.validation.as_ref();
    let subject = validation.and_then(|validation| validation.subject.as_deref());
    (subject, validation.and_then(|validation| validation.last_check_time.as_ref()))
}

fn stored_advisory(stored: &ConnectorCredentialStatus, kind: ConditionType) -> Option<Finding> {
    super::recall::stored_finding(&stored.conditions, kind)
}

/// The status of an object that does not fit this version's schema: only its metadata and, at the best, its
/// conditions could be read.
#[must_use]
pub fn malformed(stored: &[Condition], generation: i64, now: Timestamp) -> ConnectorCredentialStatus {
    let mut findings = unvisited(None);
    if let Some(accepted) = findings.first_mut() {
        accepted.status = Status::False;
        accepted.reason = Reason::InvalidSpec;
        message::MALFORMED_OBJECT.clone_into(&mut accepted.message);
    }
    findings.extend(readiness::sum(&findings));
    ConnectorCredentialStatus {
        observed_generation: Some(generation),
        conditions: merge(stored, &findings, generation, &Time(whole_second(now))),
        ..ConnectorCredentialStatus::default()
    }
}
