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
            gate.open(index.credentials(namespace.as_deref()));
        }
    }
}
