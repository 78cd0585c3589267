//! How does the API server answer? A layer around each client of it; never around a provider's.

use crate::clock::Clock;
use futures::future::BoxFuture;
use http::{Method, Request, Response};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tower::{Layer, Service};

const REQUEST_SECONDS: [f64; 11] = [0.005, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 30.0];

/// What client-go writes where there was no answer.
const NO_ANSWER: &str = "<error>";

/// The series of all clients.
#[derive(Debug, Clone)]
pub(super) struct Requests {
    clock: Arc<dyn Clock>,
    total: Family<RequestLabels, Counter>,
    seconds: Family<DurationLabels, Histogram, fn() -> Histogram>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    code: String,
    method: &'static str,
    host: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DurationLabels {
    verb: &'static str,
    host: Arc<str>,
}

/// A layer that counts requests to one host.
#[derive(Debug, Clone)]
pub struct CountRequests {
    requests: Requests,
    host: Arc<str>,
}

/// A service whose requests are counted.
#[derive(Debug, Clone)]
pub struct Counted<S> {
    inner: S,
    layer: CountRequests,
}

impl Requests {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(REQUEST_SECONDS);
        let seconds = Family::new_with_constructor(histogram);
        Self { clock, total: Family::default(), seconds }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("rest_client_requests", "Requests to the API server by its answer", self.total.clone());
        registry.register(
            "rest_client_request_duration_seconds",
            "How long the API server's answers took, to their headers",
            self.seconds.clone(),
        );
    }

    pub(super) fn layer(&self, host: &str) -> CountRequests {
        CountRequests { requests: self.clone(), host: host.into() }
    }
}

impl CountRequests {
    fn count(&self, method: &'static str, code: Option<u16>, took: Duration) {
        let code = code.map_or_else(|| NO_ANSWER.to_owned(), |code| code.to_string());
        self.requests.total.get_or_create(&RequestLabels { code, method, host: Arc::clone(&self.host) }).inc();
        let labels = DurationLabels { verb: method, host: Arc::clone(&self.host) };
        self.requests.seconds.get_or_create(&labels).observe(took.as_secs_f64());
    }
}

impl<S> Layer<S> for CountRequests {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted { inner, layer: self.clone() }
    }
}

impl<S, A, B> Service<Request<A>> for Counted<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let layer = self.layer.clone();
        let method = name(request.method());
        let began = layer.requests.clock.monotonic();
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            let code = answer.as_ref().ok().map(|response| response.status().as_u16());
            layer.count(method, code, layer.requests.clock.monotonic().saturating_sub(began));
            answer
        })
    }
}

fn name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "OTHER",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Exposition;
    use crate::metrics::tests::metrics;
    use std::convert::Infallible;
    use tower::{ServiceExt, service_fn};

    #[tokio::test]
    async fn answers_and_their_absence_are_counted() {
        let metrics = metrics();
        let layer = metrics.requests("api.example:6443");
        let answers = layer.layer(service_fn(|_: Request<()>| async {
            let gone = Response::builder().status(410).body(()).expect("a response");
            Ok::<_, Infallible>(gone)
        }));
        let patch = Request::builder().method("PATCH").uri("/api/v1/secrets/canary").body(()).expect("a request");
        answers.oneshot(patch).await.expect("an answer");
        let hangs_up = layer.layer(service_fn(|_: Request<()>| async { Err::<Response<()>, _>("sk_live_canary") }));
        hangs_up.oneshot(Request::new(())).await.expect_err("no answer");
        let text = metrics.expose(Exposition::Prometheus);
        let host = "host=\"api.example:6443\"";
        assert!(text.contains(&format!("rest_client_requests_total{{code=\"410\",method=\"PATCH\",{host}}} 1\n")));
        assert!(text.contains(&format!("rest_client_requests_total{{code=\"<error>\",method=\"GET\",{host}}} 1\n")));
        assert!(text.contains(&format!("rest_client_request_duration_seconds_count{{verb=\"PATCH\",{host}}} 1\n")));
        assert!(!text.contains("canary"), "{text}");
    }
}
