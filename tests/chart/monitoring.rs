//! Do the Prometheus Operator's own definitions admit what the chart makes for it?

use super::rendering::{documents, of_kind, rendered};
use super::{APPLY, chart, dry_run};
use crate::support::bed::{Bed, bed};
use crate::tools::{Helm, go_module};

const MODULE: &str = "github.com/prometheus-operator/prometheus-operator";
const VERSION: &str = "v0.85.0";
const CHECKSUM: &str = "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=";

/// What is asked for, and what has to come of it.
const VARIANTS: &[(&[&str], &str)] = &[
    (&["serviceMonitor.enabled=true", "serviceMonitor.renderMode=alwaysRender"], "ServiceMonitor"),
    (
        &[
            "serviceMonitor.enabled=true",
            "serviceMonitor.renderMode=alwaysRender",
            "serviceMonitor.interval=30s",
            "serviceMonitor.labels.release=prometheus",
            "serviceMonitor.honorLabels=false",
            r#"serviceMonitor.relabelings=[{"action":"replace","targetLabel":"cluster","replacement":"eu"}]"#,
            r#"serviceMonitor.metricRelabelings=[{"action":"labeldrop","regex":"pod"}]"#,
        ],
        "ServiceMonitor",
    ),
    (&["podMonitor.enabled=true", "podMonitor.renderMode=alwaysRender"], "PodMonitor"),
    (
        &[
            "podMonitor.enabled=true",
            "podMonitor.renderMode=alwaysRender",
            "podMonitor.interval=1m30s",
            "metrics.service.enabled=false",
            r#"podMonitor.relabelings=[{"action":"replace","targetLabel":"cluster","replacement":"eu"}]"#,
            r#"podMonitor.metricRelabelings=[{"action":"labeldrop","regex":"pod"}]"#,
        ],
        "PodMonitor",
    ),
    (&["prometheusRule.enabled=true", "prometheusRule.renderMode=alwaysRender"], "PrometheusRule"),
];

async fn define(bed: &Bed) {
    let plane = bed.plane;
    let run = move || {
        let crds = go_module(MODULE, VERSION, CHECKSUM).join("example/prometheus-operator-crd");
        for kind in ["servicemonitors", "podmonitors", "prometheusrules"] {
            let file = crds.join(format!("monitoring.coreos.com_{kind}.yaml")).display().to_string();
            let name = format!("crd/{kind}.monitoring.coreos.com");
            for arguments in [
                ["apply", "--server-side", "--filename", &file],
                ["wait", "--for=condition=Established", "--timeout=60s", &name],
            ] {
                let output = plane.kubectl(&arguments).expect("kubectl runs");
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            }
        }
    };
    tokio::task::spawn_blocking(run).await.expect("the kinds are defined");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_prometheus_operators_definitions_admit_them() {
    chart();
    let bed = bed().await;
    define(&bed).await;
    let namespace = bed.namespace("monitoring").await;
    for (settings, kind) in VARIANTS {
        let settings = [&["crds.enabled=false", "tests.enabled=false"], *settings].concat();
        let text = rendered(Helm::Three, &namespace, &settings);
        assert_eq!(of_kind(&documents(&text), kind).len(), 1, "{settings:?}");
        dry_run(&bed, APPLY, text).await;
    }
}
