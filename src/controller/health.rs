//! Do the loops move, and are the caches filled? Each loop beats; a loop that stood still for five minutes is dead.

use crate::admin::Health;
use crate::clock::Clock;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A loop that did not move for so long is taken for dead.
const STILL: Duration = Duration::from_secs(300);

#[derive(Default)]
struct Loop {
    last: Duration,
    synced: bool,
}

/// When each loop moved last.
pub struct Pulse {
    clock: Arc<dyn Clock>,
    loops: Mutex<BTreeMap<String, Loop>>,
}

impl Pulse {
    /// No loops yet.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, loops: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Loop>> {
        self.loops.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The loop moves. The first beat makes it known.
    pub fn beat(&self, name: &str) {
        let now = self.clock.monotonic();
        self.lock().entry(name.to_owned()).or_default().last = now;
    }

    /// The loop's cache is filled, or it is known that it never will be.
    pub fn synced(&self, name: &str) {
        self.lock().entry(name.to_owned()).or_default().synced = true;
        self.beat(name);
    }

    /// The loop has no cache, or is done.
    pub fn forget(&self, name: &str) {
        self.lock().remove(name);
    }
}

impl Health for Pulse {
    fn alive(&self) -> Result<(), &'static str> {
        let now = self.clock.monotonic();
        let moves = self.lock().values().all(|known| now.saturating_sub(known.last) < STILL);
        if moves { Ok(()) } else { Err("a loop stood still for five minutes") }
    }

    fn ready(&self) -> Result<(), &'static str> {
        let loops = self.lock();
        let filled = !loops.is_empty() && loops.values().all(|known| known.synced);
        if filled { Ok(()) } else { Err("caches are not filled yet") }
    }
}
