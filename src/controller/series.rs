//! How does each credential stand, for metrics? Read from the store at each scrape, so that nothing stale remains.

use super::led_since;
use super::objects::{Brief, Objects};
use crate::api::{ConditionType, Status};
use crate::clock::Clock;
use crate::metrics::{ObjectSample, ObjectSeries};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// Per-object series.
pub struct StoreSeries {
    /// What all watches delivered.
    pub objects: Arc<Objects>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Since when this process leads.
    pub leading_since: Timestamp,
}

impl ObjectSeries for StoreSeries {
    fn objects(&self) -> Vec<ObjectSample> {
        let mut samples = Vec::new();
        self.objects.each(|(namespace, name), brief, conditions| {
            samples.push(ObjectSample {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
                provider: brief.provider,
                conditions: standing(conditions),
                expiration: seconds(brief.expiration),
                next_check: seconds(brief.next_check),
                last_success: seconds(brief.last_success),
            });
        });
        samples
    }

    fn oldest_overdue(&self) -> Duration {
        let now = self.clock.now();
        let mut oldest = Duration::ZERO;
        self.objects.each(|_, brief, _| oldest = oldest.max(overdue(brief, self.leading_since, now)));
        oldest
    }
}

/// How long a due check has waited: not counted are credentials that are suspended or cannot be acted on, and the time
/// before this process led.
fn overdue(brief: &Brief, leading_since: Timestamp, now: Timestamp) -> Duration {
    match brief.next_check.filter(|_| brief.active) {
        Some(next) => {
            let since = next.max(led_since(leading_since, now));
            Duration::try_from(now.duration_since(since)).unwrap_or_default()
        }
        None => Duration::ZERO,
    }
}

/// The conditions that are known here, in their order.
fn standing(stored: &mut dyn Iterator<Item = (&str, &str)>) -> Vec<(ConditionType, Status)> {
    let known = |(kind, status): (&str, &str)| {
        let kind = ConditionType::ALL.iter().find(|known| known.name() == kind)?;
        let all = [Status::True, Status::False, Status::Unknown];
        Some((*kind, all.into_iter().find(|known| known.name() == status)?))
    };
    let mut found: Vec<_> = stored.filter_map(known).collect();
    found.sort_unstable_by_key(|(kind, _)| ConditionType::ALL.iter().position(|known| known == kind));
    found
}

fn seconds(time: Option<Timestamp>) -> Option<f64> {
    time.map(|time| time.as_duration().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_back_hides_no_check_that_is_overdue() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let due = |second| {
            let (expiration, last_success) = (None, None);
            Brief { provider: None, expiration, next_check: Some(at(second)), last_success, active: true }
        };
        // Who leads has made good what was overdue before.
        assert_eq!(overdue(&due(100), at(5_000), at(5_030)), Duration::from_secs(30));
        assert_eq!(overdue(&due(5_010), at(5_000), at(5_030)), Duration::from_secs(20));
        assert_eq!(overdue(&due(6_000), at(5_000), at(5_030)), Duration::ZERO);
        assert_eq!(overdue(&due(100), at(90_000), at(400)), Duration::from_secs(300), "set back since");
    }
}
