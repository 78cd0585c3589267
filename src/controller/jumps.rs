//! Has the clock jumped? Timers run on monotonic time; a wall clock that was set, or a host that slept, makes their
//! moments wrong. Then everybody is looked at.

use super::index::Index;
use super::watches::Gate;
use crate::clock::Clock;
use std::sync::Arc;
use std::time::Duration;

/// How often the two clocks are compared.
const LOOK: Duration = Duration::from_secs(30);
/// A clock that is slewed, not set, differs by less.
const JUMP: Duration = Duration::from_secs(2);

/// Compares wall and monotonic time, and has everybody visited when they went apart. Never ends.
pub async fn watch_clock(clock: Arc<dyn Clock>, index: Arc<Index>, (gate, namespace): (Gate, Option<String>)) {
    let mut before = (clock.now(), clock.monotonic());
    loop {
        let _waited = tokio::time::timeout(LOOK, std::future::pending::<()>()).await;
        let now = (clock.now(), clock.monotonic());
        let wall = now.0.duration_since(before.0);
        let monotonic = jiff::SignedDuration::try_from(now.1.saturating_sub(before.1)).unwrap_or_default();
        before = now;
        if wall.saturating_sub(monotonic).unsigned_abs() > JUMP {
            tracing::warn!("the clock jumped: looking at every credential");
            gate.open(|| index.credentials(namespace.as_deref()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::WorkQueue;
    use super::*;
    use crate::metrics::Metrics;
    use jiff::{SignedDuration, Timestamp};
    use std::sync::Mutex;

    /// How far time has gone, and how far the wall clock is ahead of that.
    #[derive(Debug, Default)]
    struct Set(Mutex<(Duration, SignedDuration)>);

    impl Clock for Set {
        fn now(&self) -> Timestamp {
            let (passed, ahead) = *self.0.lock().unwrap();
            let start: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
            start.checked_add(passed).unwrap().checked_add(ahead).unwrap()
        }

        fn monotonic(&self) -> Duration {
            self.0.lock().unwrap().0
        }
    }

    impl Set {
        async fn pass(&self, time: Duration) {
            for _ in 0..time.as_secs() {
                let second = Duration::from_secs(1);
                {
                    let mut set = self.0.lock().unwrap();
                    set.0 = set.0.saturating_add(second);
                }
                tokio::time::advance(second).await;
                tokio::task::yield_now().await;
            }
        }

        fn jump(&self, by: SignedDuration) {
            let mut set = self.0.lock().unwrap();
            set.1 = set.1.checked_add(by).unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a36_a_clock_that_is_set_has_everybody_looked_at_within_a_minute_and_one_that_goes_nobody() {
        let clock = Arc::new(Set::default());
        let shared: Arc<dyn Clock> = Arc::<Set>::clone(&clock);
        let queue = Arc::new(WorkQueue::new(Arc::clone(&shared), Arc::new(Metrics::new(Arc::clone(&shared), 8))));
        let index = Arc::new(Index::default());
        let object = serde_json::json!({
            "apiVersion": "connector-operator.io/v1alpha1", "kind": "ConnectorCredential",
            "metadata": {"name": "erp", "namespace": "data", "uid": "uid"},
            "spec": {"provider": {"zenflow": {}}, "keySecretRef": {"name": "source"}},
        });
        let _visits = index.note(&serde_json::from_value(object).unwrap());
        let watching = tokio::spawn(watch_clock(shared, index, (Gate::before(&queue), None)));
        let seen = || queue.next().map(|name| queue.ended(name, None)).is_some();
        for hours in [26, -26, 24 * 400, -24 * 400] {
            clock.pass(Duration::from_secs(300)).await;
            assert!(!seen(), "time that passes is no jump");
            clock.jump(SignedDuration::from_hours(hours));
            clock.pass(Duration::from_secs(60)).await;
            assert!(seen(), "a jump by {hours} h is noticed");
            assert!(!seen(), "once");
        }
        // A clock that is slewed.
        for _ in 0..20 {
            clock.jump(SignedDuration::from_millis(50));
            clock.pass(Duration::from_secs(30)).await;
        }
        assert!(!seen(), "a clock that is corrected slowly is none that is set");
        watching.abort();
    }
}
