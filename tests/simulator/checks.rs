//! Does the simulator do what it says? Each test has a simulator of its own and asks it over the
//! wire.

mod admin;
mod aventri;
mod faults;
mod limits;
mod providers;
mod tls;

use std::time::Duration;

use reqwest::{Client, RequestBuilder};
use serde_json::Value;

use super::*;

const COMPANY: &str = "00000000-0000-4000-8000-000000000000";

/// A reply, read whole.
#[derive(Debug)]
struct Heard {
    status: u16,
    headers: reqwest::header::HeaderMap,
    body: Vec<u8>,
}

impl Heard {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }
}

async fn simulator() -> Simulator {
    Simulator::start(Options::default()).await.expect("loopback has free ports")
}

fn client() -> Client {
    rustls::crypto::ring::default_provider().install_default().ok();
    Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(Duration::from_secs(60))
        .build()
        .expect("a client without special settings")
}

async fn hear(request: RequestBuilder) -> reqwest::Result<Heard> {
    let response = request.send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = response.bytes().await?.to_vec();
    Ok(Heard { status, headers, body })
}

async fn ask(request: RequestBuilder) -> Heard {
    hear(request).await.expect("the simulator answers")
}

/// A GET with at most one header.
fn get(url: &str, header: Option<(&str, &str)>) -> RequestBuilder {
    let request = client().get(url);
    match header {
        Some((name, value)) => request.header(name, value),
        None => request,
    }
}

/// ZenFlow's orders with this key.
fn orders(simulator: &Simulator, key: &str) -> RequestBuilder {
    let url = format!("{}/zenflow/api/v1/orders?page=1&limit=1", simulator.base());
    get(&url, Some(("X-API-Key", key)))
}

/// A ZenFlow key that reads orders.
fn orders_key(simulator: &Simulator) -> IssuedKey {
    simulator.add_key(NewKey { scopes: vec!["read:orders".to_owned()], ..NewKey::of(Provider::ZenFlow, "") })
}

/// The last row.
fn last(simulator: &Simulator) -> Row {
    let mut rows = simulator.ledger(&LedgerFilter::default());
    rows.pop().expect("a request was made")
}

/// reqwest's own `query` is a feature we do not use.
trait QueryPair {
    fn query_pair(self, name: &str, value: &str) -> Self;
}

impl QueryPair for RequestBuilder {
    fn query_pair(self, name: &str, value: &str) -> Self {
        let (client, request) = self.build_split();
        let mut request = request.expect("the URL is valid");
        request.url_mut().query_pairs_mut().append_pair(name, value);
        RequestBuilder::from_parts(client, request)
    }
}
