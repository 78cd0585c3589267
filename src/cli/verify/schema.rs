//! Would the API server admit this object? The CRD's own schema and rules, as they are generated, in its words.
//!
//! There is no second list of rules here: only a reader of schemas. Values are not quoted, since they may be keys.

use crate::crd::crd;
use kube::core::cel::{CompiledSchema, ErrorKind, Validator, compile_schema};
use regex::Regex;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// What is wrong with an object is told so often, not more.
const MOST_FAULTS: usize = 16;

/// One thing that is wrong: where, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Fault {
    /// The field, as `spec.outputs[0].format`.
    pub(in crate::cli) path: String,
    /// The words.
    pub(in crate::cli) what: String,
    /// The API server looks at rules only if there is no such fault.
    blocks: bool,
}

/// The schema of `ConnectorCredential`, ready for use.
pub(in crate::cli) struct Schema {
    root: Value,
    rules: CompiledSchema,
    validator: Validator,
}

impl Schema {
    pub(in crate::cli) fn new() -> Self {
        let definition = json!(crd());
        let mut schema = definition.pointer("/spec/versions/0/schema/openAPIV3Schema").cloned().unwrap_or_default();
        // A manifest's status is not looked at: the API server drops it.
        if let Some(properties) = schema.pointer_mut("/properties").and_then(Value::as_object_mut) {
            properties.remove("status");
            // Every object has these; the schema of a CRD leaves them out.
            for (name, kind) in [("apiVersion", "string"), ("kind", "string"), ("metadata", "object")] {
                properties.insert(name.to_owned(), json!({"type": kind, "x-kubernetes-preserve-unknown-fields": true}));
            }
        }
        Self { rules: compile_schema(&schema), root: schema, validator: Validator::new() }
    }

    /// Everything that is wrong with the object, whose nulls and status are dropped as the API server does.
    pub(in crate::cli) fn faults(&self, object: &mut Value) -> Vec<Fault> {
        if let Some(fields) = object.as_object_mut() {
            fields.remove("status");
        }
        prune(object, &self.root);
        let mut faults = Vec::new();
        check(&mut faults, "", object, &self.root);
        if !faults.iter().any(|fault| fault.blocks) {
            faults.extend(self.broken_rules(object));
        }
        faults.truncate(MOST_FAULTS);
        faults
    }

    fn broken_rules(&self, object: &Value) -> Vec<Fault> {
        let broken = self.validator.validate_compiled(&self.rules, object, None).err();
        let fault = |error: kube::core::cel::ValidationError| {
            // Otherwise refused too, in words of ours: what the rule was evaluated over may stand in the error.
            let what = if error.kind == ErrorKind::ValidationFailure {
                error.message
            } else {
                "cannot be checked against the rules of the schema; compare it with kubectl explain".to_owned()
            };
            Fault { path: error.field_path.trim_start_matches('.').to_owned(), what, blocks: false }
        };
        broken.into_iter().flatten().map(fault).collect()
    }
}

/// Drops nulls, since nothing is nullable; in lists they stay, and are refused.
fn prune(value: &mut Value, schema: &Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            for (name, field) in fields {
                prune(field, below(schema, name).unwrap_or(&Value::Null));
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|item| prune(item, schema)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The schema of a field.
fn below<'a>(schema: &'a Value, name: &str) -> Option<&'a Value> {
    let known = schema.get("properties").and_then(|properties| properties.get(name));
    known.or_else(|| schema.get("additionalProperties").filter(|more| more.is_object()))
}

fn check(faults: &mut Vec<Fault>, path: &str, value: &Value, schema: &Value) {
    let wanted = schema.get("type").and_then(Value::as_str).unwrap_or_default();
    let fits = match value {
        Value::Object(_) => wanted == "object",
        Value::Array(_) => wanted == "array",
        Value::String(_) => wanted == "string",
        Value::Bool(_) => wanted == "boolean",
        Value::Number(number) => wanted == "number" || (wanted == "integer" && number.is_i64()),
        Value::Null => false,
    };
    if !fits {
        let wanted = schema.get("format").and_then(Value::as_str).unwrap_or(wanted);
        return faults.push(fault(path, format!("Invalid value: must be of type {wanted}"), true));
    }
    match value {
        Value::Object(fields) => check_object(faults, path, fields, schema),
        Value::Array(list) => check_list(faults, path, list, schema),
        Value::String(text) => check_text(faults, path, text, schema),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn fault(path: &str, what: impl Into<String>, blocks: bool) -> Fault {
    Fault { path: path.to_owned(), what: what.into(), blocks }
}

fn bound(schema: &Value, word: &str) -> Option<usize> {
    schema.get(word).and_then(Value::as_u64).and_then(|bound| usize::try_from(bound).ok())
}

fn check_object(faults: &mut Vec<Fault>, path: &str, fields: &Map<String, Value>, schema: &Value) {
    let child = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    if let Some(most) = bound(schema, "maxProperties").filter(|most| fields.len() > *most) {
        faults.push(fault(path, format!("Too many: must have at most {most} items"), true));
    }
    if let Some(least) = bound(schema, "minProperties").filter(|least| fields.len() < *least) {
        faults.push(fault(path, format!("Invalid value: should have at least {least} properties"), false));
    }
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    for name in required.filter(|name| !fields.contains_key(*name)) {
        faults.push(fault(&child(name), "Required value", true));
    }
    // Metadata has a schema of its own, which the API server knows.
    if path == "metadata" {
        return;
    }
    for (name, field) in fields {
        match below(schema, name) {
            Some(schema) => check(faults, &child(name), field, schema),
            None => faults.push(fault(&child(name), format!("unknown field {:?}", child(name)), true)),
        }
    }
}

fn check_list(faults: &mut Vec<Fault>, path: &str, list: &[Value], schema: &Value) {
    if let Some(most) = bound(schema, "maxItems").filter(|most| list.len() > *most) {
        return faults.push(fault(path, format!("Too many: must have at most {most} items"), true));
    }
    if let Some(least) = bound(schema, "minItems").filter(|least| list.len() < *least) {
        faults.push(fault(path, format!("Invalid value: should have at least {least} items"), false));
    }
    let keys: Vec<&str> = schema
        .get("x-kubernetes-list-map-keys")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let unique = matches!(schema.get("x-kubernetes-list-type").and_then(Value::as_str), Some("set" | "map"));
    let mut seen = BTreeSet::new();
    for (index, item) in list.iter().enumerate() {
        let place = format!("{path}[{index}]");
        let identity = match keys.as_slice() {
            [] => item.to_string(),
            keys => keys.iter().map(|key| item.get(key).unwrap_or(&Value::Null).to_string()).collect(),
        };
        if unique && !seen.insert(identity) {
            faults.push(fault(&place, "Duplicate value", true));
        }
        if let Some(schema) = schema.get("items") {
            check(faults, &place, item, schema);
        }
    }
}

fn check_text(faults: &mut Vec<Fault>, path: &str, text: &str, schema: &Value) {
    let length = text.chars().count();
    if let Some(most) = bound(schema, "maxLength").filter(|most| length > *most) {
        return faults.push(fault(path, format!("Too long: may not be more than {most} bytes"), true));
    }
    if let Some(least) = bound(schema, "minLength").filter(|least| length < *least) {
        faults.push(fault(path, format!("Invalid value: should be at least {least} chars long"), false));
    }
    if let Some(pattern) = schema.get("pattern").and_then(Value::as_str)
        && !Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(text))
    {
        faults.push(fault(path, format!("Invalid value: should match '{pattern}'"), false));
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array)
        && !values.iter().any(|value| value == text)
    {
        let values: Vec<_> = values.iter().map(Value::to_string).collect();
        faults.push(fault(path, format!("Unsupported value: supported values: {}", values.join(", ")), false));
    }
    if schema.get("format").and_then(Value::as_str) == Some("date-time") && !is_date_time(text) {
        faults.push(fault(path, "Invalid value: must be of type date-time", true));
    }
    if let Some(message) = url_rule(schema).filter(|_| !is_strict_url(text)) {
        faults.push(fault(path, message, true));
    }
}

/// RFC 3339, as Go reads it: any year of four digits, and no leap second.
fn is_date_time(text: &str) -> bool {
    let zone = text.trim_end_matches(|one: char| one.is_ascii_digit() || one == ':');
    let zone = if text.ends_with('Z') { text.len().saturating_sub(1) } else { zone.len().saturating_sub(1) };
    let civil = text.get(..zone).and_then(|civil| civil.parse::<jiff::civil::DateTime>().ok());
    civil.is_some() && text.get(10..11) == Some("T") && text.get(17..19) != Some("60")
}

/// The message of a rule that wants a URL. The CEL library reads URLs as browsers do, which mend what is broken; the
/// API server does not.
fn url_rule(schema: &Value) -> Option<&str> {
    let rules = schema.get("x-kubernetes-validations").and_then(Value::as_array)?;
    let wants =
        |rule: &&Value| rule.get("rule").and_then(Value::as_str).is_some_and(|rule| rule.contains("isURL(self)"));
    rules.iter().find(wants)?.get("message")?.as_str()
}

/// Has a host, and no broken escape.
fn is_strict_url(text: &str) -> bool {
    let host = text.split_once("://").map(|(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or_default());
    let escaped = |part: &str| part.len() >= 2 && part.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
    host.is_some_and(|host| !host.is_empty()) && text.split('%').skip(1).all(escaped)
}
