//! Do the example trees work? What the API server knows is applied to it; what Flux and Argo CD read is read.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{repository, text};
use crate::support::bed::{Bed, bed};
use crate::tools::Helm;

async fn kubectl(bed: &Bed, arguments: Vec<String>) -> String {
    let plane = bed.plane;
    let run = move || {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        plane.kubectl(&arguments).expect("kubectl runs")
    };
    let output = tokio::task::spawn_blocking(run).await.expect("kubectl does not panic");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{errors}");
    String::from_utf8(output.stdout).expect("text")
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn documents(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).expect("YAML")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_credentials_apply() {
    let bed = bed().await;
    let tree = repository("gitops/credentials").display().to_string();
    kubectl(&bed, words(&["apply", "--server-side", "--validate=strict", "-k", &tree])).await;
    let stored = async || -> Value {
        let text = kubectl(&bed, words(&["get", "concred", "erp", "-n", "data", "-ojson"])).await;
        serde_json::from_str(&text).expect("JSON")
    };
    let declared = &documents(&text("gitops/credentials/erp.yaml"))[0];
    assert_eq!(stored().await["spec"], declared["spec"], "defaults would be drift");
    // Applied again it stays as it is. Once the API server stores the status' default anew, whatever the schema.
    let apply = || kubectl(&bed, words(&["apply", "--server-side", "-k", &tree]));
    apply().await;
    let before = stored().await;
    apply().await;
    assert_eq!(stored().await, before, "a second apply is drift");
    let rights = repository("gitops/argocd/rights.yaml").display().to_string();
    kubectl(&bed, words(&["apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", &rights])).await;
    kubectl(&bed, words(&["delete", "-k", &tree, "--wait=false"])).await;
}

/// A generated Secret has a hash in its name; the reference follows.
#[tokio::test(flavor = "multi_thread")]
async fn kustomize_renames_the_reference() {
    let bed = bed().await;
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).expect("writable");
    write("names.yaml", &text("gitops/kustomize/names.yaml"));
    write("erp.yaml", &text("gitops/credentials/erp.yaml"));
    write(
        "kustomization.yaml",
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: data\nnamePrefix: eu-\n\
         resources: [erp.yaml]\nconfigurations: [names.yaml]\n\
         secretGenerator:\n- name: zenflow-key\n  literals: [api-key=EXAMPLE]\n",
    );
    let built = kubectl(&bed, words(&["kustomize", &directory.path().display().to_string()])).await;
    let built = documents(&built);
    let of = |kind: &str| built.iter().find(|document| document["kind"] == kind).expect("built");
    let secret = of("Secret")["metadata"]["name"].as_str().expect("a name");
    assert!(secret.starts_with("eu-zenflow-key-"), "{secret}");
    assert_eq!(of("ConnectorCredential")["spec"]["keySecretRef"]["name"], secret);
}

/// The YAML files below a directory of the repository.
fn files(directory: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(directory).expect("there is such a directory") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            found.push(fs::read_to_string(&path).expect("readable"));
        }
    }
}

#[test]
fn flux_and_argo_cd_find_what_they_are_pointed_at() {
    let mut texts = Vec::new();
    files(&repository("gitops/flux"), &mut texts);
    files(&repository("gitops/argocd/applications"), &mut texts);
    let objects: Vec<Value> = texts.iter().flat_map(|text| documents(text)).collect();
    let names = |kind: &str, group: &str| -> Vec<&str> {
        let is = |object: &&Value| {
            object["kind"] == kind && object["apiVersion"].as_str().is_some_and(|version| version.starts_with(group))
        };
        objects.iter().filter(is).map(|object| object["metadata"]["name"].as_str().unwrap_or_default()).collect()
    };
    let kustomizations = names("Kustomization", "kustomize.toolkit.fluxcd.io/v1");
    assert_eq!(kustomizations, ["operator", "credentials"]);
    assert_eq!(names("HelmRelease", "helm.toolkit.fluxcd.io/v2"), ["connector-operator"]);
    assert_eq!(names("OCIRepository", "source.toolkit.fluxcd.io/v1"), ["connector-operator"]);
    assert_eq!(names("Application", "argoproj.io/v1alpha1").len(), 2);
    for object in &objects {
        let spec = &object["spec"];
        let paths = [&spec["path"], &spec["source"]["path"]].map(Value::as_str);
        for path in paths.into_iter().flatten() {
            let kustomization = repository(path).join("kustomization.yaml");
            assert!(kustomization.is_file(), "{path} has no kustomization.yaml");
        }
        for needed in spec["dependsOn"].as_array().into_iter().flatten() {
            assert!(kustomizations.contains(&needed["name"].as_str().unwrap_or_default()), "{needed}");
        }
        for check in spec["healthCheckExprs"].as_array().into_iter().flatten() {
            assert_eq!(check["kind"], "ConnectorCredential");
        }
    }
    let resources = &documents(&text("gitops/flux/operator/kustomization.yaml"))[0]["resources"];
    for resource in resources.as_array().expect("resources") {
        assert!(repository("gitops/flux/operator").join(resource.as_str().expect("a path")).is_file());
    }
}

/// What Flux and Argo CD hand to Helm is what the chart's schema admits, and takes effect.
#[test]
fn the_values_in_them_are_the_charts() {
    let values = [
        ("gitops/flux/operator/helm.yaml", "HelmRelease", "/spec/values"),
        ("gitops/argocd/applications/operator.yaml", "Application", "/spec/source/helm/valuesObject"),
    ];
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    for (path, kind, place) in values {
        let all = documents(&text(path));
        let object = all.iter().find(|object| object["kind"] == kind).expect("it is there");
        let values = object.pointer(place).expect("it sets values");
        let file = directory.path().join("values.json");
        fs::write(&file, values.to_string()).expect("writable");
        for major in [Helm::Three, Helm::Four] {
            let mut command = major.command();
            command.args(["template", "--kube-version=1.33.0", "connector-operator"]);
            command.arg(repository("charts/connector-operator")).arg("--values").arg(&file);
            let output = command.output().expect("Helm runs");
            let rendered = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stderr));
            let registry = values["image"]["registry"].as_str().expect("it names the registry");
            assert!(rendered.contains(&format!("image: \"{registry}/")), "{path} changes nothing");
        }
    }
}
