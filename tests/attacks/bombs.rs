//! Answers that are meant to hurt: endless, packed, deep, wide, slow, or none. They cost little memory, and their
//! neighbours nothing.

use crate::simulator::{Echo, Fault, LedgerFilter, Misbehaviour, NewKey, Provider};
use crate::support::await_object::await_object;
use crate::support::stage::{SOON, Stage, is, listening};
use connector_operator::api::{ConditionType, ConnectorCredential};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

const BOMBS: usize = 50;
const SLOW_READERS: usize = 20;
/// What they may cost, in KiB.
const AT_MOST: u64 = 64 * 1024;

/// Each misbehaviour of the simulator that is no verdict.
fn bomb(n: usize) -> Misbehaviour {
    match n / 2 % 25 {
        0 => Misbehaviour::Flood { bytes: 10 << 30 },
        1 => Misbehaviour::GzipBomb,
        2 => Misbehaviour::DeepJson,
        3 => Misbehaviour::WideHead { bytes: 1 << 20 },
        4 => Misbehaviour::SlowBody { every_ms: 1000 },
        5 => Misbehaviour::Hang,
        6 => Misbehaviour::Deaf,
        7 => Misbehaviour::Reset,
        8 => Misbehaviour::Truncated,
        9 => Misbehaviour::BadTls,
        10 => Misbehaviour::Huge { declared: true },
        11 => Misbehaviour::Huge { declared: false },
        12 => Misbehaviour::Empty,
        13 => Misbehaviour::BrokenJson,
        14 => Misbehaviour::Html { status: 200, content_type: None },
        15 => Misbehaviour::Html { status: 403, content_type: None },
        16 => Misbehaviour::Redirect { status: 302 },
        17 => Misbehaviour::RedirectHome { status: 307 },
        18 => Misbehaviour::RateLimit { retry_after: None },
        19 => Misbehaviour::Status { status: 503, retry_after: None, bad_key_body: false },
        20 => Misbehaviour::Status { status: 500, retry_after: None, bad_key_body: true },
        21 => Misbehaviour::Html { status: 404, content_type: None },
        22 => Misbehaviour::EchoKey { at: Echo::Body, status: 500 },
        23 => Misbehaviour::Latency { ms: 21_000 },
        _ => Misbehaviour::Reply { status: 418, body: String::new(), content_type: "text/plain".to_owned() },
    }
}

/// Clients of the metrics port that ask and do not read.
fn slow_readers(address: &str) -> Vec<TcpStream> {
    let ask = |_| {
        let mut stream = TcpStream::connect(address).expect("it listens");
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: metrics\r\n\r\n").expect("it reads");
        stream
    };
    (0..SLOW_READERS).map(ask).collect()
}

/// Settings of the n-th credential, with an account of its own; and the simulator's name of it.
fn settings(n: usize) -> (Provider, Value, String) {
    match n % 5 {
        0 => {
            let company = format!("{n:08x}-0000-4000-8000-000000000000");
            (Provider::InFlow, json!({"inflow": {"companyID": company}}), company)
        }
        1 => (Provider::Flowlu, json!({"flowlu": {"account": format!("w{n}")}}), format!("w{n}")),
        2 => (Provider::ZenFlow, json!({"zenflow": {}}), String::new()),
        3 => (Provider::Flow, json!({"flow": {"purpose": "FLOWAPI"}}), String::new()),
        _ => {
            let settings = json!({"aventri": {"accountID": (100 + n).to_string(), "region": "EMEA"}});
            (Provider::Aventri, settings, format!("{}@emea", 100 + n))
        }
    }
}

fn spec(settings: &Value, key: &str) -> Value {
    let mut spec = json!({"provider": settings, "keySecretRef": {"name": "keys", "key": key}});
    if settings.get("flow").is_some() {
        spec["expiresAt"] = json!("2099-01-01T00:00:00Z");
    }
    spec
}

/// Memory of a process in KiB: `VmRSS` now, or `VmHWM` at its highest.
pub(super) fn memory(process: u32, line: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = status.lines().find(|found| found.starts_with(line)).expect("Linux tells");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}

/// A credential beside the bombs, and how long it takes to get ready.
pub(super) async fn good(stage: &Stage, namespace: &str, n: usize) -> Duration {
    let (provider, settings, account) = settings(n);
    let key = stage.simulator.add_key(NewKey::of(provider, &account)).key;
    let name = format!("good-{n}");
    let secret = json!({"metadata": {"name": name}, "stringData": {"api-key": key}});
    let secrets: Api<Secret> = stage.bed.api(namespace);
    secrets.create(&Default::default(), &serde_json::from_value(secret).expect("a Secret")).await.expect("it is made");
    let mut spec = spec(&settings, "api-key");
    spec["keySecretRef"] = json!({"name": name});
    let object = json!({
        "apiVersion": "connector-operator.io/v1alpha1", "kind": "ConnectorCredential",
        "metadata": {"name": name}, "spec": spec,
    });
    let credentials: Api<ConnectorCredential> = stage.bed.api(namespace);
    let since = Instant::now();
    credentials
        .create(&Default::default(), &serde_json::from_value(object).expect("a credential"))
        .await
        .expect("it is admitted");
    let ready = |object: &ConnectorCredential| is(object, ConditionType::Ready, ("True", "Ready"));
    await_object(&credentials, &name, SOON, ready).await.expect("it gets ready beside bombs");
    since.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn a18_bombs_hangs_and_slow_readers_cost_little_memory_and_delay_nobody() {
    let bed = crate::support::bed::bed().await;
    let other = bed.namespace("beside-bombs").await;
    let stage = Stage::set_on(bed, "bombs", &["--log-level=info", &format!("--watch-namespace={other}")]).await;
    good(&stage, &other, 1000).await;
    let before = memory(stage.operator.id(), "VmRSS");

    let mut data = Vec::new();
    for n in 0..BOMBS {
        let (provider, _, account) = settings(n);
        let key = stage.simulator.add_key(NewKey::of(provider, &account));
        stage.simulator.set_fault(Fault { key_hash: Some(key.hash), ..Fault::of(bomb(n)) });
        data.push((format!("k{n}"), key.key));
    }
    let data: Vec<_> = data.iter().map(|(name, key)| (name.as_str(), key.as_str())).collect();
    stage.put_secret("keys", &data).await;
    for n in 0..BOMBS {
        stage.declare(&format!("bomb-{n}"), spec(&settings(n).1, &format!("k{n}"))).await;
    }
    let readers = slow_readers(&listening(&stage.operator, "metrics listening").expect("it listens"));
    // Beside them in other namespaces, of every provider.
    let mut waits = Vec::new();
    for n in 1001..1006 {
        waits.push(good(&stage, &other, n).await);
    }
    drop(readers);
    // All but one: the machine may stand still for a moment.
    waits.sort();
    assert!(waits[3] < Duration::from_secs(5), "{waits:?}");
    // All have gone off, but for those that wait for a slot behind what hangs.
    let gone_off = || {
        let rows = stage.simulator.ledger(&LedgerFilter::default());
        rows.into_iter().filter(|row| row.fault.is_some()).filter_map(|row| row.key_hash).collect::<BTreeSet<_>>()
    };
    let start = Instant::now();
    while gone_off().len() < BOMBS * 3 / 4 && start.elapsed() < SOON {
        super::pass(Duration::from_millis(200)).await;
    }
    let number = gone_off().len();
    assert!(number >= BOMBS * 3 / 4, "{number} bombs went off");
    let cost = memory(stage.operator.id(), "VmHWM").saturating_sub(before);
    assert!(cost <= AT_MOST, "{BOMBS} bombs cost {cost} KiB");
    for n in 0..BOMBS {
        let object = stage.credentials().get(&format!("bomb-{n}")).await.expect("it is there");
        assert!(!is(&object, ConditionType::Ready, ("True", "Ready")), "bomb-{n}: {:?}", bomb(n));
    }
    stage.finish().await;
}
