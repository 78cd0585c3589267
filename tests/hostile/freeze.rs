//! A watch that falls silent, a list that hangs or stalls, a connect that hangs: noticed within 65 seconds, while other watches go on.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::proxy::{Fault, Flow, Rule};
use super::scene::Scene;
use crate::controller::cast::{self, Act};
use crate::simulator::IssuedKey;
use crate::support::await_object::await_object;
use crate::support::bed::bed;
use crate::support::stage::{SOON, is, value};
use connector_operator::api::{ConditionType, ConnectorCredential};

const CREDENTIALS: &str = "connectorcredentials";
/// The promise, and a visit on a machine that is loaded.
const LIMIT: Duration = Duration::from_secs(65 + 25);

/// Plays a first credential, spoils what `spoil` says, declares another, and waits until it is ready. In the meantime a
/// rotation of the first is noticed as ever.
async fn noticed(scene: Scene, spoil: impl AsyncFnOnce(&Scene), frozen: bool) -> Duration {
    let (known, late) = (cast::inflow(), cast::flowlu());
    scene.play(&known).await;
    scene.stage.until_ready(known.name).await;
    spoil(&scene).await;
    let start = Instant::now();
    scene.play(&late).await;
    let second = scene.stage.issue(known.new_key());
    scene.stage.put_secret(&known.source(), &[("api-key", &second.key)]).await;
    let holds = |secret: &Secret| value(secret, "api-key").as_deref() == Some(&*second.key);
    if frozen {
        scene.stage.until_secret(&known.output(), holds).await;
        assert!(start.elapsed() < SOON, "the watch on Secrets goes on");
        let unseen = scene.stage.credentials().get(late.name).await.expect("it is declared");
        assert!(unseen.status.is_none_or(|status| status.conditions.is_empty()), "the frozen watch tells nothing");
    }
    let ready = |object: &ConnectorCredential| is(object, ConditionType::Ready, ("True", "Ready"));
    await_object(&scene.stage.credentials(), late.name, 3 * SOON, ready).await.expect("it is noticed");
    let took = start.elapsed();
    scene.stage.until_secret(&known.output(), holds).await;
    scene.finish().await;
    took
}

/// A Secret and a credential of this namespace; the Secret again, with another key.
async fn put(scene: &Scene, namespace: &str, act: &Act) -> IssuedKey {
    let issued = scene.stage.simulator.add_key(act.new_key());
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": act.source()},
                        "stringData": {"api-key": issued.key}});
    let secrets: Api<Secret> = scene.stage.bed.api(namespace);
    let params = PatchParams::apply("user").force();
    secrets.patch(&act.source(), &params, &Patch::Apply(secret)).await.expect("the administrator may write Secrets");
    issued
}

async fn declare(scene: &Scene, namespace: &str, act: &Act) {
    let credential = json!({
        "apiVersion": "connector-operator.io/v1alpha1", "kind": "ConnectorCredential",
        "metadata": {"name": act.name}, "spec": act.spec(),
    });
    let credentials: Api<ConnectorCredential> = scene.stage.bed.api(namespace);
    let params = PatchParams::apply("user").force();
    credentials.patch(act.name, &params, &Patch::Apply(credential)).await.expect("the spec is admitted");
    let ready = |object: &ConnectorCredential| is(object, ConditionType::Ready, ("True", "Ready"));
    await_object(&credentials, act.name, SOON, ready).await.expect("it is ready");
}

async fn until_rotated(scene: &Scene, namespace: &str, (act, key): (&Act, &IssuedKey)) {
    let holds = |secret: &Secret| value(secret, "api-key").as_deref() == Some(&*key.key);
    await_object(&scene.stage.bed.api(namespace), &act.output(), 3 * SOON, holds).await.expect("it is noticed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a27_a_frozen_watch_of_secrets_metadata_is_noticed_and_stops_no_other() {
    let other = bed().await.namespace("beside-frozen").await;
    let scene = Scene::set_with("frozen-secrets", &[&format!("--watch-namespace={other}")]).await;
    let (here, known, late) = (scene.stage.namespace.clone(), cast::inflow(), cast::flowlu());
    for namespace in [&here, &other] {
        put(&scene, namespace, &known).await;
        declare(&scene, namespace, &known).await;
    }
    scene.proxy.set_flow(&format!("{here}/secrets"), Flow::Stuck);
    let start = Instant::now();
    let unseen = put(&scene, &here, &known).await;
    // Another namespace's Secrets are seen, and this one's credentials.
    let seen = put(&scene, &other, &known).await;
    until_rotated(&scene, &other, (&known, &seen)).await;
    put(&scene, &here, &late).await;
    declare(&scene, &here, &late).await;
    assert!(start.elapsed() < SOON, "the other watches go on");
    let output = scene.stage.secret(&known.output()).await.expect("it stands");
    assert_ne!(value(&output, "api-key").as_deref(), Some(&*unseen.key), "the frozen watch tells nothing");
    until_rotated(&scene, &here, (&known, &unseen)).await;
    let took = start.elapsed();
    assert!(took < LIMIT, "noticed after {took:?}");
    scene.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a27_a_frozen_watch_and_a_list_and_a_connect_that_hang_are_noticed_within_65_seconds() {
    let (watch, list, half, connect) = tokio::join!(
        Scene::set("frozen"),
        Scene::set("hung-list"),
        Scene::set("stalled-list"),
        Scene::set_encrypted("hung-connect")
    );
    let frozen = noticed(watch, async |scene| scene.proxy.set_flow(CREDENTIALS, Flow::Stuck), true);
    let list_again = async |scene: &Scene, fault| {
        scene.proxy.add(Rule::new(fault).on("list", CREDENTIALS).times(1));
        scene.proxy.set_flow(CREDENTIALS, Flow::Gone);
    };
    let hung_list = async |scene: &Scene| list_again(scene, Fault::Hang).await;
    let stalled_list = async |scene: &Scene| list_again(scene, Fault::Stall).await;
    let hung_connect = async |scene: &Scene| {
        scene.proxy.hang_connects(true);
        scene.proxy.set_flow(CREDENTIALS, Flow::Cut);
        scene.proxy.set_flow("secrets", Flow::Cut);
        scene.proxy.release_connects_after(Duration::from_secs(3));
    };
    let lists = async { tokio::join!(noticed(list, hung_list, false), noticed(half, stalled_list, false)) };
    let took = tokio::join!(frozen, lists, noticed(connect, hung_connect, false));
    let (hung, stalled) = took.1;
    for (what, took) in [("watch", took.0), ("list", hung), ("half list", stalled), ("connect", took.2)] {
        assert!(took < LIMIT, "the {what} was noticed after {took:?}");
    }
}
