//! Where do traces go? Visits and calls as spans, by OTLP over HTTP, to the collector that OpenTelemetry's standard
//! variables name; nowhere when they name none. What a span holds is what a log line holds: names, never a key.

#![expect(clippy::disallowed_methods, reason = "OpenTelemetry's standard variables; a client that carries no key")]

use super::{LogLevel, targets};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::env::var_os;
use std::fmt;
use std::pin::Pin;
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::Duration;
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::LookupSpan;

/// Any of them says that traces are wanted.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
const DISABLED: &str = "OTEL_SDK_DISABLED";
/// Either may name the service.
const SERVICE: [&str; 2] = ["OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"];
/// A collector that does not answer costs spans, and at the end this long: whoever has lost the Lease ends soon.
const PATIENCE: Duration = Duration::from_millis(1500);
/// An answer says nothing that is read.
const LONGEST_ANSWER: usize = 64 * 1024;

/// What is sent at the end.
static PROVIDER: OnceLock<SdkTracerProvider> = OnceLock::new();

/// The layer that makes traces of spans. `None`: nobody wants any, or a variable has no sense.
pub(super) fn layer<S>() -> Option<impl Layer<S>>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
{
    let provider = wanted().then(provider).flatten()?;
    let tracer = provider.tracer(env!("CARGO_PKG_NAME"));
    let _first = PROVIDER.set(provider);
    let layer = tracing_opentelemetry::layer().with_tracer(tracer);
    let layer = layer.with_location(false).with_threads(false).with_tracked_inactivity(false);
    Some(layer.with_filter(targets(LogLevel::Info)))
}

/// Sends what is left.
pub(super) fn finish() {
    if let Some(provider) = PROVIDER.get() {
        shut(provider.clone());
    }
}

/// The provider keeps to its time but for the end of its own thread, which may wait long for a name: that is left behind.
fn shut(provider: SdkTracerProvider) {
    let (done, ended) = mpsc::channel();
    let shutting = thread::Builder::new().spawn(move || {
        let _lost = provider.shutdown_with_timeout(PATIENCE);
        let _left = done.send(());
    });
    if shutting.is_ok() {
        let _late = ended.recv_timeout(PATIENCE);
    }
}

fn wanted() -> bool {
    let set = |name: &str| var_os(name).is_some_and(|value| !value.is_empty());
    let disabled = var_os(DISABLED).is_some_and(|value| value.eq_ignore_ascii_case("true"));
    ENDPOINTS.iter().any(|name| set(name)) && !disabled
}

fn provider() -> Option<SdkTracerProvider> {
    let exporter = SpanExporter::builder().with_http().with_http_client(Sender::new().ok()?).build().ok()?;
    let mut resource = Resource::builder();
    if SERVICE.iter().all(|name| var_os(name).is_none()) {
        resource = resource.with_service_name(env!("CARGO_PKG_NAME"));
    }
    Some(SdkTracerProvider::builder().with_resource(resource.build()).with_batch_exporter(exporter).build())
}

/// The way to the collector, for the thread that sends batches: it waits for each, on a runtime of its own.
struct Sender {
    client: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

impl Sender {
    fn new() -> Result<Self, HttpError> {
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).referer(false);
        let client = client.retry(reqwest::retry::never()).http1_only().timeout(Duration::from_secs(10)).build()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { client, runtime })
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let mut answer = self.client.execute(request.try_into()?).await?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            if body.len().saturating_add(chunk.len()) > LONGEST_ANSWER {
                break;
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Response::builder().status(answer.status()).body(body.into())?)
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sender")
    }
}

type Sent<'a> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'a>>;

impl HttpClient for Sender {
    fn send_bytes<'a, 'b>(&'a self, request: Request<Bytes>) -> Sent<'b>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(std::future::ready(self.runtime.block_on(self.send(request))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::trace::{Span as _, Tracer as _};
    use opentelemetry_sdk::error::OTelSdkResult;
    use opentelemetry_sdk::trace::SpanData;
    use std::sync::Mutex;

    /// An exporter whose end waits, as a runtime does for a name that is being resolved.
    #[derive(Debug)]
    struct Stuck(Mutex<mpsc::Receiver<()>>);

    impl opentelemetry_sdk::trace::SpanExporter for Stuck {
        async fn export(&self, _: Vec<SpanData>) -> OTelSdkResult {
            Ok(())
        }
    }

    impl Drop for Stuck {
        fn drop(&mut self) {
            let _released = self.0.lock().unwrap().recv_timeout(Duration::from_secs(60));
        }
    }

    #[test]
    fn an_exporter_that_does_not_end_is_left_behind() {
        let (release, stuck) = mpsc::channel::<()>();
        let provider = SdkTracerProvider::builder().with_batch_exporter(Stuck(Mutex::new(stuck))).build();
        provider.tracer("test").start("visit").end();
        let (done, ended) = mpsc::channel();
        thread::spawn(move || {
            shut(provider);
            done.send(()).ok();
        });
        assert!(ended.recv_timeout(PATIENCE * 6).is_ok(), "the process waits for it");
        drop(release);
    }
}
