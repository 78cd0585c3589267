//! How fast could anything be here? A bare client makes the requests that each object needs at the least, with bodies as
//! the operator wrote them, 64 objects at a time, and asks no provider.

use std::path::Path;
use std::time::{Duration, Instant};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::Client;
use serde_json::{Value, json};

use crate::controlplane::access::client_from;
use crate::error::Error;
use crate::load::{Object, request};

/// Objects at a time, as the operator visits them.
const WORKERS: usize = 64;
/// One of each provider stands in these numbers.
const SAMPLES: [usize; 5] = [0, 20, 40, 60, 80];

/// What the operator wrote about one object, with its names.
struct Sample {
    object: Object,
    uid: String,
    secret: Value,
    status: Value,
    event: Value,
}

/// What the operator wrote about an object of each provider.
pub(crate) struct Samples(Vec<Sample>);

impl Samples {
    /// Reads them from a cluster where the operator is done.
    pub(crate) async fn collect(client: &Client) -> Result<Self, Error> {
        let mut samples = Vec::new();
        for object in SAMPLES.map(Object) {
            let (namespace, name) = (object.namespace(), object.name());
            let credential = get(client, &credential_path(object)).await?;
            let mut secret =
                get(client, &format!("/api/v1/namespaces/{namespace}/secrets/{}", object.output())).await?;
            let events = format!("/apis/events.k8s.io/v1/namespaces/{namespace}/events?limit=5000");
            let events = get(client, &events).await?;
            let about = |event: &&Value| event["regarding"]["name"] == name.as_str();
            let mut event = events["items"].as_array().and_then(|all| all.iter().find(about).cloned());
            for written in event.iter_mut().chain([&mut secret]) {
                forget_server_fields(written);
            }
            samples.push(Sample {
                object,
                uid: credential["metadata"]["uid"].as_str().unwrap_or_default().to_owned(),
                secret,
                status: credential["status"].clone(),
                event: event.ok_or_else(|| Error::Late("every object has an Event".to_owned()))?,
            });
        }
        Ok(Self(samples))
    }

    /// Makes the requests for `uids.len()` objects, as the account of this kubeconfig. Returns how long that took.
    pub(crate) async fn replay(&self, kubeconfig: &Path, uids: &[String]) -> Result<Duration, Error> {
        let client = client_from(kubeconfig).await?;
        let began = Instant::now();
        let objects = stream::iter(uids.iter().enumerate());
        objects
            .map(|(nth, uid)| self.replay_one(&client, Object(nth), uid))
            .buffer_unordered(WORKERS)
            .try_collect::<()>()
            .await?;
        Ok(began.elapsed())
    }

    async fn replay_one(&self, client: &Client, object: Object, uid: &str) -> Result<(), Error> {
        let sample = self.0.iter().find(|sample| sample.object.provider() == object.provider());
        let sample = sample.ok_or_else(|| Error::Late("each provider has a sample".to_owned()))?;
        let namespace = object.namespace();
        let secrets = format!("/api/v1/namespaces/{namespace}/secrets");
        get_text(client, &format!("{secrets}/{}", object.source())).await?;
        client.request_text(request("POST", &secrets, &sample.of(&sample.secret, object, uid))).await?;
        let status = json!({
            "apiVersion": "connector-operator.io/v1alpha1",
            "kind": "ConnectorCredential",
            "metadata": {"name": object.name(), "namespace": namespace, "uid": uid},
            "status": sample.of(&sample.status, object, uid),
        });
        let path = format!("{}/status?fieldManager=connector-operator&force=true", credential_path(object));
        client.request_text(request("PATCH", &path, &status)).await?;
        let events = format!("/apis/events.k8s.io/v1/namespaces/{namespace}/events");
        client.request_text(request("POST", &events, &sample.of(&sample.event, object, uid))).await?;
        Ok(())
    }
}

impl Sample {
    /// A body as it would be for another object: names and uids are equally long.
    fn of(&self, body: &Value, object: Object, uid: &str) -> Value {
        let text = body.to_string().replace(&self.object.name(), &object.name()).replace(&self.uid, uid);
        let text = text.replace(&self.object.namespace(), &object.namespace());
        serde_json::from_str(&text).unwrap_or_default()
    }
}

fn credential_path(object: Object) -> String {
    let (namespace, name) = (object.namespace(), object.name());
    format!("/apis/connector-operator.io/v1alpha1/namespaces/{namespace}/connectorcredentials/{name}")
}

async fn get_text(client: &Client, path: &str) -> Result<String, Error> {
    Ok(client.request_text(request("GET", path, &Value::Null)).await?)
}

async fn get(client: &Client, path: &str) -> Result<Value, Error> {
    Ok(serde_json::from_str(&get_text(client, path).await?).unwrap_or_default())
}

fn forget_server_fields(body: &mut Value) {
    if let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|name, _| ["name", "namespace", "labels", "ownerReferences"].contains(&name.as_str()));
    }
}
