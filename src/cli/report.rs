//! `report`: what a maintainer needs to help, and nothing secret. No data of a Secret is ever read.

use super::Shown;
use super::cluster::{Cluster, ClusterFlags};
use super::completion;
use super::object;
use super::output::{Form, Output};
use super::trouble::{Ending, Trouble};
use crate::api::{ConnectorCredential, FIELD_MANAGER, GROUP, Reason};
use crate::error::{Failure, Verb};
use crate::policy::declared_outputs;
use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::ListParams;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

#[derive(Debug, Args)]
pub(super) struct Report {
    /// Only these credentials
    #[arg(value_name = "NAME", value_parser = object::named, add = ArgValueCandidates::new(completion::names))]
    names: Vec<String>,
    /// The operator's own namespace
    #[arg(long, value_name = "NAME", default_value = "connector-operator")]
    operator_namespace: String,
    #[command(flatten)]
    cluster: ClusterFlags,
}

impl Report {
    pub(super) async fn run(self, output: Output, shown: &Shown) -> Result<Ending, Trouble> {
        let cluster = self.cluster.connect(*shown).await?;
        let found = self.credentials(&cluster).await?;
        let version = cluster.client.apiserver_version().await.ok();
        let report = json!({
            "about": "Report of connectorctl: no data of Secrets, no labels, no annotations, no free texts. Read it before you send it.",
            "time": cluster.now().to_string(),
            "connectorctl": env!("CARGO_PKG_VERSION"),
            "kubernetes": version.map(|version| version.git_version),
            "namespace": cluster.namespace,
            "operator": self.operator(&cluster).await,
            "credentials": found.iter().map(redacted).collect::<Vec<_>>(),
            "secrets": secrets(&cluster, &found).await,
            "events": events(&cluster, &found).await,
        });
        output.data(&report, Form::Yaml)?;
        if found.is_empty() {
            let (place, program) = (&cluster.namespace, shown.program);
            output.note(&format!(
                "No ConnectorCredentials in namespace {place}: name theirs with -n; see {program} list -A"
            ));
        }
        Ok(Ending::Good)
    }

    /// All of the namespace, or those that are named: each must be there.
    async fn credentials(&self, cluster: &Cluster) -> Result<Vec<ConnectorCredential>, Trouble> {
        if self.names.is_empty() {
            let listed = cluster.list(&cluster.api(), ListParams::default(), "connectorcredentials").await;
            return listed.map_err(|failure| cluster.trouble(&failure, "cannot list ConnectorCredentials"));
        }
        let mut found = Vec::new();
        for name in &self.names {
            found.push(cluster.credential(name).await?);
        }
        Ok(found)
    }

    /// The operator's Deployments: images, flags and replicas.
    async fn operator(&self, cluster: &Cluster) -> Value {
        let api: Api<Deployment> = Api::namespaced(cluster.client.clone(), &self.operator_namespace);
        let labels = ListParams::default().labels("app.kubernetes.io/name=connector-operator");
        let found = match api.list(&labels).await {
            Ok(found) => found,
            Err(error) => return json!(Failure::new(Verb::List, "deployments", &error).to_string()),
        };
        let one = |deployment: &Deployment| {
            let containers = deployment.spec.iter().flat_map(|spec| spec.template.spec.iter());
            let containers = containers.flat_map(|pod| &pod.containers);
            let status = deployment.status.as_ref();
            json!({
                "name": deployment.metadata.name,
                "images": containers.clone().map(|container| &container.image).collect::<Vec<_>>(),
                "args": containers.map(|container| &container.args).collect::<Vec<_>>(),
                "replicas": status.and_then(|status| status.replicas),
                "available": status.and_then(|status| status.available_replicas),
            })
        };
        found.items.iter().map(one).collect()
    }
}

/// Free texts of the spec, which may hold anything, a key that was pasted into the wrong field too.
const FREE: [&str; 5] = [
    "/spec/description",
    "/spec/provider/flow/reference",
    "/spec/provider/flow/checkoutTheme/logoURL",
    "/status/lastHandledReconcileAt",
    "/status/lastHandledRequest",
];

/// A credential without labels, annotations, free texts and texts of templates.
fn redacted(credential: &ConnectorCredential) -> Value {
    let mut value = object::plain(credential);
    if let Some(meta) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        meta.remove("annotations");
        meta.remove("labels");
    }
    for path in FREE {
        if let Some(text) = value.pointer_mut(path) {
            *text = blank(text);
        }
    }
    let outputs = value.pointer_mut("/spec/outputs").and_then(Value::as_array_mut);
    for output in outputs.into_iter().flatten() {
        let files = output.get_mut("template").and_then(Value::as_object_mut);
        for text in files.into_iter().flat_map(Map::values_mut) {
            *text = blank(text);
        }
    }
    value
}

/// What stands where a free text was: only its length.
fn blank(text: &Value) -> Value {
    json!(format!("redacted, {} bytes", text.as_str().map(str::len).unwrap_or_default()))
}

/// What is known of the Secrets around, by their metadata alone.
async fn secrets(cluster: &Cluster, credentials: &[ConnectorCredential]) -> Value {
    let sources = credentials.iter().map(|one| one.spec.key_secret_ref.name.clone());
    let outputs = credentials.iter().flat_map(declared_outputs).map(|output| output.secret_name);
    let names: BTreeSet<String> = sources.chain(outputs).collect();
    let mut all = Map::new();
    for name in names {
        let known = match cluster.api::<Secret>().get_metadata_opt(&name).await {
            Ok(None) => json!("does not exist"),
            Ok(Some(found)) => json!({
                "uid": found.metadata.uid,
                "resourceVersion": found.metadata.resource_version,
                "created": found.metadata.creation_timestamp,
                "owners": found.metadata.owner_references,
            }),
            Err(error) => json!(Failure::new(Verb::Get, "secrets", &error).to_string()),
        };
        all.insert(name, known);
    }
    Value::Object(all)
}

async fn events(cluster: &Cluster, credentials: &[ConnectorCredential]) -> Value {
    let names: BTreeSet<_> = credentials.iter().map(object::name).collect();
    let params = ListParams::default().fields("regarding.kind=ConnectorCredential");
    let found: Vec<Event> = match cluster.list(&cluster.api(), params, "events").await {
        Ok(found) => found,
        Err(failure) => return json!(failure.to_string()),
    };
    let about = |event: &&Event| {
        event.regarding.as_ref().and_then(|about| about.name.as_deref()).is_some_and(|name| names.contains(name))
    };
    let ours = format!("{GROUP}/{FIELD_MANAGER}");
    let one = |event: &Event| {
        // What others say of a credential may quote it; whoever may write Events may take our name.
        let reason = event.reason.as_deref().and_then(Reason::read);
        let is_ours = event.reporting_controller.as_ref() == Some(&ours) && reason.is_some();
        let said = |text: &Option<String>| if is_ours { json!(text) } else { blank(&json!(text)) };
        json!({
            "about": event.regarding.as_ref().and_then(|about| about.name.as_ref()),
            "time": event.event_time,
            "type": event.type_,
            "reason": said(&event.reason),
            "note": said(&event.note),
            "by": event.reporting_controller,
        })
    };
    found.iter().filter(about).map(one).collect()
}
