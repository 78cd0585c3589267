//! How is a status stored, if others write to the object at the same time? Over the version that it was computed from,
//! or over a later one whose status nobody decided anew.

use super::Context;
use super::name::Name;
use super::wire::Delivered;
use crate::api::{ConnectorCredential, ConnectorCredentialStatus, FIELD_MANAGER};
use crate::error::{Class, Failure, Verb};
use kube::api::{Patch, PatchParams};
use kube::{Api, Resource};
use serde::Serialize;
use std::sync::Arc;

#[cfg(test)]
mod tests;

/// The resource of a status, as RBAC writes it.
pub(super) const STATUS: &str = "connectorcredentials/status";
/// Labels and the like may change so often while a status is on its way; then one looks at all of it again.
const TRIES: usize = 5;

/// What is sent of a status, and of nothing else.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct StatusWrite<'a> {
    api_version: &'a str,
    kind: &'static str,
    metadata: Target<'a>,
    status: &'a ConnectorCredentialStatus,
}

/// Which object it is written to, if it still has this version: a request that the network delays changes nothing that
/// was written meanwhile.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Target<'a> {
    name: &'a str,
    namespace: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_version: Option<&'a str>,
}

/// What is found where a status met another version than its own.
enum Found {
    /// The very status: it was done after all.
    Done,
    /// Nothing that it rests on has changed.
    Same,
    /// Somebody else decided meanwhile.
    Other,
}

/// Applies a status over that of `object`; the result is remembered, since the watch may deliver it late.
///
/// # Errors
/// [`Failure`], when the API server refuses it: a conflict when somebody else decided meanwhile, or made it anew. What
/// they left is remembered then.
pub(super) async fn apply_status(
    ctx: &Context,
    object: &Arc<ConnectorCredential>,
    status: &ConnectorCredentialStatus,
) -> Result<Arc<ConnectorCredential>, Failure> {
    let judge = |now: &ConnectorCredential| match now.status.as_ref() == Some(status) {
        true => Found::Done,
        false if decided(now) == decided(object) && now.metadata.deletion_timestamp.is_none() => Found::Same,
        false => Found::Other,
    };
    apply_over(ctx, object, (status, judge)).await
}

/// The same for a claim, which is stored once: who finds it stored already did not store it. What is asked next must be
/// what the object still declares.
///
/// # Errors
/// [`Failure`], as above.
pub(super) async fn apply_claim(
    ctx: &Context,
    object: &Arc<ConnectorCredential>,
    status: &ConnectorCredentialStatus,
) -> Result<Arc<ConnectorCredential>, Failure> {
    let wanted = |object: &ConnectorCredential| {
        let meta = &object.metadata;
        (meta.generation, meta.annotations.clone(), meta.deletion_timestamp.is_some())
    };
    let judge = |now: &ConnectorCredential| {
        if wanted(now) == wanted(object) && decided(now) == decided(object) { Found::Same } else { Found::Other }
    };
    apply_over(ctx, object, (status, judge)).await
}

async fn apply_over(
    ctx: &Context,
    object: &Arc<ConnectorCredential>,
    (status, judge): (&ConnectorCredentialStatus, impl Fn(&ConnectorCredential) -> Found),
) -> Result<Arc<ConnectorCredential>, Failure> {
    let mut over = Arc::clone(object);
    for _ in 1..TRIES {
        match apply_once(ctx, &over, status).await {
            // Who does not lead any more is told so as a conflict, too: there is nothing to look for.
            Err(failure) if failure.class() == Class::Conflict && ctx.fence.holds() => {}
            done => return done,
        }
        over = fresh(ctx, &over).await?;
        match judge(&over) {
            Found::Done => return Ok(over),
            Found::Same => {}
            Found::Other => return Err(Failure::overtaken(STATUS)),
        }
    }
    apply_once(ctx, &over, status).await
}

/// What a status says beside its conditions: what every check, claim, and write of an output changes. Conditions are ours
/// alone, whatever others put there.
fn decided(object: &ConnectorCredential) -> ConnectorCredentialStatus {
    ConnectorCredentialStatus { conditions: Vec::new(), ..object.status.clone().unwrap_or_default() }
}

/// The object as it is stored now; remembered, so that whoever looks again need not wait for the watch.
async fn fresh(ctx: &Context, known: &ConnectorCredential) -> Result<Arc<ConnectorCredential>, Failure> {
    const CREDENTIALS: &str = "connectorcredentials";
    let name = Name::of(&known.metadata);
    let api: Api<Delivered> = Api::namespaced(ctx.client.clone(), &name.namespace);
    let Delivered(now) = api.get(&name.name).await.map_err(|error| Failure::new(Verb::Get, CREDENTIALS, &error))?;
    let Ok(now) = now.0 else { return Err(Failure::unexpected(Verb::Get, CREDENTIALS)) };
    if now.metadata.uid != known.metadata.uid {
        return Err(Failure::overtaken(CREDENTIALS));
    }
    Ok(remember(ctx, now))
}

fn remember(ctx: &Context, object: ConnectorCredential) -> Arc<ConnectorCredential> {
    let object = Arc::new(object);
    if let Some(uid) = &object.metadata.uid {
        ctx.memory.remember_written(uid, Arc::clone(&object));
    }
    object
}

/// Applies a status to this very version of the object.
async fn apply_once(
    ctx: &Context,
    object: &ConnectorCredential,
    status: &ConnectorCredentialStatus,
) -> Result<Arc<ConnectorCredential>, Failure> {
    ctx.must_lead()?;
    let meta = &object.metadata;
    let name = Name::of(meta);
    let api_version = ConnectorCredential::api_version(&());
    let target = Target {
        name: &name.name,
        namespace: &name.namespace,
        uid: meta.uid.as_deref(),
        resource_version: meta.resource_version.as_deref(),
    };
    let body = StatusWrite { api_version: &api_version, kind: "ConnectorCredential", metadata: target, status };
    let api: Api<Delivered> = Api::namespaced(ctx.client.clone(), &name.namespace);
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let written = api.patch_status(&name.name, &params, &Patch::Apply(body)).await;
    let Delivered(written) = written.map_err(|error| Failure::new(Verb::Patch, STATUS, &error))?;
    let Ok(written) = written.0 else { return Err(Failure::unexpected(Verb::Patch, STATUS)) };
    Ok(remember(ctx, written))
}
