//! The controller's own visits, on a clock that is set: real prober, real memory, real decisions; simulated providers
//! over loopback, an API server in memory. A restart forgets what the process forgets.

use super::api_server::{ApiServer, NAMESPACE, credential_path, secret_path};
use super::sinks::Sinks;
use crate::simulator::{self, LedgerFilter, Simulator, Switches};
use connector_operator::api::{ConditionType, Conditions, ConnectorCredential, ConnectorCredentialStatus};
use connector_operator::args::SecretWatch;
use connector_operator::clock::Clock;
use connector_operator::config::Settings;
use connector_operator::controller::{Context, Index, Memory, Name, Queue, Sight, queue, reconcile, retry_after};
use connector_operator::leader::Fence;
use connector_operator::metrics::Metrics;
use connector_operator::probe::{Limits, Line, Prober};
use connector_operator::providers::ProviderKind;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The clock is set here when a world begins.
pub(crate) const START: &str = "2026-03-01T00:00:00Z";
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);
pub(crate) const DAY: Duration = Duration::from_secs(86_400);

/// A clock that stands still unless it is set: the time that has passed, and how far the wall clock is from that.
#[derive(Debug, Default)]
struct SetClock(Mutex<(Duration, SignedDuration)>);

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        let (passed, ahead) = *self.0.lock().expect("no test panicked here");
        START.parse::<Timestamp>().expect("a time") + passed + ahead
    }

    fn monotonic(&self) -> Duration {
        self.0.lock().expect("no test panicked here").0
    }
}

/// Everything around the controller.
pub(crate) struct World {
    pub(crate) server: Arc<ApiServer>,
    pub(crate) simulator: Arc<Simulator>,
    pub(crate) visits: usize,
    clock: Arc<SetClock>,
    settings: Arc<Settings>,
    limits: Limits,
    ctx: Context,
    events: Queue,
    /// When each credential is looked at again, by the time that has passed; then or earlier.
    wakes: BTreeMap<Name, Duration>,
    pub(crate) sinks: Sinks,
}

/// Providers that enforce no limits.
pub(crate) async fn providers() -> Arc<Simulator> {
    let simulator = Simulator::start(simulator::Options::default()).await.expect("loopback has free ports");
    simulator.set_switches(Switches { limits: false, ..Switches::default() });
    Arc::new(simulator)
}

impl World {
    pub(crate) fn new(simulator: Arc<Simulator>, limits: Limits) -> Self {
        let settings = Settings::parse(&simulator.config_yaml()).expect("the simulator's own configuration");
        Self::configured(simulator, limits, settings)
    }

    pub(crate) fn configured(simulator: Arc<Simulator>, limits: Limits, settings: Settings) -> Self {
        let server = Arc::new(ApiServer::default());
        let clock = Arc::new(SetClock::default());
        let settings = Arc::new(settings);
        let (ctx, events) = process(&server, &clock, &settings, limits);
        let (wakes, sinks) = (BTreeMap::new(), Sinks::default());
        Self { server, simulator, visits: 0, clock, settings, limits, ctx, events, wakes, sinks }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Replaces one member of a stored status.
    pub(crate) fn put_status(&self, name: &str, member: &str, value: Value) {
        let path = credential_path(name);
        let mut object = self.server.get(&path).expect("it is declared");
        object["status"][member] = value;
        self.server.put(&path, object);
    }

    pub(crate) fn calls(&self) -> usize {
        self.simulator.ledger(&LedgerFilter::default()).len()
    }

    /// Creates or replaces a source Secret; an equal one is written again all the same, as by a re-apply.
    pub(crate) fn put_secret(&self, name: &str, key: &str) {
        self.sinks.watch_for(key);
        let path = secret_path(name);
        let data = json!({"api-key": k8s_openapi::ByteString(key.as_bytes().to_vec())});
        let body =
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": "Opaque", "data": data});
        self.server.put(&path, body);
    }

    /// Creates a credential, or changes its spec.
    pub(crate) fn declare(&self, name: &str, spec: &Value) {
        let path = credential_path(name);
        let stored = self.server.get(&path);
        let generation = stored.as_ref().and_then(|stored| stored["metadata"]["generation"].as_i64()).unwrap_or(0);
        let status = stored.map_or_else(|| json!({"observedGeneration": -1}), |stored| stored["status"].clone());
        let meta = json!({"name": name, "generation": generation + 1, "creationTimestamp": START});
        let body = json!({
            "apiVersion": "connector-operator.io/v1alpha1", "kind": "ConnectorCredential",
            "metadata": meta, "spec": spec, "status": status,
        });
        self.server.put(&path, body);
    }

    /// Sets `connector-operator.io/reconcile-at`.
    pub(crate) fn ask_for(&self, name: &str, value: &str) {
        let path = credential_path(name);
        let mut object = self.server.get(&path).expect("it is declared");
        object["metadata"]["annotations"] = json!({"connector-operator.io/reconcile-at": value});
        self.server.put(&path, object);
    }

    pub(crate) fn object(&self, name: &str) -> ConnectorCredential {
        let object = self.server.get(&credential_path(name)).expect("it is declared");
        serde_json::from_value(object).expect("a credential")
    }

    pub(crate) fn status(&self, name: &str) -> ConnectorCredentialStatus {
        self.object(name).status.unwrap_or_default()
    }

    /// The key that an output carries.
    pub(crate) fn published(&self, output: &str) -> Option<String> {
        let secret: Secret = serde_json::from_value(self.server.get(&secret_path(output))?).expect("a Secret");
        String::from_utf8(secret.data?.get("api-key")?.0.clone()).ok()
    }

    pub(crate) fn next_check(&self, name: &str) -> Option<Timestamp> {
        Some(self.status(name).validation?.next_check_time?.0)
    }

    /// The process ends and another one begins, or another one leads: nothing in memory survives.
    pub(crate) fn restart(&mut self) {
        self.sinks.take(&self.ctx.metrics, &self.events);
        (self.ctx, self.events) = process(&self.server, &self.clock, &self.settings, self.limits);
        self.wakes.clear();
        let _told = self.server.changes();
        // First all credentials are listed, then all Secrets; then everybody is visited.
        let (secrets, credentials): (Vec<_>, Vec<_>) =
            self.server.all().into_iter().partition(|path| path.contains("/secrets/"));
        for path in credentials.into_iter().chain(secrets) {
            self.notice(&path);
        }
        for name in self.ctx.index.credentials(None) {
            self.wakes.insert(name, self.clock.monotonic());
        }
    }

    /// The wall clock is set, and no time passes. Whoever compares it with the other clock has everybody visited
    /// within a minute.
    pub(crate) fn jump(&mut self, by: SignedDuration) {
        self.clock.0.lock().expect("no test panicked here").1 += by;
        let seen = self.clock.monotonic() + MINUTE;
        for wake in self.wakes.values_mut() {
            *wake = (*wake).min(seen);
        }
    }

    /// The watch tells of one object.
    fn notice(&mut self, path: &str) {
        let (_, name) = path.rsplit_once('/').expect("a path");
        let found = self.server.get(path);
        let name = Name::new(NAMESPACE, name);
        let visits = if path.contains("/secrets/") {
            let secret = found.map(|found| serde_json::from_value::<Secret>(found).expect("a Secret").metadata);
            let owners = secret.as_ref().and_then(|meta| meta.owner_references.clone()).unwrap_or_default();
            self.ctx.index.saw(&name, &owners, secret.as_ref().map_or(Sight::Absent, Sight::of))
        } else if let Some(found) = found {
            self.ctx.index.note(&serde_json::from_value(found).expect("a credential"))
        } else {
            self.wakes.remove(&name);
            self.ctx.index.forget(&name).map(|(_, visits)| visits).unwrap_or_default()
        };
        for name in visits {
            self.wakes.insert(name, self.clock.monotonic());
        }
    }

    /// Visits whoever is due until `end`, and leaves the clock there.
    pub(crate) async fn run_until(&mut self, end: Timestamp) {
        let left = Duration::try_from(end.duration_since(self.now())).unwrap_or_default();
        self.run_for(left).await;
    }

    pub(crate) async fn run_for(&mut self, time: Duration) {
        let end = self.clock.monotonic() + time;
        loop {
            for path in self.server.changes() {
                self.notice(&path);
            }
            let next = self.wakes.iter().min_by_key(|(_, at)| **at).map(|(name, at)| (name.clone(), *at));
            match next {
                Some((name, at)) if at <= end => {
                    self.set_clock(at);
                    self.visit(&name).await;
                }
                _ => return self.set_clock(end),
            }
        }
    }

    /// Somebody else of the namespace talks to this provider, where one may at a time; time passes meanwhile.
    pub(crate) async fn run_in_line(&mut self, kind: ProviderKind, time: Duration) {
        let Line::Ours(taken) = self.ctx.prober.line_up(kind, NAMESPACE).await else { panic!("the line is free") };
        let clock = Arc::clone(&self.clock);
        let passing = tokio::spawn(async move {
            let mut beat = tokio::time::interval(TICK);
            // Where the machine stood still, its clock did not go on.
            beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
            loop {
                beat.tick().await;
                clock.0.lock().expect("no test panicked here").0 += TICK;
            }
        });
        self.run_for(time).await;
        passing.abort();
        drop(taken);
    }

    /// Lets time pass without a visit, as a host that sleeps does; then visits whoever is due.
    pub(crate) async fn sleep(&mut self, time: Duration) {
        self.set_clock(self.clock.monotonic() + time);
        self.settle().await;
    }

    /// A credential, its source and its outputs are deleted.
    pub(crate) async fn remove(&mut self, name: &str) {
        self.server.delete(&credential_path(name));
        self.settle().await;
        for path in self.server.all().into_iter().filter(|path| path.contains("/secrets/")) {
            self.server.delete(&path);
        }
        self.settle().await;
    }

    /// What is due now.
    pub(crate) async fn settle(&mut self) {
        self.run_for(Duration::ZERO).await;
    }

    fn set_clock(&self, to: Duration) {
        let mut now = self.clock.0.lock().expect("no test panicked here");
        now.0 = now.0.max(to);
    }

    /// A visit where the watch of credentials is behind: it delivered this last. That of Secrets is not.
    pub(crate) async fn visit_as_seen(&mut self, seen: ConnectorCredential) {
        for path in self.server.changes().into_iter().filter(|path| path.contains("/secrets/")) {
            self.notice(&path);
        }
        self.visit_object(&Name::of(&seen.metadata), Arc::new(seen)).await;
    }

    async fn visit(&mut self, name: &Name) {
        let object = Arc::new(self.object(&name.name));
        self.visit_object(name, object).await;
    }

    async fn visit_object(&mut self, name: &Name, object: Arc<ConnectorCredential>) {
        self.visits += 1;
        let uid = object.metadata.uid.clone().unwrap_or_default();
        let object = self.ctx.memory.newer(&object).unwrap_or(object);
        let visit = self.sinks.log.listen(reconcile(&self.ctx, object));
        let wait = match visit.await {
            Ok(next) => {
                self.ctx.memory.succeeded(&uid);
                let wait = next.map(|next| Duration::try_from(next.duration_since(self.now())).unwrap_or_default());
                wait.map_or(IDLE, |wait| wait.clamp(Duration::from_millis(10), IDLE))
            }
            Err(failure) => retry_after(&self.ctx, &uid, &failure),
        };
        self.wakes.insert(name.clone(), self.clock.monotonic() + wait);
    }
}

/// However it ends, it is searched for its keys.
impl Drop for World {
    fn drop(&mut self) {
        self.sinks.take(&self.ctx.metrics, &self.events);
        if !std::thread::panicking() {
            self.sinks.search(&self.server.texts(), &self.simulator);
        }
    }
}

/// The set clock goes in such steps where it goes.
const TICK: Duration = Duration::from_millis(10);

/// A credential is also looked at for no reason.
const IDLE: Duration = Duration::from_secs(10 * 60);

fn process(
    server: &Arc<ApiServer>,
    clock: &Arc<SetClock>,
    settings: &Arc<Settings>,
    limits: Limits,
) -> (Context, Queue) {
    let shared: Arc<dyn Clock> = Arc::<SetClock>::clone(clock);
    let (events, queue) = queue();
    let ctx = Context {
        client: server.client(),
        index: Arc::new(Index::default()),
        memory: Arc::new(Memory::new().expect("the system has randomness")),
        sites: Arc::clone(settings),
        prober: Prober::new(Arc::clone(settings), Arc::clone(&shared), limits).expect("a client"),
        clock: Arc::clone(&shared),
        events,
        metrics: Arc::new(Metrics::new(Arc::clone(&shared), 64)),
        fence: Fence::open(Arc::clone(&shared)),
        leading_since: clock.now(),
        secret_watch: SecretWatch::Metadata,
        concurrency: 64,
    };
    ctx.index.set_watched(None, true);
    (ctx, queue)
}

/// A condition as `+Reason`, `-Reason` or `?Reason`: True, False, Unknown.
pub(crate) fn shown(status: &ConnectorCredentialStatus, condition: ConditionType) -> Option<String> {
    let found = status.conditions.as_slice().of(condition)?;
    let sign = match found.status.as_str() {
        "True" => '+',
        "False" => '-',
        _ => '?',
    };
    Some(format!("{sign}{}", found.reason))
}
