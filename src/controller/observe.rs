//! What is there? Reads the source and the outputs of one credential; judges nothing and writes nothing.

use super::name::{Name, Sight};
use super::{Context, kept, led_since};
use crate::api::{ConditionType, Conditions, ConnectorCredential, KeySecretRef, Output, Reason};
use crate::credential::Key;
use crate::error::{Class, Failure, Verb};
use crate::outputs::token_in;
use crate::policy::{
    Observed, Ownership, Source, Target, Traits, declared_outputs, is_claimed, ownership, source, value_names,
};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use std::sync::Arc;

#[cfg(test)]
mod tests;

/// Secrets that are not declared any more and are looked at in one visit.
pub(super) const DROPPED_AT_ONCE: usize = 32;

/// Reads all that a decision about `object` may rest on.
///
/// # Errors
/// [`Failure`], when the API server could not be asked. A missing or forbidden source is a finding.
pub(super) async fn observe(ctx: &Context, object: Arc<ConnectorCredential>) -> Result<Observed, Failure> {
    let name = Name::of(&object.metadata);
    let secrets: Api<Secret> = Api::namespaced(ctx.client.clone(), &name.namespace);
    let mut seen = Observed {
        source: Source::Missing,
        targets: Vec::new(),
        dropped: Vec::new(),
        claimed: ctx.index.claimed(&name),
        site: object
            .spec
            .provider
            .chosen()
            .map(|provider| ctx.sites.site(provider.profile().kind).clone())
            .unwrap_or_default(),
        traits: Traits::default(),
        object,
    };
    if seen.object.spec.suspend == Some(true) {
        return Ok(seen);
    }
    seen.source = match read_source(ctx, &secrets, &Name::new(&name.namespace, &wanted(&seen).name)).await? {
        Source::Found(secret) => Source::Found(Box::new(kept::of_source(*secret, wanted(&seen)))),
        other @ (Source::Missing | Source::Denied) => other,
    };
    if !matches!(seen.source, Source::Denied) {
        read_targets(ctx, &mut seen, &secrets, &name).await?;
    }
    seen.traits = traits(ctx, &seen);
    Ok(seen)
}

async fn read_source(ctx: &Context, secrets: &Api<Secret>, name: &Name) -> Result<Source, Failure> {
    match read(ctx, secrets, name).await {
        Ok(Some(secret)) => Ok(Source::Found(secret)),
        Ok(None) => Ok(Source::Missing),
        Err(failure) if failure.class() == Class::Forbidden => Ok(Source::Denied),
        Err(failure) => Err(failure),
    }
}

async fn read(ctx: &Context, secrets: &Api<Secret>, name: &Name) -> Result<Option<Box<Secret>>, Failure> {
    let found = secrets.get_opt(&name.name).await.map_err(|error| Failure::new(Verb::Get, "secrets", &error))?;
    learn(ctx, name, found.as_ref().map(|secret| &secret.metadata));
    Ok(found.map(Box::new))
}

fn learn(ctx: &Context, name: &Name, found: Option<&ObjectMeta>) {
    ctx.index.learn(name, found.map_or(Sight::Absent, Sight::of));
}

/// A Secret that the watch has seen to be absent is not asked for: creating it relies on the API server's refusal.
async fn read_targets(ctx: &Context, seen: &mut Observed, secrets: &Api<Secret>, name: &Name) -> Result<(), Failure> {
    let declared = declared_outputs(&seen.object);
    for output in &declared {
        let (secret, cut) = read_target(ctx, seen, (secrets, name), output).await?.unzip();
        seen.targets.push(Target { name: output.secret_name.clone(), secret, cut: cut.unwrap_or_default() });
    }
    let is_declared = |other: &String| declared.iter().any(|output| output.secret_name == *other);
    let source = &wanted(seen).name;
    let others = ctx.index.interests(name).into_iter().filter(|other| other != source && !is_declared(other));
    let others = others.filter(|other| !ctx.is_absent(&Name::new(&name.namespace, other)));
    for other in few_of(seen, others.collect()) {
        let secret = read_metadata(ctx, secrets, &Name::new(&name.namespace, &other)).await?;
        seen.dropped.push(Target { name: other, secret, cut: false });
    }
    Ok(())
}

/// Who may create Secrets can plant any number as ours: those that were published come first, and few are looked at in a
/// visit. When they have gone, the credential is visited for the next.
fn few_of(seen: &Observed, mut dropped: Vec<String>) -> Vec<String> {
    let published = |name: &String| {
        let status = seen.object.status.as_ref();
        status.is_some_and(|status| status.outputs.iter().any(|output| output.secret_name == *name))
    };
    dropped.sort_by_key(|name| !published(name));
    dropped.truncate(DROPPED_AT_ONCE);
    dropped
}

/// What others have put there is not read: unless it is known to be ours, whose it is now is asked first.
async fn read_target(
    ctx: &Context,
    seen: &Observed,
    (secrets, name): (&Api<Secret>, &Name),
    output: &Output,
) -> Result<Option<(Box<Secret>, bool)>, Failure> {
    let target = &Name::new(&name.namespace, &output.secret_name);
    if ctx.is_absent(target) {
        return Ok(None);
    }
    let known_as_ours = if ctx.watches_secrets(&name.namespace) {
        ctx.index.owns(name, &target.name)
    } else {
        stands(seen, &target.name)
    };
    if !known_as_ours {
        let found = read_metadata(ctx, secrets, target).await?;
        if found.as_ref().is_none_or(|secret| ownership(secret, seen.uid()) == Ownership::Foreign) {
            return Ok(found.map(|secret| (secret, false)));
        }
    }
    let found = read(ctx, secrets, target).await?;
    Ok(found.map(|secret| {
        let (secret, cut) = kept::of_target(*secret, seen.uid(), output, || value_names(seen, output));
        (Box::new(secret), cut)
    }))
}

/// Whether the status says that outputs stand, and names a version of this one.
fn stands(seen: &Observed, name: &str) -> bool {
    let stored = seen.object.status.iter().filter(|status| status.conditions.is_true(ConditionType::Published));
    let mut outputs = stored.flat_map(|status| &status.outputs);
    outputs.any(|output| output.secret_name == name && output.resource_version.is_some())
}

/// Whose it is says whether it goes: nobody asks what it holds.
async fn read_metadata(ctx: &Context, secrets: &Api<Secret>, name: &Name) -> Result<Option<Box<Secret>>, Failure> {
    if ctx.is_absent(name) {
        return Ok(None);
    }
    let found = secrets.get_metadata_opt(&name.name).await;
    let found = found.map_err(|error| Failure::new(Verb::Get, "secrets", &error))?;
    learn(ctx, name, found.as_ref().map(|found| &found.metadata));
    Ok(found.map(|found| Box::new(kept::of_metadata(found.metadata))))
}

fn wanted(seen: &Observed) -> &KeySecretRef {
    &seen.object.spec.key_secret_ref
}

/// What only this process knows; a token that it does not remember is read back from an output of ours.
fn traits(ctx: &Context, seen: &Observed) -> Traits {
    let uid = seen.uid();
    let status = seen.object.status.as_ref();
    if let Some(source) = status.and_then(|status| status.source.as_ref()) {
        ctx.memory.heard_of(uid, source);
    }
    let course = status.and_then(|status| status.token.as_ref());
    let end = course.and_then(|course| course.expiration_time.as_ref()).map(|end| end.0);
    let known = ctx.memory.token(uid, end);
    // While another process may be minting one, what it has written counts more than what is known here.
    let stored = if known.is_none() || status.is_some_and(|status| is_claimed(status, ctx.clock.now())) {
        seen.outputs().iter().find_map(|output| stored_token(seen, output)).map(Arc::new)
    } else {
        None
    };
    if let Some(token) = stored.as_ref().filter(|_| known.is_none()) {
        ctx.memory.remember_token(uid, Arc::clone(token), end);
    }
    let token = stored.or(known);
    let now = ctx.clock.now();
    Traits {
        same_key: key_bytes(seen).and_then(|key| ctx.memory.same_key(uid, &key)),
        token,
        unscheduled_at: ctx.memory.unscheduled_at(uid, now),
        leading_since: led_since(ctx.leading_since, now),
    }
}

/// The key in the source, whatever else is wrong with it.
pub(super) fn key_bytes(seen: &Observed) -> Option<Key> {
    let Source::Found(secret) = &seen.source else { return None };
    let name = seen.object.spec.key_secret_ref.key.as_deref().unwrap_or(source::DEFAULT_KEY);
    Key::parse(&secret.data.as_ref()?.get(name)?.0).ok()
}

fn stored_token(seen: &Observed, output: &Output) -> Option<crate::credential::AccessToken> {
    let mints = seen.provider().is_some_and(|provider| provider.profile().mints_token);
    // Where a write failed, what stands there may be older than the token that the status speaks of.
    let conditions = seen.object.status.as_ref().map(|status| status.conditions.as_slice())?;
    let current = conditions.reason(ConditionType::Published) == Some(Reason::Published);
    let secret = seen.target(&output.secret_name)?.secret.as_deref().filter(|_| mints && current)?;
    let data = secret.data.as_ref().filter(|_| ownership(secret, seen.uid()) == Ownership::Ours)?;
    token_in(output, |name| data.get(name).map(|value| value.0.as_slice()))
}
