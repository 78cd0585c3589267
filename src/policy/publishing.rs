//! What should stand under each output's name? Only proved bytes, and never over a Secret that is not ours.

use super::message;
use super::ownership::{Ownership, ownership};
use super::seen::{Observed, Target};
use crate::api::{ConditionType, Conditions, Format, Mode, Output, Reason};
use crate::credential::{AccessToken, Key};
use crate::outputs::{Material, Rendered, Unrenderable, labels, render};
use crate::providers::{Provider, Variable};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;

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
    /// Nothing: what stands there carries a refused key and goes.
    Withdrawn,
}

/// Why a spec that the API server admitted cannot be acted on: reason and message.
#[must_use]
pub fn violation(seen: &Observed) -> Option<(Reason, String)> {
    let Some(provider) = seen.provider() else { return Some((Reason::InvalidSpec, message::NO_PROVIDER.to_owned())) };
    if let Err(crate::providers::Unaddressable::BadField(field)) = provider.base(&seen.site) {
        return Some((Reason::InvalidSpec, message::bad_field(field)));
    }
    let outputs = seen.outputs();
    if let Some(taken) = outputs.iter().find(|output| seen.claimed.contains(&output.secret_name)) {
        return Some((Reason::OutputConflict, message::output_conflict(&taken.secret_name)));
    }
    outputs.iter().find_map(|output| {
        let why = unrenderable(seen, provider, output)?;
        Some((Reason::InvalidSpec, message::unrenderable(&output.secret_name, &why)))
    })
}

/// Whether an output could not be made even with a key and all that a proof brings.
fn unrenderable(seen: &Observed, provider: &dyn Provider, output: &Output) -> Option<Unrenderable> {
    let key = Key::parse(b"placeholder").ok()?;
    let token = AccessToken::parse("placeholder").ok()?;
    let by_secret = seen.object.spec.key_secret_ref.expiration_key.is_some().then_some(Timestamp::UNIX_EPOCH);
    let token = (provider.profile().mints_token && !is_local(seen)).then_some(&token);
    render(output, &material(seen, provider, &key, token, by_secret)).err()
}

/// Whether only local checks are asked for.
#[must_use]
pub fn is_local(seen: &Observed) -> bool {
    seen.object.spec.validation.as_ref().and_then(|validation| validation.mode) == Some(Mode::Local)
}

/// Collects what outputs are made of.
#[must_use]
pub fn material(
    seen: &Observed,
    provider: &dyn Provider,
    key: &Key,
    token: Option<&AccessToken>,
    expires_at: Option<Timestamp>,
) -> Material {
    let meta = &seen.object.metadata;
    let declared = seen.object.spec.expires_at.as_ref().map(|time| time.0);
    let end = expires_at.or(declared).map(message::moment);
    let base = provider.base(&seen.site).ok();
    let test_url = base.and_then(|base| provider.test_path(&seen.site).map(|path| format!("{}{path}", base.as_str())));
    let (namespace, name) = (meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default());
    Material {
        title: format!("{namespace}/{name}"),
        description: seen.object.spec.description.clone(),
        provider: provider.profile().member,
        variables: provider.variables(key, &seen.site, token).with_some(Variable::ExpiresAt, end),
        test_url,
    }
}

/// Whether what stands under the outputs' names was made of this key: how a process that remembers nothing knows
/// that a new version of the source is only a new label.
#[must_use]
pub fn still_published(seen: &Observed, key: &Key) -> bool {
    let status = seen.object.status.as_ref();
    let published = status.and_then(|status| status.conditions.reason(ConditionType::Published));
    published == Some(Reason::Published) && carried_by_outputs(seen, key)
}

/// Whether every output of ours that exists carries this key, and at least one does.
#[must_use]
pub fn carried_by_outputs(seen: &Observed, key: &Key) -> bool {
    let Some(provider) = seen.provider() else { return false };
    let material = material(seen, provider, key, seen.traits.token.as_deref(), None);
    let mut compared = false;
    for output in seen.outputs() {
        let Some(secret) = seen.target(&output.secret_name).and_then(|target| target.secret.as_deref()) else {
            continue;
        };
        match render(&output, &material) {
            Ok(rendered) if ownership(secret, seen.uid()) == Ownership::Ours && same_data(secret, &rendered) => {
                compared = true
            }
            _ => return false,
        }
    }
    compared
}

/// The plan for every declared output.
#[must_use]
pub fn plan_outputs(seen: &Observed, carriage: &Carriage<'_>, expires_at: Option<Timestamp>) -> Vec<OutputPlan> {
    let material = match (carriage, seen.provider()) {
        (Carriage::Proved { key, token }, Some(provider)) => Some(material(seen, provider, key, *token, expires_at)),
        _ => None,
    };
    let plan = |output: Output| OutputPlan {
        action: movement(seen, &output, carriage, material.as_ref()),
        name: output.secret_name,
        format: output.format.unwrap_or_default(),
    };
    seen.outputs().into_iter().map(plan).collect()
}

fn movement(seen: &Observed, output: &Output, carriage: &Carriage<'_>, material: Option<&Material>) -> Move {
    let existing = seen.target(&output.secret_name).and_then(|target| target.secret.as_deref());
    if existing.is_some_and(|secret| ownership(secret, seen.uid()) == Ownership::Foreign) {
        return Move::Blocked;
    }
    // What cannot be rendered is a violation, and then nothing is carried.
    let rendered = material.and_then(|material| render(output, material).ok());
    match (existing, rendered, carriage) {
        (None, Some(rendered), _) => Move::Create(rendered),
        (Some(secret), Some(rendered), _) => difference(seen, secret, rendered),
        (None, None, Carriage::Withdrawn) => Move::Gone,
        (Some(_), None, Carriage::Withdrawn) => Move::Withdraw,
        (Some(_), None, _) => Move::Keep,
        (None, None, _) => Move::Wait { lost: was_written(seen, &output.secret_name) },
    }
}

fn was_written(seen: &Observed, name: &str) -> bool {
    let status = seen.object.status.as_ref();
    status.is_some_and(|status| status.outputs.iter().any(|output| output.secret_name == name))
}

fn difference(seen: &Observed, secret: &Secret, rendered: Rendered) -> Move {
    if secret.type_.as_deref() != Some(rendered.secret_type) || secret.immutable == Some(true) {
        return Move::Recreate(rendered);
    }
    let name = seen.object.metadata.name.as_deref().unwrap_or_default();
    let stored = secret.metadata.labels.as_ref();
    let labelled = labels(name).iter().all(|(label, value)| stored.and_then(|all| all.get(label)) == Some(value));
    if labelled && same_data(secret, &rendered) { Move::Settled } else { Move::Replace(rendered) }
}

fn same_data(secret: &Secret, rendered: &Rendered) -> bool {
    let stored = secret.data.as_ref();
    stored.map_or(0, std::collections::BTreeMap::len) == rendered.data.len()
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
