//! Which objects are accepted and which are refused, and in which words? Data only: also read by tests of the command
//! line.

mod hostile;
mod metadata;
mod outputs;
mod providers;
mod source;
mod spec;

use serde_json::{Value, json};

/// One object and what becomes of it. It differs from a valid one by one change.
pub(crate) struct Row {
    /// What is special about it; unique.
    pub(crate) name: String,
    /// The object.
    pub(crate) manifest: Value,
    /// What the refusal says, all of it: the field, then the words. Nothing: the object is accepted.
    pub(crate) says: Vec<String>,
}

impl Row {
    /// Whether it must be accepted.
    pub(crate) fn is_accepted(&self) -> bool {
        self.says.is_empty()
    }
}

/// Every row there is.
pub(crate) fn rows() -> Vec<Row> {
    [providers::rows(), metadata::rows(), source::rows(), spec::rows(), outputs::rows(), hostile::rows()]
        .into_iter()
        .flatten()
        .collect()
}

/// The smallest valid object of each provider, by its member's name.
fn base(provider: &str) -> Value {
    let settings = match provider {
        "inflow" => json!({"companyID": "3f0c8a52-7d1e-4b96-9a43-5e2f6c7d8b90"}),
        "flowlu" => json!({"account": "mycompany"}),
        "zenflow" => json!({}),
        "flow" => json!({"purpose": "ImportMembers"}),
        "aventri" => json!({"accountID": "12345", "region": "NorthAmerica"}),
        other => panic!("there is no provider {other}"),
    };
    let mut object = json!({
        "apiVersion": "connector-operator.io/v1alpha1",
        "kind": "ConnectorCredential",
        "metadata": {"name": "sample"},
        "spec": {"provider": {provider: settings}, "keySecretRef": {"name": "sample-key"}},
    });
    if provider == "flow" {
        object["spec"]["expiresAt"] = json!("2099-01-31T00:00:00Z");
    }
    object
}

/// The object with `value` at a path such as `spec.keySecretRef.name`; parents that are missing are made.
fn with(mut object: Value, path: &str, value: Value) -> Value {
    let mut place = &mut object;
    for step in path.split('.') {
        place = match step.parse::<usize>() {
            Ok(index) => &mut place[index],
            Err(_) => &mut place[step],
        };
    }
    *place = value;
    object
}

/// The object without what is at the path.
fn without(mut object: Value, path: &str) -> Value {
    let (parent, last) = path.rsplit_once('.').expect("a path of two steps or more");
    let parent = object.pointer_mut(&format!("/{}", parent.replace('.', "/"))).expect("the parent is there");
    parent.as_object_mut().expect("an object").remove(last).expect("the field is there");
    object
}

fn accepted(name: &str, manifest: Value) -> Row {
    refused(name, manifest, &[])
}

fn refused(name: &str, manifest: Value, says: &[&str]) -> Row {
    Row { name: name.to_owned(), manifest, says: says.iter().map(|&words| words.to_owned()).collect() }
}
