//! What does the operator's own code say when it runs within a test? Its log at the highest level, as it would write it.

use std::cell::RefCell;
use std::future::Future;
use std::io::Write;
use std::sync::{Arc, Mutex};

use connector_operator::telemetry::{LogFormat, LogLevel, layer};
use tokio::runtime::{Builder, Runtime};
use tracing::Dispatch;
use tracing::dispatcher::DefaultGuard;
use tracing::instrument::{WithDispatch, WithSubscriber as _};
use tracing::subscriber::NoSubscriber;
use tracing_subscriber::layer::SubscriberExt as _;

/// Of a log that is longer only the end is kept.
const LONGEST: usize = 16 << 20;

#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut page = self.0.lock().expect("no writer panics");
        if page.len() > LONGEST {
            page.clear();
        }
        page.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A log of one's own.
pub(crate) struct Logged {
    page: Page,
    dispatch: Dispatch,
}

impl Default for Logged {
    fn default() -> Self {
        let page = Page::default();
        let writer = page.clone();
        let log = layer(LogFormat::Json, LogLevel::Trace, move || writer.clone());
        Self { page, dispatch: Dispatch::new(tracing_subscriber::registry().with(log)) }
    }
}

impl Logged {
    /// What this says is logged here, unless the test listens itself.
    pub(crate) fn listen<F: Future>(&self, said: F) -> WithDispatch<F> {
        let taken = tracing::dispatcher::get_default(|other| !other.is::<NoSubscriber>());
        if taken { said.with_current_subscriber() } else { said.with_subscriber(self.dispatch.clone()) }
    }

    /// Threads of whose work all is logged here, also what tasks say that they spawn.
    pub(crate) fn runtime(&self) -> Runtime {
        thread_local!(static LISTENING: RefCell<Option<DefaultGuard>> = const { RefCell::new(None) });
        let dispatch = self.dispatch.clone();
        let mut threads = Builder::new_multi_thread();
        threads.worker_threads(2).enable_all().on_thread_start(move || {
            LISTENING.set(Some(tracing::dispatcher::set_default(&dispatch)));
        });
        threads.build().expect("the system has threads")
    }

    pub(crate) fn text(&self) -> Vec<u8> {
        self.page.0.lock().expect("no writer panics").clone()
    }
}
