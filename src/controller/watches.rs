//! Who has to be looked at? A task a watch, each with its own backoff. They say "look again", never why.

use super::index::Index;
use super::name::{Name, Sight};
use super::slim::SecretMeta;
use super::wire::Delivered;
use super::{Guarded, Memory, Objects, Pulse, WorkQueue};
use crate::args::SecretWatch;
use crate::error::{Class, Failure};
use futures::{Stream, StreamExt};
use k8s_openapi::NamespaceResourceScope;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, Resource};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

#[cfg(test)]
mod tests;

/// The server ends a watch after so long; a dead peer shows a few seconds later.
const WATCH_SECONDS: u32 = 55;
/// Objects of a list that come at a time: each credential may take a mebibyte and a half on its way, ...
const CREDENTIALS: u32 = 25;
/// ... and the metadata of a Secret a quarter of one, in annotations.
const SECRETS: u32 = 100;
/// How often a watch shows that it moves.
const BEAT: Duration = Duration::from_secs(20);
/// Half of the first wait after a failure, ...
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// ... and the longest.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// A watch starts anew after so long, because after a gap deletions are never delivered.
const RENEWAL: Duration = Duration::from_secs(3600);

/// Lets names through to the queue once this process leads.
#[derive(Clone)]
pub struct Gate {
    queue: Arc<WorkQueue>,
    open: Arc<AtomicBool>,
}

impl Gate {
    /// A closed gate before this queue.
    #[must_use]
    pub fn before(queue: &Arc<WorkQueue>) -> Self {
        Self { queue: Arc::clone(queue), open: Arc::default() }
    }

    fn visit(&self, names: Vec<Name>) {
        if self.open.load(Ordering::Acquire) && !names.is_empty() {
            self.queue.ask(names);
        }
    }

    /// Opens, then lets through everybody who is known: whoever is noted meanwhile comes through by itself.
    pub fn open(&self, everybody: impl FnOnce() -> HashSet<Name>) {
        self.open.store(true, Ordering::Release);
        self.queue.ask(everybody());
    }
}

/// What the watches of one namespace, or of all, need.
#[derive(Clone)]
pub struct Watches {
    /// Lists and watches.
    pub client: Client,
    /// `None`: all namespaces.
    pub namespace: Option<String>,
    /// Where versions are noted.
    pub index: Arc<Index>,
    /// Where names go.
    pub gate: Gate,
    /// Where it is shown that the watches move.
    pub pulse: Arc<Pulse>,
    /// What is known already.
    pub known: Known,
    /// Where credentials are kept.
    pub objects: Arc<Objects>,
    /// What is forgotten with a credential.
    pub memory: Arc<Memory>,
}

/// Cancelled once it is so.
#[derive(Debug, Clone, Default)]
pub struct Known {
    credentials: CancellationToken,
    secrets: CancellationToken,
}

impl Known {
    /// Waits until all credentials are known, and the versions of their Secrets where those are watched.
    pub async fn wait(&self, secret_watch: SecretWatch) {
        self.credentials.cancelled().await;
        if secret_watch == SecretWatch::Metadata {
            self.secrets.cancelled().await;
        }
    }
}

impl Watches {
    fn api<K: Resource<DynamicType = (), Scope = NamespaceResourceScope>>(&self) -> Api<K> {
        match &self.namespace {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        }
    }

    fn loop_name(&self, resource: &str) -> String {
        format!("{resource}/{}", self.namespace.as_deref().unwrap_or("*"))
    }

    /// Watches credentials, and fills the store. Never ends.
    pub async fn credentials(self) {
        let name = self.loop_name("credentials");
        self.pulse.beat(&name);
        let (mut listed, mut patience) = (HashSet::new(), Patience::default());
        loop {
            let stream = watcher::watcher(self.api::<Delivered>(), config(CREDENTIALS));
            let mut stream = std::pin::pin!(stream.take_until(renewal(&name)));
            while let Some(event) = self.next((&name, "connectorcredentials"), &mut patience, &mut stream).await {
                let done = matches!(event, Event::InitDone);
                let visits = self.note(event, &mut listed);
                if done {
                    self.known.credentials.cancel();
                    self.pulse.synced(&name);
                }
                self.gate.visit(visits);
            }
        }
    }

    /// What is kept is up to date before anybody is told.
    fn note(&self, event: Event<Delivered>, listed: &mut HashSet<Name>) -> Vec<Name> {
        match event {
            Event::Init => {
                listed.clear();
                Vec::new()
            }
            Event::InitApply(Delivered(object)) => {
                listed.insert(Name::of(object.meta()));
                self.keep(object)
            }
            Event::Apply(Delivered(object)) => self.keep(object),
            Event::Delete(object) => self.forget(&Name::of(object.meta())),
            Event::InitDone => {
                let listed = std::mem::take(listed);
                let known = self.index.credentials(self.namespace.as_deref());
                let visits = known.difference(&listed).flat_map(|name| self.forget(name)).collect();
                self.memory.keep_only(&self.index.uids());
                visits
            }
        }
    }

    fn keep(&self, object: Guarded) -> Vec<Name> {
        let (uid, version) = (object.meta().uid.clone(), object.meta().resource_version.clone());
        let visits = match &object.0 {
            Ok(object) => self.index.note(object),
            Err(invalid) => self.index.note_malformed(&invalid.metadata),
        };
        self.objects.put(object);
        // Only now: what was written last is the better of the two until then.
        self.memory.delivered(uid.as_deref().unwrap_or_default(), version.as_deref().unwrap_or_default());
        visits
    }

    fn forget(&self, name: &Name) -> Vec<Name> {
        self.objects.remove(name);
        let Some((uid, visits)) = self.index.forget(name) else { return Vec::new() };
        self.memory.forget(&uid);
        visits
    }

    /// Watches the metadata of Secrets, once all credentials are known: only then is it clear whose business each is.
    /// Never ends.
    pub async fn secrets(self) {
        let name = self.loop_name("secrets");
        self.pulse.beat(&name);
        while tokio::time::timeout(BEAT, self.known.credentials.cancelled()).await.is_err() {
            self.pulse.beat(&name);
        }
        let (mut listed, mut patience) = (HashMap::new(), Patience::default());
        loop {
            let stream = watcher::watcher(self.api::<SecretMeta>(), config(SECRETS));
            let mut stream = std::pin::pin!(stream.take_until(renewal(&name)));
            while let Some(event) = self.next((&name, "secrets"), &mut patience, &mut stream).await {
                let visits = self.saw(event, &mut listed, &name);
                self.gate.visit(visits);
            }
        }
    }

    fn saw(&self, event: Event<SecretMeta>, listed: &mut HashMap<Name, Sight>, name: &str) -> Vec<Name> {
        match event {
            Event::Init => {
                *listed = self.index.secrets(self.namespace.as_deref());
                Vec::new()
            }
            Event::InitApply(secret) | Event::Apply(secret) => {
                let secret = secret.meta();
                listed.remove(&Name::of(secret));
                let owners = secret.owner_references.as_deref().unwrap_or_default();
                self.index.saw(&Name::of(secret), owners, Sight::of(secret))
            }
            Event::Delete(secret) => {
                let deleted = secret.meta().uid.clone().unwrap_or_default();
                let still = |known: &Sight| !matches!(known, Sight::Present { uid, .. } if *uid != deleted);
                self.index.gone(&Name::of(secret.meta()), still)
            }
            Event::InitDone => {
                self.pulse.synced(name);
                let visits = std::mem::take(listed)
                    .into_iter()
                    .flat_map(|(gone, then)| self.index.gone(&gone, |now| *now == then))
                    .collect();
                self.index.set_watched(self.namespace.as_deref(), true);
                self.known.secrets.cancel();
                visits
            }
        }
    }

    /// Without the right to watch Secrets they are read again every few minutes: nobody waits for the list, and
    /// whoever sleeps until the next check is told.
    fn forbidden(&self, resource: &str) {
        if resource == "secrets" {
            if self.index.set_watched(self.namespace.as_deref(), false) {
                self.gate.visit(self.index.credentials(self.namespace.as_deref()).into_iter().collect());
            }
            self.known.secrets.cancel();
        }
    }

    /// The next event. Failures are logged, and the stream goes on after a while; a right that is missing counts
    /// as synced, so that the others do not wait for it.
    async fn next<K>(
        &self,
        (name, resource): (&str, &'static str),
        patience: &mut Patience,
        stream: &mut (impl Stream<Item = watcher::Result<Event<K>>> + Unpin),
    ) -> Option<Event<K>> {
        loop {
            match tokio::time::timeout(BEAT, stream.next()).await {
                Err(_) => {
                    self.pulse.beat(name);
                    // A watch that goes on is silent where nothing changes.
                    *patience = Patience::default();
                }
                Ok(None) => return None,
                Ok(Some(Ok(event))) => {
                    self.pulse.beat(name);
                    patience.heard(&event);
                    return Some(event);
                }
                Ok(Some(Err(error))) => {
                    self.pulse.beat(name);
                    let failure = Failure::watch(resource, &error);
                    tracing::warn!(%failure, scope = name, "watch interrupted");
                    if failure.class() == Class::Forbidden {
                        self.pulse.synced(name);
                        self.forbidden(resource);
                    }
                    let _elapsed = tokio::time::timeout(patience.failed(name), std::future::pending::<()>()).await;
                }
            }
        }
    }
}

/// How often a watch failed in a row. The library's own backoff starts anew with each list that begins, so that lists
/// that fail would follow each other within a second or so.
#[derive(Debug, Default)]
struct Patience(u32);

impl Patience {
    /// How long to wait now.
    fn failed(&mut self, name: &str) -> Duration {
        self.0 = self.0.saturating_add(1);
        let range = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(self.0.min(10))).min(LONGEST_WAIT);
        let half = range.mul_f64(0.5);
        half.saturating_add(crate::policy::jittered(half, name, &self.0.to_string()))
    }

    /// A list that has begun, or goes on, has not succeeded yet.
    fn heard<K>(&mut self, event: &Event<K>) {
        if matches!(event, Event::InitDone | Event::Apply(_) | Event::Delete(_)) {
            self.0 = 0;
        }
    }
}

fn config(page: u32) -> watcher::Config {
    watcher::Config::default().timeout(WATCH_SECONDS).page_size(page)
}

/// Ends a stream after an hour or so; each at another time.
async fn renewal(name: &str) {
    let spread = crate::policy::jittered(RENEWAL.mul_f64(0.2), name, "renewal");
    let _elapsed = tokio::time::timeout(RENEWAL.saturating_add(spread), std::future::pending::<()>()).await;
}
