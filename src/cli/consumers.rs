//! Who uses the outputs? Pods that name them, and what owns the Pods.

use super::cluster::Cluster;
use crate::error::{Class, Failure};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, PodSpec, Volume};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::Resource;
use kube::api::ListParams;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

/// A Pod that uses an output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Consumer {
    pub(super) secret: String,
    pub(super) pod: String,
    /// `Running`, `Pending`, …
    pub(super) phase: String,
    /// What owns it, the nearest first: `ReplicaSet/sync-5d8`, `Deployment/sync`.
    pub(super) owners: Vec<String>,
}

/// All Pods of the namespace that use one of these Secrets.
pub(super) async fn consumers(cluster: &Cluster, secrets: &BTreeSet<String>) -> Result<Vec<Consumer>, Failure> {
    let pods: Vec<Pod> = cluster.list(&cluster.api(), ListParams::default(), "pods").await?;
    let mut known = BTreeMap::new();
    let mut consumers = Vec::new();
    for pod in pods {
        let used: Vec<_> = pod.spec.as_ref().map(named).unwrap_or_default().intersection(secrets).cloned().collect();
        if used.is_empty() {
            continue;
        }
        let owners = owners(cluster, &pod.metadata, &mut known).await;
        let phase = pod.status.as_ref().and_then(|status| status.phase.clone()).unwrap_or_default();
        let name = pod.metadata.name.unwrap_or_default();
        consumers.extend(used.into_iter().map(|secret| Consumer {
            secret,
            pod: name.clone(),
            phase: phase.clone(),
            owners: owners.clone(),
        }));
    }
    consumers
        .sort_by(|one, other| (&one.secret, &one.owners, &one.pod).cmp(&(&other.secret, &other.owners, &other.pod)));
    Ok(consumers)
}

/// The owners of a Pod. Who may not read a `ReplicaSet` or Job sees it without its own owner.
async fn owners(cluster: &Cluster, meta: &ObjectMeta, known: &mut BTreeMap<String, Option<String>>) -> Vec<String> {
    let Some(owner) = controller(meta) else { return Vec::new() };
    let first = format!("{}/{}", owner.kind, owner.name);
    if !known.contains_key(&first) {
        let found = match owner.kind.as_str() {
            "ReplicaSet" => above::<ReplicaSet>(cluster, &owner.name).await,
            "Job" => above::<Job>(cluster, &owner.name).await,
            _ => None,
        };
        known.insert(first.clone(), found);
    }
    let second = known.get(&first).cloned().flatten();
    std::iter::once(first).chain(second).collect()
}

/// What owns an object of this kind and name, if it may be read.
async fn above<K>(cluster: &Cluster, name: &str) -> Option<String>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + DeserializeOwned + Debug,
{
    let found = cluster.api::<K>().get_metadata_opt(name).await.ok().flatten()?;
    controller(&found.metadata).map(|owner| format!("{}/{}", owner.kind, owner.name))
}

fn controller(meta: &ObjectMeta) -> Option<&OwnerReference> {
    meta.owner_references.iter().flatten().find(|owner| owner.controller == Some(true))
}

/// The Secrets that a Pod names.
fn named(spec: &PodSpec) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let containers = spec.containers.iter().chain(spec.init_containers.iter().flatten());
    for container in containers {
        let sources = container.env_from.iter().flatten().filter_map(|from| from.secret_ref.as_ref());
        names.extend(sources.map(|source| source.name.clone()));
        let values = container.env.iter().flatten().filter_map(|variable| variable.value_from.as_ref());
        names.extend(values.filter_map(|from| from.secret_key_ref.as_ref()).map(|key| key.name.clone()));
    }
    names.extend(spec.volumes.iter().flatten().flat_map(mounted));
    names.extend(spec.image_pull_secrets.iter().flatten().map(|secret| secret.name.clone()));
    names
}

fn mounted(volume: &Volume) -> Vec<String> {
    let whole = volume.secret.as_ref().and_then(|secret| secret.secret_name.clone());
    let sources = volume.projected.iter().flat_map(|projected| projected.sources.iter().flatten());
    let parts = sources.filter_map(|source| source.secret.as_ref()).map(|secret| secret.name.clone());
    whole.into_iter().chain(parts).collect()
}

/// Why something is not shown, in a few words.
pub(super) fn hidden(failure: &Failure) -> String {
    if failure.class() == Class::Forbidden {
        format!("not shown: you may not {} {} here", failure.verb, failure.resource)
    } else {
        format!("not shown: {failure}")
    }
}
