//! What does the process use? Read from `/proc/self` at the scrape; where there is none, nothing is told.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::{MetricType, TypedMetric};
use std::fmt;
use std::fs;

/// Clock ticks a second in `/proc`: 100 by the kernel's ABI on every architecture that Rust's Linux targets have.
const TICKS: f64 = 100.0;

/// The collector of `process_*`.
#[derive(Debug)]
pub(super) struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mut page = Page(&mut encoder);
        if let Some(seconds) = cpu_seconds(&stat) {
            page.put("process_cpu_seconds", "User and system CPU time.", &ConstCounter::new(seconds))?;
        }
        let booted = fs::read_to_string("/proc/stat").ok().and_then(|text| boot_time(&text));
        if let (Some(booted), Some(ticks)) = (booted, field(&stat, 22)) {
            page.gauge("process_start_time_seconds", "Start, in seconds since 1970.", booted + ticks / TICKS)?;
        }
        if let Some(bytes) = kibibytes(&status, "VmRSS:") {
            page.gauge("process_resident_memory_bytes", "Resident memory.", bytes)?;
        }
        if let Some(bytes) = kibibytes(&status, "VmSize:") {
            page.gauge("process_virtual_memory_bytes", "Virtual memory.", bytes)?;
        }
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            let open = u32::try_from(open.count()).unwrap_or(u32::MAX);
            page.gauge("process_open_fds", "Open file descriptors.", f64::from(open))?;
        }
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        if let Some(limit) = max_files(&limits) {
            page.gauge("process_max_fds", "How many file descriptors may be open.", limit)?;
        }
        Ok(())
    }
}

/// Writes metrics one by one.
struct Page<'a, 'b>(&'a mut DescriptorEncoder<'b>);

impl Page<'_, '_> {
    fn put<M: EncodeMetric + TypedMetric>(&mut self, name: &str, help: &str, metric: &M) -> fmt::Result {
        metric.encode(self.0.encode_descriptor(name, help, None, M::TYPE)?)
    }

    fn gauge(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        ConstGauge::new(value).encode(self.0.encode_descriptor(name, help, None, MetricType::Gauge)?)
    }
}

/// A field of `/proc/self/stat`, counted from 1 as in its manual. The second, a name, may hold anything.
fn field(stat: &str, number: usize) -> Option<f64> {
    let (_, behind) = stat.rsplit_once(") ")?;
    behind.split(' ').nth(number.checked_sub(3)?)?.parse().ok()
}

fn cpu_seconds(stat: &str) -> Option<f64> {
    Some((field(stat, 14)? + field(stat, 15)?) / TICKS)
}

fn boot_time(stat: &str) -> Option<f64> {
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

fn kibibytes(status: &str, name: &str) -> Option<f64> {
    let rest = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: f64 = rest.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024.0)
}

fn max_files(limits: &str) -> Option<f64> {
    let rest = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 4 0 12345 1000 10 18446744073709551615";
        assert_eq!(cpu_seconds(stat), Some(3.0));
        assert_eq!(field(stat, 22), Some(12_345.0));
    }

    #[test]
    fn memory_boot_time_and_limits_are_read() {
        assert_eq!(kibibytes("Name:\tx\nVmRSS:\t    2 kB\n", "VmRSS:"), Some(2048.0));
        assert_eq!(boot_time("cpu 1 2\nbtime 1700000000\n"), Some(1_700_000_000.0));
        assert_eq!(max_files("Limit\nMax open files            1024       4096       files\n"), Some(1024.0));
        assert_eq!(max_files("Max open files  unlimited unlimited files"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_all_series() {
        use crate::metrics::{Exposition, tests::metrics};
        let text = metrics().expose(Exposition::Prometheus);
        for name in [
            "process_cpu_seconds_total ",
            "process_start_time_seconds ",
            "process_resident_memory_bytes ",
            "process_virtual_memory_bytes ",
            "process_open_fds ",
            "process_max_fds ",
        ] {
            assert!(text.lines().any(|line| line.starts_with(name)), "{name} is not in {text}");
        }
    }
}
