//! One tenant with very many objects: whoever else has one is served as if they were alone.

use crate::simulator::{Fault, LedgerFilter, Misbehaviour, NewKey, Provider};
use crate::support::await_object::await_object;
use crate::support::full_length;
use crate::support::stage::{SOON, Stage, is};
use connector_operator::api::{ConditionType, ConnectorCredential};
use futures::{StreamExt as _, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn spec(secret: &str, key: &str) -> Value {
    json!({"provider": {"zenflow": {}}, "keySecretRef": {"name": secret, "key": key}})
}

/// How many of them somebody has looked at.
async fn visited(stage: &Stage) -> usize {
    let all = stage.credentials().list(&Default::default()).await.expect("they can be listed").items;
    let seen = |object: &&ConnectorCredential| object.status.as_ref().is_some_and(|known| !known.conditions.is_empty());
    all.iter().filter(seen).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a20_a_tenant_with_very_many_new_objects_delays_no_other() {
    let number: usize = if full_length() { 10_000 } else { 400 };
    let bed = crate::support::bed::bed().await;
    let other = bed.namespace("few").await;
    let flags = ["--log-level=info", "--concurrency=16", &format!("--watch-namespace={other}")];
    let mut stage = Stage::set_on(bed, "many", &flags).await;
    stage.operator.kill().expect("it runs");
    let mut data = Vec::new();
    for n in 0..number {
        let key = stage.simulator.add_key(NewKey::of(Provider::ZenFlow, ""));
        stage.simulator.set_fault(Fault { key_hash: Some(key.hash), ..Fault::of(Misbehaviour::Hang) });
        data.push((format!("k{n}"), key.key));
    }
    // A Secret holds so many keys.
    for (page, keys) in data.chunks(2000).enumerate() {
        let keys: Vec<_> = keys.iter().map(|(name, key)| (name.as_str(), key.as_str())).collect();
        stage.put_secret(&format!("keys-{page}"), &keys).await;
    }
    let declare = async |n: usize| {
        stage.declare(&format!("many-{n}"), spec(&format!("keys-{}", n / 2000), &format!("k{n}"))).await;
    };
    stream::iter(0..number).map(declare).buffer_unordered(16).collect::<Vec<()>>().await;
    let good = stage.simulator.add_key(NewKey::of(Provider::ZenFlow, ""));
    let secret = json!({"metadata": {"name": "key"}, "stringData": {"api-key": good.key}});
    let secret = serde_json::from_value(secret).expect("a Secret");
    stage.bed.api::<Secret>(&other).create(&Default::default(), &secret).await.expect("it is made");

    stage.operator = stage.another_operator(&flags).await;
    let start = Instant::now();
    while stage.simulator.ledger(&LedgerFilter::default()).is_empty() {
        assert!(start.elapsed() < SOON, "nobody of the crowd is asked about");
        super::pass(Duration::from_millis(50)).await;
    }
    // It stands still while the other comes, so that it has not served the crowd before.
    stage.operator.signal(Signal::STOP).expect("it runs");
    let before = visited(&stage).await;
    let object = json!({
        "apiVersion": "connector-operator.io/v1alpha1", "kind": "ConnectorCredential",
        "metadata": {"name": "few"}, "spec": spec("key", "api-key"),
    });
    let object = serde_json::from_value(object).expect("a credential");
    let credentials: Api<ConnectorCredential> = stage.bed.api(&other);
    credentials.create(&Default::default(), &object).await.expect("it is admitted");
    stage.operator.signal(Signal::CONT).expect("it is there");
    let since = Instant::now();
    let ready = |object: &ConnectorCredential| is(object, ConditionType::Ready, ("True", "Ready"));
    await_object(&credentials, "few", SOON * 2, ready).await.expect("it is served beside very many");
    let (took, after) = (since.elapsed(), visited(&stage).await);
    assert!(took < SOON / 2, "it waited for {took:?} beside {number} others");
    let left = number - before;
    assert!(left > number / 2, "the crowd was served before the other came: {before} of {number}");
    assert!(after - before < left / 2, "it had to wait for {} of {left} others, {took:?}", after - before);
    stage.finish().await;
}
