//! What stands published? One condition for the worst output, and the list of what was written.

use super::message;
use super::recall::stored_finding;
use crate::api::{BindingStatus, ConditionType, Finding, Format, OutputStatus, Reason, Status};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

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
    /// Something changed since it was looked at: nothing was written, and the next visit looks again.
    Overtaken,
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

fn finding(status: Status, reason: Reason, message: String) -> Finding {
    Finding { condition: ConditionType::Published, status, reason, message }
}

/// `Published` while nobody may look: what was last known.
pub(super) fn stored(conditions: &[Condition]) -> Finding {
    stored_finding(conditions, ConditionType::Published)
        .unwrap_or_else(|| finding(Status::False, Reason::WaitingForVerification, message::WAITING.to_owned()))
}

/// Whether something changed under way, so that nothing new can be said.
pub(super) fn overtaken(results: &[OutputResult]) -> bool {
    results.iter().any(|result| result.done == Done::Overtaken)
}

/// What is wrong with the outputs at which nobody was faster, whatever comes of the others.
pub(super) fn wrong_beside(results: &[OutputResult], proved: bool) -> Option<Finding> {
    let settled = results.iter().filter(|result| result.done != Done::Overtaken).cloned().collect::<Vec<_>>();
    let found = worst(&settled, proved);
    // An output that is to be withdrawn, and stands still, is not withdrawn.
    Some(found).filter(|found| found.status == Status::False && found.reason != Reason::Withdrawn)
}

/// The worst of the outputs. `proved`: the key is proved, so that what is missing is a token.
pub(super) fn worst(results: &[OutputResult], proved: bool) -> Finding {
    let find = |test: fn(&Done) -> bool| results.iter().find(|result| test(&result.done));
    if let Some(result) = find(|done| matches!(done, Done::NotOwned)) {
        return finding(Status::False, Reason::TargetNotOwned, message::not_owned(&result.name));
    }
    if let Some(result) = find(|done| matches!(done, Done::Failed)) {
        return finding(Status::False, Reason::WriteFailed, message::write_failed(&result.name));
    }
    let waits = |message: String| finding(Status::False, Reason::WaitingForVerification, message);
    if find(|done| matches!(done, Done::Waiting { .. })).is_some() && proved {
        return waits(message::WAITING_FOR_TOKEN.to_owned());
    }
    if let Some(result) = find(|done| matches!(done, Done::Waiting { lost: true })) {
        return waits(message::lost(&result.name));
    }
    if find(|done| matches!(done, Done::Waiting { lost: false })).is_some() {
        return waits(message::WAITING.to_owned());
    }
    if find(|done| matches!(done, Done::Withdrawn)).is_some() {
        return finding(Status::False, Reason::Withdrawn, message::WITHDRAWN.to_owned());
    }
    if find(|done| matches!(done, Done::Kept(_))).is_some() {
        let message = if proved { message::LAST_TOKEN } else { message::LAST_KNOWN_GOOD };
        return finding(Status::True, Reason::LastKnownGood, message.to_owned());
    }
    finding(Status::True, Reason::Published, message::PUBLISHED.to_owned())
}

/// What stands published; with what is to be deleted still in the list, so that it is not forgotten.
pub(super) fn standing(acted: &Acted, stored: &[OutputStatus]) -> Vec<OutputStatus> {
    let was = |name: &str| stored.iter().find(|output| output.secret_name == name).cloned();
    let now = |result: &OutputResult, version: &Option<String>| OutputStatus {
        secret_name: result.name.clone(),
        format: result.format,
        resource_version: version.clone(),
    };
    let standing = acted.results.iter().filter_map(|result| match &result.done {
        Done::Written(version) => Some(now(result, version)),
        // The version that was written last: somebody's annotation is no news.
        Done::Unchanged(version) => match was(&result.name).filter(|was| was.format == result.format) {
            Some(was) if was.resource_version.is_some() => Some(was),
            _ => Some(now(result, version)),
        },
        // What stands there has the shape that it was written in.
        Done::Kept(version) => Some(was(&result.name).unwrap_or_else(|| now(result, version))),
        // A deleted output stays in the list: only so is it known to be lost, not new.
        Done::Waiting { lost: true } | Done::Failed => was(&result.name),
        // Without a version nobody takes it for what is declared, not even after a restart.
        Done::Overtaken => was(&result.name).map(|was| OutputStatus { resource_version: None, ..was }),
        Done::Waiting { lost: false } | Done::Withdrawn | Done::NotOwned => None,
    });
    let declared = |name: &String| acted.results.iter().any(|result| result.name == *name);
    let left = acted.undeleted.iter().filter(|name| !declared(name)).filter_map(|name| was(name));
    standing.chain(left).collect()
}

/// The first declared output that stands in the shape of a Binding.
pub(super) fn binding(results: &[OutputResult], outputs: &[OutputStatus]) -> Option<BindingStatus> {
    let there = |result: &OutputResult| !matches!(result.done, Done::Waiting { .. });
    let declared = |name: &str| results.iter().any(|result| result.name == name && there(result));
    let first = outputs.iter().find(|output| output.format == Format::Binding && declared(&output.secret_name))?;
    Some(BindingStatus { name: first.secret_name.clone() })
}

/// Whether outputs that are not declared any more may go: none of those that are declared waits for its first write.
/// Beside a withdrawn one they carry the refused key, too.
#[must_use]
pub fn dropped_may_go(results: &[OutputResult]) -> bool {
    results.iter().all(|result| match result.done {
        Done::Written(_) | Done::Unchanged(_) | Done::Kept(_) | Done::Withdrawn => true,
        Done::Waiting { .. } | Done::NotOwned | Done::Overtaken | Done::Failed => false,
    })
}

/// Whether they may go where another credential waits for their names: every output stands, or its name is taken.
#[must_use]
pub fn may_give_way(results: &[OutputResult]) -> bool {
    let free: Vec<_> = results.iter().filter(|result| result.done != Done::NotOwned).cloned().collect();
    dropped_may_go(&free)
}

/// Whether every output carries the key.
pub(super) fn everywhere(results: &[OutputResult]) -> bool {
    !results.is_empty() && results.iter().all(|result| matches!(result.done, Done::Written(_) | Done::Unchanged(_)))
}
