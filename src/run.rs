//! Puts the parts together: clients, watches, Lease, controller, admin, shutdown. No decisions here.

use crate::admin::{Admin, Listening, listen};
use crate::args::{SecretWatch, Settings};
use crate::clock::{Clock, SystemClock};
use crate::controller::{
    Context, Gate, Index, Known, Memory, Objects, Pulse, StoreSeries, Watches, WorkQueue, queue, send, watch_clock,
    work,
};
use crate::leader::{Candidate, Fence, Leadership, acquire};
use crate::metrics::Metrics;
use crate::probe::{Limits, Prober};
use crate::{config, kubernetes, telemetry};
use jiff::Timestamp;
use kube::Client;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Visits that are under way at shutdown may take so long.
const DRAIN: Duration = Duration::from_secs(20);
/// Events that were told are sent within what is left of it, but so long at the least.
const TOLD: Duration = Duration::from_secs(3);
/// And, as others wait for the Lease, so long at the most.
const TOLD_AT_MOST: Duration = Duration::from_secs(8);
/// What is under way when the Lease is lost may take so long: ten seconds of it are over, and others wait for fifteen.
const LOST: Duration = Duration::from_secs(3);

/// What is still running when all is over is dropped in so long; a name that is being resolved takes half a minute.
const LEFT: Duration = Duration::from_millis(250);

/// Why the operator cannot start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration file cannot be read.
    #[error("cannot read --config {}: {}", .0.display(), crate::error::refused_by_system(*.1))]
    ReadConfig(PathBuf, std::io::ErrorKind),
    /// The configuration is refused.
    #[error("--config {0}: {1}")]
    Config(PathBuf, #[source] config::Refused),
    /// The API server cannot be addressed.
    #[error(transparent)]
    Kubernetes(#[from] kubernetes::Error),
    /// Providers cannot be called.
    #[error(transparent)]
    Prober(#[from] crate::probe::Unprepared),
    /// Probes and metrics cannot be served.
    #[error(transparent)]
    Admin(#[from] crate::admin::Error),
    /// The system has no randomness or no signals.
    #[error("the system refuses {0}")]
    System(&'static str),
    /// A task that must never end has ended.
    #[error("a part of the operator ended, so the process cannot go on")]
    TaskEnded,
    /// Somebody else leads now.
    #[error("leadership was lost")]
    LeadershipLost,
}

/// Runs the operator until it is told to stop.
///
/// # Errors
/// [`Error`], in words for the administrator.
pub async fn run(settings: Settings) -> Result<(), Error> {
    // First of all: as process 1 a signal without a handler is lost.
    let stop = CancellationToken::new();
    listen_for_signals(&stop)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let sites = Arc::new(read_config(settings.config.as_deref())?);
    let metrics = Arc::new(Metrics::new(Arc::clone(&clock), settings.concurrency));
    let limits = Limits::for_concurrency(settings.concurrency.into());
    let prober = Prober::new(Arc::clone(&sites), Arc::clone(&clock), limits)?;
    let cluster = kubernetes::config(settings.kubeconfig.as_deref(), settings.context.as_deref()).await?;
    announce(&settings, &kubernetes::address(&cluster));
    // Three clients: a crowd of requests costs neither the watches nor the Lease their connection.
    let [work, watch, lease] = [(); 3].map(|()| kubernetes::client(cluster.clone(), &metrics));
    let pulse = Arc::new(Pulse::new(Arc::clone(&clock)));
    let health: Arc<dyn crate::admin::Health> = pulse.clone();
    let admin = listen(Admin {
        health_address: settings.health_address,
        metrics_address: settings.metrics_address,
        health,
        metrics: Arc::clone(&metrics),
    })
    .await?;
    let memory = Arc::new(Memory::new().map_err(|_| Error::System("random numbers"))?);
    let (index, objects, tasks) = (Arc::default(), Arc::default(), JoinSet::new());
    let queue = Arc::new(WorkQueue::new(Arc::clone(&clock), Arc::clone(&metrics)));
    let mut parts = Parts { settings, clock, metrics, pulse, index, memory, objects, queue, stop, tasks };
    let closing = parts.serve(admin);
    let scopes = parts.watch(&watch?);
    let outcome = parts.lead((work?, lease?), (sites, prober), scopes).await;
    // Probes are answered until now.
    closing.cancel();
    outcome
}

fn read_config(path: Option<&Path>) -> Result<config::Settings, Error> {
    let Some(path) = path else { return Ok(config::Settings::default()) };
    let text = std::fs::read_to_string(path).map_err(|error| Error::ReadConfig(path.to_owned(), error.kind()))?;
    config::Settings::parse(&text).map_err(|refused| Error::Config(path.to_owned(), refused))
}

/// What an administrator looks for first: which version, where, over what.
fn announce(settings: &Settings, server: &str) {
    let namespaces: Vec<_> = settings.namespaces.iter().map(String::as_str).collect();
    let namespaces = if namespaces.is_empty() { "all".to_owned() } else { namespaces.join(",") };
    let secret_watch = match settings.secret_watch {
        SecretWatch::Metadata => "metadata",
        SecretWatch::None => "none",
    };
    let (version, leader_elect) = (env!("CARGO_PKG_VERSION"), settings.leader_elect);
    tracing::info!(version, server, namespaces, leader_elect, secret_watch, "starting");
}

fn listen_for_signals(stop: &CancellationToken) -> Result<(), Error> {
    let mut terminate = signal(SignalKind::terminate()).map_err(|_| Error::System("signal handlers"))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|_| Error::System("signal handlers"))?;
    let stop = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        stop.cancel();
    });
    Ok(())
}

/// A watched namespace, or all, and its gate.
struct Scope {
    namespace: Option<String>,
    gate: Gate,
    known: Known,
}

/// What the parts of the process share.
struct Parts {
    settings: Settings,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    pulse: Arc<Pulse>,
    index: Arc<Index>,
    memory: Arc<Memory>,
    objects: Arc<Objects>,
    queue: Arc<WorkQueue>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Parts {
    /// Serves probes and metrics until the token is cancelled; a listener that breaks ends the process.
    fn serve(&mut self, admin: Listening) -> CancellationToken {
        let closing = CancellationToken::new();
        let served = admin.serve(closing.clone());
        self.tasks.spawn(async move {
            if let Err(error) = served.await {
                tracing::error!(%error, "probes are not served any more");
            }
        });
        closing
    }

    /// Starts the watches; they fill the caches of a standby too.
    fn watch(&mut self, client: &Client) -> Vec<Scope> {
        let named = self.settings.namespaces.iter().cloned().map(Some).collect();
        let namespaces: Vec<_> = if self.settings.namespaces.is_empty() { vec![None] } else { named };
        namespaces.into_iter().map(|namespace| self.watch_scope(client, namespace)).collect()
    }

    fn watch_scope(&mut self, client: &Client, namespace: Option<String>) -> Scope {
        let gate = Gate::before(&self.queue);
        let known = Known::default();
        let watches = Watches {
            client: client.clone(),
            namespace: namespace.clone(),
            index: Arc::clone(&self.index),
            gate: gate.clone(),
            pulse: Arc::clone(&self.pulse),
            known: known.clone(),
            memory: Arc::clone(&self.memory),
            objects: Arc::clone(&self.objects),
        };
        if self.settings.secret_watch == SecretWatch::Metadata {
            self.tasks.spawn(watches.clone().secrets());
        }
        self.tasks.spawn(watches.credentials());
        Scope { namespace, gate, known }
    }

    /// Waits for the Lease, works, and gives it back.
    async fn lead(
        &mut self,
        (client, lease): (Client, Client),
        (sites, prober): (Arc<config::Settings>, Prober),
        scopes: Vec<Scope>,
    ) -> Result<(), Error> {
        let Some((leadership, instance)) = self.elected(lease).await? else { return Ok(()) };
        let fence = leadership.as_ref().map_or_else(|| Fence::open(Arc::clone(&self.clock)), Leadership::fence);
        let (teller, tidings) = queue();
        let mut events = tokio::spawn(send(client.clone(), tidings, Arc::clone(&self.clock), instance));
        let ctx = Arc::new(Context {
            client,
            index: Arc::clone(&self.index),
            memory: Arc::clone(&self.memory),
            sites,
            prober,
            clock: Arc::clone(&self.clock),
            events: teller,
            metrics: Arc::clone(&self.metrics),
            fence: fence.clone(),
            leading_since: self.clock.now(),
            secret_watch: self.settings.secret_watch,
            concurrency: self.settings.concurrency,
        });
        self.metrics.lead(true);
        self.expose(ctx.leading_since);
        let (ended, over) = self.work(ctx, scopes, &fence).await;
        self.metrics.lead(false);
        // Events that were told are sent before the Lease is given back; after it was lost they are another's to tell.
        if fence.holds() {
            let left = over.saturating_sub(self.clock.monotonic()).clamp(TOLD, TOLD_AT_MOST);
            tokio::select! {
                sent = tokio::time::timeout(left, &mut events) => if sent.is_err() {
                    tracing::warn!("events that were not sent yet are given up");
                },
                () = fence.lost() => {}
            }
        }
        events.abort();
        if let Some(leadership) = leadership {
            leadership.release().await;
        }
        ended
    }

    /// Waits for the Lease. `None`: told to stop before.
    async fn elected(&mut self, client: Client) -> Result<Option<(Option<Leadership>, String)>, Error> {
        let candidate = Candidate::new(client, &self.settings.lease_namespace, Arc::clone(&self.clock));
        let identity = candidate.identity().to_owned();
        if !self.settings.leader_elect {
            return Ok(Some((None, identity)));
        }
        tokio::select! {
            biased;
            leadership = acquire(candidate, &self.stop) => Ok(leadership.map(|leadership| (Some(leadership), identity))),
            _ = self.tasks.join_next() => Err(Error::TaskEnded),
        }
    }

    fn expose(&self, leading_since: Timestamp) {
        let objects = Arc::clone(&self.objects);
        self.metrics.observe(Arc::new(StoreSeries { objects, clock: Arc::clone(&self.clock), leading_since }));
    }

    /// Works until told to stop, until a watch ends, or until the Lease is lost. Also says until when the end may last, as
    /// monotonic time.
    async fn work(&mut self, ctx: Arc<Context>, scopes: Vec<Scope>, fence: &Fence) -> (Result<(), Error>, Duration) {
        let ending = CancellationToken::new();
        let ends = (Arc::clone(&self.pulse), ending.clone());
        let mut working = JoinSet::new();
        working.spawn(work(ctx, (Arc::clone(&self.queue), Arc::clone(&self.objects)), ends));
        for scope in scopes {
            let (index, secret_watch) = (Arc::clone(&self.index), self.settings.secret_watch);
            let clock = Arc::clone(&self.clock);
            self.tasks.spawn(async move {
                scope.known.wait(secret_watch).await;
                let credentials = index.credentials(scope.namespace.as_deref()).len();
                tracing::info!(namespace = scope.namespace.as_deref(), credentials, "synced");
                scope.gate.open(|| index.credentials(scope.namespace.as_deref()));
                watch_clock(clock, index, (scope.gate, scope.namespace)).await;
            });
        }
        let outcome = tokio::select! {
            biased;
            () = self.stop.cancelled() => Ok(()),
            () = fence.lost() => Err(Error::LeadershipLost),
            _ = self.tasks.join_next() => Err(Error::TaskEnded),
            _ = working.join_next() => Err(Error::TaskEnded),
        };
        ending.cancel();
        let patience = if matches!(outcome, Err(Error::LeadershipLost)) { LOST } else { DRAIN };
        let over = self.clock.monotonic().saturating_add(patience);
        let drained = tokio::time::timeout(patience, async { while working.join_next().await.is_some() {} }).await;
        if drained.is_err() {
            tracing::warn!("visits that were under way are given up");
        }
        (outcome, over)
    }
}

/// Prepares the process: no dumps, one TLS provider, logs. To be called first, and once.
///
/// # Errors
/// [`Error::System`], when the system refuses.
pub fn prepare(settings: &Settings) -> Result<(), Error> {
    telemetry::forbid_dumps().map_err(|_| Error::System("to forbid core dumps"))?;
    rustls::crypto::ring::default_provider().install_default().map_err(|_| Error::System("a TLS provider"))?;
    telemetry::install(settings.log_format, settings.log_level).map_err(|_| Error::System("a log"))
}

/// Ends what is left of the process, and sends its last traces. To be called last. Takes two seconds at the most,
/// whatever is stuck.
pub fn finish(runtime: Runtime) {
    runtime.shutdown_timeout(LEFT);
    telemetry::finish();
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn a_name_that_is_being_resolved_keeps_no_process() {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let (release, resolved) = mpsc::channel::<()>();
        let (start, running) = mpsc::channel();
        // As the system's resolver: it blocks, and cannot be stopped.
        let _resolving = runtime.spawn_blocking(move || {
            start.send(()).ok();
            resolved.recv_timeout(Duration::from_secs(60)).ok();
        });
        running.recv_timeout(DRAIN).expect("it begins");
        let (end, ended) = mpsc::channel();
        std::thread::spawn(move || {
            finish(runtime);
            end.send(()).ok();
        });
        assert!(ended.recv_timeout(LEFT * 6).is_ok(), "the process waits for it");
        drop(release);
    }
}
