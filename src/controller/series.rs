//! How does each credential stand, for metrics? Read from the store at each scrape, so that nothing stale remains.

use super::Guarded;
use crate::api::{ConditionType, Conditions, ConnectorCredential, Status};
use crate::clock::Clock;
use crate::metrics::{ObjectSample, ObjectSeries};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::runtime::reflector::Store;
use std::sync::Arc;
use std::time::Duration;

/// Per-object series of some stores.
pub struct StoreSeries {
    /// The stores of all watches.
    pub stores: Vec<Store<Guarded>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Since when this process leads.
    pub leading_since: Timestamp,
}

impl StoreSeries {
    fn credentials(&self) -> impl Iterator<Item = Arc<Guarded>> {
        self.stores.iter().flat_map(Store::state)
    }
}

impl ObjectSeries for StoreSeries {
    fn objects(&self) -> Vec<ObjectSample> {
        self.credentials().filter_map(|object| object.0.as_ref().ok().map(sample)).collect()
    }

    fn oldest_overdue(&self) -> Duration {
        let now = self.clock.now();
        let waits = self
            .credentials()
            .filter_map(|object| object.0.as_ref().ok().map(|object| overdue(object, self.leading_since, now)));
        waits.max().unwrap_or_default()
    }
}

/// How long a due check has waited: not counted are credentials that are suspended or cannot be acted on, and the time
/// before this process led.
fn overdue(object: &ConnectorCredential, leading_since: Timestamp, now: Timestamp) -> Duration {
    let validation = object.status.as_ref().and_then(|status| status.validation.as_ref());
    let next = validation.and_then(|validation| validation.next_check_time.as_ref()).map(|next| next.0);
    let accepted = object.status.as_ref().is_some_and(|status| status.conditions.is_true(ConditionType::Accepted));
    match next.filter(|_| accepted && object.spec.suspend != Some(true)) {
        Some(next) => Duration::try_from(now.duration_since(next.max(leading_since))).unwrap_or_default(),
        None => Duration::ZERO,
    }
}

fn sample(object: &ConnectorCredential) -> ObjectSample {
    let status = object.status.as_ref();
    let validation = status.and_then(|status| status.validation.as_ref());
    let conditions = status.map(|status| status.conditions.as_slice()).unwrap_or_default();
    let standing = |kind: &ConditionType| {
        let stored = conditions.of(*kind)?;
        let found =
            [Status::True, Status::False, Status::Unknown].into_iter().find(|status| status.name() == stored.status)?;
        Some((*kind, found))
    };
    ObjectSample {
        namespace: object.metadata.namespace.clone().unwrap_or_default(),
        name: object.metadata.name.clone().unwrap_or_default(),
        provider: object.spec.provider.chosen().map(|provider| provider.profile().kind),
        conditions: ConditionType::ALL.iter().filter_map(standing).collect(),
        expiration: seconds(status.and_then(|status| status.expiration.as_ref()).and_then(|end| end.time.as_ref())),
        next_check: seconds(validation.and_then(|validation| validation.next_check_time.as_ref())),
        last_success: seconds(validation.and_then(|validation| validation.last_success_time.as_ref())),
    }
}

fn seconds(time: Option<&Time>) -> Option<f64> {
    time.map(|time| time.0.as_duration().as_secs_f64())
}
