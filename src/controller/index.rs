//! Whose business is a Secret? Names of Secrets, the credentials that care, and the versions that were seen.
//!
//! Only Secrets that some credential refers to, declares or owns are remembered: unrelated ones cost nothing.

use super::name::{Name, Sight};
use crate::api::{ConnectorCredential, GROUP};
use crate::policy::{declared_outputs, plan::requests};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is remembered of a credential.
#[derive(Default)]
struct Entry {
    uid: String,
    generation: Option<i64>,
    requests: (Option<String>, Option<String>),
    deleting: bool,
    created: i64,
    outputs: BTreeSet<String>,
    owned: BTreeSet<String>,
    interests: BTreeSet<String>,
}

/// What is remembered of a Secret.
#[derive(Default)]
struct Interest {
    credentials: BTreeSet<String>,
    sight: Sight,
}

#[derive(Default)]
struct Inner {
    credentials: HashMap<Name, Entry>,
    secrets: HashMap<Name, Interest>,
    /// Where changes of Secrets are seen; `None` stands for all namespaces.
    watched: HashSet<Option<String>>,
}

/// Names of Secrets, the credentials that care, and the versions that were seen.
#[derive(Default)]
pub struct Index(Mutex<Inner>);

impl Index {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of a credential. Returns whom to visit: itself, if more than its status or labels changed, and
    /// those that declare the same outputs, if its outputs changed.
    pub fn note(&self, object: &ConnectorCredential) -> Vec<Name> {
        let name = Name::of(&object.metadata);
        let mut entry = entry(object);
        let mut inner = self.lock();
        let before = inner.credentials.remove(&name).unwrap_or_default();
        let changed = before.uid != entry.uid
            || before.generation != entry.generation
            || before.requests != entry.requests
            || before.deleting != entry.deleting;
        if before.uid == entry.uid {
            entry.interests.extend(before.owned.iter().cloned());
            entry.owned = before.owned;
        }
        let disputed: Vec<_> = before.outputs.symmetric_difference(&entry.outputs).cloned().collect();
        inner.rewire(&name, &before.interests, &entry.interests);
        inner.credentials.insert(name.clone(), entry);
        let mut visits = inner.declaring(&name, &disputed);
        if changed {
            visits.push(name);
        }
        visits
    }

    /// Takes note of an object of which only the metadata can be read. Returns whether to visit it.
    pub fn note_malformed(&self, meta: &ObjectMeta) -> bool {
        let name = Name::of(meta);
        let mut inner = self.lock();
        let before = inner.credentials.remove(&name).unwrap_or_default();
        let uid = meta.uid.clone().unwrap_or_default();
        let changed = before.uid != uid || before.generation != meta.generation;
        inner.rewire(&name, &before.interests, &BTreeSet::new());
        inner.credentials.insert(name, Entry { uid, generation: meta.generation, ..Entry::default() });
        changed
    }

    /// Forgets a credential. Returns its uid, and those that declared the same outputs.
    pub fn forget(&self, name: &Name) -> Option<(String, Vec<Name>)> {
        let mut inner = self.lock();
        let before = inner.credentials.remove(name)?;
        inner.rewire(name, &before.interests, &BTreeSet::new());
        let outputs: Vec<_> = before.outputs.into_iter().collect();
        Some((before.uid, inner.declaring(name, &outputs)))
    }

    /// All credentials of a namespace, or of all.
    pub fn credentials(&self, namespace: Option<&str>) -> HashSet<Name> {
        let here = |name: &&Name| namespace.is_none_or(|wanted| name.namespace == wanted);
        self.lock().credentials.keys().filter(here).cloned().collect()
    }

    /// The uids of all credentials.
    pub fn uids(&self) -> HashSet<String> {
        self.lock().credentials.values().map(|entry| entry.uid.clone()).collect()
    }

    /// Notes whether changes of Secrets are seen, in a namespace or in all.
    pub fn set_watched(&self, namespace: Option<&str>, watched: bool) {
        let namespace = namespace.map(str::to_owned);
        let mut inner = self.lock();
        if watched {
            inner.watched.insert(namespace)
        } else {
            inner.watched.remove(&namespace)
        };
    }

    /// Whether changes of this namespace's Secrets are seen.
    pub fn is_watched(&self, namespace: &str) -> bool {
        let inner = self.lock();
        inner.watched.contains(&None) || inner.watched.contains(&Some(namespace.to_owned()))
    }

    /// Takes note of what the watch says of a Secret. Returns whom to visit.
    pub fn saw(&self, name: &Name, owners: &[OwnerReference], sight: Sight) -> Vec<Name> {
        let mut inner = self.lock();
        inner.adopt(name, owners);
        let Some(interest) = inner.secrets.get_mut(name) else { return Vec::new() };
        if !interest.sight.is_overtaken_by(&sight) {
            return Vec::new();
        }
        interest.sight = sight;
        interest.credentials.iter().map(|credential| Name::new(&name.namespace, credential)).collect()
    }

    /// Takes note that a Secret is gone, if `still` holds of what is known of it: it may have been made anew since.
    /// Returns whom to visit.
    pub fn gone(&self, name: &Name, still: impl FnOnce(&Sight) -> bool) -> Vec<Name> {
        if still(&self.sight(name)) { self.saw(name, &[], Sight::Absent) } else { Vec::new() }
    }

    /// Secrets that are not known to be gone, in a namespace or in all: a fresh list without them says that they are.
    pub fn secrets(&self, namespace: Option<&str>) -> HashMap<Name, Sight> {
        let inner = self.lock();
        let here = |name: &Name| namespace.is_none_or(|wanted| name.namespace == wanted);
        let known = inner.secrets.iter().filter(|(name, interest)| here(name) && interest.sight != Sight::Absent);
        known.map(|(name, interest)| (name.clone(), interest.sight.clone())).collect()
    }

    /// Takes note of what we wrote ourselves, so that its echo wakes nobody; unless another credential cares, too: one
    /// that waits for the name, or takes its key from there, must hear of it.
    pub fn wrote(&self, name: &Name, sight: Sight) {
        let mut inner = self.lock();
        let known = inner.secrets.get_mut(name).filter(|known| known.credentials.len() == 1);
        if let Some(interest) = known.filter(|known| known.sight.is_overtaken_by(&sight)) {
            interest.sight = sight;
        }
    }

    /// Takes note of what a read found, of a Secret of which the watch has said nothing yet: it was there before
    /// anybody cared. Whatever the watch says later wins.
    pub fn learn(&self, name: &Name, sight: Sight) {
        if let Some(interest) = self.lock().secrets.get_mut(name).filter(|known| known.sight == Sight::Unknown) {
            interest.sight = sight;
        }
    }

    /// What the watch last said of a Secret.
    pub fn sight(&self, name: &Name) -> Sight {
        self.lock().secrets.get(name).map(|interest| interest.sight.clone()).unwrap_or_default()
    }

    /// Names of Secrets that a credential cares about: source, declared, published and owned ones.
    pub fn interests(&self, credential: &Name) -> BTreeSet<String> {
        self.lock().credentials.get(credential).map(|entry| entry.interests.clone()).unwrap_or_default()
    }

    /// Output names of a credential that an older one of its namespace declares too.
    pub fn claimed(&self, credential: &Name) -> BTreeSet<String> {
        let inner = self.lock();
        let Some(own) = inner.credentials.get(credential) else { return BTreeSet::new() };
        let is_older = |rival: &Name| {
            let entry = inner.credentials.get(rival).filter(|entry| !entry.deleting);
            entry.is_some_and(|entry| (entry.created, &rival.name) < (own.created, &credential.name))
        };
        let taken = |output: &&String| inner.declaring(credential, std::slice::from_ref(*output)).iter().any(is_older);
        own.outputs.iter().filter(taken).cloned().collect()
    }
}

impl Inner {
    fn rewire(&mut self, credential: &Name, before: &BTreeSet<String>, after: &BTreeSet<String>) {
        for gone in before.difference(after) {
            let secret = Name::new(&credential.namespace, gone);
            let Some(interest) = self.secrets.get_mut(&secret) else { continue };
            interest.credentials.remove(&credential.name);
            if interest.credentials.is_empty() {
                self.secrets.remove(&secret);
            }
        }
        for new in after.difference(before) {
            let interest = self.secrets.entry(Name::new(&credential.namespace, new)).or_default();
            interest.credentials.insert(credential.name.clone());
        }
    }

    /// Other credentials that declare one of these outputs.
    fn declaring(&self, credential: &Name, outputs: &[String]) -> Vec<Name> {
        let mut found = BTreeSet::new();
        for output in outputs {
            let Some(interest) = self.secrets.get(&Name::new(&credential.namespace, output)) else { continue };
            let others = interest.credentials.iter().filter(|name| **name != credential.name);
            let others = others.map(|name| Name::new(&credential.namespace, name));
            found.extend(
                others.filter(|other| self.credentials.get(other).is_some_and(|entry| entry.outputs.contains(output))),
            );
        }
        found.into_iter().collect()
    }

    /// A Secret that a credential controls is its business, declared or not.
    fn adopt(&mut self, secret: &Name, owners: &[OwnerReference]) {
        let ours = |owner: &&OwnerReference| owner.controller == Some(true) && owner.api_version.starts_with(GROUP);
        let Some(owner) = owners.iter().find(ours) else { return };
        let credential = Name::new(&secret.namespace, &owner.name);
        if let Some(entry) = self.credentials.get_mut(&credential).filter(|entry| entry.uid == owner.uid) {
            entry.owned.insert(secret.name.clone());
            entry.interests.insert(secret.name.clone());
            self.secrets.entry(secret.clone()).or_default().credentials.insert(credential.name);
        }
    }
}

fn entry(object: &ConnectorCredential) -> Entry {
    let meta = &object.metadata;
    let outputs: BTreeSet<_> = declared_outputs(object).into_iter().map(|output| output.secret_name).collect();
    let published =
        object.status.iter().flat_map(|status| status.outputs.iter().map(|output| output.secret_name.clone()));
    let interests = outputs.iter().cloned().chain(published).chain([object.spec.key_secret_ref.name.clone()]).collect();
    Entry {
        uid: meta.uid.clone().unwrap_or_default(),
        generation: meta.generation,
        requests: requests(object),
        deleting: meta.deletion_timestamp.is_some(),
        created: meta.creation_timestamp.as_ref().map_or(0, |time| time.0.as_second()),
        outputs,
        owned: BTreeSet::new(),
        interests,
    }
}
