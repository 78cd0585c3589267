//! What is reported, now that the writes were made or refused? The whole status, and what a person is told.

use super::decide::Decision;
use super::notice::{self, Notice};
use super::seen::Observed;
use super::{message, readiness};
use crate::api::{
    BindingStatus, ConditionType, Conditions, ConnectorCredentialStatus, Finding, Format, OutputStatus, PublishPolicy,
    Reason, Status, merge,
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// What became of one output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputResult {
    /// The Secret's name.
    pub name: String,
    /// Its shape.
    pub format: Format,
    /// What became of it.
    pub done: Done,
}

/// What became of a move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// It was written, and has this version now.
    Written(Option<String>),
    /// It was as it should be, at this version.
    Unchanged(Option<String>),
    /// It keeps the key that was proved last, at this version.
    Kept(Option<String>),
    /// There is none, and nothing to put there; `lost` if there was one.
    Waiting {
        /// It had been written before.
        lost: bool,
    },
    /// It was deleted because its key was refused.
    Withdrawn,
    /// Somebody else's Secret is in the way.
    NotOwned,
    /// The API server refused the write.
    Failed,
}

/// What became of all moves of a visit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Acted {
    /// Of each declared output.
    pub results: Vec<OutputResult>,
    /// Secrets of ours that are not declared any more and still exist.
    pub undeleted: Vec<String>,
}

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
    let (results, undeleted) = (acted.results.as_slice(), acted.undeleted.as_slice());
    let stored = seen.object.status.clone().unwrap_or_default();
    let now = Time(Timestamp::from_second(now.as_second()).unwrap_or(now));
    let generation = seen.object.metadata.generation.unwrap_or_default();
    let findings = if decision.suspended {
        paused(&stored.conditions, &decision)
    } else {
        active(seen, &decision, results, &stored.conditions)
    };
    let mut status = decision.status;
    status.conditions = merge(&stored.conditions, &findings, generation, &now);
    if decision.outputs.is_some() {
        status.outputs = published(results, undeleted, &stored.outputs);
        status.binding = binding(results, &status.outputs);
        note_publication(&mut status, results, &now);
    }
    let rewritten = results.iter().any(|result| matches!(result.done, Done::Written(_)));
    let first = stored.outputs.is_empty();
    let renewed = !same_key_before(&stored, &status) && rewritten;
    let mut notices = decision.notices;
    notices.extend(notice::ready_notice(&stored.conditions, &status.conditions));
    notices.extend(notice::published_notice(&stored.conditions, &status.conditions, renewed, first));
    notices.extend(notice::advisory_notices(&stored.conditions, &status.conditions));
    Conclusion { status, notices, next: decision.next }
}

/// Whether the outputs carried these bytes before this visit: a renewed token or a repaired drift is no news.
fn same_key_before(stored: &ConnectorCredentialStatus, new: &ConnectorCredentialStatus) -> bool {
    let published = |status: &ConnectorCredentialStatus| status.key.as_ref().and_then(|key| key.published_time.clone());
    published(stored).is_some() && published(stored) == published(new)
}

fn active(seen: &Observed, decision: &Decision, results: &[OutputResult], stored: &[Condition]) -> Vec<Finding> {
    let mut findings = decision.findings.clone();
    if seen.object.spec.publish_policy != Some(PublishPolicy::Never) {
        findings.push(match &decision.outputs {
            Some(_) => published_finding(results),
            None => stored_finding(stored, ConditionType::Published).unwrap_or_else(waiting),
        });
    }
    let sum = readiness::sum(&findings);
    findings.extend(decision.advisories.iter().cloned());
    findings.extend(sum);
    findings
}

fn waiting() -> Finding {
    let (condition, reason) = (ConditionType::Published, Reason::WaitingForVerification);
    Finding { condition, status: Status::False, reason, message: message::WAITING.to_owned() }
}

fn stored_finding(stored: &[Condition], condition: ConditionType) -> Option<Finding> {
    let known = stored.of(condition)?;
    let status =
        [Status::True, Status::False, Status::Unknown].into_iter().find(|status| status.name() == known.status)?;
    Some(Finding { condition, status, reason: Reason::read(&known.reason)?, message: known.message.clone() })
}

/// The worst of the outputs.
fn published_finding(results: &[OutputResult]) -> Finding {
    let find = |test: fn(&Done) -> bool| results.iter().find(|result| test(&result.done));
    let make =
        |status, reason, message: String| Finding { condition: ConditionType::Published, status, reason, message };
    if let Some(result) = find(|done| matches!(done, Done::NotOwned)) {
        return make(Status::False, Reason::TargetNotOwned, message::not_owned(&result.name));
    }
    if find(|done| matches!(done, Done::Failed)).is_some() {
        return make(Status::False, Reason::WriteFailed, message::WRITE_FAILED.to_owned());
    }
    if find(|done| matches!(done, Done::Waiting { lost: true })).is_some() {
        return make(Status::False, Reason::WaitingForVerification, message::LOST.to_owned());
    }
    if find(|done| matches!(done, Done::Waiting { lost: false })).is_some() {
        return waiting();
    }
    if find(|done| matches!(done, Done::Withdrawn)).is_some() {
        return make(Status::False, Reason::Withdrawn, message::WITHDRAWN.to_owned());
    }
    if find(|done| matches!(done, Done::Kept(_))).is_some() {
        return make(Status::True, Reason::LastKnownGood, message::LAST_KNOWN_GOOD.to_owned());
    }
    make(Status::True, Reason::Published, message::PUBLISHED.to_owned())
}

/// What stands published; with what is to be deleted still in the list, so that it is not forgotten.
fn published(results: &[OutputResult], undeleted: &[String], stored: &[OutputStatus]) -> Vec<OutputStatus> {
    let was = |name: &str| stored.iter().find(|output| output.secret_name == name).cloned();
    let standing = results.iter().filter_map(|result| {
        let version = match &result.done {
            Done::Written(version) | Done::Unchanged(version) | Done::Kept(version) => version.clone(),
            // A deleted output stays in the list: only so is it known to be lost, not new.
            Done::Waiting { lost: true } | Done::Failed => return was(&result.name),
            Done::Waiting { lost: false } | Done::Withdrawn | Done::NotOwned => return None,
        };
        Some(OutputStatus { secret_name: result.name.clone(), format: result.format, resource_version: version })
    });
    let declared = |name: &String| results.iter().any(|result| result.name == *name);
    let left = undeleted.iter().filter(|name| !declared(name)).filter_map(|name| was(name));
    standing.chain(left).collect()
}

fn binding(results: &[OutputResult], outputs: &[OutputStatus]) -> Option<BindingStatus> {
    let first = results.iter().find(|result| result.format == Format::Binding)?;
    outputs
        .iter()
        .find(|output| output.secret_name == first.name)
        .map(|output| BindingStatus { name: output.secret_name.clone() })
}

fn note_publication(status: &mut ConnectorCredentialStatus, results: &[OutputResult], now: &Time) {
    let live = !results.is_empty()
        && results.iter().all(|result| matches!(result.done, Done::Written(_) | Done::Unchanged(_)));
    if let Some(key) = status.key.as_mut().filter(|_| live) {
        key.published_time.get_or_insert_with(|| now.clone());
    }
}

/// While suspended every condition stays as it was, but for Ready's reason, Reconciling and the advisories.
fn paused(stored: &[Condition], decision: &Decision) -> Vec<Finding> {
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
        findings.extend(unvisited());
    }
    let status = stored_finding(stored, ConditionType::Ready).map_or(Status::Unknown, |ready| ready.status);
    findings.extend(decision.advisories.iter().cloned());
    let (reason, message) = (Reason::Suspended, message::SUSPENDED.to_owned());
    findings.push(Finding { condition: ConditionType::Ready, status, reason, message });
    findings
}

/// The standing conditions of a credential that was never looked at.
fn unvisited() -> Vec<Finding> {
    let unknown = |condition| Finding {
        condition,
        status: Status::Unknown,
        reason: Reason::NotChecked,
        message: message::NOT_CHECKED.to_owned(),
    };
    let kinds = [ConditionType::Resolved, ConditionType::Authenticated, ConditionType::Authorized];
    let accepted = Finding {
        condition: ConditionType::Accepted,
        status: Status::True,
        reason: Reason::Accepted,
        message: message::ACCEPTED.to_owned(),
    };
    std::iter::once(accepted).chain(kinds.into_iter().map(unknown)).chain([waiting()]).collect()
}

/// The status of an object that does not fit this version's schema: only its metadata could be read.
#[must_use]
pub fn malformed(generation: i64, now: Timestamp) -> ConnectorCredentialStatus {
    let accepted = Finding {
        condition: ConditionType::Accepted,
        status: Status::False,
        reason: Reason::InvalidSpec,
        message: message::MALFORMED_OBJECT.to_owned(),
    };
    let mut findings: Vec<_> =
        unvisited().into_iter().filter(|found| found.condition != ConditionType::Accepted).collect();
    findings.insert(0, accepted);
    findings.extend(readiness::sum(&findings));
    ConnectorCredentialStatus {
        observed_generation: Some(generation),
        conditions: merge(&[], &findings, generation, &Time(now)),
        ..ConnectorCredentialStatus::default()
    }
}
