//! What does a user see who may do little, or nothing, or whose cluster is not there?

use super::{Cluster, ctl};
use crate::support::bed::{Bed, bed};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::api::PostParams;
use serde_json::{Value, json};

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
    let read = |value: Value| value;
    let role: Role = serde_json::from_value(read(json!({
        "metadata": {"name": "reader"},
        "rules": [{"apiGroups": ["connector-operator.io"], "resources": ["connectorcredentials"], "verbs": ["get", "list"]}],
    })))
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
    let check = cluster.ctl(&["check"]).ended(0);
    assert!(check.out.contains("not shown: you may not"), "{}", check.out);
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
    assert!(cluster.ctl(&["render", "erp"]).ended(0).out.contains("api-key: REDACTED"));
    let shown = cluster.ctl(&["render", "erp", "--show-secrets"]).ended(1);
    assert!(shown.err.contains("right to get secrets in namespace"), "{}", shown.err);
    let report = cluster.ctl(&["report"]).ended(0);
    assert!(report.out.contains("cannot get secrets: forbidden (403)"), "{}", report.out);
    assert!(cluster.ctl(&["suspend", "erp"]).ended(1).err.contains("right to patch connectorcredentials"));
    let absent = cluster.ctl(&["status", "other"]).ended(1);
    assert!(absent.err.contains("not found (404)") && absent.err.contains("list -A"), "{}", absent.err);
    let as_nobody = Cluster::of(&bed, &namespace).ctl(&["list", "--as", "nobody"]).ended(1);
    assert!(as_nobody.err.contains("you lack the right"), "{}", as_nobody.err);
    let named = Cluster::of(&bed, &namespace).ctl(&["list", "--context", "nowhere"]).ended(1);
    assert!(named.err.contains("no complete context nowhere"), "{}", named.err);
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
