//! Is this credential good? Observed from files, judged by the operator's own code: the same plan, prober and decision.

use super::input::Place;
use crate::api::{ConditionType, Conditions, ConnectorCredential, Reason, Status};
use crate::cli::object;
use crate::clock::{Clock, SystemClock};
use crate::policy::{
    Acted, Asked, Decision, Done, Move, Observed, OutputResult, Plan, conclude, decide, probe_plan, resolve,
};
use crate::probe::{CheckOptions, Checked, Outcome, Prober};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

/// What became of one credential.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cli) struct Judged {
    pub(in crate::cli) file: String,
    pub(in crate::cli) line: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) namespace: Option<String>,
    pub(in crate::cli) name: String,
    pub(in crate::cli) provider: String,
    /// Status of Ready.
    pub(in crate::cli) ready: &'static str,
    pub(in crate::cli) reason: String,
    /// What is, and what to do next.
    pub(in crate::cli) message: String,
    /// Whatever else is wrong with the object.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::cli) more: Vec<Remark>,
    /// The same of conditions that warn.
    pub(in crate::cli) warnings: Vec<Remark>,
    /// What was published nowhere, because this is a dry run: the names of the outputs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::cli) outputs: Vec<String>,
}

/// One thing more about a credential.
#[derive(Debug, Clone, Serialize)]
pub(in crate::cli) struct Remark {
    pub(in crate::cli) line: u32,
    pub(in crate::cli) reason: String,
    pub(in crate::cli) message: String,
}

impl Judged {
    pub(in crate::cli) fn is_good(&self) -> bool {
        self.ready == Status::True.name()
    }

    /// Whether it is good because the provider said so.
    pub(in crate::cli) fn is_proved(&self) -> bool {
        self.is_good() && self.reason == Reason::Ready.name()
    }

    /// `namespace/name`, or the name alone.
    pub(in crate::cli) fn object(&self) -> String {
        self.namespace.as_ref().map_or_else(|| self.name.clone(), |namespace| format!("{namespace}/{}", self.name))
    }

    /// An object that the API server would refuse, or a file that cannot be read.
    pub(in crate::cli) fn refused(place: Place, name: String, message: String) -> Self {
        Self {
            file: place.file,
            line: place.line,
            namespace: None,
            name,
            provider: String::new(),
            ready: Status::False.name(),
            reason: Reason::InvalidSpec.name().to_owned(),
            message,
            more: Vec::new(),
            warnings: Vec::new(),
            outputs: Vec::new(),
        }
    }

    /// The same with one more thing that is wrong.
    pub(in crate::cli) fn and(mut self, line: u32, message: String) -> Self {
        self.more.push(Remark { line, reason: self.reason.clone(), message });
        self
    }
}

/// Asks providers, on behalf of files.
pub(in crate::cli) struct Court {
    pub(in crate::cli) prober: Prober,
    pub(in crate::cli) clock: SystemClock,
    /// Answers to equal questions are shared since then.
    pub(in crate::cli) since: Timestamp,
    /// How long a check may wait for its turn.
    pub(in crate::cli) patience: Duration,
}

impl Court {
    /// The verdict on what was seen. `line` finds the line of a field.
    pub(in crate::cli) async fn judge(&self, seen: &Observed, file: &str, line: impl Fn(&str) -> u32) -> Judged {
        let checked = match probe_plan(seen, self.clock.now()) {
            Plan::Due(check) => self.ask(seen, check.depth).await,
            Plan::Later(_) | Plan::Pointless(_) => None,
        };
        let now = self.clock.now();
        let asked = checked.as_ref().map(|checked| Asked {
            verdict: &checked.verdict,
            at: checked.asked_at,
            retry_at: checked.retry_at,
        });
        let decision = decide(seen, asked, None, now);
        let acted = Acted { results: as_if_written(&decision), undeleted: Vec::new() };
        let status = conclude(seen, decision, &acted, now).status;
        let ready = status.conditions.of(ConditionType::Ready);
        let meta = &seen.object.metadata;
        let reason = ready.and_then(|ready| Reason::read(&ready.reason));
        let name = meta.name.clone().unwrap_or_default();
        let message = ready.map(|ready| super::advice::said(reason, &name, &ready.message));
        Judged {
            file: file.to_owned(),
            line: line(reason.map_or("", |reason| blamed(reason, &seen.object))),
            namespace: meta.namespace.clone(),
            name,
            provider: object::provider_name(&seen.object).to_owned(),
            ready: ready.map_or(Status::Unknown, |ready| Status::read(&ready.status)).name(),
            reason: ready.map(|ready| ready.reason.clone()).unwrap_or_default(),
            message: message.unwrap_or_default(),
            more: Vec::new(),
            warnings: warnings(&status.conditions, &seen.object, line),
            outputs: acted.results.into_iter().map(|result| result.name).collect(),
        }
    }

    /// Waits for the check's turn, within the same budgets as the operator's.
    async fn ask(&self, seen: &Observed, depth: crate::providers::Depth) -> Option<Arc<Checked>> {
        let (resolved, provider) = (resolve(seen).ok()?, seen.provider()?);
        let namespace = seen.object.metadata.namespace.clone().unwrap_or_default();
        let options = CheckOptions { depth, proved: false, asked_before: None, namespace, since: self.since };
        let end = crate::policy::after(self.clock.now(), self.patience);
        loop {
            match self.prober.check(provider, &resolved.key, &options).await {
                Outcome::Checked { checked, .. } => return Some(checked),
                Outcome::NotAsked(_) => return None,
                Outcome::Later { at, .. } if at > end => return None,
                Outcome::Later { at, .. } => rest(self.clock.now(), at).await,
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a command waits for its turn; there is no schedule")]
async fn rest(now: Timestamp, until: Timestamp) {
    tokio::time::sleep(Duration::try_from(until.duration_since(now)).unwrap_or_default()).await;
}

/// Nothing is written; what would be counts as written, so that the sum is what a cluster would show.
fn as_if_written(decision: &Decision) -> Vec<OutputResult> {
    let done = |action: &Move| match action {
        Move::Create(_) | Move::Replace(_) | Move::TakeOver(_) | Move::Recreate(_) => Done::Written(None),
        Move::Settled => Done::Unchanged(None),
        Move::Keep => Done::Kept(None),
        Move::Wait { lost } => Done::Waiting { lost: *lost },
        Move::Withdraw | Move::Gone => Done::Withdrawn,
        Move::Blocked => Done::NotOwned,
    };
    let outputs = decision.outputs.iter().flatten();
    outputs
        .map(|plan| OutputResult { name: plan.name.clone(), format: plan.format, done: done(&plan.action) })
        .collect()
}

fn warnings(conditions: &[Condition], object: &ConnectorCredential, line: impl Fn(&str) -> u32) -> Vec<Remark> {
    let raised = ConditionType::ADVICE.into_iter().filter_map(|kind| conditions.of(kind));
    let warning = |condition: &Condition| Remark {
        line: line(Reason::read(&condition.reason).map_or("", |reason| blamed(reason, object))),
        reason: condition.reason.clone(),
        message: condition.message.clone(),
    };
    raised.map(warning).collect()
}

/// The field that a person looks at first.
fn blamed(reason: Reason, object: &ConnectorCredential) -> &'static str {
    match reason {
        Reason::InvalidSpec | Reason::OutputConflict | Reason::TargetNotOwned if object.spec.outputs.is_some() => {
            "spec.outputs"
        }
        Reason::InsufficientScope | Reason::UndeclaredScope | Reason::IPNotAllowed | Reason::EndpointNotConfigured => {
            "spec.provider"
        }
        Reason::KeyExpired | Reason::ExpiringSoon | Reason::Expired if object.spec.expires_at.is_some() => {
            "spec.expiresAt"
        }
        Reason::LocalOnly => "spec.validation.mode",
        Reason::KeyTooOld => "spec.maxAge",
        Reason::Ready | Reason::Suspended | Reason::InvalidSpec | Reason::Accepted => "spec",
        Reason::OutputConflict
        | Reason::TargetNotOwned
        | Reason::WriteFailed
        | Reason::Withdrawn
        | Reason::Published
        | Reason::LastKnownGood
        | Reason::WaitingForVerification => "metadata.name",
        Reason::SecretResolved
        | Reason::SecretNotFound
        | Reason::SecretKeyNotFound
        | Reason::SecretAccessDenied
        | Reason::SecretTypeNotAllowed
        | Reason::KeyMalformed
        | Reason::NotChecked
        | Reason::KeyAccepted
        | Reason::KeyRejected
        | Reason::KeyExpired
        | Reason::KeyRevoked
        | Reason::ProviderUnavailable
        | Reason::RateLimited
        | Reason::UnexpectedResponse
        | Reason::AccessVerified
        | Reason::AccessDenied
        | Reason::NotVerifiable
        | Reason::ExpiringSoon
        | Reason::Expired => "spec.keySecretRef",
    }
}
