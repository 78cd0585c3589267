//! What may be logged, and what is left behind when the process dies? Levels, targets, panic places, no core.
//!
//! Which libraries may speak is decided here and by no flag: several print whole answers of the API server.

mod lines;
#[cfg(feature = "otel")]
mod traces;

pub use lines::LogFormat;

use clap::ValueEnum;
use lines::Lines;
use rustix::process::{Resource, Rlimit, setrlimit};
use std::panic::{Location, PanicHookInfo};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::SetGlobalDefaultError;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

/// The least severe level that is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// Only what failed.
    Error,
    /// What may need a person.
    Warn,
    /// What was done.
    Info,
    /// Why.
    Debug,
    /// Everything.
    Trace,
}

/// Our own target; the binaries' are the same.
const OWN: &str = "connector_operator";

/// Libraries that stay silent. `kube_client::client` prints an answer that it cannot parse, at WARN: it may be a Secret;
/// `kube_runtime` prints errors that quote the server; the others print headers, addresses or frames. We log what
/// fails ourselves.
const SILENT: &[&str] = &[
    "kube_client",
    "kube_core",
    "kube_runtime",
    "hyper",
    "hyper_util",
    "hyper_rustls",
    "hyper_timeout",
    "h2",
    "reqwest",
    "rustls",
    "rustls_platform_verifier",
    "tower",
    "tower_http",
    "axum",
    "tokio_util",
    "mio",
];

/// Loads a CA bundle again, and says at WARN which file it cannot read: no content.
const RELOAD: &str = "kube_client::client::tls";

/// Sends log lines to standard error, and panics with them. Call it once, first of all.
///
/// # Errors
/// When somebody else has done so.
pub fn install(format: LogFormat, level: LogLevel) -> Result<(), SetGlobalDefaultError> {
    let subscriber = tracing_subscriber::registry().with(layer(format, level, std::io::stderr));
    #[cfg(feature = "otel")]
    let subscriber = subscriber.with(traces::layer());
    tracing::subscriber::set_global_default(subscriber)?;
    std::panic::set_hook(Box::new(report));
    Ok(())
}

/// Sends the traces that are left, where any are made. To be called last.
pub fn finish() {
    #[cfg(feature = "otel")]
    traces::finish();
}

/// The log as a layer, for a writer of one's own: tests look for keys in it.
pub fn layer<S, W>(format: LogFormat, level: LogLevel, writer: W) -> impl Layer<S>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    Lines::new(format, writer).with_filter(targets(level))
}

/// Who may speak, and how loudly.
fn targets(level: LogLevel) -> Targets {
    let silent = SILENT.iter().map(|target| (*target, LevelFilter::OFF));
    Targets::new()
        .with_default(LevelFilter::ERROR)
        .with_targets(silent)
        .with_target(RELOAD, LevelFilter::WARN)
        .with_target(OWN, level.filter())
}

impl LogLevel {
    const fn filter(self) -> LevelFilter {
        match self {
            Self::Error => LevelFilter::ERROR,
            Self::Warn => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
            Self::Trace => LevelFilter::TRACE,
        }
    }
}

/// Place and thread of a panic; never its text, which may hold anything.
fn report(panic: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    let place = panic.location();
    tracing::error!(file = place.map(Location::file), line = place.map(Location::line), thread, "panicked");
}

/// Leaves no memory behind: no core file, no tracer, no `/proc/…/mem` for others.
///
/// # Errors
/// The system's, when it refuses.
pub fn forbid_dumps() -> std::io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use tracing::Level;

    #[test]
    fn no_level_opens_the_libraries_that_print_answers() {
        let targets = targets(LogLevel::Trace);
        for silent in ["kube_client::client", "kube_client::client::builder", "kube_runtime::watcher", "rustls::conn"] {
            assert!(!targets.would_enable(silent, &Level::ERROR), "{silent}");
        }
        assert!(targets.would_enable("kube_client::client::tls", &Level::WARN));
        assert!(!targets.would_enable("anything_else", &Level::WARN));
        assert!(targets.would_enable("connector_operator::leader", &Level::TRACE));
    }

    #[test]
    fn our_own_level_is_the_flags() {
        let targets = targets(LogLevel::Warn);
        assert!(targets.would_enable("connector_operator", &Level::WARN));
        assert!(!targets.would_enable("connector_operator", &Level::INFO));
    }

    /// A writer whose text can be read.
    #[derive(Clone, Default)]
    pub(super) struct Page(Arc<Mutex<Vec<u8>>>);

    impl Page {
        pub(super) fn text(&self) -> String {
            String::from_utf8(self.0.lock().expect("no writer panics").clone()).expect("text")
        }
    }

    impl std::io::Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("no writer panics").write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// What is logged meanwhile.
    pub(super) fn logged(format: LogFormat, work: impl FnOnce()) -> String {
        let page = Page::default();
        let writer = page.clone();
        let layer = layer(format, LogLevel::Trace, move || writer.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), work);
        page.text()
    }

    #[test]
    fn a01_a_panic_leaves_its_place_and_not_its_text() {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(report));
        let text = logged(LogFormat::Json, || {
            let ended = std::panic::catch_unwind(|| panic!("sk_live_canary"));
            assert!(ended.is_err());
        });
        std::panic::set_hook(before);
        assert!(text.contains("\"message\":\"panicked\"") && text.contains("telemetry.rs"), "{text}");
        assert!(!text.contains("canary"), "{text}");
    }

    /// A typed read of a Secret that does not parse: kube-client logs the whole answer at WARN.
    fn read_unreadable_secret() {
        use k8s_openapi::api::core::v1::Secret;
        let service = tower::service_fn(|_: http::Request<kube::client::Body>| async {
            let body = br#"{"kind": "Secret", "data": "sk_live_canary"}"#.to_vec();
            Ok::<_, std::convert::Infallible>(http::Response::new(kube::client::Body::from(body)))
        });
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let read = runtime.block_on(async {
            let secrets = kube::Api::<Secret>::default_namespaced(kube::Client::new(service, "default"));
            secrets.get("key").await
        });
        assert!(matches!(read, Err(kube::Error::SerdeError(_))));
    }

    #[test]
    fn a10_a_secret_that_cannot_be_read_is_not_logged() {
        let text = logged(LogFormat::Json, || {
            read_unreadable_secret();
            tracing::info!("went on");
        });
        assert!(text.contains("went on") && !text.contains("canary"), "{text}");

        let page = Page::default();
        let writer = page.clone();
        let open = Lines::new(LogFormat::Json, move || writer.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(open), read_unreadable_secret);
        assert!(page.text().contains("canary"), "without the caps it is there: {}", page.text());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a01_no_memory_is_left_behind() {
        use rustix::process::{DumpableBehavior, dumpable_behavior, getrlimit};
        forbid_dumps().expect("a process may always want less");
        assert_eq!(getrlimit(Resource::Core).maximum, Some(0));
        assert_eq!(dumpable_behavior(), Ok(DumpableBehavior::NotDumpable));
        for file in ["stat", "status", "limits"] {
            assert!(std::fs::read(format!("/proc/self/{file}")).is_ok(), "metrics still read {file}");
        }
        assert!(std::fs::read_dir("/proc/self/fd").is_ok(), "and count descriptors");
    }
}
