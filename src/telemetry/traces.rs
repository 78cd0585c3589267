//! Where do traces go? Visits and calls as spans, by OTLP over HTTP, to the collector that OpenTelemetry's standard
//! variables name; nowhere when they name none. What a span holds is what a log line holds: names, never a key.

use super::{LogLevel, targets};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::env::var_os;
use std::fmt;
use std::pin::Pin;
use std::sync::OnceLock;
use std::time::Duration;
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::LookupSpan;

/// Any of them says that traces are wanted.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
const DISABLED: &str = "OTEL_SDK_DISABLED";
/// Either may name the service.
const SERVICE: [&str; 2] = ["OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"];
/// A collector that does not answer costs spans, and at the end this long.
const PATIENCE: Duration = Duration::from_secs(3);
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
        let _lost = provider.shutdown_with_timeout(PATIENCE);
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
