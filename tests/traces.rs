//! Do traces reach a collector, only when one is named, and without a byte of a key? Built with the feature `otel` only:
//! `cargo test --features otel --test suite traces::`.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::controller::cast;
use crate::support::canary::{Canary, find};
use crate::support::operator::Operator;
use crate::support::stage::{SOON, Stage, value};

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// A collector: takes what is posted, and says so.
struct Collector {
    url: String,
    requests: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Collector {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has free ports");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let requests: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let taken = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(take(stream, Arc::clone(&taken)));
            }
        });
        Self { url, requests }
    }

    fn all(&self) -> Vec<Vec<u8>> {
        self.requests.lock().expect("no taker panics").clone()
    }
}

/// Requests of one connection, headers included.
async fn take(mut stream: TcpStream, taken: Arc<Mutex<Vec<Vec<u8>>>>) {
    let mut request = Vec::new();
    while stream.read_buf(&mut request).await.is_ok_and(|read| read > 0) {
        let Some(end) = request.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&request[..end]).to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.and_then(|length| length.parse().ok()).expect("a batch has a length");
        if request.len() >= end + 4 + length {
            taken.lock().expect("no taker panics").push(std::mem::take(&mut request));
            let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(answer.as_bytes()).await.ok();
        }
    }
}

fn stop(operator: &mut Operator) {
    let stopped = tokio::task::block_in_place(|| operator.stop(SOON));
    assert!(stopped.expect("it ends").success(), "{}", operator.log());
}

async fn publish(stage: &Stage) -> String {
    let act = cast::zenflow();
    let issued = stage.issue(act.new_key());
    stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
    stage.declare(act.name, act.spec()).await;
    stage.until_ready(act.name).await;
    stage.until_secret(&act.output(), |output| value(output, "api-key").as_ref() == Some(&issued.key)).await;
    issued.key
}

#[tokio::test(flavor = "multi_thread")]
async fn visits_and_calls_reach_the_collector_and_no_key_does() {
    let collector = Collector::start().await;
    let mut stage = Stage::set("traces").await;
    stage.operator.kill().expect("it runs");
    let variables = [(ENDPOINT, collector.url.as_str()), ("OTEL_RESOURCE_ATTRIBUTES", "service.name=keys,team=data")];
    stage.operator = stage.another_operator_in(&variables, &[]).await;
    let key = publish(&stage).await;
    stop(&mut stage.operator);
    let sent = collector.all();
    assert!(!sent.is_empty() && sent.iter().all(|one| one.starts_with(b"POST /v1/traces HTTP/1.1")), "{}", sent.len());
    let sent = sent.concat();
    let text = String::from_utf8_lossy(&sent);
    for word in ["visit", "call", "called a provider", "output written", "ZenFlow", "erp", "keys", "team"] {
        assert!(text.contains(word), "no span says {word}");
    }
    assert!(!text.contains("rustls") && !text.contains("hyper"), "libraries make no spans");
    let found = find(&sent, &[Canary::new("key", &key).with_public_prefix("zenflow_live_")]);
    assert!(found.is_empty(), "{found:?}");
    // A collector that is gone costs nobody anything.
    stage.operator = stage.another_operator_in(&[(ENDPOINT, "http://127.0.0.1:9")], &[]).await;
    publish(&stage).await;
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_endpoint_or_disabled_nothing_is_sent() {
    let collector = Collector::start().await;
    let mut stage = Stage::set("no-traces").await;
    stage.operator.kill().expect("it runs");
    let disabled = [(ENDPOINT, collector.url.as_str()), ("OTEL_SDK_DISABLED", "true")];
    stage.operator = stage.another_operator_in(&disabled, &[]).await;
    publish(&stage).await;
    stop(&mut stage.operator);
    assert!(collector.all().is_empty(), "disabled is disabled");
    stage.operator = stage.another_operator_in(&[(ENDPOINT, "")], &[]).await;
    publish(&stage).await;
    stage.finish().await;
    assert!(collector.all().is_empty());
}
