//! What do the chart and `install.yaml` say? Texts and documents; nothing is judged here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use crate::tools::Helm;

/// The oldest Kubernetes that the chart admits; Helm 3 built from source would assume one of 2020.
const KUBERNETES: &str = "--kube-version=1.33.0";

/// What stands before the rendered chart in `install.yaml`.
const PREFACE: &str = "\
# The Connector Operator in namespace connector-operator: kubectl apply -f install.yaml
# Generated from charts/connector-operator by BLESS=1 cargo test --test suite chart; do not edit.
---
apiVersion: v1
kind: Namespace
metadata:
  name: connector-operator
  labels:
    app.kubernetes.io/name: connector-operator
    app.kubernetes.io/part-of: connector-operator
    pod-security.kubernetes.io/enforce: restricted
    pod-security.kubernetes.io/audit: restricted
    pod-security.kubernetes.io/warn: restricted
";

/// A path in the repository.
pub(super) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A file of the repository.
pub(super) fn text(path: &str) -> String {
    fs::read_to_string(repository(path)).unwrap_or_else(|error| panic!("cannot read {path}: {error}"))
}

/// Runs `helm VERB … CHART …` as if on the oldest Kubernetes.
pub(super) fn helm(helm: Helm, before: &[&str], after: &[&str]) -> Output {
    let mut command = helm.command();
    command.args(before).arg(repository("charts/connector-operator")).arg(KUBERNETES).args(after);
    command.output().unwrap_or_else(|error| panic!("cannot run {helm:?}: {error}"))
}

/// The chart, rendered as release `connector-operator` into `namespace`.
pub(super) fn rendered(major: Helm, namespace: &str, settings: &[&str]) -> String {
    let output = template(major, namespace, settings);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{major:?} does not render {settings:?}: {errors}");
    String::from_utf8(output.stdout).expect("YAML is UTF-8")
}

/// Why the chart is not rendered.
pub(super) fn refusal(major: Helm, settings: &[&str]) -> String {
    let output = template(major, "default", settings);
    assert!(!output.status.success(), "{major:?} renders {settings:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn template(major: Helm, namespace: &str, settings: &[&str]) -> Output {
    // Only JSON can say that a list is empty, or holds a brace, or that a number is not whole.
    let is_fraction = |value: &str| value.contains('.') && value.parse::<f64>().is_ok();
    let is_json = |setting: &str| {
        let value = setting.split_once('=').map_or("", |(_, value)| value);
        value.starts_with('[') || value.starts_with("{\"") || is_fraction(value)
    };
    let flag = |setting: &str| if is_json(setting) { "--set-json" } else { "--set" };
    let settings: Vec<String> = settings.iter().map(|setting| format!("{}={setting}", flag(setting))).collect();
    let mut after = vec!["--namespace", namespace];
    after.extend(settings.iter().map(String::as_str));
    helm(major, &["template", "connector-operator"], &after)
}

/// The documents of a YAML text.
pub(super) fn documents(text: &str) -> Vec<Value> {
    let mut documents: Vec<Value> = serde_saphyr::from_multiple(text).expect("the text is YAML");
    documents.retain(|document| !document.is_null());
    documents
}

/// The documents of one kind.
pub(super) fn of_kind<'a>(documents: &'a [Value], kind: &str) -> Vec<&'a Value> {
    documents.iter().filter(|document| document["kind"] == kind).collect()
}

/// What `install.yaml` has to be: a Namespace and the chart, without what only Helm understands.
pub(super) fn install_manifest() -> String {
    let chart = rendered(Helm::Three, "connector-operator", &["crds.keep=false", "tests.enabled=false"]);
    let mut manifest = PREFACE.to_owned();
    for document in format!("\n{chart}").split("\n---\n").skip(1) {
        let lines: Vec<&str> = document.lines().filter(|line| !is_helms(line)).collect();
        manifest.push_str("---\n");
        manifest.push_str(lines.join("\n").trim_matches('\n'));
        manifest.push('\n');
    }
    manifest
}

fn is_helms(line: &str) -> bool {
    let line_itself = line.trim_start();
    line.starts_with("# Source: ")
        || line_itself == "app.kubernetes.io/managed-by: Helm"
        || line_itself.starts_with("helm.sh/chart: ")
}
