//! How soon does a changed key reach workloads? One change after the other, each of another object.

use std::time::{Duration, Instant};

use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{ListParams, WatchEvent, WatchParams};
use serde_json::json;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

use crate::error::Error;
use crate::figures::Reaction;
use crate::ground::{Ground, LATENCY};
use crate::load::Object;

/// The outputs of the operator.
const OURS: &str = "app.kubernetes.io/managed-by=connector-operator";
/// No reaction takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Changes keys, and waits for each in the derived Secret.
pub(crate) async fn reaction(ground: &Ground, objects: usize, changes: usize) -> Result<Reaction, Error> {
    let mut written = watch_outputs(ground).await?;
    // A prime step: all over the namespaces and providers, and nobody twice.
    let chosen = (0..changes.min(objects)).map(|nth| Object(nth * 7919 % objects));
    let mut took = Vec::new();
    for object in chosen {
        let key = object.issue(&ground.simulator);
        let body = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": object.source()}, "stringData": {"api-key": key}});
        let namespace = object.namespace();
        let path = format!("/api/v1/namespaces/{namespace}/secrets/{}?fieldManager=user&force=true", object.source());
        let began = Instant::now();
        ground.client.request_text(crate::load::request("PATCH", &path, &body)).await?;
        let wanted = (namespace, object.output());
        loop {
            let news = timeout(PATIENCE, written.recv()).await;
            let Ok(Some((place, at))) = news else { return Err(Error::Late(format!("{} is written", wanted.1))) };
            if place == wanted {
                took.push(at.duration_since(began).saturating_sub(LATENCY));
                break;
            }
        }
    }
    took.sort_unstable();
    let at = |share: f64| took.get(rank(took.len(), share)).copied().unwrap_or_default().as_secs_f64() * 1000.0;
    Ok(Reaction { changes: took.len(), p50_ms: at(0.5), p99_ms: at(0.99), longest_ms: at(1.0) })
}

/// The place of a percentile among so many sorted ones.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "small numbers"
)]
fn rank(number: usize, share: f64) -> usize {
    ((number as f64 * share).ceil() as usize).clamp(1, number.max(1)) - 1
}

type Written = UnboundedReceiver<((String, String), Instant)>;

async fn watch_outputs(ground: &Ground) -> Result<Written, Error> {
    let api: Api<Secret> = Api::all(ground.client.clone());
    let params = ListParams::default().labels(OURS).limit(1);
    let mut version = api.list_metadata(&params).await?.metadata.resource_version.unwrap_or_default();
    let (near, far) = unbounded_channel();
    tokio::spawn(async move {
        let params = WatchParams::default().labels(OURS).timeout(290);
        while let Ok(stream) = api.watch_metadata(&params, &version).await {
            let mut stream = stream.boxed();
            while let Ok(Some(event)) = stream.try_next().await {
                let (WatchEvent::Added(secret) | WatchEvent::Modified(secret)) = event else { continue };
                version = secret.metadata.resource_version.clone().unwrap_or_default();
                let place = (secret.metadata.namespace.unwrap_or_default(), secret.metadata.name.unwrap_or_default());
                if near.send((place, Instant::now())).is_err() {
                    return;
                }
            }
        }
    });
    Ok(far)
}
