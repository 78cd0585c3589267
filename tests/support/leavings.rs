//! What did a story leave behind, and is a key in it? Every place where one could turn up, read after the end.

use std::collections::BTreeSet;
use std::path::Path;

use connector_operator::api::FIELD_MANAGER;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;

use super::bed::Bed;
use super::canary::{Canary, Finding, Sweep, sample};
use super::stage::{KUBECONFIG, Stage};
use crate::cli::Cluster;
use crate::controlplane::etcd::Entry;

/// A story's search at its end.
pub(crate) struct Search {
    /// Whether it was made.
    pub(super) done: bool,
    /// How long the audit log was when the story began.
    from: usize,
}

impl Search {
    /// Of a story that begins now.
    pub(super) fn from_now(bed: &Bed) -> Self {
        let length = std::fs::metadata(bed.plane.audit_log()).expect("there is an audit log").len();
        Self { done: false, from: usize::try_from(length).expect("it fits into memory") }
    }
}

/// Everything to be searched.
#[derive(Default)]
pub(crate) struct Leavings {
    texts: Vec<(String, Vec<u8>)>,
    stored: Vec<Entry>,
    /// Keys in etcd of the Secrets whose data is the place for keys.
    allowed: BTreeSet<String>,
    /// What is in such Secrets, and their namespaces.
    kept: Vec<(String, String)>,
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
                let values =
                    secret.data.iter().flatten().filter_map(|(_, value)| String::from_utf8(value.0.clone()).ok());
                self.kept.extend(values.map(|value| (namespace.clone(), value)));
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

    /// Whether any of this is in a Secret of these namespaces that is meant to hold it: else looking for it proves nothing.
    fn is_in_a_secret(&self, canary: &Canary, places: &[String]) -> bool {
        let sweep = Sweep::new(std::slice::from_ref(canary));
        let places: Vec<_> = places.iter().map(|place| format!("/registry/secrets/{place}/")).collect();
        let here = |key: &str| places.iter().any(|place| key.starts_with(place)) && self.allowed.contains(key);
        let mut allowed = self.stored.iter().filter(|entry| here(&entry.key()));
        allowed.any(|entry| !sweep.find("", entry.value()).is_empty())
    }
}

impl Leavings {
    /// What the whole cluster holds, and its audit log behind its first `written` bytes.
    pub(crate) async fn of(bed: &Bed, written: usize) -> Self {
        let mut left = Self::default();
        let plane = bed.plane;
        let stored = tokio::task::spawn_blocking(|| plane.etcd_dump()).await.expect("no panic").expect("etcd answers");
        left.add_stored(stored);
        // Some stories play in several namespaces.
        let secrets: Api<Secret> = Api::all(bed.client.clone());
        left.allow(&secrets.list(&Default::default()).await.expect("they can be listed").items);
        let log = std::fs::read(plane.audit_log()).expect("there is an audit log");
        left.add("audit log", log.get(written..).expect("a log grows"));
        left
    }
}

impl Stage {
    /// All that this story left behind, but for metrics, which a process that has ended does not show.
    pub(crate) async fn leavings(&self) -> Leavings {
        let mut left = Leavings::of(&self.bed, self.search.from).await;
        self.add_own(&mut left);
        for command in [&["report"][..], &["list", "-o", "yaml"]] {
            let printed = Cluster::of(&self.bed, &self.namespace).ctl(command);
            left.add(&format!("connectorctl {}", command.join(" ")), printed.all());
        }
        left
    }

    /// What the story's processes wrote to files, and what was sent to the decoy.
    fn add_own(&self, left: &mut Leavings) {
        for log in self.logs.lock().expect("no test panicked here").iter() {
            left.add(&format!("log {}", log.display()), std::fs::read(log).expect("there is a log"));
        }
        left.add_files(self.directory.path());
        left.add("what the decoy heard", self.simulator.decoy_heard());
    }

    /// All keys and tokens of the story that are looked for.
    pub(super) fn sought(&self, left: &Leavings) -> Vec<Canary> {
        let mut canaries = self.canaries.lock().expect("no test panicked here").clone();
        let mut values = self.put.lock().expect("no test panicked here").clone();
        let own = left.kept.iter().filter(|(namespace, _)| self.places.contains(namespace));
        values.extend(own.map(|(_, value)| value.clone()));
        // All keys that were made up hold this word.
        values.retain(|value| value.contains("EXAMPLE") && canaries.iter().all(|canary| canary.value() != value));
        values.sort_unstable();
        values.dedup();
        canaries.extend(sample(values.iter()));
        let tokens = self.simulator.minted();
        let token = |(at, text): (usize, &String)| Canary::new(&format!("token {at}"), text);
        canaries.extend(tokens.iter().enumerate().map(token));
        canaries.push(self.own_token());
        canaries
    }

    /// A key that was nowhere cannot be missed.
    pub(crate) fn assert_each_was_in_a_secret(&self, canaries: &[Canary], left: &Leavings) {
        let put = self.put.lock().expect("no test panicked here").clone();
        for canary in canaries {
            let was =
                put.iter().any(|value| value.contains(canary.value())) || left.is_in_a_secret(canary, &self.places);
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

/// No key is where none may be.
pub(crate) fn assert_clean(left: &Leavings, canaries: &[Canary]) {
    let found = left.search(&Sweep::new(canaries));
    assert!(found.is_empty(), "keys leaked: {found:?}");
}

/// Whoever ends otherwise than by `finish`, as a process does that is killed at each of its steps, is searched too: not
/// all of the cluster, but the log, the files, and what was sent astray.
impl Drop for Stage {
    fn drop(&mut self) {
        if self.search.done || std::thread::panicking() {
            return;
        }
        let _ended_already = self.operator.kill();
        let mut left = Leavings::default();
        self.add_own(&mut left);
        assert_clean(&left, &self.sought(&left));
    }
}
