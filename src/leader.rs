//! Which replica works? The one that holds the Lease `connector-operator`.
//!
//! A holder stops when it could not renew for 10 s, counted from before the last renewal was sent; others follow after
//! 15 s. Needs the verbs get, create and update on leases, nothing else, and a client of its own.

mod election;

pub use election::Timing;

use crate::clock::Clock;
use crate::error::{Class, Failure, Verb};
use election::{Election, Moment, Move};
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::PostParams;
use kube::{Api, Client};
use ring::rand::{SecureRandom, SystemRandom};
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The name of the Lease.
pub const LEASE: &str = "connector-operator";

const RESOURCE: &str = "leases";
/// To give the Lease back at the end.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(3);

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

/// Whether this process still leads; to be asked before each write and each call that must not happen twice.
#[derive(Clone)]
pub struct Fence {
    clock: Arc<dyn Clock>,
    /// Milliseconds of monotonic time.
    until: Arc<AtomicU64>,
    lost: CancellationToken,
    candidate: Option<Arc<Candidate>>,
}

impl Candidate {
    /// A candidate for the Lease in this namespace, with a name that no other process has.
    #[must_use]
    pub fn new(client: Client, namespace: &str, clock: Arc<dyn Clock>) -> Self {
        Self { api: Api::namespaced(client, namespace), clock, identity: identity(), timing: Timing::default() }
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
    let fence = Fence {
        clock: Arc::clone(&candidate.clock),
        until: Arc::default(),
        lost: CancellationToken::new(),
        candidate: Some(Arc::clone(&candidate)),
    };
    fence.extend(asked.saturating_add(candidate.timing.renew_deadline));
    let stop = CancellationToken::new();
    let renewing = tokio::spawn(renew(candidate, lease, fence.clone(), stop.clone()));
    Leadership { fence, stop, renewing }
}

/// Renews until the Lease is lost or given back.
async fn renew(candidate: Arc<Candidate>, mut held: Lease, fence: Fence, stop: CancellationToken) {
    let _ends = fence.lost.clone().drop_guard();
    let election = candidate.election();
    loop {
        let pause = candidate.timing.retry.min(fence.left());
        if rest(pause, &stop).await == Rest::Stopped {
            return release(&candidate, &election, &held).await;
        }
        let asked = candidate.now();
        let left = fence.left();
        if left.is_zero() {
            return tracing::error!(reason = "not renewed in time", "leadership lost");
        }
        let renewal = tokio::select! {
            () = stop.cancelled() => return release(&candidate, &election, &held).await,
            renewal = tokio::time::timeout(left, once(&candidate, &election, &held, asked)) => renewal,
        };
        match renewal {
            Ok(Ok(Renewal::Kept(lease))) => {
                held = lease;
                fence.extend(asked.monotonic.saturating_add(candidate.timing.renew_deadline));
            }
            Ok(Ok(Renewal::Taken)) => {
                return tracing::error!(reason = "the Lease is not ours any more", "leadership lost");
            }
            Ok(Err(failure)) => tracing::warn!(%failure, "cannot renew leadership"),
            Err(_) => tracing::warn!(failure = "no answer in time", "cannot renew leadership"),
        }
    }
}

enum Renewal {
    Kept(Lease),
    /// Somebody else holds it, or it was deleted: others may work.
    Taken,
}

/// One renewal. After a conflict, one more over what is there, if it still names us.
async fn once(candidate: &Candidate, election: &Election, held: &Lease, at: Moment) -> Result<Renewal, Failure> {
    match candidate.replace(&election.renewed(held, at)).await {
        Ok(lease) => return Ok(Renewal::Kept(lease)),
        Err(failure) if is_lost_race(failure.class()) => {}
        Err(failure) => return Err(failure),
    }
    match candidate.read().await? {
        Some(lease) if election.is_ours(&lease) && lease.metadata.uid == held.metadata.uid => {
            candidate.replace(&election.renewed(&lease, at)).await.map(Renewal::Kept)
        }
        Some(_) | None => Ok(Renewal::Taken),
    }
}

/// Clears the holder, so that another need not wait. Best effort.
async fn release(candidate: &Candidate, election: &Election, held: &Lease) {
    let clear = async {
        match candidate.replace(&election.released(held, candidate.now())).await {
            Err(failure) if failure.class() == Class::Conflict => match candidate.read().await? {
                Some(lease) if election.is_ours(&lease) => {
                    candidate.replace(&election.released(&lease, candidate.now())).await.map(|_| ())
                }
                Some(_) | None => Ok(()),
            },
            other => other.map(|_| ()),
        }
    };
    let timed = tokio::time::timeout(RELEASE_TIMEOUT, clear).await;
    match timed.unwrap_or(Err(Failure::timeout(Verb::Update, RESOURCE))) {
        Ok(()) => tracing::info!("leadership released"),
        Err(failure) => tracing::warn!(%failure, "cannot release leadership"),
    }
}

impl Leadership {
    /// Whether the Lease is still held; cheap to clone and ask.
    #[must_use]
    pub fn fence(&self) -> Fence {
        self.fence.clone()
    }

    /// Resolves when the Lease is lost. Work must stop at once, and the process end within five seconds.
    pub async fn lost(&self) {
        self.fence.lost.cancelled().await;
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

impl Fence {
    /// A fence that always holds: there is no election.
    #[must_use]
    pub fn open(clock: Arc<dyn Clock>) -> Self {
        let until = Arc::new(AtomicU64::new(u64::MAX));
        Self { clock, until, lost: CancellationToken::new(), candidate: None }
    }

    /// Whether the Lease is held by our own clock, which runs on while the process is stopped. No I/O.
    #[must_use]
    pub fn holds(&self) -> bool {
        !self.lost.is_cancelled() && !self.left().is_zero()
    }

    /// Whether the Lease itself still names us: for what must not happen twice even if the host slept. An absent API
    /// server means no. Finds a theft before the next renewal does.
    pub async fn confirm(&self) -> bool {
        let Some(candidate) = &self.candidate else { return true };
        if !self.holds() {
            return false;
        }
        let Ok(found) = candidate.read().await else { return false };
        if !found.is_some_and(|lease| candidate.election().is_ours(&lease)) {
            self.lost.cancel();
        }
        self.holds()
    }

    /// Resolves when the Lease is lost.
    pub async fn lost(&self) {
        self.lost.cancelled().await;
    }

    fn left(&self) -> Duration {
        let until = Duration::from_millis(self.until.load(Ordering::Acquire));
        until.saturating_sub(self.clock.monotonic())
    }

    fn extend(&self, until: Duration) {
        self.until.store(u64::try_from(until.as_millis()).unwrap_or(u64::MAX), Ordering::Release);
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

/// The host's name, which is the Pod's, and 64 random bits.
fn identity() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = Some(host.trim()).filter(|host| !host.is_empty()).unwrap_or(LEASE);
    format!("{host}_{}", Random::draw())
}

struct Random([u8; 8]);

impl Random {
    fn draw() -> Self {
        let mut bytes = [0; 8];
        if SystemRandom::new().fill(&mut bytes).is_err() {
            // The process id tells replicas on one host apart, the host's name others.
            bytes = u64::from(std::process::id()).to_be_bytes();
        }
        Self(bytes)
    }
}

impl fmt::Display for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
