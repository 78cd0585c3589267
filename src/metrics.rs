//! What does the process tell Prometheus? Series of checks, reconciles, API requests, leadership and the process.
//!
//! Labels come from closed enums, but for an object's namespace and name and the API server's host.

mod exposition;
mod objects;
mod process;
mod requests;
mod work;

pub use exposition::Exposition;
pub use objects::{ObjectSample, ObjectSeries};
pub use requests::{CountRequests, Counted};
pub use work::{Ended, Work};

use crate::api::{Format, Reason};
use crate::clock::Clock;
use crate::providers::{ProviderKind, Verdict};
use objects::Objects;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use requests::Requests;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use work::WorkSeries;

/// The controller in series that controller-runtime has too.
const CONTROLLER: &str = "connectorcredential";
/// The name of the Lease.
const LEASE: &str = "connector-operator";
/// The commit that was built, if the build says so.
const REVISION: Option<&str> = option_env!("CONNECTOR_OPERATOR_REVISION");

const CHECK_SECONDS: [f64; 11] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 45.0];
const WORK_SECONDS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 30.0, 60.0];

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// Everything that is counted. Cheap to share behind an [`Arc`]; no function waits.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    checks: Family<CheckLabels, Counter>,
    check_seconds: Histograms<ProviderLabels>,
    published: Family<FormatLabels, Counter>,
    requests: Requests,
    work: Arc<WorkSeries>,
    leading: Arc<Leading>,
    objects: Arc<Objects>,
}

/// A check that came to an end.
#[derive(Debug)]
pub struct Checked<'a> {
    /// Who was asked.
    pub provider: ProviderKind,
    /// What came of it.
    pub verdict: &'a Verdict,
    /// The same as conditions say it.
    pub reason: Reason,
    /// All its requests together.
    pub took: Duration,
}

/// Whether this process leads: as a series, and as the condition for per-object series.
#[derive(Debug, Default)]
struct Leading {
    flag: AtomicBool,
    series: Family<NameLabels, Gauge>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CheckLabels {
    provider: &'static str,
    verdict: &'static str,
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ProviderLabels {
    provider: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FormatLabels {
    format: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NameLabels {
    name: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BuildLabels {
    version: &'static str,
    revision: &'static str,
}

impl Metrics {
    /// Series at zero. `concurrency` is the number of reconciles that may run at once.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, concurrency: u16) -> Self {
        let mut metrics = Self {
            registry: Registry::default(),
            checks: Family::default(),
            check_seconds: Family::new_with_constructor(|| Histogram::new(CHECK_SECONDS)),
            published: Family::default(),
            requests: Requests::new(Arc::clone(&clock)),
            work: Arc::new(WorkSeries::new(clock, concurrency)),
            leading: Arc::default(),
            objects: Arc::default(),
        };
        for format in FORMATS {
            metrics.published.get_or_create(&FormatLabels { format: format_name(format) }).inc_by(0);
        }
        metrics.lead(false);
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        let build: Family<BuildLabels, Gauge> = Family::default();
        let labels = BuildLabels { version: env!("CARGO_PKG_VERSION"), revision: REVISION.unwrap_or("unknown") };
        build.get_or_create(&labels).set(1);
        registry.register("connector_operator_build_info", "What was built; always 1", build);
        registry.register("connector_operator_checks", "Checks of keys by their outcome", self.checks.clone());
        registry.register(
            "connector_operator_check_duration_seconds",
            "How long checks took, all requests of one together",
            self.check_seconds.clone(),
        );
        registry.register("connector_operator_published", "Writes of derived Secrets", self.published.clone());
        registry.register(
            "leader_election_master_status",
            "1 where the process leads, 0 where it waits",
            self.leading.series.clone(),
        );
        self.requests.register(registry);
        registry.register_collector(Box::new(Arc::clone(&self.work)));
        registry.register_collector(Box::new(process::Process));
        registry.register_collector(Box::new(Arc::clone(&self.objects)));
    }

    /// A check came to an end.
    pub fn checked(&self, check: &Checked<'_>) {
        let provider = check.provider.member();
        let verdict = match check.verdict {
            Verdict::Accepted(_) => "accepted",
            Verdict::Rejected(_) => "rejected",
            Verdict::Inconclusive(_) => "inconclusive",
        };
        self.checks.get_or_create(&CheckLabels { provider, verdict, reason: check.reason.name() }).inc();
        self.check_seconds.get_or_create(&ProviderLabels { provider }).observe(check.took.as_secs_f64());
    }

    /// A derived Secret was written.
    pub fn published(&self, format: Format) {
        self.published.get_or_create(&FormatLabels { format: format_name(format) }).inc();
    }

    /// This process leads from now on, or does not. Without an election it leads from its start. Per-object series
    /// are the leader's only.
    pub fn lead(&self, leads: bool) {
        self.leading.flag.store(leads, Ordering::Relaxed);
        self.leading.series.get_or_create(&NameLabels { name: LEASE }).set(i64::from(leads));
    }

    /// Where per-object series come from, at each scrape.
    pub fn observe(&self, series: Arc<dyn ObjectSeries>) {
        self.objects.set(series, Arc::clone(&self.leading));
    }

    /// An object was handed to the queue.
    pub fn queued(&self) {
        self.work.queued();
    }

    /// An object will stand in the queue again because its reconcile failed.
    pub fn retried(&self) {
        self.work.retried();
    }

    /// So many objects wait in the queue.
    pub fn waiting(&self, number: usize) {
        self.work.waiting(number);
    }

    /// An object has waited in the queue for so long.
    pub fn waited(&self, time: Duration) {
        self.work.waited(time);
    }

    /// A reconcile begins. It ends with [`Work::end`]; one that is dropped is not counted.
    #[must_use = "a reconcile that is dropped at once was not measured"]
    pub fn work(&self) -> Work {
        WorkSeries::begin(&self.work)
    }

    /// A layer for a client of the API server at `host`. Never for a provider's client.
    #[must_use]
    pub fn requests(&self, host: &str) -> CountRequests {
        self.requests.layer(host)
    }

    /// All series as text.
    #[must_use]
    pub fn expose(&self, exposition: Exposition) -> String {
        exposition.write(&self.registry)
    }
}

const FORMATS: [Format; 7] =
    [Format::Binding, Format::Env, Format::Dotenv, Format::HTTP, Format::Curl, Format::Nexla, Format::Template];

/// As `spec.outputs[].format` has it.
const fn format_name(format: Format) -> &'static str {
    match format {
        Format::Binding => "Binding",
        Format::Env => "Env",
        Format::Dotenv => "Dotenv",
        Format::HTTP => "HTTP",
        Format::Curl => "Curl",
        Format::Nexla => "Nexla",
        Format::Template => "Template",
    }
}

#[cfg(test)]
mod tests;
