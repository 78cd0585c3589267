//! The one status write of a visit, on change only; then Events.

use super::Context;
use super::events::Tidings;
use super::name::Name;
use super::observe::key_bytes;
use super::wire::Delivered;
use crate::api::{
    ConditionType, Conditions, ConnectorCredential, ConnectorCredentialStatus, FIELD_MANAGER, GROUP, Reason,
    SourceStatus, VERSION,
};
use crate::error::{Failure, Verb};
use crate::policy::{Acted, Conclusion, Decision, Notice, Observed, Source, conclude, malformed, message};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::{Api, Resource};
use serde::Serialize;
use serde_json::json;
use std::sync::Arc;

/// The resource of a status, as RBAC writes it.
const STATUS: &str = "connectorcredentials/status";

/// What is sent of a status, and of nothing else.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct StatusWrite<'a> {
    api_version: &'a str,
    kind: &'static str,
    metadata: Target<'a>,
    status: &'a ConnectorCredentialStatus,
}

/// Which object it is written to; with a version only if it still has it.
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

/// Against what a status write is guarded, beside the object's uid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Guard {
    /// Nothing: the fields are ours alone.
    Uid,
    /// Any write since the object was read.
    Version,
}

/// Writes the status if it changed, then sends Events. Returns when to look again.
///
/// # Errors
/// [`Failure`], when the status could not be written.
pub(super) async fn report(
    ctx: &Context,
    seen: &Observed,
    decision: Decision,
    acted: &Acted,
) -> Result<Option<Timestamp>, Failure> {
    let Conclusion { status, notices, next } = conclude(seen, decision, acted, ctx.now());
    if seen.object.status.as_ref() != Some(&status) {
        apply_status(ctx, &seen.object, &status, guard(seen, &status)).await?;
    }
    if let Some((key, source)) = key_bytes(seen).zip(status.source.as_ref().filter(|told| speaks_of(told, seen))) {
        ctx.memory.remember_key(seen.uid(), source, &key);
    }
    for notice in notices {
        ctx.events.tell(Tidings::about(&seen.object, notice));
    }
    Ok(next)
}

/// Where a call mints a token, whoever did not call writes only over what it has read: another process may have claimed,
/// called and stored meanwhile.
fn guard(seen: &Observed, status: &ConnectorCredentialStatus) -> Guard {
    let checked = |status: Option<&ConnectorCredentialStatus>| {
        status.and_then(|status| status.validation.as_ref()).and_then(|validation| validation.last_check_time.clone())
    };
    let mints = seen.provider().is_some_and(|provider| provider.profile().mints_token);
    let silent = checked(Some(status)) == checked(seen.object.status.as_ref());
    if mints && silent { Guard::Version } else { Guard::Uid }
}

/// Whether the status is about the version of the source that was read.
fn speaks_of(told: &SourceStatus, seen: &Observed) -> bool {
    let Source::Found(secret) = &seen.source else { return false };
    secret.metadata.resource_version.as_ref() == Some(&told.resource_version)
}

/// Applies a status; the result is remembered, since the watch may deliver it late.
///
/// # Errors
/// [`Failure`], when the API server refuses it: a conflict when the object was recreated, or written under a guard.
pub(super) async fn apply_status(
    ctx: &Context,
    object: &ConnectorCredential,
    status: &ConnectorCredentialStatus,
    guard: Guard,
) -> Result<Arc<ConnectorCredential>, Failure> {
    ctx.must_lead()?;
    let meta = &object.metadata;
    let name = Name::of(meta);
    let resource_version = meta.resource_version.as_deref().filter(|_| guard == Guard::Version);
    let api_version = ConnectorCredential::api_version(&());
    let body = StatusWrite {
        api_version: &api_version,
        kind: "ConnectorCredential",
        metadata: Target { name: &name.name, namespace: &name.namespace, uid: meta.uid.as_deref(), resource_version },
        status,
    };
    let api: Api<Delivered> = Api::namespaced(ctx.client.clone(), &name.namespace);
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let written = api.patch_status(&name.name, &params, &Patch::Apply(body)).await;
    let Delivered(written) = written.map_err(|error| Failure::new(Verb::Patch, STATUS, &error))?;
    let Ok(written) = written.0 else { return Err(Failure::unexpected(Verb::Patch, STATUS)) };
    let written = Arc::new(written);
    if let Some(uid) = &written.metadata.uid {
        ctx.memory.remember_written(uid, Arc::clone(&written));
    }
    Ok(written)
}

/// Says of an object that does not fit the schema that it does not; unless it was said already. What else the status
/// holds stays, applied as it is: another version may read it again.
///
/// # Errors
/// [`Failure`], when the API server refuses it.
pub(super) async fn apply_malformed(ctx: &Context, meta: &ObjectMeta) -> Result<(), Failure> {
    ctx.must_lead()?;
    let name = Name::of(meta);
    let kind = ApiResource::erase::<ConnectorCredential>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(ctx.client.clone(), &name.namespace, &kind);
    let generation = meta.generation.unwrap_or_default();
    let stored = api.get(&name.name).await.map_err(|error| Failure::new(Verb::Get, "connectorcredentials", &error))?;
    let mut status = stored.data.get("status").cloned().unwrap_or_else(|| json!({}));
    let conditions = status.get("conditions").cloned().unwrap_or_default();
    let conditions: Vec<Condition> = serde_json::from_value(conditions).unwrap_or_default();
    let said = conditions.of(ConditionType::Accepted).is_some_and(|accepted| {
        accepted.reason == Reason::InvalidSpec.name() && accepted.observed_generation == Some(generation)
    });
    if said {
        return Ok(());
    }
    let now = malformed(&conditions, generation, ctx.now());
    if let Some(status) = status.as_object_mut() {
        status.insert("conditions".to_owned(), json!(now.conditions));
        status.insert("observedGeneration".to_owned(), json!(generation));
    }
    let body = json!({
        "apiVersion": format!("{GROUP}/{VERSION}"),
        "kind": "ConnectorCredential",
        "metadata": {"name": name.name, "namespace": name.namespace, "uid": meta.uid},
        "status": status,
    });
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let written = api.patch_status(&name.name, &params, &Patch::Apply(body)).await;
    written.map_err(|error| Failure::new(Verb::Patch, STATUS, &error))?;
    let notice = Notice::warning(Reason::InvalidSpec, "Check", message::MALFORMED_OBJECT);
    ctx.events.tell(Tidings::about_malformed(meta, notice));
    Ok(())
}
