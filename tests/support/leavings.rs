//! What did a story leave behind, and is a key in it? Every place where one could turn up, read after the end.

use std::collections::BTreeSet;
use std::path::Path;

use connector_operator::api::FIELD_MANAGER;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;

use super::canary::{Canary, Finding, Sweep};
use super::stage::{KUBECONFIG, Stage};
use crate::cli::Cluster;
use crate::controlplane::etcd::Entry;

/// Everything to be searched.
#[derive(Default)]
pub(crate) struct Leavings {
    texts: Vec<(String, Vec<u8>)>,
    stored: Vec<Entry>,
    /// Keys in etcd of the Secrets whose data is the place for keys.
    allowed: BTreeSet<String>,
}

impl Leavings {
    /// A text, and the place where it stood.
    pub(crate) fn add(&mut self, place: &str, text: impl Into<Vec<u8>>) {
        self.texts.push((place.to_owned(), text.into()));
    }

    /// All files below a directory, by their paths; the operator's own kubeconfig is where its token belongs.
    pub(crate) fn add_files(&mut self, directory: &Path) {
        for entry in std::fs::read_dir(directory).expect("the directory is readable") {
            let path = entry.expect("the directory is readable").path();
            let place = format!("file {}", path.display());
            if path.ends_with(KUBECONFIG) {
                continue;
            }
            if path.is_dir() {
                self.add_files(&path);
            } else {
                self.add(&place, std::fs::read(&path).expect("the file is readable"));
            }
        }
    }

    /// All that etcd holds.
    pub(crate) fn add_stored(&mut self, stored: Vec<Entry>) {
        self.stored = stored;
    }

    /// Secrets may hold keys in their data if the operator did not write them, or if they are outputs: then their
    /// metadata is searched all the same.
    pub(crate) fn allow(&mut self, secrets: &[Secret]) {
        for secret in secrets {
            let meta = &secret.metadata;
            let (namespace, name) = (meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default());
            let key = format!("/registry/secrets/{namespace}/{name}");
            let fields = meta.managed_fields.as_deref().unwrap_or_default();
            let is_ours = fields.iter().any(|field| field.manager.as_deref() == Some(FIELD_MANAGER));
            let owners = meta.owner_references.as_deref().unwrap_or_default();
            let is_output = owners.iter().any(|owner| owner.kind == "ConnectorCredential");
            if is_ours && is_output {
                let text = serde_json::to_vec(meta).expect("metadata can be written as JSON");
                self.add(&format!("metadata of {key}"), text);
            }
            if !is_ours || is_output {
                self.allowed.insert(key);
            }
        }
    }

    /// What is found, with its place.
    pub(crate) fn search(&self, sweep: &Sweep) -> Vec<Finding> {
        let mut found = sweep.find_in_etcd(&self.stored, |key| self.allowed.contains(key));
        found.extend(self.texts.iter().flat_map(|(place, text)| sweep.find(place, text)));
        found
    }

    /// Whether any of this is in a Secret that is meant to hold it: else looking for it proves nothing.
    fn is_in_a_secret(&self, canary: &Canary) -> bool {
        let sweep = Sweep::new(std::slice::from_ref(canary));
        let mut allowed = self.stored.iter().filter(|entry| self.allowed.contains(&entry.key()));
        allowed.any(|entry| !sweep.find("", entry.value()).is_empty())
    }
}

impl Stage {
    /// All that this story left behind, but for metrics, which a process that has ended does not show.
    pub(crate) async fn leavings(&self) -> Leavings {
        let mut left = Leavings::default();
        let plane = self.bed.plane;
        let stored = tokio::task::spawn_blocking(|| plane.etcd_dump()).await.expect("no panic").expect("etcd answers");
        left.add_stored(stored);
        // Some stories play in several namespaces.
        let secrets: Api<Secret> = Api::all(self.bed.client.clone());
        left.allow(&secrets.list(&Default::default()).await.expect("they can be listed").items);
        for log in self.logs.lock().expect("no test panicked here").iter() {
            left.add(&format!("log {}", log.display()), std::fs::read(log).expect("there is a log"));
        }
        left.add("audit log", std::fs::read(plane.audit_log()).expect("there is an audit log"));
        left.add_files(self.directory.path());
        left.add("what the decoy heard", self.simulator.decoy_heard());
        for command in [&["report"][..], &["list", "-o", "yaml"]] {
            let printed = Cluster::of(&self.bed, &self.namespace).ctl(command);
            left.add(&format!("connectorctl {}", command.join(" ")), printed.all());
        }
        left
    }

    /// A key that was nowhere cannot be missed.
    pub(crate) fn assert_each_was_in_a_secret(&self, canaries: &[Canary], left: &Leavings) {
        let put = self.put.lock().expect("no test panicked here").clone();
        for canary in canaries {
            let was = put.iter().any(|value| value.contains(canary.value())) || left.is_in_a_secret(canary);
            assert!(was, "{} was in no Secret: looking for it proves nothing", canary.name());
        }
    }

    /// The token that the operator shows the API server: the part that nobody can guess.
    pub(super) fn own_token(&self) -> Canary {
        let text = std::fs::read_to_string(self.directory.path().join(KUBECONFIG)).expect("the kubeconfig is readable");
        let text: serde_json::Value = serde_json::from_str(&text).expect("the test wrote JSON");
        let token = text["users"][0]["user"]["token"].as_str().expect("a token");
        let signature = token.rsplit_once('.').expect("a token has three parts").1;
        Canary::new("service account's token", &signature[..64])
    }
}
