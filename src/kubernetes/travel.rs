//! How do requests to the API server travel? Over connections that are kept while they are in use.
//!
//! kube's own builder keeps them for 90 seconds after the last request: after a storm of visits a hundred of them, with
//! their buffers, which is more memory than a thousand credentials take.

use super::pace::{Pace, Paced};
use super::{CONNECT_TIMEOUT, Error};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper_timeout::TimeoutConnector;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::Config;
use kube::client::{Body, ConfigExt};
use std::time::Duration;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceBuilder, ServiceExt};

/// A connection without a request is closed after so long, and after twice that at the latest.
const IDLE: Duration = Duration::from_secs(5);

/// Sends requests to one API server as one user.
pub(super) type Travel = BoxCloneSyncService<Request<Body>, Response<Paced<Incoming>>, BoxError>;

/// The way to the API server: TLS, authentication and impersonation as the configuration has them.
/// A peer that has said nothing for `silence`, whatever was asked of it, is taken for dead; one that goes on is not,
/// however long it takes.
pub(super) fn travel(config: &Config, silence: Duration) -> Result<Travel, Error> {
    let mut connector = TimeoutConnector::new(config.rustls_https_connector().map_err(|_| Error::BuildClient)?);
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    connector.set_read_timeout(Some(silence));
    // A request that is being sent is no silence.
    connector.set_reset_reader_on_write(true);
    let client =
        Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE).build(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer().map_err(|_| Error::BuildClient)?)
        .layer(config.extra_headers_layer().map_err(|_| Error::BuildClient)?)
        .map_err(BoxError::from)
        .service(client);
    Ok(BoxCloneSyncService::new(Pace::before(service).map_err(Into::into)))
}
