//! Is there nothing to do? Answered from the status and what the watches saw, without a request: so a restart with a
//! thousand healthy credentials reads no Secret.

use super::Context;
use super::name::{Name, Sight};
use crate::api::{ConditionType, Conditions, ConnectorCredential, ConnectorCredentialStatus, PublishPolicy, Reason};
use crate::policy::confidence::after_grace;
use crate::policy::{CLAIM, Observed, Source, Traits, after, asked_for, declared_outputs, expiry, subject};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Whether somebody has to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// All is as the status says, until then.
    Until(Option<Timestamp>),
    /// Something has changed, or is due.
    Broken,
}

/// Whether all is as the status says.
pub(super) fn at_rest(ctx: &Context, object: &Arc<ConnectorCredential>) -> Rest {
    let Some(status) = object.status.as_ref() else { return Rest::Broken };
    let settled = ctx.watches_secrets(object.metadata.namespace.as_deref().unwrap_or_default())
        && object.spec.suspend != Some(true)
        && status.observed_generation == object.metadata.generation
        && !asked_for(object)
        && is_published(object, status)
        && !outlives_token(object, status)
        && same_site(ctx, object, status)
        && same_secrets(ctx, object, status)
        && ctx.index.claimed(&Name::of(&object.metadata)).is_empty();
    if settled { next_wake(ctx, object, status) } else { Rest::Broken }
}

/// Workloads hold a token that ends before the next check: a process died over its renewal.
fn outlives_token(object: &ConnectorCredential, status: &ConnectorCredentialStatus) -> bool {
    let end = status.token.as_ref().and_then(|token| token.expiration_time.as_ref());
    let next = status.validation.as_ref().and_then(|validation| validation.next_check_time.as_ref());
    object.spec.publish_policy != Some(PublishPolicy::Never) && end.zip(next).is_some_and(|(end, next)| end.0 < next.0)
}

fn is_published(object: &ConnectorCredential, status: &ConnectorCredentialStatus) -> bool {
    let published = status.conditions.reason(ConditionType::Published);
    let outputs = match object.spec.publish_policy {
        Some(PublishPolicy::Never) => published.is_none(),
        _ => published == Some(Reason::Published),
    };
    outputs && status.conditions.is_true(ConditionType::Ready) && !status.conditions.is_true(ConditionType::Reconciling)
}

/// Where the provider is, is the administrator's business, and may have changed with a restart.
fn same_site(ctx: &Context, object: &ConnectorCredential, status: &ConnectorCredentialStatus) -> bool {
    let Some(provider) = object.spec.provider.chosen() else { return false };
    let now = subject(&object.spec, ctx.sites.site(provider.profile().kind));
    status.validation.as_ref().and_then(|validation| validation.subject.as_ref()) == Some(&now)
}

fn same_secrets(ctx: &Context, object: &ConnectorCredential, status: &ConnectorCredentialStatus) -> bool {
    status.source.is_some()
        && same_source(ctx, object, status)
        && same_outputs(ctx, object, (status, false))
        && (object.spec.publish_policy == Some(PublishPolicy::Never) || nothing_else(ctx, object, status))
}

/// What was written stands as it was written; or it is known to be lost.
fn same_outputs(
    ctx: &Context,
    object: &ConnectorCredential,
    (status, may_be_lost): (&ConnectorCredentialStatus, bool),
) -> bool {
    let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
    status.outputs.iter().all(|output| match ctx.index.sight(&Name::new(namespace, &output.secret_name)) {
        Sight::Present { version, .. } => Some(version) == output.resource_version,
        Sight::Absent => may_be_lost,
        Sight::Unknown => false,
    })
}

fn same_source(ctx: &Context, object: &ConnectorCredential, status: &ConnectorCredentialStatus) -> bool {
    let wanted = &object.spec.key_secret_ref.name;
    let sight = ctx.index.sight(&Name::new(object.metadata.namespace.as_deref().unwrap_or_default(), wanted));
    match &status.source {
        Some(source) => {
            let told = Sight::Present { uid: source.uid.clone(), version: source.resource_version.clone() };
            source.secret_name == *wanted && sight == told
        }
        None => sight == Sight::Absent,
    }
}

/// The published outputs are the declared ones, and no other Secret of ours is left.
fn nothing_else(ctx: &Context, object: &ConnectorCredential, status: &ConnectorCredentialStatus) -> bool {
    let name = Name::of(&object.metadata);
    let declared: BTreeSet<_> = declared_outputs(object).into_iter().map(|output| output.secret_name).collect();
    let published: BTreeSet<_> = status.outputs.iter().map(|output| output.secret_name.clone()).collect();
    let source = &object.spec.key_secret_ref.name;
    let mut others =
        ctx.index.interests(&name).into_iter().filter(|secret| secret != source && !declared.contains(secret));
    let gone = |secret: String| ctx.index.sight(&Name::new(&name.namespace, &secret)) == Sight::Absent;
    declared == published && others.all(gone)
}

/// The earliest of check, warning, rotation and end of grace; rest is over when one of them is past.
fn next_wake(ctx: &Context, object: &Arc<ConnectorCredential>, status: &ConnectorCredentialStatus) -> Rest {
    let (unread, now) = (unread(object), ctx.now());
    let Rest::Until(passing) = passing(&unread, status, now) else { return Rest::Broken };
    let check = status.validation.as_ref().and_then(|validation| validation.next_check_time.as_ref());
    let next = check.map(|next| next.0).into_iter().chain(passing).min();
    let past = is_from_another_time(&unread, status, now) || next.is_some_and(|next| next <= now);
    if past { Rest::Broken } else { Rest::Until(next) }
}

fn unread(object: &Arc<ConnectorCredential>) -> Observed {
    Observed {
        object: Arc::clone(object),
        source: Source::Missing,
        targets: Vec::new(),
        dropped: Vec::new(),
        claimed: BTreeSet::new(),
        site: crate::providers::Site::default(),
        traits: Traits::default(),
    }
}

/// The earliest of what time alone brings: warning, rotation and end of grace.
fn passing(unread: &Observed, status: &ConnectorCredentialStatus, now: Timestamp) -> Rest {
    let outlook = expiry::outlook(unread, None, false, now);
    let due = status.conditions.is_true(ConditionType::RotationDue);
    // What was raised, or computed, by a clock that was set back since.
    let raised = expiry::expiring(&outlook, true).map(|found| found.reason);
    let outdated = raised != status.conditions.reason(ConditionType::Expiring)
        || expiry::rotation_due(unread, status.key.as_ref(), now).is_some() != due;
    let too_old = expiry::too_old_at(unread, status.key.as_ref()).filter(|_| !due);
    let outage = status.validation.as_ref().and_then(|validation| validation.outage_start_time.as_ref());
    let trusted = outage.filter(|_| status.conditions.is_true(ConditionType::Authenticated));
    let next = [outlook.next, too_old, trusted.map(|since| after_grace(&since.0))].into_iter().flatten().min();
    let past = outdated || outlook.announce || next.is_some_and(|next| next <= now);
    if past { Rest::Broken } else { Rest::Until(next) }
}

/// Whether whoever waits for the provider misses nothing meanwhile: all that can be done and told without an answer is
/// done and told. One that was never told anything waits for its first answer.
pub(super) fn only_waits(ctx: &Context, object: &Arc<ConnectorCredential>) -> bool {
    let Some(status) = object.status.as_ref().filter(|status| !status.conditions.is_empty()) else { return true };
    ctx.watches_secrets(object.metadata.namespace.as_deref().unwrap_or_default())
        && status.observed_generation == object.metadata.generation
        && status.conditions.is_true(ConditionType::Accepted)
        && ctx.index.claimed(&Name::of(&object.metadata)).is_empty()
        && same_site(ctx, object, status)
        && same_source(ctx, object, status)
        && outputs_wait(ctx, object, status)
        && matches!(passing(&unread(object), status, ctx.now()), Rest::Until(_))
}

/// No output can be made, mended or deleted before the provider has answered.
fn outputs_wait(ctx: &Context, object: &ConnectorCredential, status: &ConnectorCredentialStatus) -> bool {
    let published = status.conditions.reason(ConditionType::Published);
    let may_be_lost = published == Some(Reason::WaitingForVerification);
    same_outputs(ctx, object, (status, may_be_lost))
        && match published {
            Some(Reason::Published) => nothing_else(ctx, object, status),
            Some(Reason::LastKnownGood | Reason::WaitingForVerification | Reason::Withdrawn) => true,
            published => published.is_none() && object.spec.publish_policy == Some(PublishPolicy::Never),
        }
}

/// Checked in the future, or to be checked later than any interval allows.
fn is_from_another_time(unread: &Observed, status: &ConnectorCredentialStatus, now: Timestamp) -> bool {
    let Some(validation) = &status.validation else { return false };
    let last = validation.last_check_time.as_ref().is_some_and(|last| last.0 > after(now, CLAIM));
    let longest = after(now, unread.interval().mul_f64(1.1).saturating_add(CLAIM));
    let next = validation.next_check_time.as_ref().is_some_and(|next| next.0 > longest);
    last || (next && validation.consecutive_failures.is_none())
}
