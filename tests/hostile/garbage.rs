//! What goes with what? Outputs with their owner, nothing else with it, and nothing holds up a namespace.

use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::Api;
use kube::api::{DeleteParams, PropagationPolicy};
use kube::runtime::{WatchStreamExt as _, watcher};
use std::sync::{Arc, Mutex};

use super::scene::Scene;
use crate::controller::cast;
use crate::support::await_object::await_gone;
use crate::support::stage::{SOON, is};
use connector_operator::api::{ConditionType, ConnectorCredential};

/// Most owners that any version of a Secret of the namespace ever had.
fn count_owners(secrets: Api<Secret>) -> Arc<Mutex<usize>> {
    let most = Arc::new(Mutex::new(0));
    let seen = Arc::clone(&most);
    tokio::spawn(async move {
        let states = watcher::watcher(secrets, watcher::Config::default()).default_backoff().applied_objects();
        let mut states = std::pin::pin!(states);
        while let Some(state) = states.next().await {
            let owners = state.ok().and_then(|secret| secret.metadata.owner_references).unwrap_or_default().len();
            let mut most = seen.lock().expect("no panic");
            *most = owners.max(*most);
        }
    });
    most
}

fn is_owned_by(secret: &Secret, credential: &ConnectorCredential) -> bool {
    let owners = secret.metadata.owner_references.iter().flatten();
    owners.map(|owner| Some(&owner.uid)).eq([credential.metadata.uid.as_ref()])
}

#[tokio::test(flavor = "multi_thread")]
async fn a31_an_end_spares_others_and_a_successor_gets_outputs_of_its_own() {
    let scene = Scene::set("garbage").await;
    let (stage, act, other) = (&scene.stage, cast::inflow(), cast::flowlu());
    let most = count_owners(stage.secrets());
    for act in [&act, &other] {
        scene.play(act).await;
        stage.until_ready(act.name).await;
    }
    let spared = stage.secret(&other.output()).await.expect("it is published");
    let key = stage.secret(&act.source()).await.expect("it is the user's");
    for wait in [0, 200, 1500] {
        let params = if wait == 200 { DeleteParams::foreground() } else { DeleteParams::background() };
        stage.credentials().delete(act.name, &params).await.expect("it is there");
        tokio::time::sleep(Duration::from_millis(wait)).await;
        await_gone(&stage.credentials(), act.name, SOON).await.expect("nothing holds it up");
        stage.declare(act.name, act.spec()).await;
        let successor = stage.until_ready(act.name).await;
        stage.until_secret(&act.output(), |secret| is_owned_by(secret, &successor)).await;
    }
    assert_eq!(*most.lock().expect("no panic"), 1, "never two owners");
    assert_eq!(stage.secret(&other.output()).await, Some(spared), "another's output is another's");
    assert_eq!(stage.secret(&act.source()).await, Some(key), "the source is the user's");

    // Left behind on purpose, it is nobody's: the successor does not take it.
    let orphaning = DeleteParams { propagation_policy: Some(PropagationPolicy::Orphan), ..DeleteParams::default() };
    stage.credentials().delete(act.name, &orphaning).await.expect("it is there");
    await_gone(&stage.credentials(), act.name, SOON).await.expect("nothing holds it up");
    let orphan = stage.until_secret(&act.output(), |secret| secret.metadata.owner_references.is_none()).await;
    stage.declare(act.name, act.spec()).await;
    stage.until(act.name, |object| is(object, ConditionType::Stalled, ("True", "TargetNotOwned"))).await;
    assert_eq!(stage.secret(&act.output()).await, Some(orphan));
    stage.delete_secret(&act.output()).await;
    stage.until_ready(act.name).await;
    scene.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a31_a_namespace_goes_while_the_operator_is_down() {
    let mut scene = Scene::set("departing").await;
    for act in [cast::inflow(), cast::aventri()] {
        scene.play(&act).await;
        scene.stage.until_ready(act.name).await;
        let object = scene.stage.credentials().get(act.name).await.expect("it is there");
        assert_eq!(object.metadata.finalizers, None, "nothing waits for the operator");
    }
    tokio::task::block_in_place(|| scene.stage.operator.kill()).expect("it runs");
    let namespaces: Api<Namespace> = Api::all(scene.stage.bed.client.clone());
    namespaces.delete(&scene.stage.namespace, &DeleteParams::default()).await.expect("the administrator may");
    await_gone(&namespaces, &scene.stage.namespace, 2 * SOON).await.expect("it goes");
    scene.finish().await;
}
