//! What is in the cluster? Credentials of five providers with a key each, spread over twenty namespaces, and Secrets
//! that are nobody's business.

use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::PostParams;
use kube::{Api, Client};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::Error;
use crate::simulator::{NewKey, Provider, Simulator};

/// Namespaces that the credentials are spread over.
pub(crate) const NAMESPACES: usize = 20;
/// Creates at a time.
const WORKERS: usize = 64;
/// The data of a Secret that is nobody's business.
const UNRELATED_BYTES: usize = 20 * 1024;

/// A credential by its number. Every second word of its name has a fixed length, so that bodies have as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Object(pub(crate) usize);

impl Object {
    pub(crate) fn name(self) -> String {
        format!("key-{:05}", self.0)
    }

    pub(crate) fn namespace(self) -> String {
        format!("scale-{:02}", self.0 % NAMESPACES)
    }

    pub(crate) fn source(self) -> String {
        format!("{}-source", self.name())
    }

    /// The default output.
    pub(crate) fn output(self) -> String {
        format!("{}-auth", self.name())
    }

    pub(crate) fn provider(self) -> Provider {
        const ALL: [Provider; 5] =
            [Provider::InFlow, Provider::Flowlu, Provider::ZenFlow, Provider::Flow, Provider::Aventri];
        ALL[self.0 / NAMESPACES % ALL.len()]
    }

    /// No two share an account, so no budget is shared.
    fn account(self) -> String {
        match self.provider() {
            Provider::InFlow => format!("00000000-0000-4000-8000-{:012}", self.0),
            Provider::Flowlu => format!("account{:05}", self.0),
            Provider::Aventri => format!("{}@na", 10_000 + self.0),
            Provider::ZenFlow | Provider::Flow => String::new(),
        }
    }

    fn settings(self) -> Value {
        match self.provider() {
            Provider::InFlow => json!({"inflow": {"companyID": self.account()}}),
            Provider::Flowlu => json!({"flowlu": {"account": self.account()}}),
            Provider::ZenFlow => json!({"zenflow": {}}),
            Provider::Flow => json!({"flow": {"reference": self.name(), "purpose": "ImportMembers"}}),
            // No token is renewed while the benchmark runs.
            Provider::Aventri => json!({"aventri": {
                "accountID": (10_000 + self.0).to_string(), "region": "NorthAmerica", "tokenLifetime": "24h",
            }}),
        }
    }

    /// A new key of its account.
    pub(crate) fn issue(self, simulator: &Simulator) -> String {
        simulator.add_key(NewKey::of(self.provider(), &self.account())).key
    }

    fn credential(self) -> Value {
        json!({
            "apiVersion": "connector-operator.io/v1alpha1",
            "kind": "ConnectorCredential",
            "metadata": {"name": self.name()},
            "spec": {
                "description": "made for the benchmark",
                "provider": self.settings(),
                "keySecretRef": {"name": self.source()},
                "expiresAt": "2099-01-31T00:00:00Z",
            },
        })
    }
}

#[derive(Deserialize)]
struct Made {
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    uid: String,
}

/// Makes the credentials with their Secrets; returns the credentials' uids.
pub(crate) async fn credentials(client: &Client, simulator: &Simulator, size: usize) -> Result<Vec<String>, Error> {
    namespaces(client, NAMESPACES, "scale").await?;
    let made = stream::iter((0..size).map(Object)).map(|object| async move {
        let key = object.issue(simulator);
        let secret = json!({"metadata": {"name": object.source()}, "stringData": {"api-key": key}});
        let namespace = object.namespace();
        post(client, &format!("/api/v1/namespaces/{namespace}/secrets"), &secret).await?;
        let group = "/apis/connector-operator.io/v1alpha1";
        let path = format!("{group}/namespaces/{namespace}/connectorcredentials");
        let made: Made = client.request(request("POST", &path, &object.credential())).await?;
        Ok::<_, Error>(made.metadata.uid)
    });
    made.buffered(WORKERS).try_collect().await
}

/// Makes Secrets in namespaces of their own.
pub(crate) async fn unrelated(client: &Client, number: usize) -> Result<(), Error> {
    namespaces(client, NAMESPACES, "other").await?;
    let text = "EXAMPLE.".repeat(UNRELATED_BYTES / 8);
    let made = stream::iter(0..number).map(|nth| {
        let secret = json!({"metadata": {"name": format!("other-{nth:05}")}, "stringData": {"data": text}});
        async move {
            let path = format!("/api/v1/namespaces/other-{:02}/secrets", nth % NAMESPACES);
            post(client, &path, &secret).await
        }
    });
    made.buffer_unordered(WORKERS).try_collect().await
}

async fn namespaces(client: &Client, number: usize, prefix: &str) -> Result<(), Error> {
    let api: Api<Namespace> = Api::all(client.clone());
    for nth in 0..number {
        let namespace = json!({"metadata": {"name": format!("{prefix}-{nth:02}")}});
        let namespace: Namespace = serde_json::from_value(namespace).expect("a namespace has a name");
        api.create(&PostParams::default(), &namespace).await?;
    }
    Ok(())
}

async fn post(client: &Client, path: &str, body: &Value) -> Result<(), Error> {
    client.request_text(request("POST", path, body)).await?;
    Ok(())
}

/// A request whose answer need not be understood.
pub(crate) fn request(method: &str, path: &str, body: &Value) -> http::Request<Vec<u8>> {
    let kind = if method == "PATCH" { "application/apply-patch+yaml" } else { "application/json" };
    let builder = http::Request::builder().method(method).uri(path).header("content-type", kind);
    builder.body(body.to_string().into_bytes()).expect("the parts are our own")
}
