//! What should stand under each output's name? Only proved bytes, and never over a Secret that is not ours.

use super::evidence::carries;
use super::message;
use super::ownership::{Ownership, ownership};
use super::seen::{Observed, Target};
use crate::api::{ConditionType, Conditions, Format, Mode, Output, Reason};
use crate::credential::{AccessToken, Key};
use crate::outputs::{Material, Rendered, labels, render};
use crate::providers::{Provider, Variable};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeMap;

/// What is to be done about one declared output.
pub struct OutputPlan {
    /// The Secret's name.
    pub name: String,
    /// Its shape.
    pub format: Format,
    /// The move.
    pub action: Move,
}

/// A move. No choice is left to whoever makes it.
pub enum Move {
    /// There is none: create it.
    Create(Rendered),
    /// It is ours and differs: replace its data.
    Replace(Rendered),
    /// It says that it is ours, and nobody knows that it was written: replace its data, and all of its metadata.
    TakeOver(Rendered),
    /// It is ours and its type cannot be changed in place: delete, then create.
    Recreate(Rendered),
    /// It is as it should be.
    Settled,
    /// It is ours and stays as it is, with the key that was proved last.
    Keep,
    /// There is none, and nothing proved to put there. `lost`: there was one.
    Wait {
        /// It had been written, and somebody deleted it.
        lost: bool,
    },
    /// It is ours and carries a key that was refused: delete it.
    Withdraw,
    /// It was withdrawn.
    Gone,
    /// It is not ours.
    Blocked,
}

/// What outputs may carry.
pub enum Carriage<'a> {
    /// This key, and this token if the provider mints one.
    Proved {
        /// The key.
        key: &'a Key,
        /// The token, where the output needs one.
        token: Option<&'a AccessToken>,
    },
    /// Nothing new: what stands there stays.
    LastKnownGood,
    /// Nothing: this key was refused, and an output that carries it goes.
    Refused {
        /// The refused key.
        key: &'a Key,
        /// Whether every output is known to carry it.
        everywhere: bool,
    },
}

/// Whether only local checks are asked for.
#[must_use]
pub fn is_local(seen: &Observed) -> bool {
    seen.object.spec.validation.as_ref().and_then(|validation| validation.mode) == Some(Mode::Local)
}

/// What an output holds beside the key.
#[derive(Debug, Clone, Copy, Default)]
pub struct Beside<'a> {
    /// The token, where the provider mints one.
    pub token: Option<&'a AccessToken>,
    /// The Secret's own expiry, which wins over the declared one.
    pub expires_at: Option<Timestamp>,
}

/// Collects what outputs are made of.
#[must_use]
pub fn material(seen: &Observed, provider: &dyn Provider, key: &Key, beside: Beside<'_>) -> Material {
    let meta = &seen.object.metadata;
    let declared = seen.object.spec.expires_at.as_ref().map(|time| time.0);
    let end = beside.expires_at.or(declared).map(message::moment);
    let base = provider.base(&seen.site).ok();
    let test_url = base.and_then(|base| provider.test_path(&seen.site).map(|path| format!("{}{path}", base.as_str())));
    let (namespace, name) = (meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default());
    Material {
        title: format!("{namespace}/{name}"),
        description: seen.object.spec.description.clone(),
        provider: provider.profile().member,
        variables: provider.variables(key, &seen.site, beside.token).with_some(Variable::ExpiresAt, end),
        test_url,
    }
}

/// What stands under the output's name.
pub(super) fn existing<'a>(seen: &'a Observed, output: &Output) -> Option<&'a Secret> {
    seen.target(&output.secret_name).and_then(|target| target.secret.as_deref())
}

/// The plan for every declared output.
#[must_use]
pub fn plan_outputs(seen: &Observed, carriage: &Carriage<'_>, expires_at: Option<Timestamp>) -> Vec<OutputPlan> {
    let material = match (carriage, seen.provider()) {
        (Carriage::Proved { key, token }, Some(provider)) => {
            Some(material(seen, provider, key, Beside { token: *token, expires_at }))
        }
        (Carriage::Refused { .. } | Carriage::LastKnownGood, _) | (_, None) => None,
    };
    let plan = |output: Output| OutputPlan {
        action: movement(seen, &output, carriage, material.as_ref()),
        name: output.secret_name,
        format: output.format.unwrap_or_default(),
    };
    seen.outputs().into_iter().map(plan).collect()
}

fn movement(seen: &Observed, output: &Output, carriage: &Carriage<'_>, material: Option<&Material>) -> Move {
    let Some(target) = seen.target(&output.secret_name) else {
        return if was_written(seen, &output.secret_name) { Move::Keep } else { Move::Wait { lost: false } };
    };
    let existing = target.secret.as_deref();
    if existing.is_some_and(|secret| ownership(secret, seen.uid()) == Ownership::Foreign) {
        return Move::Blocked;
    }
    match (existing, carriage) {
        (existing, Carriage::Proved { .. }) => match (existing, material.and_then(|made| render(output, made).ok())) {
            (None, Some(rendered)) => Move::Create(rendered),
            (Some(secret), Some(rendered)) => difference(seen, target, secret, rendered),
            // A token that the format cannot hold: any other such value is a violation.
            (existing, None) => unproved(seen, output, existing),
        },
        (Some(_), Carriage::Refused { key, everywhere })
            if (*everywhere && was_written(seen, &output.secret_name)) || carries(seen, output, key) =>
        {
            Move::Withdraw
        }
        (None, Carriage::Refused { everywhere, .. }) if *everywhere || was_withdrawn(seen) => Move::Gone,
        (existing, Carriage::Refused { .. } | Carriage::LastKnownGood) => unproved(seen, output, existing),
    }
}

/// What was written stays; what is lost cannot be made, and what merely says that it is ours is not taken for good.
fn unproved(seen: &Observed, output: &Output, existing: Option<&Secret>) -> Move {
    match (existing, was_written(seen, &output.secret_name)) {
        (Some(_), true) => Move::Keep,
        (existing, written) => Move::Wait { lost: written && existing.is_none() },
    }
}

fn was_withdrawn(seen: &Observed) -> bool {
    let status = seen.object.status.as_ref();
    status.and_then(|status| status.conditions.reason(ConditionType::Published)) == Some(Reason::Withdrawn)
}

fn was_written(seen: &Observed, name: &str) -> bool {
    let status = seen.object.status.as_ref();
    status.is_some_and(|status| status.outputs.iter().any(|output| output.secret_name == name))
}

fn difference(seen: &Observed, target: &Target, secret: &Secret, rendered: Rendered) -> Move {
    if secret.type_.as_deref() != Some(rendered.secret_type) || secret.immutable == Some(true) {
        return Move::Recreate(rendered);
    }
    let name = seen.object.metadata.name.as_deref().unwrap_or_default();
    let (ours, stored) = (labels(name), secret.metadata.labels.as_ref());
    // A process may have died between creating it and saying so; anybody else may have planted it, marked for others.
    let bare = stored == Some(&ours) && is_bare(&secret.metadata) && !target.cut;
    if !bare && !was_written(seen, &target.name) {
        return Move::TakeOver(rendered);
    }
    let labelled = ours.iter().all(|(label, value)| stored.and_then(|all| all.get(label)) == Some(value));
    if labelled && same_data(secret, &rendered) { Move::Settled } else { Move::Replace(rendered) }
}

/// Whether nobody has added anything to what a Secret is created with.
fn is_bare(meta: &ObjectMeta) -> bool {
    meta.annotations.as_ref().is_none_or(BTreeMap::is_empty)
        && meta.finalizers.as_ref().is_none_or(Vec::is_empty)
        && meta.owner_references.as_ref().is_some_and(|owners| owners.len() == 1)
}

/// Whether the Secret holds what was rendered, and nothing else.
pub(super) fn same_data(secret: &Secret, rendered: &Rendered) -> bool {
    let stored = secret.data.as_ref();
    stored.map_or(0, BTreeMap::len) == rendered.data.len()
        && rendered.data.iter().all(|(name, value)| {
            stored.and_then(|data| data.get(name)).is_some_and(|bytes| bytes.0.as_slice() == value.as_slice())
        })
}

/// Secrets of ours that are not declared any more.
#[must_use]
pub fn deletable(seen: &Observed) -> Vec<String> {
    let ours = |target: &&Target| {
        target.secret.as_deref().is_some_and(|secret| ownership(secret, seen.uid()) == Ownership::Ours)
    };
    seen.dropped.iter().filter(ours).map(|target| target.name.clone()).collect()
}
