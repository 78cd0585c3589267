//! What did the operator ask the API server for? Read from the audit log, from a mark on.

use crate::support::bed::Bed;
use serde_json::Value;
use std::io::{Read as _, Seek as _, SeekFrom};

/// A place in the audit log.
pub(super) struct Mark(u64);

/// What the operator did in a namespace since a mark.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Deeds {
    /// Secrets read one by one.
    pub(super) reads: usize,
    /// Statuses written.
    pub(super) statuses: usize,
    /// Any other write: Secrets, Events.
    pub(super) writes: usize,
    /// Lists and watches.
    pub(super) watches: usize,
}

impl Mark {
    pub(super) fn now(bed: &Bed) -> Self {
        Self(std::fs::metadata(bed.plane.audit_log()).expect("there is an audit log").len())
    }

    pub(super) fn deeds(&self, bed: &Bed, namespace: &str) -> Deeds {
        let mut log = std::fs::File::open(bed.plane.audit_log()).expect("there is an audit log");
        log.seek(SeekFrom::Start(self.0)).expect("it only grows");
        let mut text = String::new();
        log.read_to_string(&mut text).expect("it is text");
        let mut deeds = Deeds::default();
        for line in text.lines().filter(|line| line.contains(namespace)) {
            // The last line may still be on its way.
            let Ok(entry) = serde_json::from_str::<Value>(line) else { continue };
            let text = |pointer| entry.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            let ours = text("/user/username").starts_with("system:serviceaccount:");
            if !ours || text("/objectRef/namespace") != namespace {
                continue;
            }
            match (text("/verb"), text("/objectRef/resource"), text("/objectRef/subresource")) {
                ("get", "secrets", _) => deeds.reads += 1,
                ("get", ..) => {}
                ("list" | "watch", ..) => deeds.watches += 1,
                (_, "connectorcredentials", "status") => deeds.statuses += 1,
                _ => deeds.writes += 1,
            }
        }
        deeds
    }
}
