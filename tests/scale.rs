//! Does what an object costs stay what it is, with many of them? The short form of `cargo scale`: the same promises,
//! at a size that a debug build manages in seconds.

#[path = "bench/audit.rs"]
mod audit;
#[path = "bench/process.rs"]
mod process;

use std::collections::BTreeMap;
use std::time::Duration;

use connector_operator::api::{ConditionType, ConnectorCredential};
use futures::{StreamExt as _, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::simulator::{LedgerFilter, NewKey, Provider};
use crate::support::await_object::await_object;
use crate::support::bed::bed;
use crate::support::operator::Operator;
use crate::support::stage::{SOON, Stage, get, is, listening};

const NAMESPACES: usize = 10;
const OBJECTS: usize = 300;
/// What the operator may hold when it has made them.
const MOST_MEMORY: u64 = 64 << 20;
/// What an object may add to it; a tenth of that is used.
const MOST_PER_OBJECT: u64 = 48 << 10;

/// A credential by its number.
struct Object(usize);

impl Object {
    fn name(&self) -> String {
        format!("key-{:03}", self.0)
    }

    fn provider(&self) -> (Provider, String, Value) {
        let account = format!("account{:03}", self.0);
        match self.0 / NAMESPACES % 3 {
            0 => (Provider::ZenFlow, String::new(), json!({"zenflow": {}})),
            1 => (Provider::Flowlu, account.clone(), json!({"flowlu": {"account": account}})),
            _ => {
                let id = (10_000 + self.0).to_string();
                let settings = json!({"accountID": id, "region": "NorthAmerica", "tokenLifetime": "24h"});
                (Provider::Aventri, format!("{id}@na"), json!({"aventri": settings}))
            }
        }
    }

    async fn declare(&self, stage: &Stage, namespace: &str) {
        let (provider, account, settings) = self.provider();
        let issued = stage.simulator.add_key(NewKey::of(provider, &account));
        let (name, source) = (self.name(), format!("{}-source", self.name()));
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": source},
                            "stringData": {"api-key": issued.key}});
        let params = PatchParams::apply("user").force();
        let secrets: Api<Secret> = stage.bed.api(namespace);
        secrets.patch(&source, &params, &Patch::Apply(secret)).await.expect("the administrator may write Secrets");
        let credential = json!({
            "apiVersion": "connector-operator.io/v1alpha1", "kind": "ConnectorCredential", "metadata": {"name": name},
            "spec": {"provider": settings, "keySecretRef": {"name": source}},
        });
        let credentials: Api<ConnectorCredential> = stage.bed.api(namespace);
        credentials.patch(&name, &params, &Patch::Apply(credential)).await.expect("the spec is admitted");
    }
}

fn number(of: usize) -> u64 {
    u64::try_from(of).expect("a small number")
}

/// Whether some provider was asked nothing for so long that the operator may have taken it for silent, as happens when
/// the machine stands still.
fn stood_still(stage: &Stage) -> bool {
    let mut times = BTreeMap::<_, Vec<_>>::new();
    for row in stage.simulator.ledger(&LedgerFilter::default()) {
        times.entry(format!("{:?}", row.provider)).or_default().push(row.time);
    }
    let apart = |two: &[jiff::Timestamp]| matches!(two, [one, next] if next.duration_since(*one).as_secs() >= 4);
    times.values().any(|times| times.windows(2).any(apart))
}

fn resident(operator: &Operator) -> u64 {
    process::usage(operator.id()).expect("it runs").resident
}

fn stop(operator: &mut Operator) {
    let stopped = tokio::task::block_in_place(|| operator.stop(SOON));
    assert!(stopped.expect("it ends").success());
}

/// Waits until it serves metrics.
async fn until_it_listens(operator: &Operator) {
    let listens = async {
        while listening(operator, "metrics listening").is_none() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(SOON, listens).await.expect("it listens");
}

/// Waits until this operator has looked at every object.
async fn until_all_are_visited(operator: &Operator) {
    let visited = async {
        loop {
            if let Some(address) = listening(operator, "metrics listening") {
                let text = get(&format!("http://{address}/metrics")).await;
                let ended = |line: &str| line.strip_prefix("controller_runtime_reconcile_time_seconds_count").is_some();
                let count =
                    text.lines().find(|line| ended(line)).and_then(|line| line.rsplit(' ').next()?.parse().ok());
                if count.unwrap_or(0) >= OBJECTS {
                    return;
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(SOON, visited).await.expect("every object is looked at");
}

#[tokio::test(flavor = "multi_thread")]
async fn a40_an_object_costs_four_requests_and_a_restart_none() {
    let bed = bed().await;
    let mut namespaces = Vec::new();
    for _ in 0..NAMESPACES {
        namespaces.push(bed.namespace("scale").await);
    }
    let mut flags = vec!["--log-level=info".to_owned()];
    flags.extend(namespaces.iter().map(|namespace| format!("--watch-namespace={namespace}")));
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let mut stage = Stage::set_on(bed, "scale", &flags).await;
    let audit_log = stage.bed.plane.audit_log();
    until_it_listens(&stage.operator).await;
    let empty = resident(&stage.operator);
    stop(&mut stage.operator);
    let declared = stream::iter((0..OBJECTS).map(Object)).for_each_concurrent(16, |object| {
        let (stage, namespace) = (&stage, &namespaces[object.0 % NAMESPACES]);
        async move { object.declare(stage, namespace).await }
    });
    declared.await;

    let mut asked = audit::Audit::from_now(&audit_log).expect("there is an audit log").within(&namespaces);
    stage.operator = stage.another_operator(&flags).await;
    for object in (0..OBJECTS).map(Object) {
        let credentials: Api<ConnectorCredential> = stage.bed.api(&namespaces[object.0 % NAMESPACES]);
        let ready = |object: &ConnectorCredential| is(object, ConditionType::Ready, ("True", "Ready"));
        await_object(&credentials, &object.name(), SOON, ready).await.expect("it becomes ready");
    }
    let full = resident(&stage.operator);
    // Events are sent before it ends.
    stop(&mut stage.operator);
    let exchanges = (0..OBJECTS).filter(|nth| matches!(Object(*nth).provider().0, Provider::Aventri)).count();
    let (objects, exchanges) = (number(OBJECTS), number(exchanges));
    let requests = asked.read().expect("it can be read");
    let mut single = requests.by_kind.clone();
    single.retain(|kind, _| !kind.starts_with("list") && !kind.starts_with("watch"));
    let expected = [
        ("create events", objects),
        ("create secrets", objects),
        ("get secrets", objects),
        (audit::STATUS_WRITE, objects + exchanges),
    ];
    let log = stage.operator.log();
    let warnings: Vec<_> = log.lines().filter(|line| line.contains("WARN")).collect();
    let mut expected: BTreeMap<_, _> = expected.map(|(kind, number)| (kind.to_owned(), number)).into();
    if stood_still(&stage) {
        // Whoever waits for a provider then reads its Secret and says that it waits.
        let more = single.get("get secrets").copied().unwrap_or_default().saturating_sub(objects);
        for kind in ["get secrets", audit::STATUS_WRITE] {
            *expected.entry(kind.to_owned()).or_default() += more;
        }
    }
    assert_eq!(single, expected, "{warnings:#?}");
    assert!(full < MOST_MEMORY, "{full} bytes");
    assert!(full.saturating_sub(empty) < MOST_PER_OBJECT * objects, "{empty} bytes became {full}");

    let calls = stage.simulator.calls();
    let mut asked = audit::Audit::from_now(&audit_log).expect("there is an audit log").within(&namespaces);
    stage.operator = stage.another_operator(&flags).await;
    until_all_are_visited(&stage.operator).await;
    stop(&mut stage.operator);
    assert_eq!((asked.read().expect("it can be read").single(), stage.simulator.calls() - calls), (0, 0));
    stage.finish().await;
}
