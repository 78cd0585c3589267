//! The one status write of a visit, on change only; then Events.

use super::Context;
use super::apply::{STATUS, apply_status};
use super::events::Tidings;
use super::name::Name;
use super::observe::key_bytes;
use crate::api::{ConditionType, Conditions, ConnectorCredential, FIELD_MANAGER, GROUP, Reason, SourceStatus, VERSION};
use crate::error::{Failure, Verb};
use crate::policy::{Acted, Conclusion, Decision, Notice, Observed, Source, conclude, malformed, message};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};
use kube::Api;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use serde_json::json;

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
        apply_status(ctx, &seen.object, &status).await?;
    }
    if let Some((key, source)) = key_bytes(seen).zip(status.source.as_ref().filter(|told| speaks_of(told, seen))) {
        ctx.memory.remember_key(seen.uid(), source, &key);
    }
    for notice in notices {
        ctx.events.tell(Tidings::about(&seen.object, notice));
    }
    Ok(next)
}

/// Whether the status is about the version of the source that was read.
fn speaks_of(told: &SourceStatus, seen: &Observed) -> bool {
    let Source::Found(secret) = &seen.source else { return false };
    secret.metadata.resource_version.as_ref() == Some(&told.resource_version)
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
        "metadata": {
            "name": name.name, "namespace": name.namespace,
            "uid": meta.uid, "resourceVersion": stored.metadata.resource_version,
        },
        "status": status,
    });
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let written = api.patch_status(&name.name, &params, &Patch::Apply(body)).await;
    written.map_err(|error| Failure::new(Verb::Patch, STATUS, &error))?;
    let notice = Notice::warning(Reason::InvalidSpec, "Check", message::MALFORMED_OBJECT);
    ctx.events.tell(Tidings::about_malformed(meta, notice));
    Ok(())
}
