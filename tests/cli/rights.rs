//! What does a user see who may do little, or nothing, or whose cluster is not there?

use super::{Cluster, ctl};
use crate::support::bed::{Bed, bed};
use crate::support::canary::{Canary, find};
use connector_operator::api::ConnectorCredential;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;
use std::time::Duration;

const COMMANDS: [&[&str]; 9] = [
    &["status", "erp"],
    &["list"],
    &["tree", "erp"],
    &["render", "erp"],
    &["reconcile", "erp"],
    &["reconcile", "--all"],
    &["suspend", "erp"],
    &["resume", "erp"],
    &["report"],
];

/// A kubeconfig for an account that may get and list credentials of one namespace, and nothing else.
async fn reader(bed: &Bed, namespace: &str) -> String {
    let path = bed.service_account(namespace, "reader").await.expect("a token is granted");
    let role: Role = serde_json::from_value(json!({
        "metadata": {"name": "reader"},
        "rules": [{"apiGroups": ["connector-operator.io"], "resources": ["connectorcredentials"], "verbs": ["get", "list"]}],
    }))
    .expect("a Role");
    let binding: RoleBinding = serde_json::from_value(json!({
        "metadata": {"name": "reader"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
        "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": namespace}],
    }))
    .expect("a RoleBinding");
    bed.api::<Role>(namespace).create(&PostParams::default(), &role).await.expect("admitted");
    bed.api::<RoleBinding>(namespace).create(&PostParams::default(), &binding).await.expect("admitted");
    path.display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_rights_each_command_says_which() {
    let bed = bed().await;
    let namespace = bed.namespace("rights").await;
    let path = bed.service_account(&namespace, "nobody").await.expect("a token is granted");
    let cluster = Cluster { kubeconfig: path.display().to_string(), namespace: namespace.clone() };
    for command in COMMANDS {
        let run = cluster.ctl(command).ended(1);
        let said = run.err.starts_with("error: cannot ") && run.err.contains("(403)");
        let helps = run.err.contains("hint: you lack the right to ") && run.err.contains("kubectl auth can-i");
        assert!(said && helps && run.out.is_empty(), "{command:?}: {}", run.all());
        assert!(!run.err.contains("serviceaccount"), "no text of the server's: {}", run.err);
    }
    let check = cluster.ctl(&["check", "--pre"]).ended(1);
    assert!(check.out.contains("bad rights") && check.out.contains("customresourcedefinitions"), "{}", check.out);
    let check = cluster.ctl(&["check"]).ended(1);
    let last = check.out.lines().next_back().unwrap_or_default();
    assert!(check.out.contains("not shown: you may not") && last.contains("rights above"), "{}", check.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_read_one_namespace_sees_what_is_in_it() {
    let bed = bed().await;
    let namespace = bed.namespace("reader").await;
    let cluster = Cluster { kubeconfig: reader(&bed, &namespace).await, namespace: namespace.clone() };
    Cluster::of(&bed, &namespace).create(&bed, "erp").await;
    let status = cluster.ctl(&["status", "erp"]).ended(1);
    assert!(
        status.out.contains("NEW: ") && status.out.contains("not shown: you may not list pods here"),
        "{}",
        status.out
    );
    assert!(cluster.ctl(&["list"]).ended(0).out.contains("\nerp "));
    let all = cluster.ctl(&["list", "-A"]).ended(1);
    assert!(all.err.contains("in all namespaces") && all.err.contains("name it with -n"), "{}", all.err);
    assert!(cluster.ctl(&["tree", "erp"]).ended(0).out.contains("not shown: you may not get secrets here"));
    let rendered = cluster.ctl(&["render", "erp"]).ended(0);
    assert!(rendered.out.contains("api-key: REDACTED") && rendered.err.contains("--config"), "{}", rendered.all());
    let shown = cluster.ctl(&["render", "erp", "--show-secrets"]).ended(1);
    assert!(shown.err.contains("right to get secrets in namespace"), "{}", shown.err);
    let report = cluster.ctl(&["report"]).ended(0);
    assert!(report.out.contains("cannot get secrets: forbidden (403)"), "{}", report.out);
    assert!(cluster.ctl(&["suspend", "erp"]).ended(1).err.contains("right to patch connectorcredentials"));
    let absent = cluster.ctl(&["status", "other"]).ended(1);
    assert!(absent.err.contains("not found (404)") && absent.err.contains("there are: erp"), "{}", absent.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installation_is_checked() {
    let bed = bed().await;
    let namespace = bed.namespace("install").await;
    let cluster = Cluster::of(&bed, &namespace);
    let here = ["--operator-namespace", &namespace];
    let check = cluster.ctl(&[&["check"], &here[..]].concat()).ended(1);
    for words in ["ok  API server", "ok  definition", "bad operator", "no Deployment in namespace"] {
        assert!(check.out.contains(words), "{words}: {}", check.out);
    }
    let deployment: Deployment = serde_json::from_value(json!({
        "metadata": {"name": "connector-operator", "labels": {"app.kubernetes.io/name": "connector-operator"}},
        "spec": {
            "replicas": 0, "selector": {"matchLabels": {"app": "x"}},
            "template": {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{"name": "x", "image": "none"}]}},
        },
    }))
    .expect("a Deployment");
    let deployments = bed.api::<Deployment>(&namespace);
    deployments.create(&PostParams::default(), &deployment).await.expect("admitted");
    let report = cluster.ctl(&["report"]).ended(0);
    assert!(report.err.contains("name theirs with -n; see connectorctl list -A"), "{}", report.err);
    let started = std::time::Instant::now();
    let waited = cluster.ctl(&[&["check", "--wait", "--timeout", "3s"], &here[..]].concat()).ended(1);
    assert!(waited.out.contains("0 of 0 replicas available"), "{}", waited.out);
    assert!(started.elapsed() >= Duration::from_secs(3));
    cluster.create(&bed, "erp").await;
    let check = cluster.ctl(&[&["check"], &here[..]].concat()).ended(1);
    let words = check.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains(&format!("not looked at 1 yet, such as {namespace}/erp")), "{}", check.out);
    assert!(check.out.lines().all(|line| line.len() <= 80), "{}", check.out);
}

/// The next check of a credential that was looked at, in seconds from now.
async fn plan(bed: &Bed, namespace: &str, (last, next): (i64, i64)) {
    let [last, next] = [last, next].map(|seconds| {
        let time = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
        jiff::Timestamp::from_second(time.as_second()).expect("in range").to_string()
    });
    let validation = json!({"lastCheckTime": last, "nextCheckTime": next});
    let status = json!({"status": {"observedGeneration": 1, "validation": validation}});
    let api = bed.api::<ConnectorCredential>(namespace);
    api.patch_status("erp", &PatchParams::default(), &Patch::Merge(status)).await.expect("it fits the schema");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_outside_of_the_cluster_is_known_by_its_work() {
    let bed = bed().await;
    let namespace = bed.namespace("outside").await;
    let cluster = Cluster::of(&bed, &namespace);
    cluster.create(&bed, "erp").await;
    plan(&bed, &namespace, (-60, 600)).await;
    let here = ["check", "--operator-namespace", &namespace];
    let check = cluster.ctl(&here).ended(0);
    assert!(check.out.contains("?   operator") && check.out.contains("runs outside the cluster"), "{}", check.out);
    for (times, why) in [((-60, -600), "checks are overdue"), ((-7200, 600), "nobody has checked for hours")] {
        plan(&bed, &namespace, times).await;
        let check = cluster.ctl(&here).ended(1);
        assert!(check.out.contains("bad operator"), "{why}: {}", check.out);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_the_wrong_place_is_not_reported() {
    let bed = bed().await;
    let namespace = bed.namespace("pasted").await;
    let key = "canary8c1f5b7a9d3e2046wrong";
    let manifest = json!({
        "apiVersion": "connector-operator.io/v1alpha1", "kind": "ConnectorCredential",
        "metadata": {"name": "erp", "labels": {"note": key}, "annotations": {"kubectl.kubernetes.io/last-applied-configuration": key, "note": key}},
        "spec": {
            "description": key, "keySecretRef": {"name": "erp-key"}, "expiresAt": "2099-01-31T00:00:00Z",
            "provider": {"flow": {
                "purpose": "ImportMembers", "reference": key,
                "checkoutTheme": {"logoURL": format!("https://cdn.example/logo?{key}"), "primaryColor": "#112233", "secondaryColor": "#445566"},
            }},
            "outputs": [{"secretName": "erp-file", "format": "Template", "template": {"a": key}}],
        },
    });
    let object: ConnectorCredential = serde_json::from_value(manifest).expect("a credential");
    bed.api(&namespace).create(&PostParams::default(), &object).await.expect("it is admitted");
    let report = Cluster::of(&bed, &namespace).ctl(&["report"]).ended(0);
    assert!(report.out.contains("name: erp"), "{}", report.out);
    assert_eq!(find(report.all().as_bytes(), &[Canary::new("the key", key)]), [], "{}", report.out);
    let absent = Cluster::of(&bed, &namespace).ctl(&["report", "crm"]).ended(1);
    assert!(absent.err.contains("there are: erp") && absent.out.is_empty(), "{}", absent.all());
}

#[test]
fn without_a_cluster_each_command_says_so() {
    for command in COMMANDS {
        let run = ctl(command).ended(1);
        assert!(
            run.err.starts_with("error: ") && run.err.contains("hint: name a kubeconfig"),
            "{command:?}: {}",
            run.err
        );
        ctl(&[command, &["--kubeconfig", "/nonexistent"]].concat()).ended(1);
    }
}
