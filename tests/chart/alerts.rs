//! Do the alerts fire when they should, and only then? The rules as the chart renders them, judged by promtool.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use super::chart;
use super::rendering::{documents, of_kind, rendered, repository, text};
use crate::tools::Helm;

const RENDERED: [&str; 2] = ["prometheusRule.enabled=true", "prometheusRule.renderMode=alwaysRender"];
/// What a runbook tells, in this order.
const SECTIONS: [&str; 5] = ["## Symptom", "## Impact", "## Diagnose", "## Fix", "## Verify"];

/// `spec` of the rendered `PrometheusRule`: a rules file of Prometheus.
fn rules(settings: &[&str]) -> Value {
    chart();
    let documents = documents(&rendered(Helm::Three, "ops", &[&RENDERED, settings].concat()));
    of_kind(&documents, "PrometheusRule")[0]["spec"].clone()
}

fn each_rule(rules: &Value) -> Vec<&Value> {
    let groups = rules["groups"].as_array().expect("groups");
    groups.iter().flat_map(|group| group["rules"].as_array().expect("rules")).collect()
}

fn names(rules: &Value) -> BTreeSet<&str> {
    each_rule(rules).into_iter().map(|rule| rule["alert"].as_str().expect("a name")).collect()
}

/// Runs promtool, of Debian's package `prometheus`.
fn promtool(arguments: &[&str], directory: &std::path::Path) {
    let output = Command::new("promtool").args(arguments).current_dir(directory).output();
    let output = output.unwrap_or_else(|error| panic!("cannot run promtool ({error}): apt-get install prometheus"));
    let says = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&says));
}

fn written(rules: &Value) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    fs::write(directory.path().join("rules.yaml"), rules.to_string()).expect("writable");
    directory
}

#[test]
#[ignore = "needs Debian's package prometheus: .ci/run installs it and runs this"]
fn every_alert_fires_when_it_should_and_only_then() {
    let rules = rules(&[]);
    let directory = written(&rules);
    promtool(&["check", "rules", "rules.yaml"], directory.path());
    fs::copy(repository("tests/chart/alerts.yaml"), directory.path().join("tests.yaml")).expect("there are tests");
    promtool(&["test", "rules", "tests.yaml"], directory.path());
    // Each alert has a case in which it fires and one in which it does not.
    let tests = &documents(&text("tests/chart/alerts.yaml"))[0];
    let cases: Vec<&Value> = tests["tests"]
        .as_array()
        .expect("tests")
        .iter()
        .flat_map(|test| test["alert_rule_test"].as_array().expect("cases"))
        .collect();
    for name in names(&rules) {
        let of = |fires: bool| {
            cases.iter().any(|case| {
                let expected = case["exp_alerts"].as_array().is_some_and(|alerts| !alerts.is_empty());
                case["alertname"] == name && expected == fires
            })
        };
        assert!(of(true) && of(false), "{name} has not both kinds of cases");
    }
}

#[test]
fn every_alert_has_a_runbook_and_says_where() {
    let rules = rules(&["prometheusRule.runbookBaseURL=https://runbooks.example/"]);
    for rule in each_rule(&rules) {
        let name = rule["alert"].as_str().expect("a name");
        let annotations = &rule["annotations"];
        assert_eq!(annotations["runbook_url"], format!("https://runbooks.example/{name}.md"));
        assert!(annotations["summary"].is_string() && annotations["description"].is_string(), "{name}");
        let severity = rule["labels"]["severity"].as_str().unwrap_or_default();
        assert!(["info", "warning", "critical"].contains(&severity), "{name}: {severity}");
        let page = text(&format!("docs/runbooks/{name}.md"));
        let places: Vec<_> = SECTIONS.iter().map(|section| page.find(&format!("\n{section}\n"))).collect();
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{name}.md has not {SECTIONS:?} in order");
        assert!(page.starts_with(&format!("# {name}\n")), "{name}.md has another title");
    }
    let pages = fs::read_dir(repository("docs/runbooks")).expect("there are runbooks");
    let pages: BTreeSet<String> = pages
        .map(|page| page.expect("readable").file_name().to_string_lossy().trim_end_matches(".md").to_owned())
        .filter(|name| name != "README")
        .collect();
    assert_eq!(pages, names(&rules).into_iter().map(str::to_owned).collect());
}

#[test]
#[ignore = "needs Debian's package prometheus: .ci/run installs it and runs this"]
fn alerts_can_be_left_out_and_thresholds_moved() {
    let everything = rules(&[]);
    let schema: Value = serde_json::from_str(&text("charts/connector-operator/values.schema.json")).expect("JSON");
    let known = &schema["properties"]["prometheusRule"]["properties"]["disabled"]["items"]["enum"];
    let known: BTreeSet<&str> = known.as_array().expect("names").iter().filter_map(Value::as_str).collect();
    assert_eq!(known, names(&everything), "the schema knows the names of the alerts");
    for name in &known {
        let disabled = format!("prometheusRule.disabled={}", json!([name]));
        assert!(!names(&rules(&[&disabled])).contains(name), "{name} is still there");
    }
    let moved = rules(&[
        "prometheusRule.thresholds.checksOverdueSeconds=60",
        "prometheusRule.thresholds.inconclusiveRatio=0.25",
    ]);
    let all = moved.to_string();
    assert!(all.contains("> 60\"") && all.contains("> 0.25\"") && !all.contains("$("), "{all}");
    promtool(&["check", "rules", "rules.yaml"], written(&moved).path());
}
