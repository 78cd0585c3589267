//! How is the configuration written? The YAML, with the place of each value, and what is said when it cannot be read.

use super::Refused;
use serde::Deserialize;
use serde_saphyr::{Error, Spanned};
use std::collections::BTreeMap;

/// The file. `deny_unknown_fields` everywhere: a misspelt safety setting must not pass for an absent one.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) providers: Option<Providers>,
    #[serde(default)]
    pub(super) ca_bundle_file: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) proxy: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) allow_private_endpoints: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Providers {
    #[serde(default)]
    pub(super) inflow: Option<Plain>,
    #[serde(default)]
    pub(super) flowlu: Option<Plain>,
    #[serde(default)]
    pub(super) zenflow: Option<Plain>,
    #[serde(default)]
    pub(super) flow: Option<Flow>,
    #[serde(default)]
    pub(super) aventri: Option<Plain>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Plain {
    #[serde(default)]
    pub(super) endpoint: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Flow {
    #[serde(default)]
    pub(super) endpoint: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) authentication: Option<Spanned<Authentication>>,
    #[serde(default)]
    pub(super) probe: Option<Spanned<Probe>>,
    #[serde(default)]
    pub(super) probes_by_purpose: Option<BTreeMap<String, Spanned<Probe>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Authentication {
    #[serde(default)]
    pub(super) header: Option<String>,
    #[serde(default)]
    pub(super) scheme: Option<String>,
    #[serde(default)]
    pub(super) query: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Probe {
    pub(super) path: String,
    pub(super) accepted: Vec<u16>,
    #[serde(default)]
    pub(super) rejected: Vec<u16>,
    #[serde(default)]
    pub(super) denied: Vec<u16>,
}

/// Reads the text. An empty file is the default configuration.
pub(super) fn read(yaml: &str) -> Result<File, Refused> {
    serde_saphyr::from_str::<Option<File>>(yaml).map(Option::unwrap_or_default).map_err(|error| refusal(&error))
}

/// Says what is wrong, and never what stands there: the parser's own text quotes values.
fn refusal(error: &Error) -> Refused {
    let error = error.without_snippet();
    let place = error.location().filter(|place| place.line() > 0).map_or_else(
        || "the configuration".to_owned(),
        |place| format!("line {}, column {}", place.line(), place.column()),
    );
    let what = if let Error::SerdeUnknownField { field, expected, .. } = error {
        format!("{} is not known here; use {}", named(field), one_of(expected))
    } else if let Error::SerdeMissingField { field, .. } = error {
        format!("the field {field} is missing; add it")
    } else if let Error::DuplicateMappingKey { .. } = error {
        "a field stands twice; remove one".to_owned()
    } else if matches!(
        error,
        Error::SerdeInvalidType { .. } | Error::SerdeInvalidValue { .. } | Error::InvalidScalar { .. }
    ) {
        "the value is of the wrong type; compare it with the documented configuration".to_owned()
    } else {
        "this is not the documented configuration in YAML; compare it with the documentation".to_owned()
    };
    Refused(format!("{place}: {what}"))
}

/// A field's name, unless it could be a value that slipped into its place.
fn named(field: &str) -> String {
    let plain = field.len() <= 32 && field.bytes().all(|byte| byte.is_ascii_alphabetic());
    if plain { format!("the field {field}") } else { "a field".to_owned() }
}

fn one_of(expected: &[&str]) -> String {
    match expected {
        [] => "none".to_owned(),
        [only] => (*only).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}
