//! What if the ground goes? A namespace that ends while it is full and a quota holds it, and a definition that is
//! deleted and comes back: nothing hangs, nothing is orphaned, and the operator goes on. The controllers are Kubernetes'.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Namespace, ResourceQuota};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::controller::cast;
use crate::support::audit;
use crate::support::await_object::{await_gone, await_object};
use crate::support::bed::{bed, private_bed};
use crate::support::operator::Operator;
use crate::support::stage::{SOON, Stage, get, is, listening};
use connector_operator::api::{ConditionType, ConnectorCredential};

const CREDENTIALS: usize = 12;
const OUTPUTS: usize = 4;
/// Secrets that the quota admits at first: the source and a part of the outputs.
const FEW: usize = 1 + CREDENTIALS * OUTPUTS / 2;

fn name(number: usize) -> String {
    format!("full-{number:02}")
}

/// A credential with outputs of several formats, all from one Secret.
fn spec(number: usize) -> Value {
    let formats = ["Binding", "Env", "HTTP", "Dotenv"];
    let output = |nth: usize| json!({"secretName": format!("{}-{nth}", name(number)), "format": formats[nth]});
    let outputs: Vec<_> = (0..OUTPUTS).map(output).collect();
    cast::zenflow().spec_with("outputs", json!(outputs))
}

/// Sets the quota, and waits until the controller has counted.
async fn quota(stage: &Stage, secrets: usize) {
    let quotas: Api<ResourceQuota> = stage.bed.api(&stage.namespace);
    let hard = json!({"count/secrets": secrets.to_string(), "count/connectorcredentials.connector-operator.io": "50"});
    let quota =
        json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "small"}, "spec": {"hard": hard}});
    let params = PatchParams::apply("administrator").force();
    quotas.patch("small", &params, &Patch::Apply(quota)).await.expect("the administrator may limit");
    let counted = |quota: &ResourceQuota| {
        let hard = quota.status.as_ref().and_then(|status| status.hard.as_ref());
        hard.is_some_and(|hard| hard.get("count/secrets").is_some_and(|limit| limit.0 == secrets.to_string()))
    };
    await_object(&quotas, "small", SOON, counted).await.expect("it is counted");
}

/// Outputs that are there now.
async fn outputs(stage: &Stage) -> usize {
    let all = stage.secrets().list(&Default::default()).await.expect("the administrator may list Secrets").items;
    all.iter().filter(|secret| secret.metadata.owner_references.is_some()).count()
}

/// Attempts of the operator to create a Secret in the stage's namespace that were refused so far.
fn refused(stage: &Stage) -> usize {
    let operator = |account: &str| account.ends_with("connector-operator:connector-operator");
    let all = audit::requests(&stage.bed.plane.audit_log(), &[&stage.namespace, "\"create\""], operator);
    all.iter().filter(|one| one.resource == "secrets" && one.code == 403).count()
}

async fn alive(operator: &mut Operator) -> bool {
    assert_eq!(operator.ended().expect("it can be asked"), None, "it ended: {}", operator.log());
    let address = listening(operator, "health listening").expect("it listens");
    get(&format!("http://{address}/livez")).await == "ok\n"
}

#[tokio::test(flavor = "multi_thread")]
async fn a31_a_full_namespace_under_a_quota_goes_and_one_of_its_name_starts_afresh() {
    let mut stage = Stage::set_on(bed().await, "full", &[]).await;
    let act = cast::zenflow();
    let issued = stage.issue(act.new_key());
    stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
    quota(&stage, FEW).await;
    for number in 0..CREDENTIALS {
        stage.declare(&name(number), spec(number)).await;
    }
    let filled = async {
        while outputs(&stage).await < FEW - 1 || refused(&stage) < CREDENTIALS / 2 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(SOON, filled).await.expect("the quota is used up");
    assert_eq!(outputs(&stage).await, FEW - 1, "a quota is kept");
    // More room: everybody comes to rest, without an edit.
    quota(&stage, 1 + CREDENTIALS * OUTPUTS).await;
    for number in 0..CREDENTIALS {
        let ready = |object: &ConnectorCredential| is(object, ConditionType::Ready, ("True", "Ready"));
        await_object(&stage.credentials(), &name(number), 2 * SOON, ready).await.expect("it comes to rest");
    }
    assert_eq!(outputs(&stage).await, CREDENTIALS * OUTPUTS);
    let (before, start) = (refused(&stage), Instant::now());

    let namespaces: Api<Namespace> = Api::all(stage.bed.client.clone());
    namespaces.delete(&stage.namespace, &DeleteParams::default()).await.expect("the administrator may");
    await_gone(&namespaces, &stage.namespace, 2 * SOON).await.expect("it goes");
    // What is deleted with it is made again, and refused: once each, and once more for every few seconds that it takes.
    let (more, took) = (refused(&stage) - before, start.elapsed());
    let rounds = 1 + usize::try_from(took.as_secs() / 4).expect("a short time");
    assert!(more <= CREDENTIALS * OUTPUTS * rounds, "{more} Secrets were to be created in a namespace that ends");
    assert!(alive(&mut stage.operator).await);
    let forgotten = async {
        while stage.metrics().await.contains("name=\"full-") {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(SOON, forgotten).await.expect("its credentials are forgotten");

    let namespace: Namespace = serde_json::from_value(json!({"metadata": {"name": stage.namespace}})).expect("valid");
    namespaces.create(&PostParams::default(), &namespace).await.expect("the name is free");
    stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
    stage.declare(&name(0), spec(0)).await;
    stage.until_ready(&name(0)).await;
    assert_eq!(outputs(&stage).await, OUTPUTS);
    stage.finish().await;
}

/// The definition goes with all credentials, and comes back after a while; once more while the operator starts.
#[tokio::test(flavor = "multi_thread")]
async fn a31_without_its_definition_the_operator_waits_and_goes_on_when_it_is_back() {
    let mut stage = Stage::set_on(private_bed().await, "undefined", &[]).await;
    let mut sources = BTreeSet::new();
    for act in cast::all() {
        let issued = stage.issue(act.new_key());
        stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
        stage.declare(act.name, act.spec()).await;
        stage.until_ready(act.name).await;
        sources.insert(act.source());
    }
    for starts in [false, true] {
        undefine(&stage);
        // What belonged to credentials goes; what is the user's stays.
        for act in cast::all() {
            await_gone(&stage.secrets(), &act.output(), 2 * SOON).await.expect("nothing is orphaned");
            assert!(stage.secret(&act.source()).await.is_some(), "{} is the user's", act.source());
        }
        if starts {
            stage.restart().await;
        }
        let told = |log: &str| log.lines().filter(|line| line.contains("watch interrupted")).count();
        let (calls, before) = (stage.simulator.calls(), told(&stage.operator.log()));
        tokio::time::sleep(Duration::from_secs(6)).await;
        let often = told(&stage.operator.log()) - before;
        assert!(often <= 8, "the missing definition was asked for {often} times in six seconds");
        assert!(alive(&mut stage.operator).await);
        assert_eq!(stage.simulator.calls(), calls, "nobody is asked about what is gone");
        define(&stage).await;
        for act in cast::all() {
            stage.declare(act.name, act.spec()).await;
            let ready = |object: &ConnectorCredential| is(object, ConditionType::Ready, ("True", "Ready"));
            let waited = await_object(&stage.credentials(), act.name, 2 * SOON, ready).await;
            waited.unwrap_or_else(|late| panic!("{late}\n{}", stage.operator.log()));
        }
    }
    stage.finish().await;
}

const DEFINITION: &str = "customresourcedefinition/connectorcredentials.connector-operator.io";

/// Deletes the definition, and with it all credentials.
fn undefine(stage: &Stage) {
    kubectl(stage, &["delete", DEFINITION, "--timeout=60s"]);
}

/// Installs it again; the garbage collector is told at once, which otherwise looks twice a minute.
async fn define(stage: &Stage) {
    let crds = concat!(env!("CARGO_MANIFEST_DIR"), "/crds");
    kubectl(stage, &["apply", "--server-side", "--filename", crds]);
    kubectl(stage, &["wait", "--for=condition=Established", "--timeout=60s", DEFINITION]);
    let plane = stage.bed.plane;
    let again = move || {
        plane.stop_controllers();
        plane.start_controllers()
    };
    tokio::task::spawn_blocking(again).await.expect("no panic").expect("they start");
}

fn kubectl(stage: &Stage, arguments: &[&str]) {
    let plane = stage.bed.plane;
    let output = tokio::task::block_in_place(|| plane.kubectl(arguments)).expect("kubectl runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}
