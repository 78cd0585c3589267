//! Does installing, changing and removing work? Both majors of Helm, and kubectl alone, on an API server of their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::chart;
use super::rendering::repository;
use crate::controlplane::{ControlPlane, Options};
use crate::support::bed::bed;
use crate::tools::Helm;

const NAMESPACE: &str = "connector-operator";
const CHART: &str = "charts/connector-operator";
const CRD: &str = "customresourcedefinition/connectorcredentials.connector-operator.io";

struct Cluster(ControlPlane);

impl Cluster {
    fn helm(&self, major: Helm, arguments: &[&str]) -> String {
        let mut command = major.command();
        command.env("KUBECONFIG", self.0.kubeconfig()).args(arguments).args(["--namespace", NAMESPACE]);
        let output = command.output().expect("Helm runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{major:?} {arguments:?}: {errors}");
        String::from_utf8(output.stdout).expect("text")
    }

    fn try_kubectl(&self, arguments: &[&str], input: &str) -> Result<String, String> {
        let output = self.0.kubectl_stdin(arguments, input).expect("kubectl runs");
        let says = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(says(&output.stdout)) } else { Err(says(&output.stderr)) }
    }

    fn kubectl(&self, arguments: &[&str]) -> String {
        self.try_kubectl(arguments, "").unwrap_or_else(|error| panic!("{arguments:?}: {error}"))
    }

    fn exists(&self, object: &str) -> bool {
        let found = self.kubectl(&["get", object, "--namespace", NAMESPACE, "--ignore-not-found", "--output=name"]);
        !found.trim().is_empty()
    }

    fn replicas(&self) -> String {
        self.kubectl(&["get", "deployment/connector-operator", "-n", NAMESPACE, "-o=jsonpath={.spec.replicas}"])
    }

    fn uid(&self) -> String {
        self.kubectl(&["get", "concred/erp", "-n", NAMESPACE, "-o=jsonpath={.metadata.uid}"])
    }

    /// Declares a credential; a definition that is new takes a moment.
    fn declare(&self) -> String {
        let credential = json!({
            "apiVersion": "connector-operator.io/v1alpha1", "kind": "ConnectorCredential",
            "metadata": {"name": "erp", "namespace": NAMESPACE},
            "spec": {"provider": {"flowlu": {"account": "mycompany"}}, "keySecretRef": {"name": "key"}},
        });
        let apply = ["apply", "--server-side", "--force-conflicts", "--filename=-"];
        let deadline = Instant::now() + Duration::from_secs(30);
        while let Err(error) = self.try_kubectl(&apply, &credential.to_string()) {
            assert!(Instant::now() < deadline, "{error}");
            std::thread::sleep(Duration::from_millis(200));
        }
        self.uid()
    }

    /// Every object that the operator consists of, but for the definition.
    fn installed(&self) -> Vec<&'static str> {
        let objects = [
            "deployment/connector-operator",
            "serviceaccount/connector-operator",
            "service/connector-operator-metrics",
            "poddisruptionbudget/connector-operator",
            "role/connector-operator-lease",
            "clusterrole/connector-operator",
            "clusterrole/connector-operator-view",
            "validatingadmissionpolicy/connector-operator",
        ];
        objects.into_iter().filter(|object| self.exists(object)).collect()
    }

    /// Kubernetes' own roles learn of credentials: who may view may not read Secrets.
    fn aggregated(&self) {
        for role in ["view", "edit"] {
            let (binding, user) = (format!("rolebinding/{role}"), format!("--user={role}er"));
            if !self.exists(&binding) {
                self.kubectl(&[
                    "create",
                    "rolebinding",
                    role,
                    &format!("--clusterrole={role}"),
                    &user,
                    "-n",
                    NAMESPACE,
                ]);
            }
        }
        let can = |user: &str, verb: &str, kind: &str| {
            let user = format!("--as={user}er");
            self.try_kubectl(&["auth", "can-i", verb, kind, &user, "-n", NAMESPACE, "--quiet"], "").is_ok()
        };
        let concred = "connectorcredentials.connector-operator.io";
        let deadline = Instant::now() + Duration::from_secs(30);
        while !(can("view", "list", concred) && can("edit", "create", concred)) {
            assert!(Instant::now() < deadline, "the roles are not aggregated");
            std::thread::sleep(Duration::from_millis(200));
        }
        assert!(!can("view", "create", concred) && !can("view", "get", "secrets"));
    }

    /// A credential of each shape that is stored, with a status, as an operator of before left it.
    fn store(&self) {
        let shapes = [
            ("inflow", json!({"inflow": {"companyID": "3f0c8a52-7d1e-4b96-9a43-5e2f6c7d8b90"}})),
            ("flowlu", json!({"flowlu": {"account": "mycompany"}})),
            ("zenflow", json!({"zenflow": {"environment": "Live", "scopePreset": "ERPSync"}})),
            ("flow", json!({"flow": {"purpose": "ImportMembers", "reference": "Leisure centre sync"}})),
            ("aventri", json!({"aventri": {"accountID": "12345", "region": "NorthAmerica", "tokenLifetime": "10m"}})),
        ];
        for (name, provider) in shapes {
            let credential = json!({
                "apiVersion": "connector-operator.io/v1alpha1", "kind": "ConnectorCredential",
                "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"team": "erp"}},
                "spec": {
                    "description": "of before", "provider": provider, "expiresAt": "2099-01-31T00:00:00Z",
                    "keySecretRef": {"name": "key", "key": "token", "expirationKey": "expires"},
                    "warnBefore": "336h", "maxAge": "2160h", "publishPolicy": "WhenVerified",
                    "rejectionPolicy": "Withdraw", "validation": {"mode": "Provider", "interval": "30m"},
                    "outputs": [{"secretName": format!("{name}-env"), "format": "Env", "envPrefix": "ERP_"},
                                {"secretName": format!("{name}-file"), "format": "Template",
                                 "template": {"app.ini": "key = $(apiKey)\n"}}],
                },
            });
            let apply = ["apply", "--server-side", "--filename=-"];
            self.try_kubectl(&apply, &credential.to_string()).unwrap_or_else(|error| panic!("{name}: {error}"));
            let ready = json!({"type": "Ready", "status": "True", "reason": "Ready", "message": "of before",
                               "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1});
            let status = json!({"status": {
                "observedGeneration": 1, "conditions": [ready],
                "source": {"secretName": "key", "uid": "uid", "resourceVersion": "1"},
                "validation": {"lastCheckTime": "2026-01-01T00:00:00Z", "nextCheckTime": "2026-01-01T00:30:00Z"},
            }});
            let status = format!("--patch={status}");
            let object = format!("concred/{name}");
            self.kubectl(&["patch", &object, "-n", NAMESPACE, "--subresource=status", "--type=merge", &status]);
        }
    }

    /// All that is stored, to the byte: with managed fields and versions.
    fn stored(&self) -> Value {
        let list = self.kubectl(&["get", "concred", "-n", NAMESPACE, "--show-managed-fields", "--output=json"]);
        serde_json::from_str::<Value>(&list).expect("JSON")["items"].clone()
    }

    /// One release's life, from the chart before to this one and back.
    fn live(&self, major: Helm, before: &Path) {
        let (before, now) = (before.display().to_string(), repository(CHART).display().to_string());
        let old = ["--set", "image.registry=registry.example"];
        self.helm(major, &[&["install", "connector-operator", &before, "--create-namespace"], &old[..]].concat());
        let uid = self.declare();
        self.store();
        let stored = self.stored();
        assert_eq!(stored.as_array().map(Vec::len), Some(6));
        assert_eq!(self.replicas(), "2");
        let record = ["get", "secrets", "-l=owner=helm", "-o=jsonpath={.items[0].data.release}", "-n", NAMESPACE];
        let record = self.kubectl(&record).len();
        assert!((1..1_000_000).contains(&record), "the record of the release has {record} bytes; a Secret holds 1 MiB");
        let set = ["--set", "replicas=3,networkPolicy.enabled=true"];
        let notes = self.helm(major, &[&["upgrade", "connector-operator", &now], &set[..]].concat());
        for words in ["image.registry is still registry.example", "helm test connector-operator --namespace"] {
            assert!(notes.contains(words), "{words}: {notes}");
        }
        assert_eq!(self.replicas(), "3");
        assert!(self.exists("networkpolicy/connector-operator"));
        assert_eq!(self.installed().len(), 8, "{:?}", self.installed());
        assert_eq!(self.stored(), stored, "{major:?}: an upgrade rewrites nothing");
        self.aggregated();
        self.helm(major, &["rollback", "connector-operator", "1"]);
        assert_eq!(self.replicas(), "2");
        assert_eq!(self.stored(), stored, "{major:?}: nor does going back");
        assert!(!self.exists("networkpolicy/connector-operator"));
        let history: Value =
            serde_json::from_str(&self.helm(major, &["history", "connector-operator", "--output=json"])).expect("JSON");
        let states: Vec<_> = history.as_array().expect("revisions").iter().map(|entry| &entry["status"]).collect();
        assert_eq!(states, ["superseded", "superseded", "deployed"]);
        self.helm(major, &["uninstall", "connector-operator"]);
        assert_eq!(self.installed(), Vec::<&str>::new());
        assert_eq!(self.stored(), stored, "{major:?}: credentials outlive the release");
        assert_eq!(self.uid(), uid);
        self.kubectl(&["delete", "concred", "--all", "-n", NAMESPACE]);
    }
}

/// The chart as it was a commit ago; where no history is at hand, as it is.
fn previous_chart(directory: &Path) -> PathBuf {
    for commit in ["HEAD~1", "HEAD"] {
        let archive = format!("git archive {commit} {CHART} | tar -x -C '{}'", directory.display());
        let mut command = Command::new("bash");
        command.args(["-o", "pipefail", "-c", &archive]).current_dir(repository("."));
        if command.output().is_ok_and(|output| output.status.success()) {
            return directory.join(CHART);
        }
    }
    repository(CHART)
}

fn tell_both_majors(cluster: &Cluster) {
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    let before = previous_chart(directory.path());
    assert!(fs::exists(before.join("Chart.yaml")).is_ok_and(|exists| exists));
    for major in [Helm::Three, Helm::Four] {
        // The second one finds the definition that the first one kept.
        cluster.live(major, &before);
        assert!(cluster.exists(CRD));
    }
    cluster.kubectl(&["delete", CRD]);
}

/// The definition comes from kubectl, the rest from Helm, which takes it over once.
fn tell_kubectl_then_helm(cluster: &Cluster) {
    let crds = repository("crds").display().to_string();
    let now = repository(CHART).display().to_string();
    cluster.kubectl(&["apply", "--server-side", "--filename", &crds]);
    let uid = cluster.declare();
    let take = ["--install", "--force-conflicts", "--take-ownership", "--server-side=true"];
    cluster.helm(Helm::Four, &[&["upgrade", "connector-operator", &now], &take[..]].concat());
    cluster.helm(Helm::Four, &["uninstall", "connector-operator"]);
    assert_eq!(cluster.uid(), uid);
    cluster.kubectl(&["delete", CRD]);
}

/// One file, and nothing but kubectl.
fn tell_manifest_alone(cluster: &Cluster) {
    let manifest = repository("install.yaml").display().to_string();
    cluster.kubectl(&["delete", "namespace", NAMESPACE, "--timeout=60s"]);
    for _ in 0..2 {
        cluster.kubectl(&["apply", "--server-side", "--filename", &manifest]);
    }
    cluster.declare();
    assert_eq!(cluster.installed().len(), 8, "{:?}", cluster.installed());
    cluster.kubectl(&["delete", "--filename", &manifest, "--wait=false"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a38_stored_objects_survive_upgrade_roll_back_and_removal_of_the_chart_in_every_way() {
    chart();
    let shared = bed().await.plane;
    let run = move || {
        let plane =
            ControlPlane::start(&Options::default(), shared.binaries()).expect("a second one can run beside it");
        let cluster = Cluster(plane);
        tell_both_majors(&cluster);
        tell_kubectl_then_helm(&cluster);
        tell_manifest_alone(&cluster);
    };
    tokio::task::spawn_blocking(run).await.expect("every way works");
}
