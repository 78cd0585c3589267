//! How does each credential stand? Read from the store at the scrape, so that a deleted object is gone at once.

use super::Leading;
use crate::api::{ConditionType, Status};
use crate::providers::ProviderKind;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Who knows how each credential stands. Asked at each scrape, while this process leads.
pub trait ObjectSeries: Send + Sync {
    /// Every credential in the store.
    fn objects(&self) -> Vec<ObjectSample>;

    /// How long the oldest check that is due has waited. What waits for a budget, is suspended or cannot reach the
    /// API server does not count.
    fn oldest_overdue(&self) -> Duration {
        Duration::ZERO
    }
}

/// How one credential stands. Times are seconds since 1970.
#[derive(Debug, Clone)]
pub struct ObjectSample {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// The provider; `None` where the spec names none.
    pub provider: Option<ProviderKind>,
    /// The conditions of the status.
    pub conditions: Vec<(ConditionType, Status)>,
    /// When the key expires.
    pub expiration: Option<f64>,
    /// When the key is checked next.
    pub next_check: Option<f64>,
    /// When the key was accepted last.
    pub last_success: Option<f64>,
}

/// The collector of per-object series.
#[derive(Default)]
pub(super) struct Objects(OnceLock<(Arc<dyn ObjectSeries>, Arc<Leading>)>);

impl Objects {
    /// Names the source, once; a second one is not heard.
    pub(super) fn set(&self, series: Arc<dyn ObjectSeries>, leading: Arc<Leading>) {
        self.0.get_or_init(|| (series, leading));
    }
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Objects")
    }
}

impl Collector for Objects {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some((series, leading)) = self.0.get() else { return Ok(()) };
        if !leading.flag.load(Ordering::Relaxed) {
            return Ok(());
        }
        let overdue = ConstGauge::new(series.oldest_overdue().as_secs_f64());
        overdue.encode(encoder.encode_descriptor(
            "connector_operator_oldest_overdue_check_seconds",
            "How long the oldest check that is due has waited.",
            None,
            MetricType::Gauge,
        )?)?;
        let objects = series.objects();
        conditions(&mut encoder, &objects)?;
        for (name, help, time) in TIMES {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for object in &objects {
                if let Some(seconds) = time(object) {
                    ConstGauge::new(seconds).encode(metric.encode_family(&object.labels())?)?;
                }
            }
        }
        Ok(())
    }
}

type Time = fn(&ObjectSample) -> Option<f64>;

const TIMES: [(&str, &str, Time); 3] = [
    ("connectorcredential_expiration_timestamp_seconds", "When the key expires.", |object| object.expiration),
    ("connectorcredential_next_check_timestamp_seconds", "When the key is checked next.", |object| object.next_check),
    ("connectorcredential_last_success_timestamp_seconds", "When the key was accepted last.", |object| {
        object.last_success
    }),
];

impl ObjectSample {
    fn labels(&self) -> [(&str, &str); 3] {
        let provider = self.provider.map_or("", ProviderKind::member);
        [("namespace", &self.namespace), ("name", &self.name), ("provider", provider)]
    }
}

fn conditions(encoder: &mut DescriptorEncoder<'_>, objects: &[ObjectSample]) -> fmt::Result {
    let help = "1 for the status that the condition has.";
    let mut metric = encoder.encode_descriptor("connectorcredential_condition", help, None, MetricType::Gauge)?;
    for object in objects {
        for (condition, status) in &object.conditions {
            for shown in shown(*condition, *status) {
                let [namespace, name, provider] = object.labels();
                let labels = [namespace, name, provider, ("type", condition.name()), ("status", shown.name())];
                ConstGauge::new(u32::from(*shown == *status)).encode(metric.encode_family(&labels)?)?;
            }
        }
    }
    Ok(())
}

/// The statuses that have a series: all of a standing condition's; of the others' only a True that holds.
const fn shown(condition: ConditionType, status: Status) -> &'static [Status] {
    match (condition, status) {
        (
            ConditionType::Accepted
            | ConditionType::Resolved
            | ConditionType::Authenticated
            | ConditionType::Authorized
            | ConditionType::Published
            | ConditionType::Ready,
            _,
        ) => &[Status::True, Status::False, Status::Unknown],
        (
            ConditionType::Expiring
            | ConditionType::RotationDue
            | ConditionType::OverPrivileged
            | ConditionType::Reconciling
            | ConditionType::Stalled,
            Status::True,
        ) => &[Status::True],
        (
            ConditionType::Expiring
            | ConditionType::RotationDue
            | ConditionType::OverPrivileged
            | ConditionType::Reconciling
            | ConditionType::Stalled,
            Status::False | Status::Unknown,
        ) => &[],
    }
}
