//! Does every query of the dashboard and of the alerts find something? A real Prometheus scrapes the running operator.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use connector_operator::api::ConditionType;
use serde_json::{Value, json};

use super::rendering::{documents, text};
use crate::controlplane::process::Guarded;
use crate::simulator::{NewKey, Provider};
use crate::support::stage::{Stage, get, listening};

const DASHBOARD: &str = "charts/connector-operator/files/dashboard.json";
const ALERTS: &str = "charts/connector-operator/files/alerts.yaml";
/// How the names of series begin that are ours or that we fill.
const PREFIXES: [&str; 7] = [
    "connector_operator_",
    "connectorcredential_",
    "controller_runtime_",
    "leader_election_",
    "process_",
    "rest_client_",
    "workqueue_",
];

/// A Prometheus that scrapes one target; killed when dropped.
struct Prometheus {
    _process: Guarded,
    _directory: tempfile::TempDir,
    address: String,
}

impl Prometheus {
    /// Of Debian's package `prometheus`; waits until it has scraped a few times.
    async fn scrape(target: &str) -> Self {
        let directory = tempfile::tempdir().expect("there is a temporary directory");
        let file = |name: &str| directory.path().join(name);
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
        let config = json!({
            "global": {"scrape_interval": "1s"},
            "scrape_configs": [{
                "job_name": "connector-operator", "honor_labels": true, "static_configs": [{"targets": [target]}],
            }],
        });
        std::fs::write(file("prometheus.yaml"), config.to_string()).expect("writable");
        let arguments = [
            format!("--config.file={}", file("prometheus.yaml").display()),
            format!("--storage.tsdb.path={}", file("data").display()),
            format!("--web.listen-address={port}"),
        ];
        let log = file("log");
        let process = Guarded::spawn(Path::new("prometheus"), &arguments, &[], &log).expect("there is a shell");
        let prometheus = Self { _process: process, _directory: directory, address: port.to_string() };
        let deadline = Instant::now() + Duration::from_secs(60);
        while prometheus.query("count_over_time(process_open_fds[1m]) >= 4").await.is_none_or(|found| found.is_empty())
        {
            let log = std::fs::read_to_string(&log).unwrap_or_default();
            assert!(!log.contains("not found"), "cannot run prometheus: apt-get install prometheus");
            assert!(Instant::now() < deadline, "prometheus has scraped nothing: {log}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        prometheus
    }

    /// The samples that a query finds; `None` when there is no answer.
    async fn query(&self, query: &str) -> Option<Vec<Value>> {
        let query: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
        tokio::net::TcpStream::connect(&self.address).await.ok()?;
        let answer = get(&format!("http://{}/api/v1/query?query={query}", self.address)).await;
        let answer: Value = serde_json::from_str(&answer).ok()?;
        assert_ne!(answer["status"], "error", "{answer}");
        Some(answer["data"]["result"].as_array()?.clone())
    }
}

/// The queries of all panels, with Grafana's variables filled in.
fn panels() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(&text(DASHBOARD)).expect("JSON");
    let filled = |expression: &Value| {
        let mut query = expression.as_str().expect("a query").to_owned();
        for (variable, value) in [("$__rate_interval", "1m"), ("$namespace", ".*"), ("$provider", ".*"), ("$job", ".*")]
        {
            query = query.replace(variable, value);
        }
        query
    };
    let panels = dashboard["panels"].as_array().expect("panels").iter();
    panels
        .flat_map(|panel| {
            let title = panel["title"].as_str().unwrap_or_default().to_owned();
            let targets = panel["targets"].as_array().map(Vec::as_slice).unwrap_or_default();
            targets.iter().map(move |target| (title.clone(), filled(&target["expr"])))
        })
        .collect()
}

/// The queries of all alerts, with any thresholds.
fn alerts() -> Vec<String> {
    let alerts = &documents(&text(ALERTS))[0];
    let groups = alerts["groups"].as_array().expect("groups");
    let rules = groups.iter().flat_map(|group| group["rules"].as_array().expect("rules"));
    rules.map(|rule| rule["expr"].as_str().expect("a query").to_owned()).collect()
}

/// The names of series in a query.
fn series(query: &str) -> BTreeSet<&str> {
    let words = query.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
    words.filter(|word| PREFIXES.iter().any(|prefix| word.starts_with(prefix))).collect()
}

/// Prometheus' own rules for what is exposed.
fn lint(exposed: &str) {
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut promtool = promtool.spawn().expect("apt-get install prometheus");
    let input = promtool.stdin.take().map(|mut stdin| stdin.write_all(exposed.as_bytes()));
    input.expect("piped").expect("promtool reads");
    let output = promtool.wait_with_output().expect("promtool ends");
    let says = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{says}");
}

/// Puts credentials into states that panels and alerts show.
async fn play(stage: &Stage) {
    let flowlu =
        |secret: &str| json!({"provider": {"flowlu": {"account": "mycompany"}}, "keySecretRef": {"name": secret}});
    let issued = stage.issue(NewKey::of(Provider::Flowlu, "mycompany"));
    stage.put_secret("good", &[("api-key", &issued.key)]).await;
    let wrong = stage.wrong_key(Provider::Flowlu);
    stage.put_secret("bad", &[("api-key", &wrong)]).await;
    let mut expiring = flowlu("good");
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(48);
    expiring["expiresAt"] = Value::from(soon.to_string());
    stage.declare("good", expiring).await;
    stage.until_ready("good").await;
    stage.declare("bad", flowlu("bad")).await;
    stage.until_is("bad", ConditionType::Stalled, ("True", "KeyRejected")).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Debian's package prometheus: .ci/run installs it and runs this"]
async fn every_query_finds_something() {
    let stage = Stage::set("dashboard").await;
    play(&stage).await;
    let target = listening(&stage.operator, "metrics listening").expect("it listens");
    let prometheus = Prometheus::scrape(&target).await;
    let mut empty = Vec::new();
    for (title, query) in panels() {
        if prometheus.query(&query).await.is_none_or(|found| found.is_empty()) {
            empty.push(format!("{title}: {query}"));
        }
    }
    assert!(empty.is_empty(), "panels without data:\n{}", empty.join("\n"));
    let exposed = stage.metrics().await;
    lint(&exposed);
    let exposed: BTreeSet<&str> = exposed.lines().filter_map(|line| line.split(['{', ' ']).next()).collect();
    for query in alerts() {
        let named = series(&query);
        assert!(!named.is_empty() && named.is_subset(&exposed), "{query} names what nobody exposes");
    }
    stage.finish().await;
}

#[test]
fn the_dashboards_panels_are_told_apart() {
    let dashboard: Value = serde_json::from_str(&text(DASHBOARD)).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_i64()).collect();
    assert_eq!(ids.len(), panels.len(), "two panels have one id");
    let variables = dashboard["templating"]["list"].as_array().expect("variables");
    let names: Vec<_> = variables.iter().filter_map(|variable| variable["name"].as_str()).collect();
    assert_eq!(names, ["datasource", "namespace", "provider", "job"]);
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        assert!(panel["description"].is_string(), "{} says nothing", panel["title"]);
        assert_eq!(panel["datasource"]["uid"], "${datasource}");
    }
}
