//! What does the provider say? Claims what must be claimed, takes from the object's bucket, and asks.

use super::apply::apply_claim;
use super::name::Name;
use super::{Context, whole};
use crate::api::{ConnectorCredential, Mode, Reason};
use crate::credential::AccessToken;
use crate::error::Failure;
use crate::metrics;
use crate::policy::{self, Check, Observed, after, asked_for, resolve};
use crate::probe::{CheckOptions, Checked, Line, Outcome, Slot, Turn};
use crate::providers::{Doubt, ProviderKind, Rejection, Verdict};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// What became of a check that was due.
pub(super) enum Heard {
    /// The provider was asked, by this check or by an equal one.
    Answer(Arc<Checked>),
    /// It is not this check's turn until then.
    Later(Timestamp),
    /// There was nobody to ask.
    Nothing,
}

/// In so long those who share a Secret hear of a change of it.
const TOGETHER: Duration = Duration::from_secs(60);
/// Until the next look at a line that moves.
const A_MOMENT: Duration = Duration::from_millis(100);

/// Where a check is due in all likelihood, there must be room for it before anything is read: to wait for room costs the
/// API server nothing. Where nobody is served, one goes on without, and the status says so. Who asks nobody needs no room.
///
/// # Errors
/// When to come back, for whoever has nothing else to do.
pub(super) async fn line_up(ctx: &Context, object: &ConnectorCredential) -> Result<Option<Slot>, Timestamp> {
    let validation = object.status.as_ref().and_then(|status| status.validation.as_ref());
    let next = validation.and_then(|validation| validation.next_check_time.as_ref()).map(|next| next.0);
    let now = ctx.clock.now();
    let due = next.is_none_or(|next| next <= now);
    let Some(provider) = object.spec.provider.chosen().filter(|_| due && object.spec.suspend != Some(true)) else {
        return Ok(None);
    };
    let local = object.spec.validation.as_ref().and_then(|validation| validation.mode) == Some(Mode::Local);
    if local || provider.base(ctx.sites.site(provider.profile().kind)).is_err() {
        return Ok(None);
    }
    let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
    match ctx.prober.line_up(provider.profile().kind, namespace).await {
        Line::Ours(slot) => Ok(Some(slot)),
        Line::Still => Ok(None),
        Line::Moving => Err(after(ctx.clock.now(), A_MOMENT)),
    }
}

/// Asks the provider about the key that was seen. After a claim `seen.object` is what was written.
///
/// # Errors
/// [`Failure`], when the claim could not be stored; then nobody was asked.
pub(super) async fn consult(
    ctx: &Context,
    seen: &mut Observed,
    (check, slot): (Check, Option<Slot>),
) -> Result<Heard, Failure> {
    let now = ctx.clock.now();
    let object = Arc::clone(&seen.object);
    let (Ok(resolved), Some(provider)) = (resolve(seen), object.spec.provider.chosen()) else {
        return Ok(Heard::Nothing);
    };
    let options = CheckOptions {
        depth: check.depth,
        proved: check.proved,
        asked_before: check.asked_before,
        namespace: Name::of(&object.metadata).namespace,
        since: since(seen, check, (now, ctx.memory.accepted(seen.uid(), &resolved.key))),
    };
    let heard = match ctx.prober.turn_in_line(provider, &resolved.key, (&options, slot)).await {
        Turn::Over(Outcome::Later { at, .. }) => return Ok(Heard::Later(at)),
        Turn::Over(Outcome::NotAsked(_)) => return Ok(Heard::Nothing),
        Turn::Over(Outcome::Checked { checked, .. }) => checked,
        Turn::Ours(granted) => {
            // The turn may have been waited for.
            ctx.must_lead()?;
            if check.claim {
                // What must not happen twice rests on the Lease itself, not on our clock.
                if !ctx.fence.confirm().await {
                    return Err(Failure::overtaken("leases"));
                }
                claim(ctx, seen, now).await?;
            }
            let checked = granted.ask().await;
            count(ctx, provider.profile().kind, &checked);
            checked
        }
    };
    if check.unscheduled {
        ctx.memory.take_unscheduled(seen.uid(), now);
    }
    if matches!(heard.verdict, Verdict::Accepted(_)) {
        ctx.memory.remember_accepted(seen.uid(), &resolved.key, heard.asked_at);
    }
    if let Verdict::Accepted(proof) = &heard.verdict {
        let life = provider.token_lifetime();
        let end = life.and_then(|life| policy::course(whole(heard.asked_at), life).expiration_time);
        remember_token(ctx, seen, proof.token.as_ref(), end.map(|end| end.0));
    }
    Ok(Heard::Answer(heard))
}

fn count(ctx: &Context, provider: ProviderKind, checked: &Checked) {
    let (verdict, took) = (&checked.verdict, checked.duration);
    ctx.metrics.checked(&metrics::Checked { provider, verdict, reason: reason(verdict), took });
}

/// The reason that conditions would have if this answer stood alone.
fn reason(verdict: &Verdict) -> Reason {
    match verdict {
        Verdict::Accepted(_) => Reason::KeyAccepted,
        Verdict::Rejected(Rejection::Key) => Reason::KeyRejected,
        Verdict::Rejected(Rejection::Expired) => Reason::KeyExpired,
        Verdict::Rejected(Rejection::Revoked) => Reason::KeyRevoked,
        Verdict::Inconclusive(Doubt::Unavailable) => Reason::ProviderUnavailable,
        Verdict::Inconclusive(Doubt::RateLimited) => Reason::RateLimited,
        Verdict::Inconclusive(Doubt::Unexpected) => Reason::UnexpectedResponse,
    }
}

fn remember_token(ctx: &Context, seen: &mut Observed, token: Option<&AccessToken>, end: Option<Timestamp>) {
    let Some(token) = token.and_then(|token| AccessToken::parse(token.reveal()).ok()) else { return };
    let token = Arc::new(token);
    ctx.memory.remember_token(seen.uid(), Arc::clone(&token), end);
    seen.traits.token = Some(token);
}

/// How old an answer to the same question may be. A request by annotation wants a new one; a scheduled check one that
/// is newer than its last. Of a first key, and of the one that was accepted last, it may be as old as the interval; of one
/// that takes the place of another, no older than those who share its Secret need: it may come back, and have been
/// revoked since.
fn since(seen: &Observed, check: Check, (now, accepted): (Timestamp, Option<(bool, Timestamp)>)) -> Timestamp {
    if check.unscheduled && asked_for(&seen.object) {
        return now;
    }
    match (last_check(seen), accepted) {
        (Some(last), _) if !check.unscheduled => after(last, Duration::from_secs(1)),
        (_, Some((false, other))) => earlier(now, TOGETHER).max(other),
        // Whatever was accepted before this process began, the status knows.
        (Some(_), None) if check.asked_before.is_none() => earlier(now, TOGETHER),
        _ => earlier(now, seen.interval()),
    }
}

fn last_check(seen: &Observed) -> Option<Timestamp> {
    let validation = seen.object.status.as_ref()?.validation.as_ref()?;
    validation.last_check_time.as_ref().map(|last| last.0)
}

fn earlier(time: Timestamp, by: Duration) -> Timestamp {
    jiff::SignedDuration::try_from(by).ok().and_then(|by| time.checked_sub(by).ok()).unwrap_or(time)
}

/// A claim: the next check moves past this call's deadline, in a write that fails if anybody claimed, checked or
/// declared meanwhile. The loser does not call. What was known of another key is not carried into it.
async fn claim(ctx: &Context, seen: &mut Observed, now: Timestamp) -> Result<(), Failure> {
    let status = policy::claim(seen, now);
    seen.object = apply_claim(ctx, &seen.object, &status).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{context, declaring, silence};
    use super::*;
    use crate::config::Settings;
    use crate::policy::{Plan, Source, Traits, probe_plan};
    use crate::probe::{Limits, Prober};
    use k8s_openapi::api::core::v1::Secret;
    use serde_json::json;
    use std::collections::BTreeSet;

    fn seen(ctx: &Context) -> Observed {
        let secret: Secret = serde_json::from_value(json!({
            "metadata": {"name": "source", "uid": "s", "resourceVersion": "1"},
            "data": {"api-key": k8s_openapi::ByteString(b"zenflow_live_EXAMPLE_canary".to_vec())},
        }))
        .unwrap();
        Observed {
            object: Arc::new(declaring("erp", 0, &["out"])),
            source: Source::Found(Box::new(secret)),
            targets: Vec::new(),
            dropped: Vec::new(),
            claimed: BTreeSet::new(),
            site: ctx.sites.site(ProviderKind::ZenFlow).clone(),
            traits: Traits::default(),
        }
    }

    #[tokio::test]
    async fn whoever_loses_the_lease_while_it_waits_in_line_calls_nobody() {
        let mut ctx = context(silence());
        // Nobody listens there.
        let settings = "providers: {zenflow: {endpoint: 'http://127.0.0.1:9'}}";
        ctx.sites = Arc::new(Settings::parse(settings).unwrap());
        let limits = Limits::for_concurrency(8);
        ctx.prober = Prober::new(Arc::clone(&ctx.sites), Arc::clone(&ctx.clock), limits).unwrap();
        let mut seen = seen(&ctx);
        let Plan::Due(check) = probe_plan(&seen, ctx.clock.now()) else { panic!("it was never checked") };
        let Line::Ours(taken) = ctx.prober.line_up(ProviderKind::ZenFlow, "data").await else { panic!("it is free") };
        let meanwhile = async {
            ctx.fence.lose();
            drop(taken);
        };
        let (heard, ()) = tokio::join!(biased; consult(&ctx, &mut seen, (check, None)), meanwhile);
        assert!(heard.is_err_and(|failure| failure.resource == "leases"), "it asked");
    }
}
