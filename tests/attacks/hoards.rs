//! Large objects of a tenant: Secrets and specs of a mebibyte. They cost it little memory, and their
//! neighbours nothing.

use super::bombs::{good, memory};
use crate::simulator::{NewKey, Provider};
use crate::support::await_object::await_object;
use crate::support::stage::{SOON, Stage, is};
use connector_operator::api::{ConditionType, ConnectorCredential};
use futures::{StreamExt as _, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, ListParams};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// What a Secret may hold, less a little.
const LARGE: usize = 1_000_000;
/// What the operator may take, in KiB: half of what the chart allows it.
const AT_MOST: u64 = 128 * 1024;
/// Credentials that want the same names.
const RIVALS: usize = 48;
/// How many are written at a time.
const AT_ONCE: usize = 8;

/// A stage with a namespace beside it.
async fn stage(prefix: &str) -> (Stage, String) {
    let bed = crate::support::bed::bed().await;
    let other = bed.namespace(&format!("beside-{prefix}")).await;
    let stage = Stage::set_on(bed, prefix, &["--log-level=info", &format!("--watch-namespace={other}")]).await;
    (stage, other)
}

/// Plants a large Secret with these owners.
async fn plant(stage: &Stage, name: &str, owners: &Value) {
    let secret = json!({
        "metadata": {"name": name, "ownerReferences": owners},
        "stringData": {"large": "x".repeat(LARGE)},
    });
    let secret = serde_json::from_value(secret).expect("a Secret");
    stage.secrets().create(&Default::default(), &secret).await.expect("it is made");
}

/// As if the operator had made it for this credential.
fn owned_by(object: &ConnectorCredential) -> Value {
    json!([{
        "apiVersion": "connector-operator.io/v1alpha1", "kind": "ConnectorCredential", "name": object.metadata.name,
        "uid": object.metadata.uid, "controller": true,
    }])
}

/// Whoever is beside is served, and the operator is small. Then takes away what would be searched for keys in vain.
async fn is_small_and_serves(stage: Stage, other: &str) {
    let waited = good(&stage, other, 2).await;
    let peak = memory(stage.operator.id(), "VmHWM");
    assert!(waited < SOON, "a neighbour waited for {waited:?}");
    assert!(peak <= AT_MOST, "it took {peak} KiB");
    let all = (DeleteParams::default(), ListParams::default());
    stage.untyped().delete_collection(&all.0, &all.1).await.expect("they can be deleted");
    stage.secrets().delete_collection(&all.0, &all.1).await.expect("they can be deleted");
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a20_large_secrets_that_name_a_credential_as_their_owner_cost_little_memory() {
    let (stage, other) = stage("owned").await;
    let wrong = stage.wrong_key(Provider::ZenFlow);
    stage.put_secret("key", &[("api-key", &wrong)]).await;
    let spec = json!({"provider": {"zenflow": {}}, "keySecretRef": {"name": "key"}});
    stage.declare("erp", spec).await;
    let refused = |object: &_| is(object, ConditionType::Ready, ("False", "KeyRejected"));
    let owners = owned_by(&stage.until("erp", refused).await);
    // Its output waits for a good key, so none of them is deleted yet.
    let planted = async |n: usize| plant(&stage, &format!("planted-{n}"), &owners).await;
    stream::iter(0..150).map(planted).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    // A visit that begins now looks at all of them.
    let new = stage.wrong_key(Provider::ZenFlow);
    stage.put_secret("key", &[("api-key", &new)]).await;
    let source = |object: &ConnectorCredential| {
        object.status.as_ref().and_then(|status| status.source.as_ref()?.resource_version.parse::<u64>().ok())
    };
    let before = source(&stage.credentials().get("erp").await.expect("it is there")).expect("a version");
    stage.until("erp", |object| source(object).is_some_and(|now| now > before)).await;
    // With a good key the output is written, and none of them has a reason to stay: 32 go in a visit.
    let left = async || stage.secrets().list_metadata(&ListParams::default()).await.expect("a list").items;
    let planted = |meta: &kube::core::PartialObjectMeta<Secret>| {
        meta.metadata.name.as_deref().is_some_and(|name| name.starts_with("planted-"))
    };
    assert_eq!(left().await.iter().filter(|meta| planted(meta)).count(), 150);
    let good_key = stage.simulator.add_key(NewKey::of(Provider::ZenFlow, "")).key;
    stage.watch_for(&good_key);
    stage.put_secret("key", &[("api-key", &good_key)]).await;
    let start = Instant::now();
    while left().await.iter().any(planted) {
        assert!(start.elapsed() < SOON * 6, "{} are left", left().await.iter().filter(|meta| planted(meta)).count());
        super::pass(Duration::from_millis(200)).await;
    }
    is_small_and_serves(stage, &other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a20_large_foreign_secrets_under_the_names_of_outputs_cost_little_memory() {
    let (stage, other) = stage("foreign").await;
    stage.put_secret("key", &[("api-key", "zenflow_live_EXAMPLEforeign")]).await;
    let planted = async |n: usize| plant(&stage, &format!("out-{n}"), &json!([])).await;
    stream::iter(0..8).map(planted).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    let outputs: Vec<_> = (0..8).map(|n| json!({"secretName": format!("out-{n}")})).collect();
    let spec = json!({
        "provider": {"zenflow": {}}, "keySecretRef": {"name": "key"}, "validation": {"mode": "Local"},
        "outputs": outputs,
    });
    let declare = async |n: usize| drop(stage.declare(&format!("rival-{n}"), spec.clone()).await);
    stream::iter(0..RIVALS).map(declare).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    let start = Instant::now();
    let blocked =
        |object: &&ConnectorCredential| object.status.as_ref().is_some_and(|status| !status.conditions.is_empty());
    let seen = async || stage.credentials().list(&Default::default()).await.expect("a list").items;
    while seen().await.iter().filter(blocked).count() < RIVALS {
        assert!(start.elapsed() < SOON * 3, "not all are visited");
        super::pass(Duration::from_millis(100)).await;
    }
    let object = stage.credentials().get("rival-0").await.expect("it is there");
    assert!(!is(&object, ConditionType::Ready, ("True", "LocalOnly")), "nothing is published over a foreign Secret");
    let out: Secret = stage.secrets().get("out-0").await.expect("it stands");
    assert_eq!(out.data.expect("data")["large"].0.len(), LARGE);
    is_small_and_serves(stage, &other).await;
}

/// Planted as its own under every name that it declares: they are compared with what would be written.
#[tokio::test(flavor = "multi_thread")]
async fn a20_large_secrets_planted_as_a_credentials_own_outputs_cost_little_memory() {
    let number = if crate::support::full_length() { 64 } else { 24 };
    let (mut stage, other) = stage("planted").await;
    let key = stage.wrong_key(Provider::ZenFlow);
    stage.put_secret("key", &[("api-key", &key)]).await;
    let spec = |n: usize, suspend: bool| {
        let outputs: Vec<_> = (0..8).map(|k| json!({"secretName": format!("out-{n}-{k}")})).collect();
        json!({
            "provider": {"zenflow": {}}, "keySecretRef": {"name": "key"}, "validation": {"mode": "Local"},
            "outputs": outputs, "suspend": suspend,
        })
    };
    let prepare = async |n: usize| {
        let declared = stage.declare(&format!("erp-{n}"), spec(n, true)).await;
        let owners = owned_by(&declared);
        for k in 0..8 {
            plant(&stage, &format!("out-{n}-{k}"), &owners).await;
        }
    };
    stream::iter(0..number).map(prepare).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    stage.operator.kill().expect("it runs");
    let unsuspend = async |n: usize| drop(stage.declare(&format!("erp-{n}"), spec(n, false)).await);
    stream::iter(0..number).map(unsuspend).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    let flags = ["--log-level=info", "--concurrency=64", &format!("--watch-namespace={other}")];
    stage.operator = stage.another_operator(&flags).await;
    // All of them are read now, and parsed by a build that is not optimised.
    let waited = good(&stage, &other, 2000).await;
    assert!(waited < SOON, "a neighbour waited for {waited:?}");
    for n in 0..number {
        let ready = |object: &_| is(object, ConditionType::Ready, ("True", "LocalOnly"));
        // Half a GiB at full length takes its time; it is the neighbour who must not wait.
        let written = await_object(&stage.credentials(), &format!("erp-{n}"), SOON * 6, ready).await;
        written.unwrap_or_else(|late| panic!("{late}"));
        let out = stage.secret(&format!("out-{n}-7")).await.expect("it is written");
        assert!(!out.data.expect("data").contains_key("large"), "nothing of what was planted stays");
    }
    is_small_and_serves(stage, &other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a20_large_specs_cost_little_memory() {
    let (mut stage, other) = stage("specs").await;
    stage.put_secret("key", &[("api-key", "zenflow_live_EXAMPLEspecs")]).await;
    // What cannot be packed: twenty files of the longest, as much as the API server stores of one object.
    let noise: String = (0_u64..65_536)
        .scan(7_u64, |state, _| {
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from_digit(u32::try_from(*state >> 59).expect("five bits"), 32)
        })
        .collect();
    let files = |count: usize| (0..count).map(|n| (format!("f{n}"), json!(noise))).collect::<serde_json::Map<_, _>>();
    let spec = |n: usize| {
        json!({
            "provider": {"zenflow": {}}, "keySecretRef": {"name": "key"}, "validation": {"mode": "Local"},
            "publishPolicy": "Never",
            "outputs": [
                {"secretName": format!("first-{n}"), "format": "Template", "template": files(14)},
                {"secretName": format!("second-{n}"), "format": "Template", "template": files(6)},
            ],
        })
    };
    let declare = async |n: usize| drop(stage.declare(&format!("large-{n}"), spec(n)).await);
    stream::iter(0..100).map(declare).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    // Delivered one by one until now; to the next process they come in a list.
    let ready = |object: &_| is(object, ConditionType::Ready, ("True", "LocalOnly"));
    // One after the other, by a build that is not optimised.
    let waited = await_object(&stage.credentials(), "large-0", SOON * 4, ready).await;
    waited.unwrap_or_else(|late| panic!("{late}"));
    let before = memory(stage.operator.id(), "VmHWM");
    assert!(before <= AT_MOST, "it took {before} KiB");
    stage.operator.kill().expect("it runs");
    stage.operator = stage.another_operator(&["--log-level=info", &format!("--watch-namespace={other}")]).await;
    is_small_and_serves(stage, &other).await;
}
