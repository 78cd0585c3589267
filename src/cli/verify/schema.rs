//! Would the API server admit this object? The CRD's own schema and rules, as they are generated, in its words.
//!
//! There is no second list of rules here: only a reader of schemas. Values are not quoted, since they may be keys.

use crate::api::DURATION_PATTERN;
use crate::crd::crd;
use kube::core::cel::{CompiledSchema, ErrorKind, Validator, compile_schema};
use regex::Regex;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

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
            for broken in self.broken_rules(object) {
                // One field, one fault: its form and its limits are told together.
                match faults.iter_mut().find(|fault| fault.path == broken.path) {
                    Some(fault) => fault.what = format!("{}; {}", fault.what, broken.what),
                    None => faults.push(broken),
                }
            }
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
    let mut seen = BTreeMap::new();
    for (index, item) in list.iter().enumerate() {
        let place = format!("{path}[{index}]");
        let identity = match keys.as_slice() {
            [] => item.to_string(),
            keys => keys.iter().map(|key| item.get(key).unwrap_or(&Value::Null).to_string()).collect(),
        };
        if let Some(first) = seen.insert(identity, index).filter(|_| unique) {
            let same = if keys.is_empty() { String::new() } else { format!(": {} is", keys.join(", ")) };
            faults.push(fault(&place, format!("Duplicate value{same} that of {path}[{first}]"), true));
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
    let is_time = schema.get("format").and_then(Value::as_str) == Some("date-time");
    let no_time = is_time && !is_date_time(text);
    if let Some(pattern) = schema.get("pattern").and_then(Value::as_str)
        && !Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(text))
    {
        faults.push(fault(path, shape(path, pattern, is_time), no_time));
    } else if no_time {
        faults.push(fault(path, "Invalid value: must be of type date-time, such as 2027-01-31T00:00:00Z", true));
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array)
        && !values.iter().any(|value| value == text)
    {
        let values: Vec<_> = values.iter().map(Value::to_string).collect();
        faults.push(fault(path, format!("Unsupported value: supported values: {}", values.join(", ")), false));
    }
    if let Some(message) = url_rule(schema).filter(|_| !is_strict_url(text)) {
        faults.push(fault(path, message, true));
    }
}

/// What a text must look like: in words where a pattern has some.
fn shape(path: &str, pattern: &str, is_time: bool) -> String {
    let field = path.rsplit('.').next().unwrap_or(path);
    let words = match field {
        _ if is_time => "a time such as 2027-01-31T00:00:00Z",
        _ if pattern == DURATION_PATTERN => "a duration such as 2160h (no days)",
        "companyID" => "a UUID such as 3f0c8a52-7d1e-4b96-9a43-5e2f6c7d8b90",
        "account" => "one label of a host name, such as mycompany: a-z, 0-9 and -",
        "accountID" => "a number, such as 12345",
        "apiVersion" => "a date such as 2025-06-24",
        "primaryColor" | "secondaryColor" => "a colour such as #112233",
        "logoURL" => "an https URL without spaces",
        "secretName" | "name" => "a name of a Secret: a-z, 0-9, - and .",
        "key" | "expirationKey" => "an entry of a Secret: letters, digits, -, _ and .",
        "envPrefix" => "the begin of a variable's name: letters, digits and _",
        _ => return format!("Invalid value: should match '{pattern}'"),
    };
    format!("Invalid value: must be {words}")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_the_wrong_form_is_told_once_and_in_words() {
        let mut object = json!({
            "apiVersion": "connector-operator.io/v1alpha1", "kind": "ConnectorCredential", "metadata": {"name": "erp"},
            "spec": {
                "provider": {"inflow": {"companyID": "abc"}}, "keySecretRef": {"name": "k"},
                "maxAge": "90d", "expiresAt": "2027-01-31",
                "outputs": [{"secretName": "twice"}, {"secretName": "twice"}],
            },
        });
        let faults = Schema::new().faults(&mut object);
        let told = |path: &str| {
            let of_path: Vec<_> = faults.iter().filter(|fault| fault.path == path).collect();
            assert_eq!(of_path.len(), 1, "{path}: {of_path:?}");
            of_path.into_iter().map(|fault| fault.what.clone()).collect::<String>()
        };
        for (path, words) in [
            ("spec.maxAge", "must be a duration such as 2160h (no days)"),
            ("spec.expiresAt", "must be a time such as 2027-01-31T00:00:00Z"),
            ("spec.provider.inflow.companyID", "must be a UUID such as 3f0c8a52-"),
            ("spec.outputs[1]", "Duplicate value: secretName is that of spec.outputs[0]"),
        ] {
            assert!(told(path).contains(words) && !told(path).contains('^'), "{path}: {}", told(path));
        }
    }
}
