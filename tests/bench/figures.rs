//! What was measured? Plain figures, as they are written to the report.

use std::collections::BTreeMap;

use serde::Serialize;

/// A start on a cluster full of credentials that the operator has never seen.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Cold {
    pub(crate) objects: usize,
    /// Of them, those whose check is claimed by a status write of its own.
    pub(crate) exchanges: usize,
    pub(crate) ready: usize,
    /// From the start of the process to the last status.
    pub(crate) seconds: f64,
    pub(crate) cpu_seconds: f64,
    pub(crate) settled_bytes: u64,
    pub(crate) peak_bytes: u64,
    pub(crate) calls: u64,
    pub(crate) refused: u64,
    pub(crate) requests: BTreeMap<String, u64>,
}

/// A start where nothing has changed.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Restart {
    pub(crate) ready_seconds: f64,
    pub(crate) busy_seconds: f64,
    pub(crate) cpu_seconds: f64,
    pub(crate) settled_bytes: u64,
    pub(crate) peak_bytes: u64,
    pub(crate) writes: u64,
    /// Requests that are neither list nor watch.
    pub(crate) single_requests: u64,
    pub(crate) requests: u64,
    pub(crate) calls: u64,
}

/// A time in which nothing happens.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Idle {
    pub(crate) seconds: f64,
    pub(crate) cpu_seconds: f64,
    pub(crate) requests: BTreeMap<String, u64>,
    pub(crate) calls: u64,
}

/// Keys that changed, until their outputs did; less the provider's latency.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Reaction {
    pub(crate) changes: usize,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) longest_ms: f64,
}

/// What the bare client reached.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Ceiling {
    pub(crate) objects: usize,
    pub(crate) seconds: f64,
}

/// Pure work, in microseconds a call.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Micro {
    pub(crate) decide: f64,
    pub(crate) render: f64,
    pub(crate) classify: f64,
}

/// All of a run. What was not reached is absent.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Figures {
    pub(crate) date: String,
    pub(crate) revision: String,
    pub(crate) cores: usize,
    pub(crate) binary_bytes: u64,
    pub(crate) image_bytes: Option<u64>,
    pub(crate) empty_start_seconds: f64,
    pub(crate) empty_settled_bytes: u64,
    pub(crate) micro: Micro,
    pub(crate) small: Cold,
    pub(crate) small_ceiling: Option<Ceiling>,
    pub(crate) large: Option<Cold>,
    pub(crate) ceiling: Option<Ceiling>,
    pub(crate) restart: Option<Restart>,
    pub(crate) idle: Option<Idle>,
    pub(crate) reaction: Option<Reaction>,
    pub(crate) neighbours: usize,
    pub(crate) restart_beside: Option<Restart>,
}

impl Cold {
    /// Objects a second.
    pub(crate) fn rate(&self) -> f64 {
        self.objects as f64 / self.seconds
    }

    /// Milliseconds of the operator's own CPU for each object.
    pub(crate) fn cpu_ms(&self) -> f64 {
        self.cpu_seconds * 1000.0 / self.objects as f64
    }

    /// Requests of this kind.
    pub(crate) fn of(&self, kind: &str) -> u64 {
        self.requests.get(kind).copied().unwrap_or_default()
    }

    /// Requests that are neither list nor watch.
    pub(crate) fn single(&self) -> u64 {
        let single = |kind: &&String| !kind.starts_with("list ") && !kind.starts_with("watch ");
        self.requests.iter().filter(|(kind, _)| single(kind)).map(|(_, number)| number).sum()
    }
}

impl Ceiling {
    /// Objects a second.
    pub(crate) fn rate(&self) -> f64 {
        self.objects as f64 / self.seconds
    }
}

/// Mebibytes.
pub(crate) fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
