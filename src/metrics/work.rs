//! How do reconciles go? The series of controller-runtime and of client-go's work queue.

use super::{CONTROLLER, WORK_SECONDS};
use crate::clock::Clock;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::{MetricType, TypedMetric};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How a reconcile ended, in controller-runtime's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Nothing more to do.
    Success,
    /// It failed, and is tried again.
    Error,
    /// To be looked at again at a time.
    RequeueAfter,
    /// By a panic, which counts as an error too.
    Panic,
}

/// A reconcile that is under way.
#[derive(Debug)]
pub struct Work {
    series: Arc<WorkSeries>,
    number: u64,
    began: Duration,
}

/// All that is counted of reconciles.
#[derive(Debug)]
pub(super) struct WorkSeries {
    clock: Arc<dyn Clock>,
    concurrency: u16,
    success: Counter,
    error: Counter,
    requeue_after: Counter,
    panics: Counter,
    adds: Counter,
    retries: Counter,
    depth: Gauge,
    queue_seconds: Histogram,
    seconds: Histogram,
    active: Mutex<Active>,
}

/// When each reconcile that is under way began.
#[derive(Debug, Default)]
struct Active {
    next: u64,
    began: BTreeMap<u64, Duration>,
}

impl Work {
    /// The reconcile came to this end.
    pub fn end(self, ended: Ended) {
        let series = &self.series;
        match ended {
            Ended::Success => series.success.inc(),
            Ended::Error => series.error.inc(),
            Ended::RequeueAfter => series.requeue_after.inc(),
            Ended::Panic => {
                series.panics.inc();
                series.error.inc()
            }
        };
        series.seconds.observe(series.clock.monotonic().saturating_sub(self.began).as_secs_f64());
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.series.active().began.remove(&self.number);
    }
}

impl WorkSeries {
    pub(super) fn new(clock: Arc<dyn Clock>, concurrency: u16) -> Self {
        Self {
            clock,
            concurrency,
            success: Counter::default(),
            error: Counter::default(),
            requeue_after: Counter::default(),
            panics: Counter::default(),
            adds: Counter::default(),
            retries: Counter::default(),
            depth: Gauge::default(),
            queue_seconds: Histogram::new(WORK_SECONDS),
            seconds: Histogram::new(WORK_SECONDS),
            active: Mutex::default(),
        }
    }

    pub(super) fn queued(&self) {
        self.adds.inc();
    }

    pub(super) fn retried(&self) {
        self.retries.inc();
    }

    pub(super) fn waiting(&self, number: usize) {
        self.depth.set(i64::try_from(number).unwrap_or(i64::MAX));
    }

    pub(super) fn waited(&self, time: Duration) {
        self.queue_seconds.observe(time.as_secs_f64());
    }

    pub(super) fn begin(this: &Arc<Self>) -> Work {
        let began = this.clock.monotonic();
        let mut active = this.active();
        let number = active.next;
        active.next = number.wrapping_add(1);
        active.began.insert(number, began);
        drop(active);
        Work { series: Arc::clone(this), number, began }
    }

    /// Two numbers and a map: nothing that a panic could leave half done.
    fn active(&self) -> MutexGuard<'_, Active> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector for WorkSeries {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.encode_controller(&mut encoder)?;
        self.encode_queue(&mut encoder)
    }
}

impl WorkSeries {
    fn encode_controller(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Reconciles by their result.";
        let mut results = encoder.encode_descriptor("controller_runtime_reconcile", help, None, MetricType::Counter)?;
        for (result, counter) in
            [("success", &self.success), ("error", &self.error), ("requeue_after", &self.requeue_after)]
        {
            counter.encode(results.encode_family(&[("controller", CONTROLLER), ("result", result)])?)?;
        }
        let mut page = Page { encoder, labels: &[("controller", CONTROLLER)] };
        page.put("controller_runtime_reconcile_errors", "Reconciles that failed.", &self.error)?;
        page.put("controller_runtime_reconcile_panics", "Reconciles that panicked.", &self.panics)?;
        page.put("controller_runtime_reconcile_time_seconds", "How long each took.", &self.seconds)?;
        let limit = ConstGauge::new(u32::from(self.concurrency));
        page.put("controller_runtime_max_concurrent_reconciles", "How many may run.", &limit)?;
        let running = u64::try_from(self.active().began.len()).unwrap_or(u64::MAX);
        page.put("controller_runtime_active_workers", "How many run.", &ConstGauge::new(running))
    }

    fn encode_queue(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let now = self.clock.monotonic();
        let ages: Vec<f64> =
            self.active().began.values().map(|began| now.saturating_sub(*began).as_secs_f64()).collect();
        let sum = ConstGauge::new(ages.iter().copied().fold(0.0, |sum, age| sum + age));
        let longest = ConstGauge::new(ages.iter().copied().fold(0.0, f64::max));
        let mut page = Page { encoder, labels: &[("name", CONTROLLER), ("controller", CONTROLLER)] };
        page.put("workqueue_depth", "Objects that wait.", &self.depth)?;
        page.put("workqueue_queue_duration_seconds", "How long each waited.", &self.queue_seconds)?;
        page.put("workqueue_adds", "Objects handed to the queue.", &self.adds)?;
        page.put("workqueue_retries", "Those handed in again after a failure.", &self.retries)?;
        page.put("workqueue_work_duration_seconds", "How long each took.", &self.seconds)?;
        page.put("workqueue_unfinished_work_seconds", "Age of all that runs, summed.", &sum)?;
        page.put("workqueue_longest_running_processor_seconds", "Age of the oldest that runs.", &longest)
    }
}

/// Writes metrics of one set of labels.
struct Page<'a, 'b> {
    encoder: &'a mut DescriptorEncoder<'b>,
    labels: &'a [(&'static str, &'static str)],
}

impl Page<'_, '_> {
    fn put<M: EncodeMetric + TypedMetric>(&mut self, name: &str, help: &str, metric: &M) -> fmt::Result {
        let mut descriptor = self.encoder.encode_descriptor(name, help, None, M::TYPE)?;
        metric.encode(descriptor.encode_family(&self.labels)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Exposition;
    use crate::metrics::tests::metrics;

    #[test]
    fn reconciles_are_counted_by_their_end() {
        let metrics = metrics();
        metrics.queued();
        metrics.retried();
        metrics.waiting(3);
        metrics.waited(Duration::from_secs(2));
        let running = metrics.work();
        metrics.work().end(Ended::RequeueAfter);
        metrics.work().end(Ended::Error);
        let text = metrics.expose(Exposition::Prometheus);
        for line in [
            "controller_runtime_reconcile_total{controller=\"connectorcredential\",result=\"requeue_after\"} 1\n",
            "controller_runtime_reconcile_total{controller=\"connectorcredential\",result=\"success\"} 0\n",
            "controller_runtime_reconcile_errors_total{controller=\"connectorcredential\"} 1\n",
            "controller_runtime_reconcile_time_seconds_count{controller=\"connectorcredential\"} 2\n",
            "controller_runtime_max_concurrent_reconciles{controller=\"connectorcredential\"} 64\n",
            "controller_runtime_active_workers{controller=\"connectorcredential\"} 1\n",
            "workqueue_adds_total{name=\"connectorcredential\",controller=\"connectorcredential\"} 1\n",
            "workqueue_retries_total{name=\"connectorcredential\",controller=\"connectorcredential\"} 1\n",
            "workqueue_depth{name=\"connectorcredential\",controller=\"connectorcredential\"} 3\n",
            "workqueue_queue_duration_seconds_sum{name=\"connectorcredential\",controller=\"connectorcredential\"} 2.0\n",
            "# TYPE workqueue_work_duration_seconds histogram\n",
            "# TYPE workqueue_adds_total counter\n",
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
        drop(running);
        let text = metrics.expose(Exposition::Prometheus);
        assert!(text.contains("controller_runtime_active_workers{controller=\"connectorcredential\"} 0\n"));
        assert!(text.contains("controller_runtime_reconcile_panics_total{controller=\"connectorcredential\"} 0\n"));
    }

    #[test]
    fn a_panic_is_an_error_and_a_panic() {
        let metrics = metrics();
        metrics.work().end(Ended::Panic);
        let text = metrics.expose(Exposition::Prometheus);
        assert!(text.contains("controller_runtime_reconcile_panics_total{controller=\"connectorcredential\"} 1\n"));
        assert!(text.contains("controller_runtime_reconcile_errors_total{controller=\"connectorcredential\"} 1\n"));
        assert!(text.contains("controller_runtime_active_workers{controller=\"connectorcredential\"} 0\n"));
    }
}
