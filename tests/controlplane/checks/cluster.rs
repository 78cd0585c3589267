//! Do the controllers and the admission plugins behave as in a cluster?

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::json;

use super::{LIMIT, config_map, create_config_map, stdout};
use crate::support::await_object::await_gone;
use crate::support::bed::bed;

#[tokio::test]
async fn a_secret_goes_with_its_owner() {
    let bed = bed().await;
    let namespace = bed.namespace("collected").await;
    let owner = create_config_map(&bed, &namespace, "owner").await;
    let secrets: Api<Secret> = bed.api(&namespace);
    let secret = json!({"metadata": {"name": "owned", "ownerReferences": [{
        "apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner.metadata.uid}]}});
    let secret: Secret = serde_json::from_value(secret).expect("it is a Secret");
    let created = secrets.create(&PostParams::default(), &secret).await;
    created.expect("the administrator may create Secrets");
    let owners: Api<ConfigMap> = bed.api(&namespace);
    let deleted = owners.delete("owner", &DeleteParams::default()).await;
    deleted.expect("the administrator may delete ConfigMaps");
    let gone = await_gone(&secrets, "owned", LIMIT).await;
    gone.expect("the garbage collector deletes what the owner left");
}

#[tokio::test]
async fn a_namespace_is_deleted_with_its_contents() {
    let bed = bed().await;
    let namespace = bed.namespace("deleted").await;
    create_config_map(&bed, &namespace, "inside").await;
    let namespaces: Api<Namespace> = Api::all(bed.client.clone());
    let deleted = namespaces.delete(&namespace, &DeleteParams::default()).await;
    deleted.expect("the administrator may delete namespaces");
    let gone = await_gone(&namespaces, &namespace, LIMIT).await;
    gone.expect("the namespace controller finishes it");
}

#[tokio::test]
async fn a_deployment_gets_its_pods() {
    let bed = bed().await;
    let namespace = bed.namespace("rollout").await;
    let image = "--image=example.invalid/nothing";
    let namespace = format!("--namespace={namespace}");
    stdout(bed.plane.kubectl(&["create", "deployment", "d", image, &namespace]));
    let wait = ["wait", "--for=create", "--timeout=60s", "pod", "--selector=app=d", &namespace];
    stdout(bed.plane.kubectl(&wait));
}

#[tokio::test]
async fn a_policy_denies_what_its_expression_denies() {
    let bed = bed().await;
    let namespace = bed.namespace("policy").await;
    let name = namespace.as_str();
    let policy = json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
         "metadata": {"name": name}, "spec": {
            "matchConstraints": {"resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"],
                "operations": ["CREATE"], "resources": ["configmaps"]}]},
            "validations": [{"expression": "object.metadata.name != 'denied'"}]}},
        {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
         "metadata": {"name": name}, "spec": {"policyName": name, "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}}}]});
    stdout(bed.plane.kubectl_stdin(&["create", "--filename=-"], &policy.to_string()));
    let maps: Api<ConfigMap> = bed.api(&namespace);
    let dry_run = PostParams { dry_run: true, ..PostParams::default() };
    let denied = async {
        // A policy works some moments after it is stored, and nothing says when.
        while maps.create(&dry_run, &config_map("denied")).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    let denied = tokio::time::timeout(LIMIT, denied).await;
    denied.expect("the policy is in force");
    create_config_map(&bed, &namespace, "allowed").await;
}

#[tokio::test]
async fn pod_security_levels_hold() {
    let bed = bed().await;
    let label = "pod-security.kubernetes.io/enforce".to_owned();
    let labels = [(label, "restricted".to_owned())].into();
    let namespace = bed.namespace_with_labels("restricted", labels).await;
    let namespace = format!("--namespace={namespace}");
    let output = bed.plane.kubectl(&["run", "p", "--image=example.invalid/nothing", &namespace]);
    let output = output.expect("kubectl can be started");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("violates PodSecurity"), "{errors}");
}
