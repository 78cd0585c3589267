//! What the API server says may quote a Secret, and what it refuses may be a while: nothing leaks, nobody is asked again.

use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::DeleteParams;
use serde_json::json;

use super::proxy::{Fault, Refusal, Rule, Seen};
use super::scene::{STATUS, Scene, calls, object, pass};
use crate::controller::cast;
use crate::support::await_object::{await_gone, await_object};
use crate::support::stage::{SOON, is, value};
use connector_operator::api::{ConditionType, ConnectorCredential};

#[tokio::test(flavor = "multi_thread")]
async fn a10_replies_that_do_not_parse_leak_nothing() {
    let scene = Scene::set("garbled").await;
    let act = cast::zenflow();
    let garble = || Rule::new(Fault::Garble).times(1);
    scene.proxy.add(garble().on("get", "secrets").named(&act.source()));
    scene.proxy.add(garble().on("get", "secrets").named(&act.output()));
    scene.proxy.add(garble().on("create", "secrets"));
    scene.proxy.add(garble().on("patch", STATUS));
    scene.play(&act).await;
    let ready = |object: &ConnectorCredential| is(object, ConditionType::Ready, ("True", "Ready"));
    await_object(&scene.stage.credentials(), act.name, 4 * SOON, ready).await.expect("it goes on");
    let second = scene.stage.issue(act.new_key());
    scene.proxy.add(garble().on("update", "secrets"));
    scene.proxy.add(garble().on("get", "secrets").named(&act.source()));
    scene.stage.put_secret(&act.source(), &[("api-key", &second.key)]).await;
    let holds = |secret: &Secret| value(secret, "api-key").as_deref() == Some(&*second.key);
    await_object(&scene.stage.secrets(), &act.output(), 2 * SOON, holds).await.expect("it is rotated");
    await_object(&scene.stage.credentials(), act.name, 2 * SOON, ready).await.expect("it goes on");
    scene.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a10_a_denial_that_quotes_the_secret_leaks_nothing() {
    let scene = Scene::set("quoting").await;
    let act = cast::inflow();
    let issued = scene.stage.issue(act.new_key());
    let encoded = serde_json::to_string(&k8s_openapi::ByteString(issued.key.clone().into_bytes())).expect("JSON");
    let message = format!("admission policy says no: object.data is api-key: {} and {encoded}", issued.key);
    for verb in ["create", "update"] {
        scene.proxy.add(Rule::new(Fault::Refuse(Refusal::denied(&message))).on(verb, "secrets"));
    }
    scene.stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
    scene.stage.declare(act.name, act.spec()).await;
    let failed = |object: &ConnectorCredential| is(object, ConditionType::Published, ("False", "WriteFailed"));
    scene.stage.until(act.name, failed).await;
    assert_eq!(calls(&scene.stage), 1);
    scene.proxy.clear();
    let ready = |object: &ConnectorCredential| is(object, ConditionType::Ready, ("True", "Ready"));
    await_object(&scene.stage.credentials(), act.name, 2 * SOON, ready).await.expect("it heals");
    assert_eq!(calls(&scene.stage), 1, "the proof is kept");
    scene.finish().await;
}

/// Deletions, Events and the Lease: what the API server says of them is as untrustworthy.
#[tokio::test(flavor = "multi_thread")]
async fn a10_replies_to_deletions_events_and_leases_leak_nothing_and_stop_nothing() {
    let mut scene = Scene::set("garbled-rest").await;
    let flags = scene.allow_leases().await;
    scene.lead(&flags.each_ref().map(String::as_str)).await;
    let act = cast::zenflow();
    let issued = scene.stage.issue(act.new_key());
    let encoded = serde_json::to_string(&k8s_openapi::ByteString(issued.key.clone().into_bytes())).expect("JSON");
    let quoting = || Fault::Refuse(Refusal::denied(&format!("no: object.data is {} and {encoded}", issued.key)));
    scene.stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
    let mark = scene.proxy.mark();
    // Between the two renewals that fail, one meets a conflict and one is well: a third would end the leader.
    for (fault, between) in [(Fault::Garble, 0), (quoting(), 2)] {
        scene.proxy.add(Rule::new(fault.clone()).on("create", "events").times(1));
        scene.proxy.add(Rule::new(fault).on("update", "leases").after(between).times(1));
    }
    let outputs = json!([{"secretName": act.output()}, {"secretName": "more"}]);
    scene.stage.declare(act.name, act.spec_with("outputs", outputs)).await;
    scene.stage.until_ready(act.name).await;
    // The first is refused, the second is done and not told.
    for fault in [quoting(), Fault::Garble] {
        scene.proxy.add(Rule::new(fault).on("delete", "secrets").times(1));
    }
    scene.stage.declare(act.name, act.spec()).await;
    await_gone(&scene.stage.secrets(), "more", 2 * SOON).await.expect("it is deleted all the same");
    // Both faults of each kind were met, and what came after them was well.
    let next = scene.stage.issue(act.new_key());
    scene.stage.put_secret(&act.source(), &[("api-key", &next.key)]).await;
    let holds = |secret: &Secret| value(secret, "api-key").as_deref() == Some(&*next.key);
    await_object(&scene.stage.secrets(), &act.output(), 2 * SOON, holds).await.expect("it is rotated");
    // More Events, and more renewals.
    for act in [cast::inflow(), cast::flowlu(), cast::aventri()] {
        scene.play(&act).await;
        scene.stage.until_ready(act.name).await;
    }
    let met = async |verb: &str, resource: &str, times: usize| {
        let wait = async {
            loop {
                let same = |seen: &&Seen| seen.asked.verb == verb && seen.asked.resource == resource;
                if scene.proxy.since(mark).iter().filter(same).count() >= times {
                    return;
                }
                pass(1).await;
            }
        };
        let asked = tokio::time::timeout(2 * SOON, wait).await;
        asked.unwrap_or_else(|_| panic!("not {times} times: {verb} {resource}"));
    };
    met("update", "leases", 5).await;
    met("create", "events", 4).await;
    met("delete", "secrets", 2).await;
    let told = async { while scene.stage.events(cast::aventri().name).await.is_empty() {} };
    tokio::time::timeout(SOON, told).await.expect("the last one is told");
    assert!(scene.stage.operator.ended().expect("it can be asked").is_none(), "it leads on");
    scene.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a25_a_dead_webhook_on_secrets_costs_no_further_call_and_heals() {
    let scene = Scene::set("webhook").await;
    let act = cast::aventri();
    let issued = scene.stage.issue(act.new_key());
    scene.stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
    let name = format!("dead-{}", scene.stage.namespace);
    let webhook: ValidatingWebhookConfiguration = object(json!({
        "metadata": {"name": name},
        "webhooks": [{
            "name": "dead.example.com", "failurePolicy": "Fail", "sideEffects": "None", "timeoutSeconds": 1,
            "admissionReviewVersions": ["v1"], "clientConfig": {"url": "https://127.0.0.1:9/"},
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": scene.stage.namespace}},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["secrets"], "operations": ["*"]}],
        }],
    }));
    let webhooks: Api<ValidatingWebhookConfiguration> = Api::all(scene.stage.bed.client.clone());
    webhooks.create(&Default::default(), &webhook).await.expect("the administrator may");
    // The API server takes a moment to know of it.
    let refused = async { while scene.stage.secrets().create(&Default::default(), &probe()).await.is_ok() {} };
    tokio::time::timeout(SOON, refused).await.expect("the webhook is asked");
    scene.stage.declare(act.name, act.spec()).await;
    let failed = |object: &ConnectorCredential| is(object, ConditionType::Published, ("False", "WriteFailed"));
    scene.stage.until(act.name, failed).await;
    pass(8).await;
    assert_eq!(calls(&scene.stage), 1, "nobody is asked for what cannot be written");
    webhooks.delete(&name, &DeleteParams::default()).await.expect("the administrator may");
    let ready = |object: &ConnectorCredential| is(object, ConditionType::Ready, ("True", "Ready"));
    await_object(&scene.stage.credentials(), act.name, 2 * SOON, ready).await.expect("it heals");
    assert_eq!(calls(&scene.stage), 1, "the token that was kept is the one that is stored");
    scene.finish().await;
}

fn probe() -> Secret {
    object(json!({"metadata": {"generateName": "probe-"}}))
}
