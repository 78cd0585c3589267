//! What is true now, what is to be written, and when is it looked at again? The conditions in the contract's order.

use super::confidence::{Judged, Recall, Standing, after_grace, judge, recall};
use super::expiry::{self, Outlook};
use super::notice::Notice;
use super::publishing::{self, Carriage, OutputPlan};
use super::seen::{Asked, Observed, Source};
use super::source::{Resolved, Unresolved, resolve};
use super::{message, plan, schedule, token};
use crate::api::{
    ConditionType, Conditions, ConnectorCredentialStatus, Finding, KeyStatus, PublishPolicy, Reason, RejectionPolicy,
    SourceStatus, Status,
};
use crate::credential::AccessToken;
use crate::providers::{Access, Provider, Unaddressable, Verdict};
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
    /// Secrets of ours to delete once every output carries the key.
    pub dropped: Vec<String>,
    /// The status, but for conditions and outputs.
    pub status: ConnectorCredentialStatus,
    /// Events that do not follow from conditions.
    pub notices: Vec<Notice>,
    /// When to look again.
    pub next: Option<Timestamp>,
    /// Whether all stays as it was but for expiry.
    pub suspended: bool,
}

/// Decides. `wait` is when the provider may be asked, if it was to be asked and could not.
#[must_use]
pub fn decide(seen: &Observed, asked: Option<Asked<'_>>, wait: Option<Timestamp>, now: Timestamp) -> Decision {
    if seen.object.spec.suspend == Some(true) {
        return suspended(seen, now);
    }
    let violation = publishing::violation(seen);
    let resolved = if seen.provider().is_some() { Some(resolve(seen)) } else { None };
    let key = resolved.as_ref().and_then(|resolved| resolved.as_ref().ok());
    let recalled = key.map(|key| recall(seen, key));
    let same_key = recalled.as_ref().is_some_and(|recall: &Recall| recall.same_key);
    let was = recalled.as_ref().map(|recall| recall.standing);
    let judged = recalled.map(|recall| judge(seen, recall, asked, now));
    let outlook = expiry::outlook(seen, key.and_then(|key| key.expires_at), key.is_some(), now);
    let proof = how_proved(seen);

    let authenticated = authenticated(seen, judged.as_ref(), &proof, &outlook);
    let authorized = authorized(seen, judged.as_ref());
    let key_status = key_status(seen, key, same_key, now);
    let mut decision = Decision {
        advisories: advisories(seen, judged.as_ref(), &outlook, key_status.as_ref(), now),
        outputs: None,
        dropped: Vec::new(),
        status: status(seen, judged.as_ref(), key, &outlook),
        notices: expiry_notice(&outlook, judged.as_ref())
            .into_iter()
            .chain(outage_notice(seen, was, judged.as_ref()))
            .collect(),
        next: None,
        suspended: false,
        findings: vec![
            accepted(violation.as_ref()),
            resolved_finding(seen, resolved.as_ref()),
            authenticated,
            authorized,
        ],
    };
    decision.status.key = key_status;
    if wait.is_none() || !plan::asked_for(&seen.object) {
        handle_requests(&mut decision.status, seen);
    }
    let by_provider = matches!(proof, HowProved::ByProvider);
    if violation.is_none() {
        let minted = asked.and_then(|asked| minted(asked.verdict));
        publish(&mut decision, seen, &Publishable { key, judged: judged.as_ref(), by_provider, minted }, now);
    }
    let asking = judged.as_ref().filter(|_| violation.is_none() && by_provider);
    let too_old = expiry::too_old_at(seen, decision.status.key.as_ref()).filter(|limit| *limit > now);
    decision.next = next_look(seen, asking, wait, now).into_iter().chain(outlook.next).chain(too_old).min();
    decision
}

fn minted(verdict: &Verdict) -> Option<&AccessToken> {
    match verdict {
        Verdict::Accepted(proof) => proof.token.as_ref(),
        Verdict::Rejected(_) | Verdict::Inconclusive(_) => None,
    }
}

/// By whom the key can be proved.
enum HowProved {
    ByProvider,
    Unproved(Reason, String),
}

fn how_proved(seen: &Observed) -> HowProved {
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

fn accepted(violation: Option<&(Reason, String)>) -> Finding {
    match violation {
        None => finding(ConditionType::Accepted, Status::True, Reason::Accepted, message::ACCEPTED),
        Some((reason, message)) => finding(ConditionType::Accepted, Status::False, *reason, message),
    }
}

fn resolved_finding(seen: &Observed, resolved: Option<&Result<Resolved, Unresolved>>) -> Finding {
    let spec = &seen.object.spec;
    match resolved {
        None => finding(ConditionType::Resolved, Status::Unknown, Reason::NotChecked, message::NOT_CHECKED),
        Some(Ok(_)) => finding(ConditionType::Resolved, Status::True, Reason::SecretResolved, message::resolved(spec)),
        Some(Err(why)) => finding(ConditionType::Resolved, Status::False, why.reason(), message::unresolved(spec, why)),
    }
}

fn authenticated(seen: &Observed, judged: Option<&Judged>, proof: &HowProved, outlook: &Outlook) -> Finding {
    let make = |status, reason, message: String| finding(ConditionType::Authenticated, status, reason, message);
    let (Some(judged), Some(provider)) = (judged, seen.provider()) else {
        return make(Status::Unknown, Reason::NotChecked, message::NOT_ASKED.to_owned());
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
            let outage = validation.outage_start_time.as_ref().map(|since| since.0);
            let message = message::accepted(profile, outage, validation.first_rejection_time.is_some());
            make(Status::True, Reason::KeyAccepted, message)
        }
        Standing::Rejected(reason) => make(Status::False, reason, message::not_accepted(profile, reason)),
        Standing::Doubted(reason) => make(Status::Unknown, reason, message::not_accepted(profile, reason)),
    }
}

fn authorized(seen: &Observed, judged: Option<&Judged>) -> Finding {
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

fn advisories(
    seen: &Observed,
    judged: Option<&Judged>,
    outlook: &Outlook,
    key: Option<&KeyStatus>,
    now: Timestamp,
) -> Vec<Finding> {
    let accepted = judged.is_some_and(|judged| judged.standing == Standing::Accepted);
    let expiring = expiry::expiring(outlook, accepted);
    let due = expiry::rotation_due(seen, key, now);
    expiring.into_iter().chain(due).chain(over_privileged(seen, judged)).collect()
}

fn over_privileged(seen: &Observed, judged: Option<&Judged>) -> Option<Finding> {
    let judged = judged?;
    let watched = seen.provider().is_some_and(Provider::audits);
    match judged.access.as_ref().and_then(|news| news.undeclared.as_ref()) {
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

fn expiry_notice(outlook: &Outlook, judged: Option<&Judged>) -> Option<Notice> {
    let accepted = judged.is_some_and(|judged| judged.standing == Standing::Accepted);
    let found = expiry::expiring(outlook, accepted).filter(|_| outlook.announce)?;
    Some(Notice::warning(found.reason, "Watch", found.message))
}

fn outage_notice(seen: &Observed, was: Option<Standing>, judged: Option<&Judged>) -> Option<Notice> {
    let since = judged?.validation.outage_start_time.as_ref()?;
    let known = seen.object.status.as_ref().and_then(|status| status.validation.as_ref());
    let told = known.is_some_and(|known| known.outage_start_time.as_ref() == Some(since));
    let profile = seen.provider()?.profile();
    if told || was != Some(Standing::Accepted) {
        return None;
    }
    Some(Notice::warning(Reason::ProviderUnavailable, "Check", message::accepted(profile, Some(since.0), false)))
}

/// When these very bytes were first seen, and published.
fn key_status(seen: &Observed, key: Option<&Resolved>, same_key: bool, now: Timestamp) -> Option<KeyStatus> {
    let stored = seen.object.status.as_ref().and_then(|status| status.key.clone());
    match (key, same_key, stored) {
        (None, _, stored) | (Some(_), true, stored @ Some(_)) => stored,
        (Some(_), _, _) => Some(KeyStatus { first_seen_time: Some(Time(now)), published_time: None }),
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

/// What of this process's knowledge bears on publishing.
struct Publishable<'a> {
    key: Option<&'a Resolved>,
    judged: Option<&'a Judged>,
    by_provider: bool,
    minted: Option<&'a AccessToken>,
}

fn publish(decision: &mut Decision, seen: &Observed, what: &Publishable<'_>, now: Timestamp) {
    if seen.object.spec.publish_policy == Some(PublishPolicy::Never) {
        return;
    }
    let carriage = match what.key {
        Some(key) if may_publish(decision, seen, what) => match token(seen, what, now) {
            Ok(token) => Carriage::Proved { key: &key.key, token },
            Err(TokenMissing) => Carriage::LastKnownGood,
        },
        Some(key) if is_withdrawn(decision, seen, what, key) => Carriage::Withdrawn,
        _ => Carriage::LastKnownGood,
    };
    let expires_at = what.key.and_then(|key| key.expires_at);
    decision.outputs = Some(publishing::plan_outputs(seen, &carriage, expires_at));
    decision.dropped = publishing::deletable(seen);
}

fn may_publish(decision: &Decision, seen: &Observed, what: &Publishable<'_>) -> bool {
    let is = |condition, status| {
        decision.findings.iter().any(|found| found.condition == condition && found.status == status)
    };
    if seen.object.spec.publish_policy == Some(PublishPolicy::Always) {
        return true;
    }
    if what.by_provider {
        is(ConditionType::Authenticated, Status::True) && !is(ConditionType::Authorized, Status::False)
    } else {
        !is(ConditionType::Authenticated, Status::False)
    }
}

/// The output needs a token, and there is none that still serves.
struct TokenMissing;

fn token<'a>(
    seen: &'a Observed,
    what: &Publishable<'a>,
    now: Timestamp,
) -> Result<Option<&'a AccessToken>, TokenMissing> {
    let mints = what.by_provider && seen.provider().is_some_and(|provider| provider.profile().mints_token);
    if !mints {
        return Ok(None);
    }
    let serves = token::serves(what.judged.and_then(|judged| judged.token.as_ref()), now);
    what.minted.or(seen.traits.token.as_deref()).filter(|_| serves).map(Some).ok_or(TokenMissing)
}

/// Withdraw needs a definite refusal of the very key that the outputs carry.
fn is_withdrawn(decision: &Decision, seen: &Observed, what: &Publishable<'_>, key: &Resolved) -> bool {
    let refused =
        what.by_provider && what.judged.is_some_and(|judged| matches!(judged.standing, Standing::Rejected(_)));
    let carried = decision.status.key.as_ref().is_some_and(|key| key.published_time.is_some());
    seen.object.spec.rejection_policy == Some(RejectionPolicy::Withdraw)
        && refused
        && (carried || publishing::carried_by_outputs(seen, &key.key))
}

/// When to look again for the sake of the check; expiry has its own times.
fn next_look(seen: &Observed, judged: Option<&Judged>, wait: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    if matches!(seen.source, Source::Denied) {
        let spread = schedule::jittered(DENIED_SPREAD, seen.uid(), "denied");
        return Some(schedule::after(now, DENIED_RETRY.saturating_add(spread)));
    }
    let judged = judged?;
    let check = wait.or(judged.validation.next_check_time.as_ref().map(|next| next.0));
    let outage = judged.validation.outage_start_time.as_ref().filter(|_| judged.standing == Standing::Accepted);
    check.into_iter().chain(outage.map(|since| after_grace(&since.0))).min()
}

/// While suspended nothing moves but expiry and age.
fn suspended(seen: &Observed, now: Timestamp) -> Decision {
    let stored = seen.object.status.clone().unwrap_or_default();
    let outlook = expiry::outlook(seen, None, false, now);
    let key = stored.key.clone();
    let accepted = stored.conditions.is_true(ConditionType::Authenticated);
    let announced = expiry::expiring(&outlook, accepted).filter(|_| outlook.announce);
    let too_old = expiry::too_old_at(seen, key.as_ref()).filter(|limit| *limit > now);
    Decision {
        findings: Vec::new(),
        advisories: expiry::expiring(&outlook, accepted)
            .into_iter()
            .chain(expiry::rotation_due(seen, key.as_ref(), now))
            .collect(),
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
        suspended: true,
    }
}
