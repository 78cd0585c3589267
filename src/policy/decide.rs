//! What is true now, what is to be written, and when is it looked at again? The conditions in the contract's order.

use super::carriage::{Publishable, publish};
use super::confidence::{Judged, after_grace, judge};
use super::expiry::{self, Outlook};
use super::findings::{self, HowProved, how_proved};
use super::notice::Notice;
use super::publishing::OutputPlan;
use super::recall::{Recall, Standing, recall};
use super::seen::{Asked, Observed, Source};
use super::source::{Resolved, resolve};
use super::suspension::suspended;
use super::violation::violation;
use super::{message, plan, schedule};
use crate::api::{ConnectorCredentialStatus, Finding, KeyStatus, Reason, SourceStatus};
use crate::credential::AccessToken;
use crate::providers::Verdict;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use std::time::Duration;

/// A right that was taken away is looked for again after so long.
const DENIED_RETRY: Duration = Duration::from_secs(240);
/// And at the most so much more.
const DENIED_SPREAD: Duration = Duration::from_secs(45);

/// What follows from what was seen and heard.
pub struct Decision {
    /// `Accepted`, `Resolved`, `Authenticated`, `Authorized`: the conditions that writing does not touch.
    pub findings: Vec<Finding>,
    /// `Expiring`, `RotationDue`, `OverPrivileged`, where raised.
    pub advisories: Vec<Finding>,
    /// What is to be done about each output; `None` when outputs are not this operator's business.
    pub outputs: Option<Vec<OutputPlan>>,
    /// Secrets of ours to delete once every output stands.
    pub dropped: Vec<String>,
    /// The status, but for conditions and outputs.
    pub status: ConnectorCredentialStatus,
    /// Events that do not follow from conditions.
    pub notices: Vec<Notice>,
    /// When to look again.
    pub next: Option<Timestamp>,
    /// Whether the source holds the bytes that the stored status speaks of.
    pub same_key: bool,
    /// Whether all stays as it was but for expiry.
    pub suspended: bool,
}

/// Decides. `wait` is when the provider may be asked, if it was to be asked and could not.
#[must_use]
pub fn decide(seen: &Observed, asked: Option<Asked<'_>>, wait: Option<Timestamp>, now: Timestamp) -> Decision {
    if seen.object.spec.suspend == Some(true) {
        return suspended(seen, now);
    }
    let resolved = seen.provider().map(|_| resolve(seen));
    let key = resolved.as_ref().and_then(|resolved| resolved.as_ref().ok());
    let proof = how_proved(seen);
    let recalled = key.map(|key| known_of(seen, key, &proof, now));
    let same_key = recalled.as_ref().is_some_and(|recall| recall.same_key);
    let was = recalled.as_ref().map(|recall| recall.standing);
    let judged = recalled.map(|recall| judge(seen, recall, asked, now));
    let judged = judged.as_ref();
    let outlook = expiry::outlook(seen, key.and_then(|key| key.expires_at), key.is_some(), now);
    let violation = violation(seen);

    let mut status = status(seen, judged, key, &outlook);
    status.key = key_status(seen, key, same_key, now);
    if wait.is_none() || !plan::asked_for(&seen.object) {
        handle_requests(&mut status, seen);
    }
    let mut decision = Decision {
        findings: vec![
            findings::accepted(violation.as_ref()),
            findings::resolved(seen, resolved.as_ref()),
            findings::authenticated(seen, judged, &proof, &outlook),
            findings::authorized(seen, judged),
        ],
        advisories: findings::advisories(seen, judged, &outlook, (status.key.as_ref(), now)),
        outputs: None,
        dropped: Vec::new(),
        notices: expiry_notice(&outlook, judged).into_iter().chain(outage_notice(seen, was, judged)).collect(),
        next: None,
        same_key,
        suspended: false,
        status,
    };
    let by_provider = matches!(proof, HowProved::ByProvider);
    if violation.is_none() {
        publish(&mut decision, seen, &Publishable { key, judged, by_provider, minted: asked.and_then(minted) }, now);
    }
    let asking = judged.filter(|_| violation.is_none() && by_provider);
    let too_old = expiry::too_old_at(seen, decision.status.key.as_ref()).filter(|limit| *limit > now);
    let look = next_look(seen, asking, wait, now).into_iter().chain(judged.and_then(end_of_trust));
    decision.next = look.chain(outlook.next).chain(too_old).min();
    decision
}

/// What the status knows of the key; nothing, when nobody can be asked about it.
fn known_of(seen: &Observed, key: &Resolved, proof: &HowProved, now: Timestamp) -> Recall {
    let recall = recall(seen, key, now);
    match proof {
        HowProved::ByProvider => recall,
        HowProved::Unproved(..) => recall.forgotten(),
    }
}

fn minted(asked: Asked<'_>) -> Option<&AccessToken> {
    match asked.verdict {
        Verdict::Accepted(proof) => proof.token.as_ref(),
        Verdict::Rejected(_) | Verdict::Inconclusive(_) => None,
    }
}

fn expiry_notice(outlook: &Outlook, judged: Option<&Judged>) -> Option<Notice> {
    let accepted = judged.is_some_and(|judged| judged.standing == Standing::Accepted);
    let found = expiry::expiring(outlook, accepted).filter(|_| outlook.announce)?;
    Some(Notice::warning(found.reason, "Watch", found.message))
}

fn outage_notice(seen: &Observed, was: Option<Standing>, judged: Option<&Judged>) -> Option<Notice> {
    judged?.validation.outage_start_time.as_ref()?;
    let known = seen.object.status.as_ref().and_then(|status| status.validation.as_ref());
    let told = known.is_some_and(|known| known.outage_start_time.is_some());
    let profile = seen.provider()?.profile();
    if told || was != Some(Standing::Accepted) {
        return None;
    }
    Some(Notice::warning(Reason::ProviderUnavailable, "Check", message::accepted(profile, true, None)))
}

/// When these very bytes were first seen, and published.
fn key_status(seen: &Observed, key: Option<&Resolved>, same_key: bool, now: Timestamp) -> Option<KeyStatus> {
    let stored = seen.object.status.as_ref().and_then(|status| status.key.clone());
    match (key, same_key, stored) {
        (None, _, stored) | (Some(_), true, stored @ Some(_)) => stored,
        (Some(_), _, _) => {
            Some(KeyStatus { first_seen_time: Some(Time(schedule::whole_second(now))), published_time: None })
        }
    }
}

fn status(
    seen: &Observed,
    judged: Option<&Judged>,
    key: Option<&Resolved>,
    outlook: &Outlook,
) -> ConnectorCredentialStatus {
    let stored = seen.object.status.clone().unwrap_or_default();
    ConnectorCredentialStatus {
        observed_generation: seen.object.metadata.generation,
        provider: seen.provider().map(|provider| provider.profile().kind),
        source: key.map(|key| SourceStatus {
            secret_name: seen.object.spec.key_secret_ref.name.clone(),
            uid: key.uid.clone(),
            resource_version: key.resource_version.clone(),
        }),
        validation: judged.map(|judged| judged.validation.clone()),
        expiration: outlook.status.clone(),
        token: judged.and_then(|judged| judged.token.clone()),
        ..stored
    }
}

/// A request by annotation is handled once it was acted on, not while it waits for its turn.
fn handle_requests(status: &mut ConnectorCredentialStatus, seen: &Observed) {
    let (ours, flux) = plan::requests(&seen.object);
    status.last_handled_request = ours.or(status.last_handled_request.take());
    status.last_handled_reconcile_at = flux.or(status.last_handled_reconcile_at.take());
}

/// When to look again for the sake of the check; expiry has its own times.
fn next_look(seen: &Observed, asking: Option<&Judged>, wait: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    if matches!(seen.source, Source::Denied) {
        let spread = schedule::jittered(DENIED_SPREAD, seen.uid(), "denied");
        return Some(schedule::after(now, DENIED_RETRY.saturating_add(spread)));
    }
    let scheduled = asking?.validation.next_check_time.as_ref().map(|next| next.0);
    // What is overdue waits for its turn like everything else.
    wait.into_iter().chain(scheduled.filter(|next| wait.is_none() || *next > now)).min()
}

/// When a key that cannot be asked about is not trusted any more.
fn end_of_trust(judged: &Judged) -> Option<Timestamp> {
    let outage = judged.validation.outage_start_time.as_ref().filter(|_| judged.standing == Standing::Accepted);
    outage.map(|since| after_grace(&since.0))
}
