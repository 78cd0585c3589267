//! In which text are series written? `OpenMetrics` when asked for, else the classic format, which names counters in full.

use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::registry::Registry;

/// A text format of series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposition {
    /// Prometheus text 0.0.4.
    Prometheus,
    /// `OpenMetrics` 1.0.0.
    OpenMetrics,
}

impl Exposition {
    /// The format that an `Accept` header asks for.
    #[must_use]
    pub fn accepted(accept: Option<&str>) -> Self {
        let asked = accept.is_some_and(|accept| accept.contains("application/openmetrics-text"));
        if asked { Self::OpenMetrics } else { Self::Prometheus }
    }

    /// The value of `Content-Type`.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// All series of a registry.
    pub(super) fn write(self, registry: &Registry) -> String {
        let mut text = String::new();
        if encode_registry(&mut text, registry).is_err() {
            tracing::error!("cannot encode metrics");
        }
        match self {
            Self::Prometheus => classic(&text),
            Self::OpenMetrics => {
                encode_eof(&mut text).ok();
                text
            }
        }
    }
}

/// The classic format names a counter's family with `_total`, and knows no units.
fn classic(text: &str) -> String {
    let mut classic = String::with_capacity(text.len().saturating_add(1024));
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line.starts_with("# UNIT ") {
            continue;
        }
        let family = line.strip_prefix("# HELP ").or_else(|| line.strip_prefix("# TYPE "));
        let kind = if line.starts_with("# HELP ") { lines.peek().copied().unwrap_or_default() } else { line };
        match family.and_then(|family| family.split_once(' ')) {
            Some((name, rest)) if kind.starts_with("# TYPE ") && kind.ends_with(" counter") => {
                let keyword = if line.starts_with("# HELP ") { "# HELP " } else { "# TYPE " };
                classic.extend([keyword, name, "_total ", rest, "\n"]);
            }
            Some(_) | None => classic.extend([line, "\n"]),
        }
    }
    classic
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::tests::metrics;

    #[test]
    fn the_accept_header_chooses() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        assert_eq!(Exposition::accepted(Some(prometheus)), Exposition::OpenMetrics);
        assert_eq!(Exposition::accepted(Some("*/*")), Exposition::Prometheus);
        assert_eq!(Exposition::accepted(None), Exposition::Prometheus);
    }

    #[test]
    fn a_counters_family_has_its_full_name_in_the_classic_format_only() {
        let metrics = metrics();
        let open = metrics.expose(Exposition::OpenMetrics);
        assert!(open.contains("# TYPE connector_operator_published counter\n") && open.ends_with("# EOF\n"), "{open}");
        let classic = metrics.expose(Exposition::Prometheus);
        let family = "# HELP connector_operator_published_total Writes of derived Secrets.\n\
                      # TYPE connector_operator_published_total counter\nconnector_operator_published_total{";
        assert!(classic.contains(family), "{classic}");
        assert!(!classic.contains("# EOF"), "{classic}");
    }

    #[test]
    fn no_family_is_declared_twice() {
        let text = metrics().expose(Exposition::Prometheus);
        let mut families: Vec<&str> = text.lines().filter(|line| line.starts_with("# TYPE ")).collect();
        let declared = families.len();
        families.sort_unstable();
        families.dedup();
        assert_eq!(families.len(), declared, "{text}");
    }
}
