//! What does the API server know of us? The CRD: kube's derive, with the schema finished.
//!
//! The schema takes no `null`, bounds what its types leave open, and documents each value of an enum. It has one
//! default: a status that reads as in progress until the first visit.

use crate::api::ConnectorCredential;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt as _;
use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use serde_json::{Map, Value, json};

/// The longest date; only their format bounds them otherwise.
const LONGEST_DATE: u32 = 64;
/// As wide as a folded line of YAML gets.
const LINE: usize = 110;

/// The CRD of [`ConnectorCredential`], as the API server is given it.
#[must_use]
#[expect(clippy::expect_used, clippy::missing_panics_doc, reason = "the same types on every run: tested")]
pub fn crd() -> CustomResourceDefinition {
    let mut schema = json!(
        SchemaSettings::openapi3()
            .with(|settings| {
                settings.inline_subschemas = true;
                settings.meta_schema = None;
            })
            .with_transform(Finish)
            .into_generator()
            .into_root_schema_for::<ConnectorCredential>()
    );
    if let Some(status) = schema.pointer_mut("/properties/status").and_then(Value::as_object_mut) {
        status.insert("default".to_owned(), json!({"observedGeneration": -1}));
    }
    let schema = serde_json::from_value(schema).expect("a structural schema");
    let mut definition = ConnectorCredential::crd();
    for version in &mut definition.spec.versions {
        version.schema.get_or_insert_default().open_api_v3_schema = Some(Clone::clone(&schema));
    }
    definition
}

/// The CRD as text: the file in `crds/`.
#[must_use]
#[expect(clippy::expect_used, clippy::missing_panics_doc, reason = "the same value on every run: tested")]
pub fn yaml() -> String {
    let options = serde_saphyr::ser_options! { folded_wrap_chars: LINE };
    serde_saphyr::to_string_with_options(&crd(), options).expect("plain data")
}

/// Makes what schemars says structural, bounded and readable.
#[derive(Clone)]
struct Finish;

impl Transform for Finish {
    fn transform(&mut self, schema: &mut Schema) {
        if let Some(schema) = schema.as_object_mut() {
            take_from_option(schema);
            gather_values(schema);
            schema.retain(|word, _| word != "nullable" && word != "title");
            match schema.get("format").and_then(Value::as_str) {
                Some(format) if format.starts_with("uint") => drop(schema.remove("format")),
                Some("date-time") => drop(schema.insert("maxLength".to_owned(), json!(LONGEST_DATE))),
                _ => {}
            }
            if let Some(Value::String(text)) = schema.get_mut("description") {
                *text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            }
        }
        transform_subschemas(self, schema);
    }
}

/// An optional enum is `anyOf` the enum and null: takes the enum, under the field's own description.
fn take_from_option(schema: &mut Map<String, Value>) {
    let some = match schema.get("anyOf").and_then(Value::as_array).map(Vec::as_slice) {
        Some([Value::Object(some), none]) if none.get("nullable").is_some() => some.clone(),
        _ => return,
    };
    schema.remove("anyOf");
    for (word, value) in some {
        schema.entry(word).or_insert(value);
    }
}

/// A documented enum is `oneOf` its values: makes it one `enum`, whose description tells what each value means.
fn gather_values(schema: &mut Map<String, Value>) {
    let Some(Value::Array(values)) = schema.remove("oneOf") else { return };
    let mut description = schema.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut names = Vec::new();
    for value in &values {
        let meaning = value.get("description").and_then(Value::as_str).unwrap_or_default();
        for name in value.get("enum").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            description = format!("{description} `{name}`: {meaning}");
            names.push(name);
        }
    }
    schema.insert("enum".to_owned(), json!(names));
    schema.insert("type".to_owned(), json!("string"));
    schema.insert("description".to_owned(), json!(description));
}
#[cfg(test)]
mod tests {
    use super::*;

    /// Calls `look` with every schema of the CRD and its path.
    fn walk(path: &str, schema: &Value, look: &mut impl FnMut(&str, &Value)) {
        look(path, schema);
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            walk(&format!("{path}.{name}"), property, look);
        }
        for (word, mark) in [("items", "[]"), ("additionalProperties", "{}")] {
            if schema[word].is_object() {
                walk(&format!("{path}{mark}"), &schema[word], look);
            }
        }
    }

    fn schemas() -> Vec<(String, Value)> {
        let definition = json!(crd());
        let mut all = Vec::new();
        let root = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        walk("", root, &mut |path, schema| all.push((path.to_owned(), schema.clone())));
        all
    }

    #[test]
    fn a38_everything_is_bounded_and_documented() {
        for (path, schema) in schemas() {
            let has = |word: &str| schema.get(word).is_some();
            let bound = match schema["type"].as_str() {
                Some("string") => has("maxLength") || has("enum"),
                Some("array") => has("maxItems") && has("x-kubernetes-list-type"),
                Some("object") if has("additionalProperties") => has("maxProperties"),
                Some("object") => has("properties"),
                Some("integer") => has("format"),
                Some("boolean") => true,
                _ => false,
            };
            assert!(bound, "{path} is not bounded: {schema}");
            let element = path.ends_with("[]") || path.ends_with("{}");
            assert!(element || has("description"), "{path} has no description");
        }
    }

    #[test]
    fn nothing_is_nullable_or_open_and_only_the_status_has_a_default() {
        for (path, schema) in schemas() {
            for word in ["nullable", "x-kubernetes-preserve-unknown-fields", "oneOf", "anyOf", "allOf", "not", "title"]
            {
                assert_eq!(schema.get(word), None, "{path}");
            }
            let wanted = (path == ".status").then(|| json!({"observedGeneration": -1}));
            assert_eq!(schema.get("default"), wanted.as_ref(), "{path}");
            assert!(!schema["format"].as_str().is_some_and(|format| format.starts_with("uint")), "{path}");
        }
    }

    #[test]
    fn every_rule_has_a_message_in_our_style() {
        let mut count = 0;
        for (path, schema) in schemas() {
            for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
                let message = rule["message"].as_str().unwrap_or_default();
                assert!(message.contains("must "), "{path}: {message}");
                count += 1;
            }
        }
        assert!(count >= 15, "only {count} rules");
    }

    #[test]
    fn an_optional_field_documents_its_default() {
        let known: std::collections::BTreeMap<_, _> = schemas().into_iter().collect();
        for (path, schema) in known.iter().filter(|(path, _)| path.starts_with(".spec")) {
            let required = schema["required"].as_array().cloned().unwrap_or_default();
            for name in schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name) {
                let child = format!("{path}.{name}");
                let settings = path == ".spec.provider";
                // These two say by themselves what their absence means.
                let exempt =
                    settings || required.contains(&json!(name)) || ["description", "template"].contains(&&**name);
                let text = known[&child]["description"].as_str().unwrap_or_default();
                assert!(exempt || text.contains("Default: "), "{child}: {text}");
            }
        }
    }

    #[test]
    fn the_yaml_reads_back_as_it_was() {
        let read: Value = serde_saphyr::from_str(&yaml()).expect("YAML");
        assert_eq!(read, json!(crd()));
        assert!(yaml().len() < 200 * 1024, "client-side apply keeps it in an annotation");
    }
}
