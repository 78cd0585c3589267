//! Many credentials: those that stand still cost nothing, also at a restart, and those that hang hinder nobody.

use super::audit::{Deeds, Mark};
use super::{calls, pass, short_or_full, with_scopes};
use crate::simulator::{Fault, IssuedKey, Misbehaviour};
use crate::support::await_object::await_object;
use crate::support::stage::{SOON, Stage, is, is_current};
use connector_operator::api::{ConditionType, ConnectorCredential};
use futures::{StreamExt as _, stream};
use kube::Api;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn spec(source: &str) -> Value {
    json!({"provider": {"zenflow": {"scopes": ["read:orders"]}}, "keySecretRef": {"name": source}})
}

/// So many credentials with a key and a Secret each. Their keys are not looked for afterwards: that takes minutes.
async fn declare_many(stage: &Stage, number: usize, issued: impl Fn(&IssuedKey)) {
    let one = async |n: usize| {
        let key = stage.simulator.add_key(with_scopes(&["read:orders"]));
        issued(&key);
        let source = format!("source-{n}");
        stage.put_secret(&source, &[("api-key", &key.key)]).await;
        stage.declare(&format!("erp-{n}"), spec(&source)).await;
    };
    stream::iter(0..number).map(one).buffer_unordered(16).collect::<Vec<()>>().await;
}

async fn until_all(stage: &Stage, number: usize, reached: impl Fn(&ConnectorCredential) -> bool) {
    let wait = async {
        loop {
            let all = stage.credentials().list(&Default::default()).await.expect("they can be listed").items;
            if all.len() == number && all.iter().all(&reached) {
                return;
            }
            pass(Duration::from_millis(500)).await;
        }
    };
    let limit = SOON + Duration::from_millis(500) * u32::try_from(number).expect("a small number");
    tokio::time::timeout(limit, wait).await.expect("all get there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a28_many_healthy_credentials_stand_still_and_a_restart_asks_writes_and_reads_nothing() {
    let number = short_or_full(200, 1000);
    let mut stage = Stage::set_with("crowd", &["--log-level=info"]).await;
    declare_many(&stage, number, |_| {}).await;
    until_all(&stage, number, |object| is_current(object) && is(object, ConditionType::Ready, ("True", "Ready"))).await;
    // Events are sent behind the visits.
    pass(Duration::from_secs(3)).await;
    let asked = calls(&stage);
    assert_eq!(asked, number, "one call each");

    let mark = Mark::now(&stage.bed);
    pass(Duration::from_secs(short_or_full(60, 600))).await;
    let quiet = mark.deeds(&stage.bed, &stage.namespace);
    assert_eq!((quiet.statuses, quiet.writes, quiet.reads), (0, 0, 0), "{quiet:?}");
    assert_eq!(calls(&stage), asked, "nobody is asked between checks");

    // A check that finds nothing new.
    stage.annotate("erp-7", "connector-operator.io/reconcile-at", "now").await;
    let handled = |object: &ConnectorCredential| {
        object.status.as_ref().is_some_and(|status| status.last_handled_request.as_deref() == Some("now"))
    };
    stage.until("erp-7", handled).await;
    pass(Duration::from_secs(2)).await;
    let checked = mark.deeds(&stage.bed, &stage.namespace);
    assert_eq!((checked.statuses, checked.writes), (1, 0), "one status write, and no other: {checked:?}");
    assert_eq!(calls(&stage), asked + 1);

    let mark = Mark::now(&stage.bed);
    let stopped = tokio::task::block_in_place(|| stage.operator.stop(SOON));
    assert!(stopped.expect("it ends").success());
    stage.operator = stage.another_operator(&["--log-level=info"]).await;
    // One more is served after the others: by then they were all looked at.
    let key = stage.issue(with_scopes(&["read:orders"]));
    stage.declare("last", spec("last-key")).await;
    stage.put_secret("last-key", &[("api-key", &key.key)]).await;
    stage.until_ready("last").await;
    pass(Duration::from_secs(2)).await;
    assert_eq!(calls(&stage), asked + 2, "the last one only");
    let deeds = mark.deeds(&stage.bed, &stage.namespace);
    assert!(deeds.watches >= 2, "the witness sees the new process: {deeds:?}");
    let of_the_last = Deeds { reads: 8, statuses: 3, writes: 4, watches: 0 };
    assert!(
        deeds.reads <= of_the_last.reads
            && deeds.statuses <= of_the_last.statuses
            && deeds.writes <= of_the_last.writes,
        "{number} others cost something: {deeds:?}"
    );
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a18_a_namespace_full_of_hanging_credentials_delays_no_other_by_more_than_five_seconds() {
    let number = short_or_full(200, 1000);
    let bed = crate::support::bed::bed().await;
    let other = bed.namespace("neighbour").await;
    let stage = Stage::set_on(bed, "hanging", &["--log-level=info", &format!("--watch-namespace={other}")]).await;
    declare_many(&stage, number, |key| {
        let fault = Fault { key_hash: Some(key.hash.clone()), ..Fault::of(Misbehaviour::Hang) };
        stage.simulator.set_fault(fault);
    })
    .await;
    let secrets: Api<k8s_openapi::api::core::v1::Secret> = stage.bed.api(&other);
    let credentials: Api<ConnectorCredential> = stage.bed.api(&other);
    let mut waits = Vec::new();
    for n in 0..5 {
        let key = stage.simulator.add_key(with_scopes(&["read:orders"]));
        let name = format!("good-{n}");
        let secret = json!({"metadata": {"name": name}, "stringData": {"api-key": key.key}});
        let secret = serde_json::from_value(secret).expect("a Secret");
        secrets.create(&Default::default(), &secret).await.expect("it is made");
        let object = json!({
            "apiVersion": "connector-operator.io/v1alpha1", "kind": "ConnectorCredential",
            "metadata": {"name": name}, "spec": spec(&name),
        });
        let object = serde_json::from_value(object).expect("a credential");
        let since = Instant::now();
        credentials.create(&Default::default(), &object).await.expect("it is made");
        let ready = |object: &ConnectorCredential| is(object, ConditionType::Ready, ("True", "Ready"));
        await_object(&credentials, &name, SOON, ready).await.expect("it gets ready");
        waits.push(since.elapsed());
        pass(Duration::from_secs(1)).await;
    }
    assert!(calls(&stage) > 5, "the others hang");
    // The middle one, and thrice the promise: beside other tests a visit may wait for a processor.
    waits.sort();
    assert!(waits[waits.len() / 2] < SOON / 2, "{waits:?}");
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a15_five_credentials_on_one_secret_cost_one_call() {
    let stage = Stage::set("sharing").await;
    let key = stage.issue(with_scopes(&["read:orders"]));
    for n in 0..5 {
        stage.declare(&format!("erp-{n}"), spec("source")).await;
    }
    stage.put_secret("source", &[("api-key", &key.key)]).await;
    for n in 0..5 {
        stage.until_ready(&format!("erp-{n}")).await;
        assert!(stage.secret(&format!("erp-{n}-auth")).await.is_some());
    }
    assert_eq!(calls(&stage), 1);
    let mut next = std::collections::BTreeSet::new();
    for object in stage.credentials().list(&Default::default()).await.expect("a list").items {
        next.insert(object.status.and_then(|status| status.validation?.next_check_time).expect("a schedule").0);
    }
    assert_eq!(next.len(), 1, "one schedule");
    stage.finish().await;
}
