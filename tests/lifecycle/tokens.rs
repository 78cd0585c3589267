//! Aventri's tokens: readers always hold one that serves, and each need costs one exchange, whatever is restarted,
//! killed or doubled.

use super::{calls, pass, until, validation};
use crate::controller::cast::{self, Act};
use crate::outputs::clients;
use crate::simulator::{
    AventriSwitches, Fault, LedgerFilter, Misbehaviour, NewKey, Placement, Provider, Simulator, Switches,
};
use crate::support::await_object::await_object;
use crate::support::full_length;
use crate::support::stage::{SOON, Stage, is, value};
use connector_operator::api::{ConditionType, ConnectorCredential};
use futures::future::join_all;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

const FORMATS: [&str; 6] = ["Binding", "Env", "Dotenv", "HTTP", "Curl", "Nexla"];

fn minute() -> Act {
    let settings = json!({"aventri": {"accountID": "12345", "region": "NorthAmerica", "tokenLifetime": "1m"}});
    Act { settings, ..cast::aventri() }
}

/// The provider's tokens live as long as the credential says.
fn tokens_live(simulator: &Simulator, seconds: i64) {
    let aventri = AventriSwitches { token_life_seconds: seconds, ..AventriSwitches::default() };
    simulator.set_switches(Switches { limits: false, aventri, ..Switches::default() });
}

/// Exchanges of a key, or of all.
fn exchanges(stage: &Stage, key_hash: Option<&str>) -> usize {
    let filter = LedgerFilter { provider: Some(Provider::Aventri), key_hash: key_hash.map(str::to_owned), after: 0 };
    stage.simulator.ledger(&filter).iter().filter(|row| row.placement == Placement::Form).count()
}

fn outputs(name: &str) -> Value {
    FORMATS.iter().map(|format| json!({"secretName": output(name, format), "format": format})).collect()
}

fn output(name: &str, format: &str) -> String {
    format!("{name}-{}", format.to_lowercase())
}

/// A workload that reads its output all the time and uses what it finds, until told to stop.
async fn read(secrets: Api<Secret>, name: String, stop: Arc<AtomicBool>, reads: Arc<AtomicU32>) -> Vec<String> {
    let (client, mut bad) = (reqwest::Client::new(), Vec::new());
    while !stop.load(Ordering::Relaxed) {
        let secret = secrets.get(&name).await.expect("the old one stays until the new one is written");
        let answer = if value(&secret, "uri").is_some() {
            clients::bound(&client, &secret, clients::path(Provider::Aventri)).await
        } else {
            clients::http(&client, &secret, clients::path(Provider::Aventri)).await
        };
        if !answer.is_success(Provider::Aventri) {
            bad.push(format!("{}: {answer:?}", jiff::Timestamp::now()));
        }
        reads.fetch_add(1, Ordering::Relaxed);
        pass(Duration::from_millis(100)).await;
    }
    bad
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_never_hold_an_expired_token_and_each_need_costs_one_exchange() {
    let mut stage = Stage::set("tokens").await;
    tokens_live(&stage.simulator, 60);
    let act = minute();
    let issued = stage.issue(act.new_key());
    stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
    let start = Instant::now();
    stage.declare(act.name, act.spec_with("outputs", outputs(act.name))).await;
    stage.until_ready(act.name).await;
    let (stop, reads) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let reader = read(stage.secrets(), output(act.name, "HTTP"), Arc::clone(&stop), Arc::clone(&reads));
    let reader = tokio::spawn(reader);
    // A restart uses the token that is stored.
    until(start, Duration::from_secs(10)).await;
    stage.restart().await;
    until(start, Duration::from_secs(30)).await;
    assert_eq!(exchanges(&stage, None), 1, "a stored token is used again after a restart");
    let (length, most) = if full_length() { (300, 9) } else { (75, 3) };
    until(start, Duration::from_secs(length)).await;
    stop.store(true, Ordering::Relaxed);
    let bad = reader.await.expect("the output was there all the time");
    let (made, reads) = (exchanges(&stage, None), reads.load(Ordering::Relaxed));
    assert!((2..=most).contains(&made), "{made} exchanges in {length} s");
    assert!(reads > 100 && bad.is_empty(), "of {reads} reads: {bad:?}");
    // All outputs hold the same token: the newest.
    let binding = stage.secret(&output(act.name, "Binding")).await.expect("it stands");
    let token = value(&binding, "access-token").expect("a token");
    let encoded: String = url::form_urlencoded::byte_serialize(token.as_bytes()).collect();
    for format in FORMATS {
        let secret = stage.secret(&output(act.name, format)).await.expect("it stands");
        let values = secret.data.unwrap_or_default().into_values();
        let text: Vec<_> = values.map(|bytes| String::from_utf8_lossy(&bytes.0).into_owned()).collect();
        let holds = text.iter().any(|text| text.contains(&token) || text.contains(&encoded));
        assert!(holds, "{format} does not hold the newest token");
    }
    let renewals = stage.events(act.name).await;
    assert_eq!(renewals.len(), 1, "Ready once; a renewed token is no news: {renewals:?}");
    stage.finish().await;
}

/// Credentials with keys and accounts of their own.
async fn declare(stage: &Stage, number: usize, lifetime: &str) -> (String, String) {
    let account = format!("{}", 7000 + number);
    let name = format!("events-{number}");
    let issued = stage.issue(NewKey::of(Provider::Aventri, &format!("{account}@na")));
    stage.put_secret(&format!("{name}-key"), &[("api-key", &issued.key)]).await;
    let settings = json!({"aventri": {"accountID": account, "region": "NorthAmerica", "tokenLifetime": lifetime}});
    stage.declare(&name, json!({"provider": settings, "keySecretRef": {"name": format!("{name}-key")}})).await;
    (name, issued.hash)
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_the_operator_at_any_moment_adds_one_exchange_at_the_most() {
    let mut stage = Stage::set("killed").await;
    tokens_live(&stage.simulator, 600);
    // The answer is held for as long as ten others need to begin: each is killed at another moment.
    stage.simulator.set_fault(Fault::of(Misbehaviour::Latency { ms: 700 }));
    let mut all = vec![declare(&stage, 0, "10m").await];
    stage.simulator.wait_for(&LedgerFilter::default(), SOON).await.expect("it has begun");
    for number in 1..14 {
        all.push(declare(&stage, number, "10m").await);
        pass(Duration::from_millis(100)).await;
    }
    stage.operator.kill().expect("it runs");
    let before: Vec<_> = all.iter().map(|(_, hash)| exchanges(&stage, Some(hash))).collect();
    stage.simulator.clear_faults();
    stage.operator = stage.another_operator(&[]).await;
    // A claim that nobody took up is waited out.
    let ready = |object: &ConnectorCredential| is(object, ConditionType::Ready, ("True", "Ready"));
    join_all(all.iter().map(|(name, _)| {
        let credentials = stage.credentials();
        async move { await_object(&credentials, name, 3 * SOON, ready).await.expect("it recovers") }
    }))
    .await;
    let mut moments = std::collections::BTreeSet::new();
    for ((name, hash), before) in all.iter().zip(before) {
        let made = exchanges(&stage, Some(hash));
        assert!((1..=2).contains(&made), "{name}: {made} exchanges");
        assert!(made <= before.max(1) + 1, "{name}: {made} exchanges, {before} of them before the end");
        moments.insert((before, made));
    }
    assert!(moments.len() >= 2, "the end came at different moments: {moments:?}");
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_over_a_renewal_the_operator_leaves_no_reader_with_an_expired_token() {
    let mut stage = Stage::set("renewal").await;
    // Ten seconds more than the credentials know of: so long the machine may stand still.
    tokens_live(&stage.simulator, 70);
    let (stop, reads) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let (mut all, mut readers) = (Vec::new(), Vec::new());
    let start = Instant::now();
    for number in 0..8 {
        let (name, hash) = declare(&stage, number, "1m").await;
        stage.until_ready(&name).await;
        let output = format!("{name}-auth");
        readers.push(tokio::spawn(read(stage.secrets(), output, Arc::clone(&stop), Arc::clone(&reads))));
        all.push((name, hash));
    }
    // Renewals are due 40 seconds after each began, and their answers are held: it dies in the midst of them.
    until(start, Duration::from_secs(38)).await;
    stage.simulator.set_fault(Fault { times: Some(8), ..exchange_held(1500) });
    let seen = stage.simulator.ledger(&LedgerFilter::default()).last().map_or(0, |row| row.seq);
    let renewing = || {
        let rows = stage.simulator.ledger(&LedgerFilter { after: seen, ..LedgerFilter::default() });
        rows.iter().filter(|row| row.placement == Placement::Form).count()
    };
    while renewing() < 3 {
        pass(Duration::from_millis(20)).await;
        assert!(start.elapsed() < Duration::from_secs(55), "renewals begin at two thirds");
    }
    stage.operator.kill().expect("it runs");
    stage.simulator.clear_faults();
    stage.operator = stage.another_operator(&[]).await;
    until(start, Duration::from_secs(78)).await;
    stop.store(true, Ordering::Relaxed);
    for reader in readers {
        let bad = reader.await.expect("the output was there all the time");
        assert!(bad.is_empty(), "{bad:?}");
    }
    let mut twice = 0;
    for (name, hash) in &all {
        let made = exchanges(&stage, Some(hash));
        assert!((2..=3).contains(&made), "{name}: {made} exchanges for two needs and a kill");
        twice += made - 2;
    }
    assert!((1..8).contains(&twice), "some were killed over it, others not: {twice}");
    stage.finish().await;
}

/// Exchanges are processed, and answered later.
fn exchange_held(ms: u64) -> Fault {
    Fault { path: Some("authorize.json".to_owned()), ..Fault::of(Misbehaviour::Latency { ms }) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a21_two_operators_that_both_believe_they_lead_exchange_once_for_each_need() {
    let stage = Stage::set("doubled").await;
    tokens_live(&stage.simulator, 60);
    let mut rival = stage.another_operator(&[]).await;
    let mut all = Vec::new();
    for number in 0..4 {
        all.push(declare(&stage, number, "1m").await);
    }
    for (name, _) in &all {
        stage.until_ready(name).await;
    }
    let start = Instant::now();
    for (name, hash) in &all {
        assert_eq!(exchanges(&stage, Some(hash)), 1, "{name}: one need, one exchange");
    }
    // Each of them renews at two thirds: a second need.
    for (name, _) in &all {
        let renewed = |object: &ConnectorCredential| renewals(object) > 0;
        await_object(&stage.credentials(), name, 3 * SOON, renewed).await.expect("it is renewed");
    }
    assert!(start.elapsed() < Duration::from_secs(59), "renewed in time");
    pass(Duration::from_secs(6)).await;
    for (name, hash) in &all {
        assert_eq!(exchanges(&stage, Some(hash)), 2, "{name}: two needs, two exchanges");
    }
    // They do not fight about what stands in the output.
    let mut versions = Vec::new();
    for (name, _) in &all {
        versions.push(stage.secret(&format!("{name}-auth")).await.expect("it stands"));
    }
    pass(Duration::from_secs(3)).await;
    let asked = calls(&stage);
    let client = reqwest::Client::new();
    for ((name, _), before) in all.iter().zip(versions) {
        let now = stage.secret(&format!("{name}-auth")).await.expect("it stands");
        assert_eq!(before.metadata.resource_version, now.metadata.resource_version, "{name} is written to and fro");
        let answer = clients::bound(&client, &now, clients::path(Provider::Aventri)).await;
        assert!(answer.is_success(Provider::Aventri), "{name}: {answer:?}");
    }
    assert_eq!(calls(&stage), asked + all.len());
    rival.kill().expect("it runs");
    stage.finish().await;
}

/// How often a token was renewed: the last check lies after the first success.
fn renewals(object: &ConnectorCredential) -> u8 {
    let created = object.metadata.creation_timestamp.as_ref().map_or(0, |time| time.0.as_second());
    let checked = validation(object).last_check_time.map_or(0, |time| time.0.as_second());
    u8::from(checked > created + 30)
}
