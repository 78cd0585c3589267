//! Does the API server say to each row what the row says? With strict field validation, as kubectl asks for.

use super::{Row, rows};
use crate::controlplane::{ControlPlane, Options};
use crate::support::bed::bed;
use connector_operator::api::ConnectorCredential;
use http::Request;
use kube::{Api, Client};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const PATH: &str = "/apis/connector-operator.io/v1alpha1/namespaces";

/// Creates the object as it is; a refusal is the status code and the message.
pub(super) async fn create(client: &Client, namespace: &str, manifest: &Value) -> Result<Value, (u16, String)> {
    let uri = format!("{PATH}/{namespace}/connectorcredentials?fieldValidation=Strict");
    let body = serde_json::to_vec(manifest).expect("JSON");
    let request = Request::post(uri).header("Content-Type", "application/json").body(body).expect("a request");
    match client.request(request).await {
        Ok(created) => Ok(created),
        Err(kube::Error::Api(status)) => Err((status.code, status.message.clone())),
        Err(other) => panic!("the API server does not answer: {other}"),
    }
}

async fn delete(client: &Client, namespace: &str, name: &str) {
    let api: Api<ConnectorCredential> = Api::namespaced(client.clone(), namespace);
    drop(api.delete(name, &kube::api::DeleteParams::default()).await.expect("it was created"));
}

/// The spec without the nulls, which the API server drops.
fn spec_of(manifest: &Value) -> Value {
    fn prune(value: &mut Value) {
        if let Some(object) = value.as_object_mut() {
            object.retain(|_, value| !value.is_null());
            object.values_mut().for_each(prune);
        }
    }
    let mut spec = manifest["spec"].clone();
    prune(&mut spec);
    spec
}

/// What is wrong with an accepted row: refused after all, changed by the API server, or not read by our types.
async fn accept(client: &Client, namespace: &str, row: &Row) -> Option<String> {
    let created = match create(client, namespace, &row.manifest).await {
        Ok(created) => created,
        Err((code, message)) => return Some(format!("refused with {code}: {message}")),
    };
    delete(client, namespace, created["metadata"]["name"].as_str().expect("a name")).await;
    if created["spec"] != spec_of(&row.manifest) {
        return Some(format!("stored as {}", created["spec"]));
    }
    match serde_json::from_value::<ConnectorCredential>(created.clone()) {
        Err(error) => Some(format!("not read by our types: {error}")),
        Ok(typed) if json!(typed.spec.provider) != created["spec"]["provider"] => Some("read differently".to_owned()),
        Ok(typed) if typed.spec.provider.chosen().is_none() => Some("no provider is chosen".to_owned()),
        Ok(_) => None,
    }
}

/// What is wrong with a refused row: accepted after all, or in other words.
async fn refuse(client: &Client, namespace: &str, row: &Row) -> Option<String> {
    let (code, message) = match create(client, namespace, &row.manifest).await {
        Err(refusal) => refusal,
        Ok(created) => {
            delete(client, namespace, created["metadata"]["name"].as_str().expect("a name")).await;
            return Some("accepted".to_owned());
        }
    };
    let silent = row.says.iter().find(|words| !message.contains(*words));
    match silent {
        Some(words) => Some(format!("{code} does not say {words:?}: {message}")),
        None if ![400, 422].contains(&code) => Some(format!("refused with {code}: {message}")),
        None => None,
    }
}

/// Puts every row to the API server; what is wrong is told at the end.
async fn put_rows(client: &Client, namespace: &str) {
    let mut wrong = Vec::new();
    for row in rows() {
        let fault = if row.is_accepted() {
            accept(client, namespace, &row).await
        } else {
            refuse(client, namespace, &row).await
        };
        wrong.extend(fault.map(|fault| format!("{}: {fault}", row.name)));
    }
    assert!(wrong.is_empty(), "{} rows are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn a02_each_row_is_accepted_or_refused_in_its_words() {
    let bed = bed().await;
    put_rows(&bed.client, &bed.namespace("rows").await).await;
}

/// The oldest Kubernetes that we support: its CEL library, its cost limits.
#[tokio::test]
async fn a38_the_oldest_server_says_the_same() {
    let shared = bed().await.plane;
    let options = Options {
        api_server_flags: vec!["--emulated-version=kube=1.33".to_owned()],
        definitions: vec![concat!(env!("CARGO_MANIFEST_DIR"), "/crds").into()],
        ..Options::default()
    };
    let start = move || ControlPlane::start(&options, shared.binaries());
    let plane = tokio::task::spawn_blocking(start).await.expect("no panic").expect("a second one can run beside it");
    let client = plane.client().await.expect("the kubeconfig is our own");
    let request = Request::get("/version").body(Vec::new()).expect("a request");
    let version: Value = client.request(request).await.expect("the API server answers");
    assert_eq!(version["emulationMinor"], "33", "{version}");
    put_rows(&client, "default").await;
}

#[test]
fn the_rows_are_many_and_have_names_of_their_own() {
    let rows = rows();
    let names: BTreeSet<_> = rows.iter().map(|row| &row.name).collect();
    assert_eq!(names.len(), rows.len(), "two rows have one name");
    let accepted = rows.iter().filter(|row| row.is_accepted()).count();
    assert!(accepted >= 25, "only {accepted} accepted rows");
    assert!(rows.len() - accepted >= 75, "only {} refused rows", rows.len() - accepted);
}
