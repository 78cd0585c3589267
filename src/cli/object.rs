//! How are credentials printed in the forms that kubectl knows?

use super::output::{self, Output};
use super::page::Page;
use super::trouble::Trouble;
use crate::api::{ConditionType, Conditions, ConnectorCredential, Status, ValidationStatus};
use clap::ValueEnum;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use serde_json::{Value, json};

/// The kind as `-o name` and mutations print it.
pub(super) const RESOURCE: &str = "connectorcredential.connector-operator.io";

/// The kind as users write it before a name, as in what `-o name` prints.
const PREFIXES: [&str; 5] =
    [RESOURCE, "connectorcredentials.connector-operator.io", "connectorcredential", "connectorcredentials", "concred"];

/// The name of a credential, with or without its kind before it.
pub(super) fn named(text: &str) -> Result<String, String> {
    let name = match text.split_once('/') {
        Some((kind, name)) if PREFIXES.contains(&kind) => name,
        Some(_) => return Err("name a ConnectorCredential, as in erp or concred/erp".to_owned()),
        None => text,
    };
    if name.is_empty() { Err("a name is not empty".to_owned()) } else { Ok(name.to_owned()) }
}

/// kubectl's forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// For a person.
    Table,
    /// For a person with a wide screen.
    Wide,
    /// For programs.
    Json,
    /// For programs.
    Yaml,
    /// `connectorcredential.connector-operator.io/NAME`.
    Name,
}

/// Prints objects: one by itself, several as a List; a page is made only if it is wanted.
pub(super) fn print(
    objects: &[ConnectorCredential],
    (one, form): (bool, Form),
    output: Output,
    page: impl FnOnce() -> Page,
) -> Result<(), Trouble> {
    let form = match form {
        Form::Table | Form::Wide => return output.page(&page()),
        Form::Name => {
            let mut names = Page::default();
            for object in objects {
                names.say(format!("{RESOURCE}/{}", name(object)));
            }
            return output.page(&names);
        }
        Form::Json => output::Form::Json,
        Form::Yaml => output::Form::Yaml,
    };
    let mut items: Vec<Value> = objects.iter().map(plain).collect();
    match items.pop() {
        Some(item) if one && items.is_empty() => output.data(&item, form),
        last => {
            items.extend(last);
            output.data(&json!({"apiVersion": "v1", "kind": "List", "items": items}), form)
        }
    }
}

/// The object without the server's bookkeeping.
pub(super) fn plain(object: &ConnectorCredential) -> Value {
    let mut object = object.clone();
    object.metadata.managed_fields = None;
    if let Some(annotations) = object.metadata.annotations.as_mut() {
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    }
    json!(object)
}

pub(super) fn name(object: &ConnectorCredential) -> &str {
    object.metadata.name.as_deref().unwrap_or_default()
}

pub(super) fn namespace(object: &ConnectorCredential) -> &str {
    object.metadata.namespace.as_deref().unwrap_or_default()
}

/// A stored condition.
pub(super) fn condition(object: &ConnectorCredential, kind: ConditionType) -> Option<&Condition> {
    object.status.as_ref().and_then(|status| status.conditions.of(kind))
}

/// When the key expires: as the operator saw it, else as it is declared.
pub(super) fn end(object: &ConnectorCredential) -> Option<&Time> {
    let status = object.status.as_ref();
    let seen = status.and_then(|status| status.expiration.as_ref()).and_then(|expiration| expiration.time.as_ref());
    seen.or(object.spec.expires_at.as_ref())
}

/// The provider's name as its maker writes it.
pub(super) fn provider(object: &ConnectorCredential) -> &'static str {
    object.spec.provider.chosen().map_or("<none>", |provider| provider.profile().display)
}

/// The provider's short name, as `status.provider` has it.
pub(super) fn provider_name(object: &ConnectorCredential) -> &'static str {
    object.spec.provider.chosen().map_or("<none>", |provider| provider.profile().kind.name())
}

/// Whether Ready is True, of the newest generation.
pub(super) fn is_healthy(object: &ConnectorCredential) -> bool {
    is_current(object) && object.status.as_ref().is_some_and(|status| status.conditions.is_true(ConditionType::Ready))
}

/// Whether the status speaks of the newest generation.
pub(super) fn is_current(object: &ConnectorCredential) -> bool {
    object.status.as_ref().is_some_and(|status| status.observed_generation == object.metadata.generation)
}

/// What a ready credential still warns of; an outage or a first refusal among it.
pub(super) fn warnings(object: &ConnectorCredential) -> Vec<&Condition> {
    let validation = object.status.as_ref().and_then(|status| status.validation.as_ref());
    let shaken = |validation: &&ValidationStatus| {
        validation.outage_start_time.is_some() || validation.first_rejection_time.is_some()
    };
    let accepted =
        condition(object, ConditionType::Authenticated).filter(|one| Status::read(&one.status) == Status::True);
    let shaken = accepted.filter(|_| validation.as_ref().is_some_and(shaken));
    shaken.into_iter().chain(ConditionType::ADVICE.into_iter().filter_map(|kind| condition(object, kind))).collect()
}
