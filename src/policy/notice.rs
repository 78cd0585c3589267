//! What is a person told, once? Events on transitions only: they are computed from the stored status and the new one.

use super::message;
use crate::api::{ConditionType, Conditions, Reason, Status};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

/// How loud an Event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// For the record.
    Normal,
    /// Somebody should look.
    Warning,
}

/// An Event to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// How loud.
    pub severity: Severity,
    /// Why.
    pub reason: Reason,
    /// What was done: the Event's `action`.
    pub action: &'static str,
    /// For a person.
    pub note: String,
}

impl Notice {
    /// An Event for the record.
    #[must_use]
    pub fn normal(reason: Reason, action: &'static str, note: impl Into<String>) -> Self {
        Self { severity: Severity::Normal, reason, action, note: note.into() }
    }

    /// An Event that asks somebody to look.
    #[must_use]
    pub fn warning(reason: Reason, action: &'static str, note: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, reason, action, note: note.into() }
    }
}

/// The Event for a change of `Ready`, if there was one. Before the first check there is nothing to tell.
#[must_use]
pub fn ready_notice(stored: &[Condition], new: &[Condition]) -> Option<Notice> {
    let now = new.of(ConditionType::Ready)?;
    let reason = Reason::read(&now.reason)?;
    let before = stored.of(ConditionType::Ready);
    let same = before.is_some_and(|before| before.status == now.status && before.reason == now.reason);
    if same || reason == Reason::NotChecked {
        return None;
    }
    let loud = now.status != Status::True.name() && reason != Reason::Suspended;
    let severity = if loud { Severity::Warning } else { Severity::Normal };
    Some(Notice { severity, reason, action: "Check", note: now.message.clone() })
}

/// Events for advisory conditions that were raised, or that are over. `Expiring` is announced at its thresholds, not here.
#[must_use]
pub fn advisory_notices(stored: &[Condition], new: &[Condition]) -> Vec<Notice> {
    let raised = |kind: &ConditionType| {
        let now = new.of(*kind)?;
        let known = stored.of(*kind).is_some_and(|before| before.reason == now.reason);
        let reason = Reason::read(&now.reason).filter(|_| !known)?;
        Some(Notice::warning(reason, "Watch", now.message.clone()))
    };
    let over = |kind: &ConditionType| {
        let before = stored.of(*kind).filter(|_| new.of(*kind).is_none())?;
        Some(Notice::normal(Reason::read(&before.reason)?, "Watch", message::over(*kind)))
    };
    let watched = [ConditionType::RotationDue, ConditionType::OverPrivileged];
    let cleared = ConditionType::ADVICE;
    watched.iter().filter_map(raised).chain(cleared.iter().filter_map(over)).collect()
}

/// The Event for a change of what is published. `rewritten`: outputs carry what they did not carry before; `same_key`:
/// they carried this very key earlier, or none.
#[must_use]
#[expect(clippy::wildcard_enum_match_arm, reason = "of all reasons only these change what is published")]
pub fn published_notice(stored: &[Condition], new: &[Condition], rewritten: bool, same_key: bool) -> Option<Notice> {
    let now = new.of(ConditionType::Published)?;
    let reason = Reason::read(&now.reason)?;
    let changed = stored.of(ConditionType::Published).is_none_or(|before| before.reason != now.reason);
    match reason {
        Reason::Published if rewritten && same_key => Some(Notice::normal(reason, "Publish", message::PUBLISHED)),
        Reason::Published if rewritten => Some(Notice::normal(reason, "Publish", NEW_KEY_LIVE)),
        Reason::LastKnownGood if changed => Some(Notice::warning(reason, "Publish", now.message.clone())),
        Reason::WaitingForVerification if changed && stored.is_true(ConditionType::Published) => {
            Some(Notice::warning(reason, "Publish", now.message.clone()))
        }
        Reason::Withdrawn | Reason::WriteFailed | Reason::TargetNotOwned if changed => {
            Some(Notice::warning(reason, "Publish", now.message.clone()))
        }
        _ => None,
    }
}

/// What is told of both in one visit: where the key is proved and published, `Ready` says that outputs carry it; where
/// both say the same, it is said once.
#[must_use]
pub fn together(ready: Option<Notice>, published: Option<Notice>) -> Vec<Notice> {
    match (ready, published) {
        (Some(ready), Some(published)) if ready.reason == Reason::Ready && published.note == message::PUBLISHED => {
            vec![ready]
        }
        (Some(ready), Some(published)) if (ready.reason, &ready.note) == (published.reason, &published.note) => {
            vec![ready]
        }
        (ready, published) => ready.into_iter().chain(published).collect(),
    }
}

const NEW_KEY_LIVE: &str = "The new key is live in all outputs; the old one may be revoked.";
