//! Does the admission policy ask for the right to get the Secret? On the real API server, as users with and without it.

use std::time::Duration;

use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::api::PostParams;
use serde_json::{Value, json};

use super::rendering::{documents, of_kind, rendered};
use super::{APPLY, chart};
use crate::support::bed::{Bed, bed};
use crate::tools::Helm;

/// May do everything with credentials, and get the Secret `known`, which exists, and `absent`, which does not.
const READER: &str = "reader";
/// May do everything with credentials, and nothing with Secrets.
const STRANGER: &str = "stranger";
/// Like the stranger, but exempt.
const EXEMPT: &str = "system:serviceaccount:argocd:argocd-application-controller";

/// What the API server says to kubectl: whether it succeeded, and its words.
async fn kubectl(bed: &Bed, user: &str, arguments: &[&str], input: &Value) -> (bool, String) {
    let plane = bed.plane;
    let user = format!("--as={user}");
    let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).chain([user]).collect();
    let input = input.to_string();
    let run = move || {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        plane.kubectl_stdin(&arguments, &input).expect("kubectl runs")
    };
    let output = tokio::task::spawn_blocking(run).await.expect("kubectl does not panic");
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

fn credential(namespace: &str, name: &str, secret: &str) -> Value {
    json!({
        "apiVersion": "connector-operator.io/v1alpha1", "kind": "ConnectorCredential",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "provider": {"flowlu": {"account": "mycompany"}},
            "keySecretRef": {"name": secret},
            "outputs": [{"secretName": format!("{name}-out"), "format": "Env"}],
        },
    })
}

/// Users, a Secret, and the policy as the chart renders it, for this namespace alone.
async fn prepare(prefix: &str) -> (Bed, String) {
    chart();
    let bed = bed().await;
    let namespace = bed.namespace(prefix).await;
    let role = |name: &str, rules: Value| -> Role {
        serde_json::from_value(json!({"metadata": {"name": name}, "rules": rules})).expect("a Role")
    };
    let all = json!({"apiGroups": ["connector-operator.io"], "resources": ["connectorcredentials"], "verbs": ["*"]});
    let get =
        json!({"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["known", "absent"], "verbs": ["get"]});
    let roles =
        [(role("all", json!([all])), vec![READER, STRANGER, EXEMPT]), (role("get", json!([get])), vec![READER])];
    for (role, users) in roles {
        let name = role.metadata.name.clone().expect("a name");
        bed.api::<Role>(&namespace).create(&PostParams::default(), &role).await.expect("roles can be made");
        let subjects: Vec<_> = users
            .into_iter()
            .map(|user| json!({"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}))
            .collect();
        let binding: RoleBinding = serde_json::from_value(json!({
            "metadata": {"name": name}, "subjects": subjects,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        }))
        .expect("a RoleBinding");
        bed.api::<RoleBinding>(&namespace).create(&PostParams::default(), &binding).await.expect("bound");
    }
    for name in ["known", "foreign"] {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace},
            "stringData": {"api-key": "EXAMPLE"},
        });
        let (done, says) = kubectl(&bed, "admin", &["create", "--as-group=system:masters", "-f-"], &secret).await;
        assert!(done, "{says}");
    }
    let settings = [
        format!("fullnameOverride={namespace}"),
        format!("watchNamespaces={{{namespace}}}"),
        format!("validatingAdmissionPolicy.exemptUsers={{{EXEMPT}}}"),
    ];
    let rendered = documents(&rendered(Helm::Three, &namespace, &settings.each_ref().map(String::as_str)));
    for kind in ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"] {
        let object = of_kind(&rendered, kind)[0];
        let arguments = [APPLY, &["--as-group=system:masters", "-f-"]].concat();
        let (done, says) = kubectl(&bed, "admin", &arguments, object).await;
        assert!(done, "{says}");
    }
    in_force(&bed, &namespace).await;
    (bed, namespace)
}

/// The API server notices a policy within a second or so.
async fn in_force(bed: &Bed, namespace: &str) {
    for _ in 0..150 {
        let probe = credential(namespace, "probe", "foreign");
        let (done, says) = kubectl(bed, STRANGER, &["create", "--dry-run=server", "-f-"], &probe).await;
        if !done {
            assert!(says.contains("ValidatingAdmissionPolicy"), "{says}");
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("the policy is not in force after 30 seconds");
}

#[tokio::test(flavor = "multi_thread")]
async fn a05_who_may_not_get_the_secret_may_not_reference_it() {
    let (bed, namespace) = prepare("policy").await;
    let create = &["create", "-f-"];
    // Who may get it may reference it, whether it is there or not.
    for secret in ["known", "absent"] {
        let (done, says) = kubectl(&bed, READER, create, &credential(&namespace, secret, secret)).await;
        assert!(done, "{says}");
    }
    // Nobody else; and what is said does not depend on whether it is there.
    let mut denials = Vec::new();
    for secret in ["foreign", "missing"] {
        let (done, says) = kubectl(&bed, READER, create, &credential(&namespace, "new", secret)).await;
        assert!(!done && says.contains("(Forbidden)") && says.contains("spec.keySecretRef"), "{says}");
        denials.push(says.replace(secret, "NAME"));
        let (done, says) = kubectl(&bed, STRANGER, create, &credential(&namespace, "new", secret)).await;
        assert!(!done && says.contains("(Forbidden)"), "{says}");
        denials.push(says.replace(secret, "NAME").replace(STRANGER, READER));
    }
    denials.dedup();
    assert_eq!(denials.len(), 1, "denials differ: {denials:?}");
    // But for those who are exempt.
    let (done, says) = kubectl(&bed, EXEMPT, create, &credential(&namespace, "exempt", "foreign")).await;
    assert!(done, "{says}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a05_who_may_not_get_the_secret_changes_nothing_that_decides_where_it_goes() {
    let (bed, namespace) = prepare("policy-change").await;
    let (done, says) = kubectl(&bed, READER, &["create", "-f-"], &credential(&namespace, "erp", "known")).await;
    assert!(done, "{says}");
    let patch = async |user: &str, change: Value| {
        let change = format!("--patch={change}");
        let flags = ["patch", "concred", "erp", "-n", &namespace, "--type=merge", &change];
        kubectl(&bed, user, &flags, &Value::Null).await
    };
    let deciding = [
        json!({"spec": {"keySecretRef": {"key": "other"}}}),
        json!({"spec": {"keySecretRef": {"name": "foreign"}}}),
        json!({"spec": {"provider": {"flowlu": {"account": "another"}}}}),
        json!({"spec": {"outputs": [{"secretName": "elsewhere", "format": "Env"}]}}),
        json!({"spec": {"outputs": null}}),
        json!({"spec": {"publishPolicy": "Always"}}),
        json!({"spec": {"validation": {"mode": "Local"}}}),
    ];
    for change in deciding {
        let (done, says) = patch(STRANGER, change.clone()).await;
        assert!(!done && says.contains("spec.keySecretRef"), "{change}: {says}");
    }
    let harmless = [
        json!({"metadata": {"labels": {"team": "data"}}}),
        json!({"metadata": {"annotations": {"connector-operator.io/reconcile-at": "1"}}}),
        json!({"spec": {"description": "new"}}),
        json!({"spec": {"suspend": true}}),
        json!({"spec": {"validation": {"interval": "2h"}}}),
    ];
    for change in harmless {
        let (done, says) = patch(STRANGER, change.clone()).await;
        assert!(done, "{change}: {says}");
    }
    // A right to one Secret is none to another.
    let (done, says) = patch(READER, json!({"spec": {"keySecretRef": {"name": "foreign"}}})).await;
    assert!(!done && says.contains("foreign"), "{says}");
    let (done, says) = patch(READER, json!({"spec": {"publishPolicy": "Always"}})).await;
    assert!(done, "{says}");
}

/// The API server checks the types of the expressions against the schema, and warns in the policy's status.
#[tokio::test(flavor = "multi_thread")]
async fn the_expressions_fit_the_schema() {
    let (bed, namespace) = prepare("policy-types").await;
    for _ in 0..150 {
        let path = ["get", "validatingadmissionpolicy", &namespace, "-ojson", "--as-group=system:masters"];
        let (done, says) = kubectl(&bed, "admin", &path, &Value::Null).await;
        assert!(done, "{says}");
        let policy: Value = serde_json::from_str(&says).expect("JSON");
        let status = &policy["status"];
        if status["observedGeneration"] == policy["metadata"]["generation"] && !status["typeChecking"].is_null() {
            assert_eq!(status["typeChecking"]["expressionWarnings"], Value::Null, "{status}");
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("the policy was not type-checked within 30 seconds");
}
