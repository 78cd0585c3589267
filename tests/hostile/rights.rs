//! A right that is taken away in one namespace: told there, asked for rarely, missed nowhere else, and found again.

use connector_operator::api::{ConditionType, ConnectorCredential};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;

use super::proxy::Proxy;
use super::scene::{object, pass};
use crate::controller::cast;
use crate::lifecycle::full_length;
use crate::support::await_object::await_object;
use crate::support::rights::await_right;
use crate::support::stage::{SOON, Stage, is, value};

/// Everything the operator needs, for the account of `stage` in another namespace.
async fn grant_in(stage: &Stage, namespace: &str) {
    let all = json!([
        {"apiGroups": ["connector-operator.io"], "resources": ["connectorcredentials"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": ["connector-operator.io"], "resources": ["connectorcredentials/status"], "verbs": ["get", "patch"]},
        {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create"]},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list", "watch", "create", "update", "delete"]},
    ]);
    let role: Role = object(json!({"metadata": {"name": "all"}, "rules": all}));
    let binding: RoleBinding = object(json!({
        "metadata": {"name": "all"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "all"},
        "subjects": [{"kind": "ServiceAccount", "name": "limited", "namespace": stage.namespace}],
    }));
    stage.bed.api(namespace).create(&PostParams::default(), &role).await.expect("it is made");
    stage.bed.api(namespace).create(&PostParams::default(), &binding).await.expect("it is made");
    await_right(&stage.bed, &format!("{}:limited", stage.namespace), Some(namespace), ("", "secrets", "watch")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a30_a_right_that_is_taken_away_is_missed_in_its_namespace_only_and_heals() {
    let mut stage = Stage::set("revoked").await;
    tokio::task::block_in_place(|| stage.operator.kill()).expect("it runs");
    stage.expect_denials();
    let account = stage.limited_account().await;
    let other = stage.bed.namespace("unharmed").await;
    grant_in(&stage, &other).await;
    let proxy = Proxy::before(&stage.bed, &account, false).await;
    let kubeconfig = format!("--kubeconfig={}", proxy.kubeconfig().display());
    stage.operator = stage.another_operator(&[&kubeconfig, &format!("--watch-namespace={other}")]).await;
    let act = cast::inflow();
    let issued = stage.issue(act.new_key());
    stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
    stage.declare(act.name, act.spec()).await;
    stage.until_ready(act.name).await;

    stage.unbind("secrets").await;
    stage.annotate(act.name, "connector-operator.io/reconcile-at", "now").await;
    stage.until(act.name, |object| is(object, ConditionType::Resolved, ("False", "SecretAccessDenied"))).await;
    let mark = proxy.mark();
    neighbour(&stage, &other).await;
    pass(20).await;
    let asked = proxy.since(mark).iter().filter(|seen| seen.asked.name == act.source()).count();
    assert!(asked <= 1, "{asked} requests in 20 seconds for what is denied");

    stage.bind("secrets").await;
    let limit = if full_length() { 12 * SOON } else { SOON };
    if !full_length() {
        stage.annotate(act.name, "connector-operator.io/reconcile-at", "again").await;
    }
    let ready = |object: &ConnectorCredential| is(object, ConditionType::Ready, ("True", "Ready"));
    await_object(&stage.credentials(), act.name, limit, ready).await.expect("it heals");
    let all: Vec<_> = proxy.seen().into_iter().filter_map(|seen| seen.written).collect();
    let broken: Vec<_> = all.iter().flat_map(crate::gitops::rules::broken).collect();
    assert!(all.len() >= 3 && broken.is_empty(), "{broken:?}");
    stage.finish().await;
}

/// In the other namespace a credential is served, and a rotation noticed, within seconds.
async fn neighbour(stage: &Stage, namespace: &str) {
    let act = cast::flowlu();
    let secrets: Api<Secret> = stage.bed.api(namespace);
    let credentials: Api<ConnectorCredential> = stage.bed.api(namespace);
    let params = PatchParams::apply("user").force();
    for number in 0..2 {
        // Not looked for at the end: it rightly stands in a namespace that is not the story's.
        let issued = stage.simulator.add_key(act.new_key());
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": act.source()},
            "stringData": {"api-key": issued.key},
        });
        secrets.patch(&act.source(), &params, &Patch::Apply(secret)).await.expect("the administrator may");
        if number == 0 {
            let declared = json!({
                "apiVersion": "connector-operator.io/v1alpha1", "kind": "ConnectorCredential",
                "metadata": {"name": act.name}, "spec": act.spec(),
            });
            let patch = Patch::Apply(declared);
            credentials.patch(act.name, &params, &patch).await.expect("the administrator may");
        }
        let holds = |secret: &Secret| value(secret, "api-key").as_deref() == Some(&*issued.key);
        await_object(&secrets, &act.output(), SOON, holds).await.expect("it is served");
    }
}
