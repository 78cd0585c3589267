//! A rotation costs no workload anything: readers hold a key that works at every moment, and no verdict is taken for
//! one on another key.

use super::pass;
use crate::controller::cast::{self, Act};
use crate::outputs::clients;
use crate::simulator::{Fault, IssuedKey, LedgerFilter, Misbehaviour, Provider};
use crate::support::await_object::await_object;
use crate::support::full_length;
use crate::support::stage::{SOON, Stage, is, value};
use connector_operator::api::{ConditionType, Conditions, ConnectorCredential, ConnectorCredentialStatus};
use futures::future::join_all;
use futures::{Stream, StreamExt as _};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// A task that ends with the test.
struct Task<T>(JoinHandle<T>);

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Every state that an object takes from now on, as the API server tells it.
fn states<K>(api: kube::Api<K>, name: &str) -> impl Stream<Item = Option<K>> + Send + 'static
where
    K: kube::Resource + Clone + serde::de::DeserializeOwned + Debug + Send + 'static,
{
    let watched = watcher::watch_object(api, name).default_backoff();
    watched.filter_map(|state| futures::future::ready(state.ok()))
}

/// The version of the source that a status speaks of.
fn speaks_of(status: &ConnectorCredentialStatus) -> Option<&str> {
    status.source.as_ref().map(|source| source.resource_version.as_str())
}

fn version(secret: &Secret) -> String {
    secret.metadata.resource_version.clone().unwrap_or_default()
}

/// Settings that cost one call a check.
fn one_call() -> Act {
    Act { settings: json!({"zenflow": {}}), ..cast::zenflow() }
}

/// The first key is asked about when the second one arrives, and its answer comes after that.
struct Held {
    name: &'static str,
    act: Act,
    published_before: bool,
    first_is_good: bool,
    second_is_good: bool,
}

#[tokio::test(flavor = "multi_thread")]
async fn a22_a_rotation_during_a_probe_never_gets_the_old_verdict() {
    let stage = Stage::set("held").await;
    let held = |name, act, first_is_good, published_before| Held {
        name,
        act,
        published_before,
        first_is_good,
        second_is_good: !first_is_good,
    };
    let stories = [
        held("good-then-bad", one_call(), true, false),
        held("bad-then-good", one_call(), false, false),
        held("token-then-bad", cast::aventri(), true, false),
        held("good-then-bad-later", one_call(), true, true),
        held("bad-then-good-later", cast::inflow(), false, true),
        Held { second_is_good: true, ..held("good-then-good", cast::inflow(), true, false) },
    ];
    join_all(stories.into_iter().map(|story| play(&stage, story))).await;
    stage.finish().await;
}

fn next_key(stage: &Stage, act: &Act, good: bool) -> String {
    if good { stage.issue(act.new_key()).key } else { stage.wrong_key(act.provider) }
}

async fn play(stage: &Stage, story: Held) {
    let Held { name, act, published_before, first_is_good, second_is_good } = story;
    let (source, output) = (format!("{name}-key"), format!("{name}-auth"));
    let mut spec = act.spec();
    spec["keySecretRef"]["name"] = json!(source);
    if published_before {
        let zeroth = next_key(stage, &act, true);
        stage.put_secret(&source, &[("api-key", &zeroth)]).await;
        stage.declare(name, spec.clone()).await;
        stage.until_ready(name).await;
    }
    let first = next_key(stage, &act, first_is_good);
    let hash = crate::simulator::key_hash(&first);
    let slow = Fault { key_hash: Some(hash.clone()), ..Fault::of(Misbehaviour::Latency { ms: 6000 }) };
    stage.simulator.set_fault(slow);
    stage.put_secret(&source, &[("api-key", &first)]).await;
    if !published_before {
        stage.declare(name, spec).await;
    }
    let filter = LedgerFilter { key_hash: Some(hash), ..LedgerFilter::default() };
    stage.simulator.wait_for(&filter, SOON).await.expect("the first key is asked about");
    // From here on nothing may be said or published on the first key's answer.
    let seen = Arc::new(Mutex::new((Vec::new(), Vec::new())));
    let (objects, outputs) = (Arc::clone(&seen), Arc::clone(&seen));
    let recorded = states(stage.credentials(), name).for_each(move |object| {
        objects.lock().expect("no panic").0.extend(object);
        futures::future::ready(())
    });
    let _objects = Task(tokio::spawn(recorded));
    let recorded = states(stage.secrets(), &output).for_each(move |secret| {
        outputs.lock().expect("no panic").1.extend(secret);
        futures::future::ready(())
    });
    let _outputs = Task(tokio::spawn(recorded));
    let second = next_key(stage, &act, second_is_good);
    let put = version(&stage.put_secret(&source, &[("api-key", &second)]).await);

    let expected = if second_is_good { ("True", "KeyAccepted") } else { ("False", "KeyRejected") };
    let judged = |object: &ConnectorCredential| {
        is(object, ConditionType::Authenticated, expected)
            && object.status.as_ref().and_then(speaks_of) == Some(put.as_str())
    };
    // The bucket of unscheduled checks may be empty by now.
    await_object(&stage.credentials(), name, 3 * SOON, judged).await.expect("the second key is judged");
    pass(Duration::from_millis(500)).await;
    let (objects, outputs) = std::mem::take(&mut *seen.lock().expect("no panic"));
    let spoken: Vec<_> = objects
        .iter()
        .filter_map(|object| object.status.as_ref())
        .filter(|status| speaks_of(status) == Some(put.as_str()))
        .map(|status| status.conditions.of(ConditionType::Authenticated).map(|found| found.reason.clone()))
        .collect();
    assert!(!spoken.is_empty());
    let contrary = if second_is_good { "KeyRejected" } else { "KeyAccepted" };
    assert!(!spoken.contains(&Some(contrary.to_owned())), "{name}: the second key got the first one's verdict");
    for output in outputs {
        let key = value(&output, "api-key").unwrap_or_default();
        assert_ne!(key, first, "{name}: overtaken before it was published");
        assert!(second_is_good || key != second, "{name}: a refused key was published");
    }
}

/// A credential under rotation, and what its readers need to know.
struct Rotated {
    act: Act,
    name: String,
    /// Keys that the user revoked at the provider, and when.
    revoked: Arc<Mutex<BTreeMap<String, Instant>>>,
    live: Mutex<IssuedKey>,
}

/// What readers found.
#[derive(Default)]
struct Found {
    reads: AtomicU32,
    bad: Mutex<Vec<String>>,
}

impl Rotated {
    fn source(&self) -> String {
        format!("{}-key", self.name)
    }

    fn output(&self) -> String {
        format!("{}-http", self.name)
    }

    fn spec(&self) -> Value {
        let mut spec = self.act.spec();
        spec["keySecretRef"]["name"] = json!(self.source());
        spec["outputs"] = json!([{"secretName": self.output(), "format": "HTTP"}]);
        spec
    }

    /// Reads the output all the time and uses what it holds. A key that was revoked between reading and using is the
    /// user's doing; one that was revoked, or never good, when it was read is not.
    fn reader(&self, stage: &Stage, found: Arc<Found>) -> Task<()> {
        let (secrets, output, provider) = (stage.secrets(), self.output(), self.act.provider);
        let (revoked, client) = (Arc::clone(&self.revoked), reqwest::Client::new());
        Task(tokio::spawn(async move {
            loop {
                let start = Instant::now();
                let secret = secrets.get(&output).await.expect("an output that stands is never away");
                let answer = clients::http(&client, &secret, clients::path(provider)).await;
                let shown = secret_text(&secret);
                let excused =
                    revoked.lock().expect("no panic").iter().any(|(key, at)| shown.contains(key) && *at > start);
                if !answer.is_success(provider) && !excused {
                    found.bad.lock().expect("no panic").push(format!("{output}: {answer:?}"));
                }
                found.reads.fetch_add(1, Ordering::Relaxed);
                pass(Duration::from_millis(25)).await;
            }
        }))
    }

    /// Puts a new key into the source, waits until it is said to be live, and revokes the old one.
    async fn rotate(&self, stage: &Stage) -> Duration {
        let new = stage.issue(self.act.new_key());
        let start = Instant::now();
        let put = version(&stage.put_secret(&self.source(), &[("api-key", &new.key)]).await);
        let live = |object: &ConnectorCredential| {
            is(object, ConditionType::Ready, ("True", "Ready"))
                && object.status.as_ref().and_then(speaks_of) == Some(put.as_str())
        };
        await_object(&stage.credentials(), &self.name, 3 * SOON, live).await.expect("the new key goes live");
        let took = start.elapsed();
        let old = std::mem::replace(&mut *self.live.lock().expect("no panic"), new);
        self.revoked.lock().expect("no panic").insert(wire(&self.act, &old.key), Instant::now());
        stage.simulator.revoke_key(&old.id);
        took
    }

    /// Puts a key into the source that the provider refuses.
    async fn rotate_badly(&self, stage: &Stage) -> Duration {
        let wrong = stage.wrong_key(self.act.provider);
        let start = Instant::now();
        stage.put_secret(&self.source(), &[("api-key", &wrong)]).await;
        let refused = |object: &ConnectorCredential| is(object, ConditionType::Ready, ("False", "KeyRejected"));
        let told = await_object(&stage.credentials(), &self.name, 3 * SOON, refused).await.expect("it is refused");
        assert!(is(&told, ConditionType::Published, ("True", "LastKnownGood")));
        start.elapsed()
    }
}

/// A key as it stands in an output of format HTTP.
fn wire(act: &Act, key: &str) -> String {
    match act.provider {
        Provider::Flowlu => url::form_urlencoded::byte_serialize(key.as_bytes()).collect(),
        Provider::InFlow | Provider::ZenFlow | Provider::Flow | Provider::Aventri => key.to_owned(),
    }
}

fn secret_text(secret: &Secret) -> String {
    let values = secret.data.iter().flatten().map(|(_, bytes)| String::from_utf8_lossy(&bytes.0).into_owned());
    values.collect::<Vec<_>>().join("\n")
}

/// Fifty writes a second to Secrets of the namespace that are nobody's business. Gives how many were made.
fn traffic(stage: &Stage) -> (Task<()>, Arc<AtomicU32>) {
    let (secrets, made) = (stage.secrets(), Arc::new(AtomicU32::new(0)));
    let count = Arc::clone(&made);
    let writes = async move {
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        for number in 0_u32.. {
            tick.tick().await;
            let (secrets, count) = (secrets.clone(), Arc::clone(&count));
            tokio::spawn(async move {
                let name = format!("unrelated-{}", number % 20);
                let body = json!({
                    "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name},
                    "stringData": {"number": number.to_string()},
                });
                let params = PatchParams::apply("traffic").force();
                if secrets.patch(&name, &params, &Patch::Apply(body)).await.is_ok() {
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    };
    (Task(tokio::spawn(writes)), made)
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_never_hold_a_refused_key_through_rotations_and_traffic() {
    let stage = Stage::set("rotations").await;
    let mut rotated = Vec::new();
    for act in cast::all() {
        let live = stage.issue(act.new_key());
        let one = Rotated { name: act.name.to_owned(), act, revoked: Arc::default(), live: Mutex::new(live.clone()) };
        stage.put_secret(&one.source(), &[("api-key", &live.key)]).await;
        stage.declare(&one.name, one.spec()).await;
        stage.until_ready(&one.name).await;
        rotated.push(one);
    }
    let found = Arc::new(Found::default());
    let _readers: Vec<_> = rotated.iter().map(|one| one.reader(&stage, Arc::clone(&found))).collect();
    let (_traffic, written) = traffic(&stage);
    let start = Instant::now();
    let took = join_all(rotated.iter().map(|one| one.rotate(&stage))).await;
    // Seconds, and half a minute more for a check that failed in passing; how fast it is, `cargo scale` shows.
    if took.iter().any(|took| *took >= Duration::from_secs(45)) {
        let log = stage.operator.log();
        let calls: Vec<_> = log.lines().filter(|line| line.contains("called a provider")).collect();
        panic!("a new key is live within a minute: {took:?}\n{}", calls.join("\n"));
    }
    if full_length() {
        for _ in 0..3 {
            // Each waits for the bucket of unscheduled checks.
            join_all(rotated.iter().map(|one| one.rotate_badly(&stage))).await;
            join_all(rotated.iter().map(|one| one.rotate(&stage))).await;
        }
    }
    // As readers go on, the old keys are refused.
    pass(Duration::from_secs(2)).await;
    join_all(rotated.iter().take(2).map(|one| one.rotate_badly(&stage))).await;
    let elapsed = start.elapsed();
    let (reads, written) = (found.reads.load(Ordering::Relaxed), written.load(Ordering::Relaxed));
    assert!(reads > 100, "readers read: {reads}");
    let rate = f64::from(written) / elapsed.as_secs_f64();
    assert!(rate > 10.0, "the traffic was to be 50 writes a second: {rate}");
    let bad = found.bad.lock().expect("no panic").clone();
    assert!(bad.is_empty(), "of {reads} reads: {bad:?}");
    for one in &rotated {
        let told = stage.events(&one.name).await;
        let live =
            told.iter().filter(|(reason, note)| reason == "Published" && note.contains("may be revoked")).count();
        assert_eq!(live, if full_length() { 4 } else { 1 }, "{}: a new key that is live is told: {told:?}", one.name);
    }
    stage.finish().await;
}
