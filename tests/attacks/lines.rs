//! Can an auditor trust the log? One line for each call of a provider and for each write of a Secret: not one less,
//! not one more.

use crate::controller::cast;
use crate::simulator::{Fault, LedgerFilter, Misbehaviour, Provider, Row};
use crate::support::stage::{SOON, Stage, is};
use connector_operator::api::ConditionType;
use connector_operator::probe::Limits;
use connector_operator::telemetry::{self, LogFormat, LogLevel};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tracing_subscriber::layer::SubscriberExt as _;

/// Calls by provider and status.
type Calls = BTreeMap<(String, Option<u64>), usize>;

fn lines(log: &str, message: &str) -> Vec<Value> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line.to_string().contains(message)).collect()
}

fn field<'a>(line: &'a Value, name: &str) -> &'a Value {
    line.get(name).or_else(|| line.get("fields")?.get(name)).unwrap_or(&Value::Null)
}

fn logged_calls(log: &str) -> Calls {
    let mut calls = Calls::new();
    for line in lines(log, "called a provider") {
        let provider = field(&line, "provider").as_str().unwrap_or_default().to_lowercase();
        *calls.entry((provider, field(&line, "status").as_u64())).or_default() += 1;
    }
    calls
}

fn made_calls(rows: &[Row]) -> Calls {
    let mut calls = Calls::new();
    for row in rows {
        let provider = row.provider.map_or("", Provider::name).to_owned();
        *calls.entry((provider, row.status.map(u64::from))).or_default() += 1;
    }
    calls
}

/// Secrets of the namespace that an operator wrote, by name, as the audit log has it.
fn written(stage: &Stage, from: u64) -> BTreeMap<String, usize> {
    let mut log = std::fs::File::open(stage.bed.plane.audit_log()).expect("there is an audit log");
    log.seek(SeekFrom::Start(from)).expect("it only grows");
    let mut text = String::new();
    log.read_to_string(&mut text).expect("it is text");
    let mut written = BTreeMap::new();
    for event in text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let text = |pointer| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let code = event.pointer("/responseStatus/code").and_then(Value::as_u64).unwrap_or_default();
        let writes = ["create", "update", "patch", "delete"].contains(&text("/verb"));
        let ours = text("/user/username").starts_with("system:serviceaccount:");
        if writes
            && ours
            && text("/stage") == "ResponseComplete"
            && text("/objectRef/resource") == "secrets"
            && text("/objectRef/namespace") == stage.namespace
            && (200..300).contains(&code)
        {
            *written.entry(text("/objectRef/name").to_owned()).or_default() += 1;
        }
    }
    written
}

#[tokio::test(flavor = "multi_thread")]
async fn a15_every_call_and_every_write_of_a_secret_is_one_line_of_the_log() {
    let stage = Stage::set_with("lines", &["--log-level=info"]).await;
    let from = std::fs::metadata(stage.bed.plane.audit_log()).expect("there is an audit log").len();
    for act in cast::all() {
        let issued = stage.issue(act.new_key());
        stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
        stage.declare(act.name, act.spec()).await;
    }
    for act in cast::all() {
        stage.until_ready(act.name).await;
    }
    for (number, (act, fault)) in [
        (cast::inflow(), Misbehaviour::Reset),
        (cast::flowlu(), Misbehaviour::Redirect { status: 302 }),
        (cast::zenflow(), Misbehaviour::RateLimit { retry_after: None }),
        (cast::flow(), Misbehaviour::Truncated),
    ]
    .into_iter()
    .enumerate()
    {
        let fault = Fault { provider: Some(act.provider), times: Some(1), ..Fault::of(fault) };
        stage.simulator.set_fault(fault);
        stage.annotate(act.name, "connector-operator.io/reconcile-at", &number.to_string()).await;
        stage
            .until(act.name, |object| {
                object.status.as_ref().is_some_and(|status| status.last_handled_request.is_some())
            })
            .await;
    }
    // A rotation, a change of type under one name, a dropped output, a repaired one.
    let act = cast::aventri();
    let second = stage.issue(act.new_key());
    stage.put_secret(&act.source(), &[("api-key", &second.key)]).await;
    let carries = |secret: &_| crate::support::stage::value(secret, "api-key").as_deref() == Some(second.key.as_str());
    stage.until_secret(&act.output(), carries).await;
    let act = cast::zenflow();
    let other = |format: &str| {
        act.spec_with("outputs", json!([{"secretName": act.output(), "format": format}, {"secretName": "more"}]))
    };
    stage.declare(act.name, other("Env")).await;
    stage.until_secret("more", |_| true).await;
    stage.until_secret(&act.output(), |secret| secret.type_.as_deref() == Some("Opaque")).await;
    stage.declare(act.name, act.spec()).await;
    stage.until_gone("more").await;
    stage.until_secret(&act.output(), |secret| secret.type_.as_deref() != Some("Opaque")).await;
    stage.delete_secret(&cast::flow().output()).await;
    stage.until_secret(&cast::flow().output(), |_| true).await;
    for act in cast::all() {
        stage.until(act.name, |object| is(object, ConditionType::Published, ("True", "Published"))).await;
    }
    // What was made is logged a moment later.
    let start = Instant::now();
    loop {
        let log = stage.operator.log();
        let (logged, made) = (logged_calls(&log), made_calls(&stage.simulator.ledger(&LedgerFilter::default())));
        let (told, written) = (told(&log), written(&stage, from));
        if start.elapsed() < SOON && (&logged, &told) != (&made, &written) {
            super::pass(Duration::from_millis(100)).await;
            continue;
        }
        assert_eq!(logged, made, "calls as logged and as made");
        assert_eq!(told, written, "writes of Secrets as logged and as made");
        assert!(stage.simulator.calls() >= 10 && written.values().sum::<usize>() >= 12, "{written:?}");
        break;
    }
    stage.finish().await;
}

/// How often each Secret was written or deleted, as logged.
fn told(log: &str) -> BTreeMap<String, usize> {
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    for line in lines(log, "output written").into_iter().chain(lines(log, "output deleted")) {
        *told.entry(field(&line, "secret").as_str().unwrap_or_default().to_owned()).or_default() += 1;
    }
    told
}

/// What was logged in this process.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no test panicked here").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a15_a_call_that_is_given_up_is_one_line_too() {
    let log = Log::default();
    let writer = log.clone();
    let json = telemetry::layer(LogFormat::Json, LogLevel::Info, move || writer.clone());
    let subscriber = tracing_subscriber::registry().with(json);
    // With a single subscriber tracing lets whichever thread comes first say that nobody listens.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let _guard = tracing::subscriber::set_default(subscriber);
    let simulator = crate::verdicts::world::providers().await;
    let limits = Limits { conversation: Duration::from_secs(8), ..Limits::for_concurrency(64) };
    let mut world = crate::verdicts::world::World::new(Arc::clone(&simulator), limits);
    let act = cast::zenflow();
    let issued = simulator.add_key(act.new_key());
    // Two of three answers come at once; for the third no call has that long, but the whole conversation has less.
    simulator.set_fault(Fault { skip: 2, ..Fault::of(Misbehaviour::Hang) });
    world.put_secret(&act.source(), &issued.key);
    world.declare(act.name, &act.spec());
    world.settle().await;
    let text = String::from_utf8_lossy(&log.0.lock().expect("no test panicked here")).into_owned();
    assert_eq!(super::shows(&world.status(act.name), ConditionType::Authenticated), "?ProviderUnavailable");
    assert_eq!((world.calls(), lines(&text, "called a provider").len()), (3, 3), "a line for each call");
}
