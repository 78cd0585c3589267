//! Is the chart right? Both majors of Helm, its schema, its rights, a real API
//! server; and are the files generated from it up to date?
//!
//! `BLESS=1 cargo test --test suite chart` rewrites those files.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking, also in what its functions share"
)]

mod alerts;
mod dashboard;
mod documentation;
mod monitoring;
mod network;
mod policy;
mod ports;
mod releases;
mod rendering;
mod rights;
mod values;

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Output};
use std::sync::OnceLock;

use connector_operator::crd;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::support::bed::{Bed, bed};
use crate::tools::Helm;
use rendering::{documents, helm, install_manifest, of_kind, refusal, rendered, repository, text};

const CHARTS_CRD: &str = "charts/connector-operator/files/connector-operator.io_connectorcredentials.yaml";
const MANIFEST: &str = "install.yaml";
const POD_SECURITY: &str = "pod-security.kubernetes.io";

/// Settings of installations; some-namespace is replaced by one that exists.
const VARIANTS: &[&[&str]] = &[
    &[],
    &[
        "watchNamespaces={some-namespace}",
        "secretWatch=none",
        "leaderElection.namespace=some-namespace",
        "crds.enabled=false",
        "rbac.aggregateTo.view=false",
        "rbac.aggregateTo.edit=false",
        "rbac.aggregateTo.admin=false",
    ],
    &["replicas=1", "leaderElection.enabled=false", "metrics.enabled=false", "rbac.create=false"],
    &[
        "config.providers.flow.endpoint=https://flow.example.com/api",
        "config.providers.flow.authentication.header=Authorization",
        "config.providers.flow.authentication.scheme=Bearer",
        "config.providers.flow.probe.path=/members?limit=1",
        "config.providers.flow.probe.accepted={200}",
        "config.proxy=http://egress.example:3128",
        "caBundle.configMapName=roots",
        "networkPolicy.enabled=true",
        "networkPolicy.extraEgress[0].ports[0].port=8443",
        "networkPolicy.extraIngress[0].ports[0].port=9000",
        "networkPolicy.metricsFrom[0].namespaceSelector.matchLabels.team=monitoring",
        "networkPolicy.healthFrom[0].ipBlock.cidr=10.0.0.0/24",
        "networkPolicy.proxyTo[0].podSelector.matchLabels.app=proxy",
        "concurrency=8",
    ],
    &[
        "fullnameOverride=keys",
        "nameOverride=op",
        "image.digest=sha256:0000000000000000000000000000000000000000000000000000000000000000",
        "imagePullSecrets[0].name=pull",
        "commonLabels.team=data",
        "commonAnnotations.note=common",
        "podLabels.pod=yes",
        "podAnnotations.pod=yes",
        "serviceAccount.annotations.note=account",
        "metrics.service.annotations.note=metrics",
        "metrics.service.labels.scrape=yes",
        "hostUsers=false",
        "priorityClassName=system-cluster-critical",
        "nodeSelector.disk=ssd",
        "tolerations[0].operator=Exists",
        "topologySpreadConstraints=[]",
        "dnsConfig.options[0].name=ndots",
        "strategy.type=Recreate",
        "crds.keep=false",
        "crds.annotations.note=crd",
        "networkPolicy.enabled=true",
        "dashboard.enabled=true",
        "rbac.aggregateTo.view=false",
        "podDisruptionBudget.maxUnavailable=50%",
        "validatingAdmissionPolicy.validationActions={Warn,Audit}",
        "validatingAdmissionPolicy.exemptUsers={system:serviceaccount:argocd:argocd-application-controller,o'neill}",
    ],
    &[
        "serviceAccount.create=false",
        "serviceAccount.name=own",
        "caBundle.secretName=roots",
        "existingConfigSecret=config",
        "networkPolicy.enabled=true",
        "networkPolicy.apiServer.cidrs={10.0.0.1/32}",
        "rbac.serviceBinding=false",
        "podDisruptionBudget.enabled=false",
        "validatingAdmissionPolicy.enabled=false",
        "tests.enabled=false",
        "extraArgs={--proof=1}",
        "extraEnv[0].name=TZ",
        "extraEnv[0].value=UTC",
        "extraVolumes[0].name=more",
        "extraVolumes[0].emptyDir.sizeLimit=1Mi",
        "extraVolumeMounts[0].name=more",
        "extraVolumeMounts[0].mountPath=/more",
        r#"extraObjects=[{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"{{ .Release.Name }}-extra"}}]"#,
    ],
];

/// The chart with the newest CRD; where that is blessed, before anything is rendered.
fn chart() {
    static CRD: OnceLock<()> = OnceLock::new();
    CRD.get_or_init(|| agrees(CHARTS_CRD, &crd::yaml()));
}

/// A generated file is what it should be, or becomes it.
fn agrees(path: &str, wanted: &str) {
    if blessing() {
        fs::write(repository(path), wanted).unwrap_or_else(|error| panic!("cannot write {path}: {error}"));
        return;
    }
    let found = fs::read_to_string(repository(path)).unwrap_or_default();
    let same = found.lines().zip(wanted.lines()).take_while(|(found, wanted)| found == wanted).count();
    let told = "run BLESS=1 cargo test --test suite chart";
    assert!(found == wanted, "{path} is not up to date from line {}: {told}", same + 1);
}

fn blessing() -> bool {
    std::env::var_os("BLESS").is_some_and(|bless| !bless.is_empty())
}

fn in_namespace(settings: &[&str], namespace: &str) -> Vec<String> {
    settings.iter().map(|setting| setting.replace("some-namespace", namespace)).collect()
}

fn borrowed(settings: &[String]) -> Vec<&str> {
    settings.iter().map(String::as_str).collect()
}

#[test]
fn the_charts_crd_is_the_generated_one() {
    chart();
    assert!(blessing() || text(CHARTS_CRD) == crd::yaml());
}

#[test]
fn the_rendered_crd_is_the_generated_one() {
    chart();
    let documents = documents(&rendered(Helm::Three, "default", &[]));
    let crds = of_kind(&documents, "CustomResourceDefinition");
    let generated = &rendering::documents(&crd::yaml())[0];
    assert_eq!(crds.len(), 1);
    assert_eq!(crds[0]["spec"], generated["spec"]);
    assert_eq!(crds[0]["metadata"]["name"], generated["metadata"]["name"]);
    assert_eq!(crds[0]["metadata"]["annotations"]["helm.sh/resource-policy"], "keep");
    assert_eq!(crds[0]["metadata"]["labels"]["app.kubernetes.io/instance"], Value::Null);
}

#[test]
fn the_install_manifest_is_the_chart() {
    chart();
    let manifest = install_manifest();
    assert!(!manifest.contains("helm.sh/") && !manifest.contains("Helm"), "Helm shows in {MANIFEST}");
    agrees(MANIFEST, &manifest);
}

#[test]
fn both_helms_find_nothing_wrong() {
    chart();
    for major in [Helm::Three, Helm::Four] {
        let output = helm(major, &["lint", "--strict"], &[]);
        assert!(output.status.success(), "{major:?}: {}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn both_helms_render_the_same_objects() {
    chart();
    for variant in VARIANTS {
        let [three, four] = [Helm::Three, Helm::Four].map(|major| documents(&rendered(major, "default", variant)));
        assert_eq!(three, four, "{variant:?}");
    }
}

#[test]
fn wrong_values_are_refused_with_the_name_of_the_field() {
    chart();
    let cases: &[(&str, &str)] = &[
        ("replica=1", "'replica'"),
        ("replicas=many", "/replicas"),
        ("image.tagg=1", "'tagg'"),
        ("image.digest=sha256:12", "/image/digest"),
        ("image.pullPolicy=Sometimes", "/image/pullPolicy"),
        ("log.level=loud", "/log/level"),
        ("secretWatch=all", "/secretWatch"),
        ("concurrency=0", "/concurrency"),
        ("metrics.port=70000", "/metrics/port"),
        ("watchNamespaces={Data}", "/watchNamespaces/0"),
        ("watchNamespaces={a,a}", "/watchNamespaces"),
        ("config.providers.acme.endpoint=https://acme.example", "'acme'"),
        ("config.providers.zenflow.endpoint=ftp://x", "/config/providers/zenflow/endpoint"),
        ("config.providers.flow.endpoint=https://x", "/config/providers/flow"),
        ("livenessProbe.httpGet.path=/", "'httpGet'"),
        ("commonLabels.a=1", "/commonLabels/a"),
        ("leaderElection.enabled=false", "leaderElection.enabled"),
        ("serviceAccount.create=false", "serviceAccount.name"),
        ("caBundle.secretName=a,caBundle.configMapName=b", "caBundle.secretName"),
        ("caBundle.secretName=a,config.caBundleFile=/b", "config.caBundleFile"),
        ("health.port=8080", "health.port"),
        ("existingConfigSecret=a,config.proxy=http://x", "existingConfigSecret"),
        ("rbac.aggregateTo.viewer=true", "'viewer'"),
        ("podDisruptionBudget.maxUnavailable=0", "/podDisruptionBudget/maxUnavailable"),
        ("networkPolicy.metricsFrom[0].pods=all", "'pods'"),
        ("networkPolicy.apiServer.cidrs={everywhere}", "/networkPolicy/apiServer/cidrs/0"),
        ("serviceMonitor.interval=often", "/serviceMonitor/interval"),
        ("serviceMonitor.renderMode=maybe", "/serviceMonitor/renderMode"),
        ("serviceMonitor.enabled=true,podMonitor.enabled=true", "podMonitor.enabled"),
        ("serviceMonitor.enabled=true,metrics.enabled=false", "metrics.enabled"),
        ("serviceMonitor.enabled=true,metrics.service.enabled=false", "metrics.service.enabled"),
        ("prometheusRule.disabled={Nothing}", "/prometheusRule/disabled/0"),
        ("prometheusRule.thresholds.inconclusiveRatio=2", "/prometheusRule/thresholds/inconclusiveRatio"),
        ("prometheusRule.runbookBaseURL=here", "/prometheusRule/runbookBaseURL"),
        ("validatingAdmissionPolicy.validationActions={Deny,Warn}", "/validatingAdmissionPolicy/validationActions"),
        ("dashboard.label.a=b", "'label'"),
    ];
    for major in [Helm::Three, Helm::Four] {
        for (setting, field) in cases {
            let refusal = refusal(major, &[setting]);
            assert!(refusal.contains(field), "{major:?} refuses {setting} without {field}: {refusal}");
        }
    }
}

#[test]
fn every_setting_of_the_schema_has_a_default() {
    let schema: Value = serde_json::from_str(&text("charts/connector-operator/values.schema.json")).expect("JSON");
    let values = &documents(&text("charts/connector-operator/values.yaml"))[0];
    let names = |value: &Value| -> Vec<String> {
        let map = value.as_object().expect("a map");
        let mut names: Vec<String> = map.keys().cloned().collect();
        names.sort();
        names
    };
    assert_eq!(names(values), names(&schema["properties"]));
}

/// The rights of the design, and no others.
#[test]
fn rights_are_exactly_those_of_the_design() {
    chart();
    let wanted = |secrets: &[&str]| {
        json!([
            {"apiGroups": ["connector-operator.io"], "resources": ["connectorcredentials"], "verbs": ["get", "list", "watch"]},
            {"apiGroups": ["connector-operator.io"], "resources": ["connectorcredentials/status"], "verbs": ["patch"]},
            {"apiGroups": [""], "resources": ["secrets"], "verbs": secrets},
            {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create"]},
        ])
    };
    let lease =
        json!([{"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "create", "update"]}]);
    let watching = wanted(&["get", "create", "update", "delete", "list", "watch"]);
    let reading = wanted(&["get", "create", "update", "delete"]);
    let roles = |settings: &[&str]| -> Vec<(String, Value)> {
        let documents = documents(&rendered(Helm::Three, "ops", settings));
        let all = ["ClusterRole", "Role"].map(|kind| of_kind(&documents, kind)).concat();
        let bindings = ["ClusterRoleBinding", "RoleBinding"].map(|kind| of_kind(&documents, kind)).concat();
        let bound: Vec<_> = bindings
            .into_iter()
            .filter(|binding| binding["subjects"][0]["name"] == "connector-operator")
            .map(|binding| &binding["roleRef"]["name"])
            .collect();
        let place = |role: &Value| role["metadata"]["namespace"].as_str().unwrap_or("*").to_owned();
        let operators = all.into_iter().filter(|role| bound.contains(&&role["metadata"]["name"]));
        operators.map(|role| (place(role), role["rules"].clone())).collect()
    };
    let everywhere = |rules: &Value| vec![("*".to_owned(), rules.clone()), ("ops".to_owned(), lease.clone())];
    assert_eq!(roles(&[]), everywhere(&watching));
    assert_eq!(roles(&["secretWatch=none"]), everywhere(&reading));
    assert_eq!(roles(&["leaderElection.enabled=false", "replicas=1"]), [("*".to_owned(), watching.clone())]);
    assert_eq!(roles(&["rbac.create=false"]), []);
    let mut within = roles(&["watchNamespaces={a,b}", "leaderElection.namespace=c"]);
    within.sort_by(|one, other| one.0.cmp(&other.0));
    let places = [("a", &watching), ("b", &watching), ("c", &lease)];
    assert_eq!(within, places.map(|(place, rules)| (place.to_owned(), rules.clone())));
}

/// People, other controllers and `helm test` never get a right on Secrets.
#[test]
fn nobody_else_is_given_a_right_on_secrets() {
    chart();
    let documents = documents(&rendered(Helm::Three, "ops", &[]));
    let roles = ["ClusterRole", "Role"].map(|kind| of_kind(&documents, kind)).concat();
    let names: Vec<_> = roles
        .into_iter()
        .filter(|role| role["rules"].to_string().contains("secrets"))
        .map(|role| role["metadata"]["name"].as_str().expect("a name"))
        .collect();
    assert_eq!(names, ["connector-operator"]);
}

/// Whatever becomes of the Pod: its log is all that may stay.
#[test]
fn what_helm_test_may_do_goes_also_when_it_fails() {
    chart();
    let documents = documents(&rendered(Helm::Four, "ops", &["watchNamespaces={a,b}"]));
    let policy = |document: &&Value| document["metadata"]["annotations"]["helm.sh/hook-delete-policy"].is_string();
    let made: Vec<_> = documents.iter().filter(policy).collect();
    let stays = |document: &&&Value| {
        let policy = &document["metadata"]["annotations"]["helm.sh/hook-delete-policy"];
        !policy.as_str().unwrap_or_default().contains("hook-failed")
    };
    let staying: Vec<_> = made.iter().filter(stays).map(|document| &document["kind"]).collect();
    assert_eq!((made.len(), staying), (8, vec![&json!("Pod")]));
}

#[test]
fn the_operator_knows_every_flag_that_the_chart_passes() {
    chart();
    for variant in &VARIANTS[..VARIANTS.len() - 1] {
        let documents = documents(&rendered(Helm::Three, "default", variant));
        let container = &of_kind(&documents, "Deployment")[0]["spec"]["template"]["spec"]["containers"][0];
        let flags = container["args"].as_array().expect("flags").iter().map(|flag| flag.as_str().expect("a text"));
        // Flags before --help are read first.
        let output = Command::new(env!("CARGO_BIN_EXE_connector-operator")).args(flags).arg("--help").output();
        let output = output.expect("the operator is built");
        assert!(output.status.success(), "{variant:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

async fn restricted_namespace(bed: &Bed) -> String {
    let labels = ["enforce", "warn"].map(|mode| (format!("{POD_SECURITY}/{mode}"), "restricted".to_owned()));
    bed.namespace_with_labels("chart", BTreeMap::from(labels)).await
}

/// What the API server says to documents that it does not keep; warnings count as refusals.
async fn dry_run(bed: &Bed, arguments: &'static [&'static str], documents: String) {
    let plane = bed.plane;
    let run = move || -> Output {
        let flags = ["--dry-run=server", "--validate=strict", "--filename=-"];
        plane.kubectl_stdin(&[arguments, &flags].concat(), &documents).expect("kubectl runs")
    };
    let output = tokio::task::spawn_blocking(run).await.expect("kubectl does not panic");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{errors}");
}

const APPLY: &[&str] = &["apply", "--server-side", "--force-conflicts"];

#[tokio::test(flavor = "multi_thread")]
async fn a37_the_api_server_accepts_every_variant() {
    chart();
    let bed = bed().await;
    let namespace = restricted_namespace(&bed).await;
    for variant in VARIANTS {
        let settings = in_namespace(variant, &namespace);
        let text = rendered(Helm::Four, &namespace, &borrowed(&settings));
        dry_run(&bed, APPLY, text.clone()).await;
        let documents = documents(&text);
        let template = &of_kind(&documents, "Deployment")[0]["spec"]["template"];
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "pod", "namespace": namespace, "labels": template["metadata"]["labels"]},
            "spec": template["spec"],
        });
        dry_run(&bed, &["create"], pod.to_string()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_accepts_the_install_manifest() {
    chart();
    let bed = bed().await;
    let manifest = install_manifest();
    let namespace = &documents(&manifest)[0];
    // A dry run does not make the namespace that the other documents stand in.
    Api::<Namespace>::all(bed.client.clone())
        .patch("connector-operator", &PatchParams::apply("tests").force(), &Patch::Apply(namespace))
        .await
        .expect("the administrator may create namespaces");
    dry_run(&bed, APPLY, manifest).await;
}
