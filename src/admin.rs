//! How does the cluster see that the process lives? `/livez`, `/readyz` and `/metrics`, and nothing else.

mod door;
mod texts;

use crate::metrics::{Exposition, Metrics};
use axum::Router;
use axum::extract::State;
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONNECTION, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::get;
use door::Door;
use std::future::{Future, IntoFuture};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use texts::Texts;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// For answers that are under way at shutdown.
const GRACE: Duration = Duration::from_secs(3);

/// Whether the process lives and is ready. Answers at once; a reason is a fixed text.
pub trait Health: Send + Sync {
    /// Whether its loops move.
    ///
    /// # Errors
    /// What stands still.
    fn alive(&self) -> Result<(), &'static str>;

    /// Whether its caches are filled. Says nothing of leadership.
    ///
    /// # Errors
    /// What is missing.
    fn ready(&self) -> Result<(), &'static str>;
}

/// What is served, and where.
pub struct Admin {
    /// Where probes are answered.
    pub health_address: SocketAddr,
    /// Where metrics are served; `None`: nowhere.
    pub metrics_address: Option<SocketAddr>,
    /// Who knows whether the process lives.
    pub health: Arc<dyn Health>,
    /// What is served as metrics.
    pub metrics: Arc<Metrics>,
}

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is taken, or not ours.
    #[error("cannot listen on {address} for {purpose}: {}", crate::error::refused_by_system(source.kind()))]
    Listen {
        /// What for.
        purpose: &'static str,
        /// Where.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A listener broke.
    #[error("cannot serve {0}")]
    Serve(&'static str, #[source] std::io::Error),
}

/// Listeners that are open. Their addresses are chosen.
pub struct Listening {
    health: (TcpListener, Router),
    metrics: Option<(TcpListener, Router)>,
}

/// Opens the listeners, and logs their addresses: `health listening` and `metrics listening`, field `address`.
///
/// # Errors
/// [`Error::Listen`], when an address cannot be had.
pub async fn listen(admin: Admin) -> Result<Listening, Error> {
    let probes = Router::new().route("/livez", get(livez)).route("/readyz", get(readyz)).with_state(admin.health);
    let health = (bind("health", admin.health_address).await?, probes);
    tracing::info!(address = %local(&health.0, admin.health_address), "health listening");
    let metrics = match admin.metrics_address {
        None => None,
        Some(address) => {
            let listener = bind("metrics", address).await?;
            tracing::info!(address = %local(&listener, address), "metrics listening");
            let scraped = Arc::new(Scraped { metrics: admin.metrics, texts: Texts::default() });
            Some((listener, Router::new().route("/metrics", get(expose)).with_state(scraped)))
        }
    };
    Ok(Listening { health, metrics })
}

impl Listening {
    /// Where probes are answered.
    ///
    /// # Errors
    /// The system's.
    pub fn health_address(&self) -> std::io::Result<SocketAddr> {
        self.health.0.local_addr()
    }

    /// Where metrics are served, if anywhere.
    ///
    /// # Errors
    /// The system's.
    pub fn metrics_address(&self) -> std::io::Result<Option<SocketAddr>> {
        self.metrics.as_ref().map(|(listener, _)| listener.local_addr()).transpose()
    }

    /// Serves until `stop`; then answers what is under way, for at most three seconds.
    ///
    /// # Errors
    /// [`Error::Serve`], when a listener breaks.
    pub async fn serve(self, stop: CancellationToken) -> Result<(), Error> {
        let health = until("health", self.health, stop.clone());
        let metrics = async {
            match self.metrics {
                Some(metrics) => until("metrics", metrics, stop.clone()).await,
                None => Ok(()),
            }
        };
        let late = async {
            stop.cancelled().await;
            tokio::time::timeout(GRACE, std::future::pending::<()>()).await
        };
        tokio::select! {
            served = async { tokio::try_join!(health, metrics) } => served.map(|_| ()),
            _ = late => Ok(()),
        }
    }
}

fn until(
    purpose: &'static str,
    (listener, router): (TcpListener, Router),
    stop: CancellationToken,
) -> impl Future<Output = Result<(), Error>> {
    let served = axum::serve(Door::before(listener), router).with_graceful_shutdown(stop.cancelled_owned());
    async move { served.into_future().await.map_err(|source| Error::Serve(purpose, source)) }
}

async fn bind(purpose: &'static str, address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|source| Error::Listen { purpose, address, source })
}

fn local(listener: &TcpListener, asked: SocketAddr) -> SocketAddr {
    listener.local_addr().unwrap_or(asked)
}

async fn livez(State(health): State<Arc<dyn Health>>) -> impl IntoResponse {
    answer(health.alive())
}

async fn readyz(State(health): State<Arc<dyn Health>>) -> impl IntoResponse {
    answer(health.ready())
}

fn answer(result: Result<(), &'static str>) -> impl IntoResponse {
    let (status, text) = match result {
        Ok(()) => (StatusCode::OK, "ok"),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, reason),
    };
    (status, [(CACHE_CONTROL, "no-store"), (CONNECTION, "close")], format!("{text}\n"))
}

/// What scrapes are answered from.
struct Scraped {
    metrics: Arc<Metrics>,
    texts: Texts,
}

/// A connection has one answer, so that none is cut off at the end of its time.
async fn expose(State(scraped): State<Arc<Scraped>>, headers: HeaderMap) -> impl IntoResponse {
    let exposition = Exposition::accepted(headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()));
    let text = scraped.texts.get(exposition, || scraped.metrics.expose(exposition));
    ([(CONTENT_TYPE, exposition.content_type()), (CONNECTION, "close")], text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    struct Starting;

    impl Health for Starting {
        fn alive(&self) -> Result<(), &'static str> {
            Ok(())
        }

        fn ready(&self) -> Result<(), &'static str> {
            Err("caches are not filled")
        }
    }

    async fn ask(address: SocketAddr, path: &str, header: &str) -> String {
        let mut connection = tokio::net::TcpStream::connect(address).await.expect("it listens");
        let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{header}\r\n");
        connection.write_all(request.as_bytes()).await.expect("it reads");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.expect("it answers");
        answer
    }

    #[tokio::test]
    async fn probes_and_metrics_are_answered_until_the_stop() {
        let any: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        let admin = Admin {
            health_address: any,
            metrics_address: Some(any),
            health: Arc::new(Starting),
            metrics: Arc::new(Metrics::new(Arc::new(SystemClock::new()), 1)),
        };
        let listening = listen(admin).await.expect("ports are free");
        let health = listening.health_address().expect("an address");
        let metrics = listening.metrics_address().expect("an address").expect("metrics are served");
        let stop = CancellationToken::new();
        let served = tokio::spawn(listening.serve(stop.clone()));

        assert!(ask(health, "/livez", "").await.starts_with("HTTP/1.1 200"));
        let ready = ask(health, "/readyz", "").await;
        assert!(ready.starts_with("HTTP/1.1 503") && ready.ends_with("caches are not filled\n"), "{ready}");
        assert!(ask(health, "/metrics", "").await.starts_with("HTTP/1.1 404"));
        let classic = ask(metrics, "/metrics", "").await;
        assert!(classic.contains("text/plain; version=0.0.4") && classic.contains("process_"), "{classic}");
        let open = ask(metrics, "/metrics", "accept: application/openmetrics-text\r\n").await;
        assert!(open.contains("content-type: application/openmetrics-text") && open.ends_with("# EOF\n"), "{open}");

        stop.cancel();
        served.await.expect("no panic").expect("a clean end");
        assert!(tokio::net::TcpStream::connect(health).await.is_err(), "nobody listens any more");
    }

    #[tokio::test]
    async fn a20_whoever_holds_connections_open_leaves_when_others_come() {
        let any: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        let (health, metrics) = (Arc::new(Starting), Arc::new(Metrics::new(Arc::new(SystemClock::new()), 1)));
        let admin = Admin { health_address: any, metrics_address: None, health, metrics };
        let listening = listen(admin).await.expect("ports are free");
        let health = listening.health_address().expect("an address");
        let stop = CancellationToken::new();
        let served = tokio::spawn(listening.serve(stop.clone()));
        let mut idle = Vec::new();
        for _ in 0..200 {
            idle.push(tokio::net::TcpStream::connect(health).await.expect("it listens"));
        }
        assert!(ask(health, "/livez", "").await.starts_with("HTTP/1.1 200"));
        let mut left = 0;
        for mut connection in idle {
            let read = tokio::time::timeout(Duration::from_millis(20), connection.read(&mut [0; 1])).await;
            left += usize::from(read.is_ok());
        }
        assert!((130..200).contains(&left), "{left} of 200 have left");
        stop.cancel();
        served.await.expect("no panic").expect("a clean end");
    }

    #[tokio::test]
    async fn a_taken_address_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = taken.local_addr().expect("an address");
        let Err(error) = bind("metrics", address).await else { panic!("it is taken") };
        assert_eq!(error.to_string(), format!("cannot listen on {address} for metrics: address in use"));
    }
}
