//! What does a process use? Read from /proc.
#![allow(dead_code, reason = "the tests use a part of it")]

use std::fs;
use std::io;
use std::time::Duration;

/// `CLK_TCK` of every Linux that Rust supports.
const TICKS_PER_SECOND: u64 = 100;

/// What a process has used so far, and holds now.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// Of all its threads, in user and kernel mode.
    pub(crate) cpu: Duration,
    /// Resident now, in bytes.
    pub(crate) resident: u64,
    /// Resident at the most, in bytes.
    pub(crate) peak: u64,
}

/// What the process with this id uses.
pub(crate) fn usage(pid: u32) -> io::Result<Usage> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The program's name stands in parentheses and may hold anything.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).unwrap_or_default();
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kilobytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default()
    };
    Ok(Usage {
        cpu: Duration::from_millis((ticks(11) + ticks(12)) * 1000 / TICKS_PER_SECOND),
        resident: kilobytes("VmRSS:") * 1024,
        peak: kilobytes("VmHWM:") * 1024,
    })
}
