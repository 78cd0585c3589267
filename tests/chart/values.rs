//! Does every value do something? Each documented one is set, and the rendered manifests must change.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use super::rendering::{documents, rendered, text};
use super::{chart, refusal};
use crate::tools::Helm;

/// What else has to be set for a value to matter: settings for the values below a path.
const GROUND: &[(&str, &[&str])] = &[
    ("caBundle.key", &["caBundle.configMapName=roots"]),
    ("rbac.create", &["tests.enabled=false"]),
    ("leaderElection.enabled", &["replicas=1"]),
    ("serviceAccount.create", &["serviceAccount.name=own"]),
    ("networkPolicy.", &["networkPolicy.enabled=true"]),
    ("networkPolicy.proxyTo", &["config.proxy=http://egress.example:3128"]),
    ("serviceMonitor.", &["serviceMonitor.enabled=true", "serviceMonitor.renderMode=alwaysRender"]),
    ("podMonitor.", &["podMonitor.enabled=true", "podMonitor.renderMode=alwaysRender"]),
    ("prometheusRule.", &["prometheusRule.enabled=true", "prometheusRule.renderMode=alwaysRender"]),
    ("dashboard.", &["dashboard.enabled=true"]),
    (
        "dashboard.grafanaOperator.",
        &["dashboard.grafanaOperator.enabled=true", "dashboard.grafanaOperator.renderMode=alwaysRender"],
    ),
];

/// Each value and another one for it. A list or map that is empty by default stands for what may be in it.
const CHANGES: &[(&str, &str)] = &[
    ("crds.enabled", "false"),
    ("crds.keep", "false"),
    ("crds.annotations", r#"{"a":"b"}"#),
    ("replicas", "3"),
    ("image.registry", "other.example"),
    ("image.repository", "mine"),
    ("image.tag", "9.9.9"),
    ("image.digest", "sha256:1111111111111111111111111111111111111111111111111111111111111111"),
    ("image.pullPolicy", "Always"),
    ("imagePullSecrets", r#"[{"name":"pull"}]"#),
    ("nameOverride", "other"),
    ("fullnameOverride", "other"),
    ("namespaceOverride", "other"),
    ("commonLabels", r#"{"a":"b"}"#),
    ("commonAnnotations", r#"{"a":"b"}"#),
    ("podLabels", r#"{"a":"b"}"#),
    ("podAnnotations", r#"{"a":"b"}"#),
    ("config", r#"{"proxy":"http://egress.example:3128"}"#),
    ("existingConfigSecret", "mine"),
    ("caBundle.configMapName", "roots"),
    ("caBundle.secretName", "roots"),
    ("caBundle.key", "other.pem"),
    ("watchNamespaces", r#"["data"]"#),
    ("secretWatch", "none"),
    ("concurrency", "8"),
    ("log.format", "text"),
    ("log.level", "debug"),
    ("leaderElection.enabled", "false"),
    ("leaderElection.namespace", "other"),
    ("rbac.create", "false"),
    ("rbac.aggregateTo.view", "false"),
    ("rbac.aggregateTo.edit", "false"),
    ("rbac.aggregateTo.admin", "false"),
    ("rbac.serviceBinding", "false"),
    ("serviceAccount.create", "false"),
    ("serviceAccount.name", "own"),
    ("serviceAccount.annotations", r#"{"a":"b"}"#),
    ("podSecurityContext.runAsNonRoot", "false"),
    ("podSecurityContext.seccompProfile.type", "Unconfined"),
    ("securityContext.allowPrivilegeEscalation", "true"),
    ("securityContext.readOnlyRootFilesystem", "false"),
    ("securityContext.capabilities.drop", r#"["NET_RAW"]"#),
    ("hostUsers", "false"),
    ("resources.requests.cpu", "1"),
    ("resources.requests.memory", "1Gi"),
    ("resources.limits.memory", "1Gi"),
    ("nodeSelector", r#"{"disk":"ssd"}"#),
    ("tolerations", r#"[{"operator":"Exists"}]"#),
    ("affinity", r#"{"nodeAffinity":{}}"#),
    ("priorityClassName", "high"),
    ("topologySpreadConstraints", "[]"),
    ("strategy.type", "Recreate"),
    ("terminationGracePeriodSeconds", "60"),
    ("dnsConfig", r#"{"searches":["example"]}"#),
    ("health.port", "9000"),
    ("livenessProbe.initialDelaySeconds", "1"),
    ("livenessProbe.periodSeconds", "1"),
    ("livenessProbe.timeoutSeconds", "1"),
    ("livenessProbe.failureThreshold", "1"),
    ("readinessProbe.periodSeconds", "1"),
    ("readinessProbe.timeoutSeconds", "1"),
    ("readinessProbe.failureThreshold", "1"),
    ("metrics.enabled", "false"),
    ("metrics.port", "9000"),
    ("metrics.service.enabled", "false"),
    ("metrics.service.labels", r#"{"a":"b"}"#),
    ("metrics.service.annotations", r#"{"a":"b"}"#),
    ("podDisruptionBudget.enabled", "false"),
    ("podDisruptionBudget.maxUnavailable", "50%"),
    ("podDisruptionBudget.unhealthyPodEvictionPolicy", "IfHealthyBudget"),
    ("networkPolicy.enabled", "false"),
    ("networkPolicy.metricsFrom", r#"[{"podSelector":{"matchLabels":{"a":"b"}}}]"#),
    ("networkPolicy.healthFrom", r#"[{"ipBlock":{"cidr":"10.0.0.1/32"}}]"#),
    ("networkPolicy.dnsTo", "[]"),
    ("networkPolicy.proxyTo", r#"[{"ipBlock":{"cidr":"10.0.0.1/32"}}]"#),
    ("networkPolicy.apiServer.ports", "[8443]"),
    ("networkPolicy.apiServer.cidrs", r#"["10.0.0.1/32"]"#),
    ("networkPolicy.extraIngress", r#"[{"ports":[{"port":1}]}]"#),
    ("networkPolicy.extraEgress", r#"[{"ports":[{"port":1}]}]"#),
    ("serviceMonitor.enabled", "false"),
    ("serviceMonitor.renderMode", "skipIfMissing"),
    ("serviceMonitor.interval", "30s"),
    ("serviceMonitor.labels", r#"{"a":"b"}"#),
    ("serviceMonitor.honorLabels", "false"),
    ("serviceMonitor.relabelings", r#"[{"action":"labeldrop","regex":"pod"}]"#),
    ("serviceMonitor.metricRelabelings", r#"[{"action":"labeldrop","regex":"pod"}]"#),
    ("podMonitor.enabled", "false"),
    ("podMonitor.renderMode", "skipIfMissing"),
    ("podMonitor.interval", "30s"),
    ("podMonitor.labels", r#"{"a":"b"}"#),
    ("podMonitor.honorLabels", "false"),
    ("podMonitor.relabelings", r#"[{"action":"labeldrop","regex":"pod"}]"#),
    ("podMonitor.metricRelabelings", r#"[{"action":"labeldrop","regex":"pod"}]"#),
    ("prometheusRule.enabled", "false"),
    ("prometheusRule.renderMode", "skipIfMissing"),
    ("prometheusRule.labels", r#"{"a":"b"}"#),
    ("prometheusRule.disabled", r#"["ConnectorCredentialExpired"]"#),
    ("prometheusRule.thresholds.checksOverdueSeconds", "60"),
    ("prometheusRule.thresholds.reconcileErrorRatio", "0.2"),
    ("prometheusRule.thresholds.inconclusiveRatio", "0.2"),
    ("prometheusRule.thresholds.expiryCriticalDays", "7"),
    ("prometheusRule.runbookBaseURL", "https://runbooks.example"),
    ("dashboard.enabled", "false"),
    ("dashboard.namespace", "grafana"),
    ("dashboard.labels.grafana_dashboard", "two"),
    ("dashboard.annotations", r#"{"folder":"Keys"}"#),
    ("dashboard.grafanaOperator.enabled", "false"),
    ("dashboard.grafanaOperator.renderMode", "skipIfMissing"),
    ("dashboard.grafanaOperator.instanceSelector", r#"{"a":"b"}"#),
    ("validatingAdmissionPolicy.enabled", "false"),
    ("validatingAdmissionPolicy.validationActions", r#"["Warn","Audit"]"#),
    ("validatingAdmissionPolicy.exemptUsers", r#"["system:serviceaccount:argocd:argocd-application-controller"]"#),
    ("tests.enabled", "false"),
    ("extraArgs", r#"["--concurrency=3"]"#),
    ("extraEnv", r#"[{"name":"TZ","value":"UTC"}]"#),
    ("extraVolumes", r#"[{"name":"more","emptyDir":{}}]"#),
    ("extraVolumeMounts", r#"[{"name":"more","mountPath":"/more"}]"#),
    ("extraObjects", r#"[{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"more"}}]"#),
];

/// The paths of all values; an empty map and a list are values themselves.
fn paths(prefix: &str, value: &Value, found: &mut BTreeSet<String>) {
    match value.as_object() {
        Some(map) if !map.is_empty() => {
            for (name, value) in map {
                let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                paths(&path, value, found);
            }
        }
        _ => {
            found.insert(prefix.to_owned());
        }
    }
}

fn differs(path: &str, value: &str, unchanged: &mut HashMap<Vec<&str>, String>) -> bool {
    let about_crd = path.starts_with("crds.") || path.starts_with("common");
    let mut ground = if about_crd { Vec::new() } else { vec!["crds.enabled=false"] };
    let needed = GROUND.iter().filter(|(below, _)| path.starts_with(below));
    ground.extend(needed.flat_map(|(_, settings)| settings.iter().copied()));
    let change = format!("{path}={value}");
    let changed = rendered(Helm::Four, "default", &[&ground[..], &[&change]].concat());
    *unchanged.entry(ground.clone()).or_insert_with(|| rendered(Helm::Four, "default", &ground)) != changed
}

#[test]
fn every_value_changes_what_is_rendered() {
    chart();
    let mut documented = BTreeSet::new();
    paths("", &documents(&text("charts/connector-operator/values.yaml"))[0], &mut documented);
    // For parent charts only.
    documented.remove("global");
    let tried: BTreeSet<String> = CHANGES.iter().map(|(path, _)| (*path).to_owned()).collect();
    assert_eq!(tried, documented, "the table of this test is not the list of values");
    let mut unchanged = HashMap::new();
    let idle = CHANGES.iter().filter(|(path, value)| !differs(path, value, &mut unchanged));
    let idle: Vec<_> = idle.map(|(path, _)| path).collect();
    assert!(idle.is_empty(), "these values change nothing: {idle:?}");
}

/// What a cluster lacks is left out, refused or written, as renderMode says.
#[test]
fn kinds_that_a_cluster_lacks_are_rendered_as_asked() {
    chart();
    let objects = [
        ("serviceMonitor", "serviceMonitor.enabled=true", "ServiceMonitor"),
        ("podMonitor", "podMonitor.enabled=true", "PodMonitor"),
        ("prometheusRule", "prometheusRule.enabled=true", "PrometheusRule"),
        (
            "dashboard.grafanaOperator",
            "dashboard.enabled=true,dashboard.grafanaOperator.enabled=true",
            "GrafanaDashboard",
        ),
    ];
    for (value, enabled, kind) in objects {
        let mode = |mode: &str| format!("{value}.renderMode={mode}");
        let rendered =
            |settings: &[&str]| rendered(Helm::Three, "default", settings).contains(&format!("\nkind: {kind}\n"));
        assert!(!rendered(&[enabled]), "{kind} is skipped");
        assert!(rendered(&[enabled, &mode("alwaysRender")]), "{kind} is written");
        let refused = refusal(Helm::Three, &[enabled, &mode("failIfMissing")]);
        assert!(refused.contains(&format!("{value}.renderMode")) && refused.contains(kind), "{refused}");
    }
}

/// Objects whose members the schema lists, but which would take others.
fn open_objects(path: &str, schema: &Value, found: &mut Vec<String>) {
    match schema {
        Value::Object(members) => {
            if schema["properties"].is_object() && schema["additionalProperties"] != false {
                found.push(path.to_owned());
            }
            for (name, member) in members {
                open_objects(&format!("{path}/{name}"), member, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| open_objects(path, item, found)),
        _ => {}
    }
}

#[test]
fn a_typo_is_refused_at_every_level() {
    let schema: Value = serde_json::from_str(&text("charts/connector-operator/values.schema.json")).expect("JSON");
    let mut open = Vec::new();
    open_objects("", &schema, &mut open);
    assert!(open.is_empty(), "these objects take any member: {open:?}");
}
