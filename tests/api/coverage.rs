//! Is everything that the schema of the spec demands shown to be demanded? Each rule, pattern and bound needs a row
//! that it refuses, and a row that passes it.

use super::{Row, rows};
use connector_operator::crd::crd;
use serde_json::{Value, json};

/// A demand of the schema.
struct Demand {
    /// The field, as `spec.outputs[0].template.*`.
    path: String,
    /// What a refusal says about it.
    says: String,
}

/// Every demand at or below a place in the schema.
fn demands(path: &str, schema: &Value, found: &mut Vec<Demand>) {
    let number = |word: &str| schema[word].as_u64().unwrap_or_default();
    let words = [
        ("pattern", "should match".to_owned()),
        ("maxLength", "Too long".to_owned()),
        ("minLength", format!("should be at least {} chars long", number("minLength"))),
        ("maxItems", format!("must have at most {} items", number("maxItems"))),
        ("minItems", format!("should have at least {} items", number("minItems"))),
        ("maxProperties", format!("must have at most {} items", number("maxProperties"))),
        ("minProperties", format!("should have at least {} properties", number("minProperties"))),
        ("enum", "Unsupported value".to_owned()),
    ];
    for (word, says) in words {
        if schema.get(word).is_some() {
            found.push(Demand { path: path.to_owned(), says });
        }
    }
    if schema["format"] == "date-time" {
        found.push(Demand { path: path.to_owned(), says: "must be of type date-time".to_owned() });
    }
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        let says = rule["message"].as_str().expect("each rule has a message").to_owned();
        let field = rule["fieldPath"].as_str().unwrap_or_default();
        found.push(Demand { path: format!("{path}{field}").trim_start_matches('.').to_owned(), says });
    }
    if let Some(kind) = schema["x-kubernetes-list-type"].as_str() {
        assert!(["set", "map"].contains(&kind), "{path}");
        found.push(Demand { path: format!("{path}[1]"), says: "Duplicate value".to_owned() });
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        found.push(Demand {
            path: format!("{path}.{name}").trim_start_matches('.').to_owned(),
            says: "Required value".to_owned(),
        });
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten().filter(|(name, _)| *name != "status")
    {
        demands(format!("{path}.{name}").trim_start_matches('.'), property, found);
    }
    for (word, mark) in [("items", "[0]"), ("additionalProperties", ".*")] {
        if schema[word].is_object() {
            demands(&format!("{path}{mark}"), &schema[word], found);
        }
    }
}

fn all() -> Vec<Demand> {
    let definition = json!(crd());
    let mut found = Vec::new();
    demands("", &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"], &mut found);
    found
}

fn refuses(row: &Row, demand: &Demand) -> bool {
    let path = demand.path.trim_end_matches('*');
    let says = |words: &str| row.says.iter().any(|said| said.contains(words) || words.starts_with(said.as_str()));
    !row.is_accepted() && row.says.iter().any(|said| said.starts_with(path)) && says(&demand.says)
}

/// Whether the row holds something at the demand's place, so that the demand was put to it.
fn meets(row: &Row, demand: &Demand) -> bool {
    let path = demand.path.trim_end_matches(".*").replace("[0]", ".0").replace("[1]", ".1");
    row.is_accepted() && row.manifest.pointer(&format!("/{}", path.replace('.', "/"))).is_some()
}

#[test]
fn each_demand_has_a_row_that_it_refuses_and_one_that_meets_it() {
    let (rows, demands) = (rows(), all());
    let unshown = |shown: fn(&Row, &Demand) -> bool| {
        let missing = demands.iter().filter(|demand| !rows.iter().any(|row| shown(row, demand)));
        missing.map(|demand| format!("{}: {}", demand.path, demand.says)).collect::<Vec<_>>().join("\n")
    };
    assert!(demands.len() > 70, "only {} demands", demands.len());
    assert_eq!(unshown(refuses), "", "no row is refused by these");
    assert_eq!(unshown(meets), "", "no row is accepted by these");
}
