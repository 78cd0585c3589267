//! Whose business is a Secret? Names of Secrets, the credentials that care, and the versions that were seen.
//!
//! Only Secrets that some credential refers to, declares or owns are remembered: unrelated ones cost nothing. Nothing
//! reaches from one namespace into another.

use super::claims::Claims;
use super::few::Few;
use super::name::{Name, Sight};
use crate::api::{ConnectorCredential, GROUP};
use crate::policy::{declared_outputs, plan::requests};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

#[cfg(test)]
mod tests;

/// What is remembered of a credential.
#[derive(Default)]
struct Entry {
    uid: Box<str>,
    generation: Option<i64>,
    requests: (Option<String>, Option<String>),
    deleting: bool,
    created: i64,
    outputs: Few,
    owned: Few,
    interests: Few,
    /// Whether it declares its own source as an output.
    declares_source: bool,
}

impl Entry {
    /// The outputs that nobody younger may have.
    fn claimed(&self) -> &Few {
        const NONE: &Few = &Few::none();
        if self.deleting { NONE } else { &self.outputs }
    }
}

/// What is remembered of a Secret.
#[derive(Default)]
struct Interest {
    credentials: Few,
    claims: Claims,
    sight: Sight,
}

/// What is remembered of a namespace.
#[derive(Default)]
struct Space {
    /// Boxed: half of a table is empty.
    credentials: HashMap<Box<str>, Box<Entry>>,
    secrets: HashMap<Box<str>, Interest>,
}

#[derive(Default)]
struct Inner {
    spaces: HashMap<String, Space>,
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
    /// whoever loses or gains an output by that.
    pub fn note(&self, object: &ConnectorCredential) -> Vec<Name> {
        let name = Name::of(&object.metadata);
        let mut entry = entry(object);
        let mut inner = self.lock();
        let space = inner.space(&name.namespace);
        let before = space.credentials.remove(name.name.as_str()).unwrap_or_default();
        if before.uid == entry.uid {
            let here = |owned: &&str| space.secrets.get(*owned).is_none_or(|known| known.sight != Sight::Absent);
            for owned in before.owned.iter().filter(here) {
                entry.interests.insert(owned);
                entry.owned.insert(owned);
            }
        }
        space.replace(name, &before, entry)
    }

    /// Takes note of an object of which only the metadata can be read, and which declares nothing. Returns whom to visit.
    pub fn note_malformed(&self, meta: &ObjectMeta) -> Vec<Name> {
        let name = Name::of(meta);
        let mut inner = self.lock();
        let space = inner.space(&name.namespace);
        let before = space.credentials.remove(name.name.as_str()).unwrap_or_default();
        let uid: Box<str> = meta.uid.as_deref().unwrap_or_default().into();
        let entry = Entry { uid, generation: meta.generation, ..Entry::default() };
        space.replace(name, &before, entry)
    }

    /// Forgets a credential. Returns its uid, and those that gain its outputs.
    pub fn forget(&self, name: &Name) -> Option<(String, Vec<Name>)> {
        let mut inner = self.lock();
        let space = inner.spaces.get_mut(&name.namespace)?;
        let before = space.credentials.remove(name.name.as_str())?;
        space.rewire(&name.name, &before.interests, &Few::default());
        let visits = space.reclaim(name, &before, &Entry::default());
        if space.credentials.is_empty() {
            inner.spaces.remove(&name.namespace);
        }
        Some((before.uid.into(), visits))
    }

    /// All credentials of a namespace, or of all.
    pub fn credentials(&self, namespace: Option<&str>) -> HashSet<Name> {
        let inner = self.lock();
        let names = |(here, space): (&str, &Space)| {
            space.credentials.keys().map(|name| Name::new(here, name)).collect::<Vec<_>>()
        };
        inner.within(namespace).flat_map(names).collect()
    }

    /// The uids of all credentials.
    pub fn uids(&self) -> HashSet<String> {
        let inner = self.lock();
        inner.within(None).flat_map(|(_, space)| space.credentials.values()).map(|entry| (*entry.uid).into()).collect()
    }

    /// Notes whether changes of Secrets are seen, in a namespace or in all. Returns whether that is news.
    pub fn set_watched(&self, namespace: Option<&str>, watched: bool) -> bool {
        let namespace = namespace.map(str::to_owned);
        let mut inner = self.lock();
        if watched { inner.watched.insert(namespace) } else { inner.watched.remove(&namespace) }
    }

    /// Whether changes of this namespace's Secrets are seen.
    pub fn is_watched(&self, namespace: &str) -> bool {
        let inner = self.lock();
        inner.watched.contains(&None) || inner.watched.contains(&Some(namespace.to_owned()))
    }

    /// Takes note of what the watch says of a Secret. Returns whom to visit.
    pub fn saw(&self, name: &Name, owners: &[OwnerReference], sight: Sight) -> Vec<Name> {
        let mut inner = self.lock();
        let Some(space) = inner.spaces.get_mut(&name.namespace) else { return Vec::new() };
        space.adopt(&name.name, owners);
        let Some(interest) = space.secrets.get_mut(name.name.as_str()) else { return Vec::new() };
        if !interest.sight.is_overtaken_by(&sight) {
            return Vec::new();
        }
        interest.sight = sight;
        let Some(interest) = space.secrets.get(name.name.as_str()) else { return Vec::new() };
        let concerned =
            interest.credentials.iter().filter(|other| !space.is_nothing_to(other, &name.name, &interest.claims));
        let visits = concerned.map(|credential| Name::new(&name.namespace, credential)).collect();
        if interest.sight != Sight::Absent {
            space.disown(&name.name, owners);
        }
        visits
    }

    /// Takes note that a Secret is gone, if `still` holds of what is known of it: it may have been made anew since.
    /// Returns whom to visit.
    pub fn gone(&self, name: &Name, still: impl FnOnce(&Sight) -> bool) -> Vec<Name> {
        if still(&self.sight(name)) { self.saw(name, &[], Sight::Absent) } else { Vec::new() }
    }

    /// Secrets that are not known to be gone, in a namespace or in all: a fresh list without them says that they are.
    pub fn secrets(&self, namespace: Option<&str>) -> HashMap<Name, Sight> {
        let inner = self.lock();
        let known = inner.within(namespace).flat_map(|(here, space)| {
            let known = space.secrets.iter().filter(|(_, interest)| interest.sight != Sight::Absent);
            known.map(move |(name, interest)| (Name::new(here, name), interest.sight.clone()))
        });
        known.collect()
    }

    /// Takes note of what we wrote ourselves, so that its echo wakes nobody; unless another credential cares, too: one
    /// that waits for the name, or takes its key from there, must hear of it.
    pub fn wrote(&self, name: &Name, sight: Sight) {
        let mut inner = self.lock();
        let known = inner.secret(name).filter(|known| known.credentials.len() == 1);
        if let Some(interest) = known.filter(|known| known.sight.is_overtaken_by(&sight)) {
            interest.sight = sight;
        }
    }

    /// Takes note of what a read found, of a Secret of which the watch has said nothing yet: it was there before
    /// anybody cared. Whatever the watch says later wins.
    pub fn learn(&self, name: &Name, sight: Sight) {
        if let Some(interest) = self.lock().secret(name).filter(|known| known.sight == Sight::Unknown) {
            interest.sight = sight;
        }
    }

    /// What the watch last said of a Secret.
    pub fn sight(&self, name: &Name) -> Sight {
        self.lock().secret(name).map(|interest| interest.sight.clone()).unwrap_or_default()
    }

    /// Names of Secrets that a credential cares about: source, declared, published and owned ones.
    pub fn interests(&self, credential: &Name) -> BTreeSet<String> {
        let inner = self.lock();
        let entry = inner.spaces.get(&credential.namespace).and_then(|space| space.credentials.get(&*credential.name));
        entry.map(|entry| entry.interests.iter().map(str::to_owned).collect()).unwrap_or_default()
    }

    /// Whether the watch has seen that the credential controls this Secret.
    pub fn owns(&self, credential: &Name, secret: &str) -> bool {
        let inner = self.lock();
        let entry = inner.spaces.get(&credential.namespace).and_then(|space| space.credentials.get(&*credential.name));
        entry.is_some_and(|entry| entry.owned.contains(secret))
    }

    /// Whether another credential of the namespace declares an output of this name, which this one does not.
    pub fn is_declared_by_another(&self, credential: &Name, secret: &str) -> bool {
        let inner = self.lock();
        let known = inner.spaces.get(&credential.namespace).and_then(|space| space.secrets.get(secret));
        known.and_then(|secret| secret.claims.oldest()).is_some_and(|(_, oldest)| oldest != credential.name)
    }

    /// Output names of a credential that an older one of its namespace declares too.
    pub fn claimed(&self, credential: &Name) -> BTreeSet<String> {
        let inner = self.lock();
        let Some(space) = inner.spaces.get(&credential.namespace) else { return BTreeSet::new() };
        let Some(own) = space.credentials.get(&*credential.name) else { return BTreeSet::new() };
        let oldest = |output: &str| space.secrets.get(output).and_then(|secret| secret.claims.oldest());
        let taken = |output: &&str| oldest(output).is_some_and(|rival| rival < (own.created, &credential.name));
        own.outputs.iter().filter(taken).map(str::to_owned).collect()
    }
}

impl Inner {
    fn space(&mut self, namespace: &str) -> &mut Space {
        self.spaces.entry(namespace.to_owned()).or_default()
    }

    fn secret(&mut self, name: &Name) -> Option<&mut Interest> {
        self.spaces.get_mut(&name.namespace)?.secrets.get_mut(name.name.as_str())
    }

    fn within(&self, namespace: Option<&str>) -> impl Iterator<Item = (&str, &Space)> {
        let here = move |(name, _): &(&str, &Space)| namespace.is_none_or(|wanted| *name == wanted);
        self.spaces.iter().map(|(name, space)| (name.as_str(), space)).filter(here)
    }
}

impl Space {
    /// Puts what is known of a credential now in the place of what was. Returns whom to visit.
    fn replace(&mut self, name: Name, before: &Entry, entry: Entry) -> Vec<Name> {
        let changed = before.uid != entry.uid
            || before.generation != entry.generation
            || before.requests != entry.requests
            || before.deleting != entry.deleting;
        self.rewire(&name.name, &before.interests, &entry.interests);
        let mut visits = self.reclaim(&name, before, &entry);
        self.credentials.insert(name.name.as_str().into(), Box::new(entry));
        if changed {
            visits.push(name);
        }
        visits
    }

    fn rewire(&mut self, credential: &str, before: &Few, after: &Few) {
        for gone in before.without(after) {
            let Some(interest) = self.secrets.get_mut(gone) else { continue };
            interest.credentials.remove(credential);
            if interest.credentials.is_empty() {
                self.secrets.remove(gone);
            }
        }
        for new in after.without(before) {
            self.secrets.entry(new.into()).or_default().credentials.insert(credential);
        }
    }

    /// Moves the claims of a credential. Returns the others for which that changes something: of those that declare an
    /// output only whoever is the oldest has it.
    fn reclaim(&mut self, credential: &Name, before: &Entry, after: &Entry) -> Vec<Name> {
        let mut others = Few::default();
        let outputs: Few = before.claimed().iter().chain(after.claimed().iter()).collect();
        for output in outputs.iter() {
            let Some(Interest { claims, .. }) = self.secrets.get_mut(output) else { continue };
            let had = claims.oldest().map(|(_, name)| name.to_owned());
            claims.withdraw((before.created, &credential.name));
            if after.claimed().contains(output) {
                claims.make((after.created, &credential.name));
            }
            let has = claims.oldest().map(|(_, name)| name);
            if had.as_deref() != has {
                had.as_deref().into_iter().chain(has).for_each(|name| others.insert(name));
            }
        }
        others.remove(&credential.name);
        others.iter().map(|other| Name::new(&credential.namespace, other)).collect()
    }

    /// Whether a change of this Secret is nothing to a credential: an older one declares it, and it is not its own.
    fn is_nothing_to(&self, credential: &str, secret: &str, claims: &Claims) -> bool {
        let Some(entry) = self.credentials.get(credential) else { return false };
        let waits = entry.outputs.contains(secret) && claims.oldest().is_some_and(|(_, oldest)| oldest != credential);
        waits && !entry.declares_source && !entry.owned.contains(secret)
    }

    /// A Secret that a credential controls is its business, declared or not.
    fn adopt(&mut self, secret: &str, owners: &[OwnerReference]) {
        let Some(owner) = owner_in(owners) else { return };
        if let Some(entry) = self.credentials.get_mut(&*owner.name).filter(|entry| *entry.uid == *owner.uid) {
            entry.owned.insert(secret);
            entry.interests.insert(secret);
            self.secrets.entry(secret.into()).or_default().credentials.insert(&owner.name);
        }
    }

    /// Whoever controlled a Secret that stands, and does not any more, owns another's no longer.
    fn disown(&mut self, secret: &str, owners: &[OwnerReference]) {
        let owner = owner_in(owners).map(|owner| owner.uid.as_str());
        let Some(interest) = self.secrets.get(secret) else { return };
        for credential in interest.credentials.iter() {
            let entry = self.credentials.get_mut(credential);
            if let Some(entry) = entry.filter(|entry| owner != Some(&*entry.uid)) {
                entry.owned.remove(secret);
            }
        }
    }
}

/// The credential that controls a Secret.
fn owner_in(owners: &[OwnerReference]) -> Option<&OwnerReference> {
    owners.iter().find(|owner| owner.controller == Some(true) && owner.api_version.starts_with(GROUP))
}

fn entry(object: &ConnectorCredential) -> Entry {
    let meta = &object.metadata;
    let declared = declared_outputs(object);
    let outputs: Few = declared.iter().map(|output| output.secret_name.as_str()).collect();
    let published = object.status.iter().flat_map(|status| status.outputs.iter().map(|output| &*output.secret_name));
    let source = object.spec.key_secret_ref.name.as_str();
    let interests = outputs.iter().chain(published).chain([source]).collect();
    Entry {
        uid: meta.uid.as_deref().unwrap_or_default().into(),
        generation: meta.generation,
        requests: requests(object),
        deleting: meta.deletion_timestamp.is_some(),
        created: meta.creation_timestamp.as_ref().map_or(0, |time| time.0.as_second()),
        declares_source: outputs.contains(source),
        outputs,
        owned: Few::default(),
        interests,
    }
}
