//! Which replica works? The one that holds the Lease `connector-operator`.
//!
//! A holder stops when it could not renew for 10 s, counted from before the last renewal was sent; others follow after
//! 15 s. Needs the verbs get, create and update on leases, nothing else, and a client of its own.

mod election;
mod fence;
mod identity;
mod renewal;

pub use election::Timing;
pub use fence::Fence;

use crate::clock::Clock;
use crate::error::{Class, Failure, Verb};
use election::{Election, Moment, Move};
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::PostParams;
use kube::{Api, Client};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The name of the Lease.
pub const LEASE: &str = "connector-operator";

const RESOURCE: &str = "leases";

/// Who wants to hold the Lease.
#[derive(Clone)]
pub struct Candidate {
    api: Api<Lease>,
    clock: Arc<dyn Clock>,
    identity: String,
    timing: Timing,
}

/// The Lease is held, as long as [`Leadership::fence`] says so. Dropped without [`Leadership::release`], it is renewed
/// no more, and others wait until it has expired.
pub struct Leadership {
    fence: Fence,
    stop: CancellationToken,
    renewing: JoinHandle<()>,
}

impl Candidate {
    /// A candidate for the Lease in this namespace, with a name that no other process has.
    #[must_use]
    pub fn new(client: Client, namespace: &str, clock: Arc<dyn Clock>) -> Self {
        Self { api: Api::namespaced(client, namespace), clock, identity: identity::draw(), timing: Timing::default() }
    }

    /// The same with other times; for tests.
    #[must_use]
    pub fn with_timing(mut self, timing: Timing) -> Self {
        self.timing = timing;
        self
    }

    /// The name in the Lease.
    #[must_use]
    pub fn identity(&self) -> &str {
        &self.identity
    }

    fn now(&self) -> Moment {
        Moment { monotonic: self.clock.monotonic(), wall: self.clock.now() }
    }

    fn election(&self) -> Election {
        Election::new(LEASE, &self.identity, self.timing)
    }

    async fn read(&self) -> Result<Option<Lease>, Failure> {
        let read = self.bounded(Verb::Get, self.api.get_opt(LEASE)).await;
        match read {
            Err(failure) if failure.class() == Class::NotFound => Ok(None),
            other => other,
        }
    }

    async fn create(&self, lease: &Lease) -> Result<Lease, Failure> {
        self.bounded(Verb::Create, self.api.create(&PostParams::default(), lease)).await
    }

    /// Guarded by the resource version in `lease`.
    async fn replace(&self, lease: &Lease) -> Result<Lease, Failure> {
        self.bounded(Verb::Update, self.api.replace(LEASE, &PostParams::default(), lease)).await
    }

    /// No call outlasts a holder's time.
    async fn bounded<T>(&self, verb: Verb, call: impl Future<Output = kube::Result<T>>) -> Result<T, Failure> {
        match tokio::time::timeout(self.timing.renew_deadline, call).await {
            Ok(answer) => answer.map_err(|error| Failure::new(verb, RESOURCE, &error)),
            Err(_) => Err(Failure::timeout(verb, RESOURCE)),
        }
    }
}

/// Waits until the Lease is ours, then renews it in the background. `None`: `stop` came first. What the API server
/// refuses is logged and tried again: readiness does not wait for leadership.
pub async fn acquire(candidate: Candidate, stop: &CancellationToken) -> Option<Leadership> {
    let mut election = candidate.election();
    let mut told = Told::default();
    tracing::info!(identity = candidate.identity, "waiting for leadership");
    loop {
        let asked = candidate.now();
        let attempt = tokio::select! {
            () = stop.cancelled() => return None,
            attempt = attempt(&candidate, &mut election) => attempt,
        };
        match attempt {
            Ok(Some(lease)) => return Some(begin(candidate, lease, asked.monotonic)),
            Ok(None) => told.holder(election.holder()),
            Err(failure) => told.failure(failure),
        }
        if rest(candidate.timing.retry, stop).await == Rest::Stopped {
            return None;
        }
    }
}

/// One look, and one write if the seat is free. `None`: somebody else has it, or was faster.
async fn attempt(candidate: &Candidate, election: &mut Election) -> Result<Option<Lease>, Failure> {
    let found = candidate.read().await?;
    let written = match election.look(found.as_ref(), candidate.now()) {
        Move::Wait => return Ok(None),
        Move::Create(lease) => candidate.create(&lease).await,
        Move::Replace(lease) => candidate.replace(&lease).await,
    };
    match written {
        Ok(lease) => Ok(Some(lease)),
        Err(failure) if is_lost_race(failure.class()) => Ok(None),
        Err(failure) => Err(failure),
    }
}

fn is_lost_race(class: Class) -> bool {
    matches!(class, Class::Conflict | Class::AlreadyExists | Class::NotFound)
}

fn begin(candidate: Candidate, lease: Lease, asked: Duration) -> Leadership {
    tracing::info!(identity = candidate.identity, "leading");
    let candidate = Arc::new(candidate);
    let fence = Fence::new(&candidate);
    fence.extend(asked.saturating_add(candidate.timing.renew_deadline));
    let stop = CancellationToken::new();
    let renewing = tokio::spawn(renewal::renew(candidate, lease, fence.clone(), stop.clone()));
    Leadership { fence, stop, renewing }
}

impl Leadership {
    /// Whether the Lease is still held; cheap to clone and ask.
    #[must_use]
    pub fn fence(&self) -> Fence {
        self.fence.clone()
    }

    /// Resolves when the Lease is lost. Work must stop at once, and the process end within five seconds.
    pub async fn lost(&self) {
        self.fence.lost().await;
    }

    /// Gives the Lease back. To be called when all work has stopped. Takes at most three seconds.
    pub async fn release(mut self) {
        self.stop.cancel();
        if (&mut self.renewing).await.is_err() {
            tracing::error!("the renewal of leadership panicked");
        }
    }
}

impl Drop for Leadership {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

#[derive(PartialEq, Eq)]
enum Rest {
    Over,
    Stopped,
}

/// Waits, unless stopped.
async fn rest(time: Duration, stop: &CancellationToken) -> Rest {
    tokio::time::timeout(time, stop.cancelled()).await.map_or(Rest::Over, |()| Rest::Stopped)
}

/// What a candidate has logged last: each thing once.
#[derive(Default)]
struct Told {
    holder: Option<String>,
    failure: Option<Failure>,
}

impl Told {
    fn holder(&mut self, holder: Option<&str>) {
        self.failure = None;
        if self.holder.as_deref() != holder {
            self.holder = holder.map(str::to_owned);
            tracing::info!(holder, "another replica leads");
        }
    }

    fn failure(&mut self, failure: Failure) {
        if self.failure.replace(failure) != Some(failure) {
            tracing::warn!(%failure, "cannot become the leader");
        }
    }
}
