//! What does all this look like? Pictures of the running demo, as SVG: its table, connectorctl's pages, the dashboard
//! drawn from what a real Prometheus answered.
//!
//! `cargo demo --once --pictures docs/pictures` makes those of the README. Needs Prometheus (Debian: `prometheus`).

mod panels;
mod terminal;

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::controlplane::process::Guarded;
use crate::error::Error;
use crate::stage::{NAMESPACE, ROOT, Stage};
use panels::{Board, Series};

const DASHBOARD: &str = "charts/connector-operator/files/dashboard.json";
/// How often Prometheus looks, and how far back the panels do.
const STEP: &str = "1s";
const WINDOW: f64 = 90.0;
/// What Grafana fills in.
const VARIABLES: [(&str, &str); 4] =
    [("$__rate_interval", "10s"), ("$namespace", ".*"), ("$provider", ".*"), ("$job", ".*")];

/// Where pictures go, and who measures meanwhile.
pub(crate) struct Album {
    directory: PathBuf,
    address: String,
    _prometheus: Guarded,
}

impl Album {
    /// Begins to measure the operator.
    pub(crate) async fn open(directory: &Path, stage: &mut Stage<'_>) -> Result<Self, Error> {
        let target = stage.metrics().await?;
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let address = port.map_err(Error::io("find a free port"))?.to_string();
        let home = stage.plane.directory();
        let config = json!({
            "global": {"scrape_interval": STEP},
            "scrape_configs": [{
                "job_name": "connector-operator", "honor_labels": true,
                "static_configs": [{"targets": [target], "labels": {"pod": "connector-operator-0"}}],
            }],
        });
        let file = home.join("prometheus.yaml");
        fs::write(&file, config.to_string()).map_err(Error::io("write Prometheus' configuration"))?;
        let arguments = [
            format!("--config.file={}", file.display()),
            format!("--storage.tsdb.path={}", home.join("prometheus").display()),
            format!("--web.listen-address={address}"),
        ];
        let prometheus = Guarded::spawn(Path::new("prometheus"), &arguments, &[], &home.join("prometheus.log"));
        let prometheus = prometheus.map_err(Error::io("start prometheus"))?;
        let directory = Path::new(ROOT).join(directory);
        fs::create_dir_all(&directory).map_err(Error::io(format!("create {}", directory.display())))?;
        Ok(Self { directory, address, _prometheus: prometheus })
    }

    fn keep(&self, name: &str, picture: &str) -> Result<(), Error> {
        let path = self.directory.join(format!("{name}.svg"));
        fs::write(&path, picture).map_err(Error::io(format!("write {}", path.display())))
    }

    /// The demo's own table.
    pub(crate) fn table(&self, lines: &[String]) -> Result<(), Error> {
        self.keep("demo", &terminal::window("cargo demo", lines))
    }

    /// A page of connectorctl, as a person at a terminal sees it.
    pub(crate) fn page(&self, name: &str, stage: &Stage<'_>, arguments: &[&str]) -> Result<(), Error> {
        let mut command = Command::new(stage.connectorctl);
        command.env("KUBECONFIG", stage.plane.kubeconfig()).args(arguments);
        let output =
            command.args(["-n", NAMESPACE, "--color=always"]).output().map_err(Error::io("run connectorctl"))?;
        let page = String::from_utf8_lossy(&output.stdout).into_owned();
        let shown = format!("connectorctl {}", arguments.join(" "));
        if page.is_empty() {
            let message = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(Error::Command { command: shown, message });
        }
        let prompt = format!("\u{1b}[1m$ {shown} -n {NAMESPACE}\u{1b}[0m");
        let lines: Vec<_> = [prompt].into_iter().chain(page.trim_end().lines().map(str::to_owned)).collect();
        self.keep(name, &terminal::window(&shown, &lines))
    }

    /// Every panel of the dashboard.
    pub(crate) async fn dashboard(&self) -> Result<(), Error> {
        let text = fs::read_to_string(Path::new(ROOT).join(DASHBOARD)).map_err(Error::io("read the dashboard"))?;
        let dashboard: Value = serde_json::from_str(&text).unwrap_or_default();
        let mut board = Board::new();
        for panel in dashboard["panels"].as_array().into_iter().flatten() {
            let mut found = Vec::new();
            for target in panel["targets"].as_array().into_iter().flatten() {
                found.extend(self.ask(target, panel["type"] == "timeseries").await?);
            }
            board.panel(panel, &found);
        }
        self.keep("dashboard", &board.finish())
    }

    /// What Prometheus knows of a panel's query: over the window, or now.
    async fn ask(&self, target: &Value, over_time: bool) -> Result<Vec<Series>, Error> {
        let expression = target["expr"].as_str().unwrap_or_default().to_owned();
        let query = VARIABLES.iter().fold(expression, |query, (name, value)| query.replace(name, value));
        let query: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
        let now = f64::from(u32::try_from(jiff::Timestamp::now().as_second()).unwrap_or_default());
        let path = if over_time {
            format!("query_range?query={query}&start={}&end={now}&step=1", now - WINDOW)
        } else {
            format!("query?query={query}")
        };
        let answer = self.get(&path).await?;
        let found = answer["data"]["result"].as_array().cloned().unwrap_or_default();
        Ok(found.into_iter().map(|one| series(&one, target["legendFormat"].as_str().unwrap_or_default())).collect())
    }

    async fn get(&self, path: &str) -> Result<Value, Error> {
        let unread = |_| Error::io("ask Prometheus")(std::io::ErrorKind::Other.into());
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().map_err(unread)?;
        let answer = client.get(format!("http://{}/api/v1/{path}", self.address)).send().await.map_err(unread)?;
        serde_json::from_str(&answer.text().await.map_err(unread)?)
            .map_err(|_| Error::io("read Prometheus' answer")(std::io::ErrorKind::InvalidData.into()))
    }
}

fn series(one: &Value, legend: &str) -> Series {
    let labels = one["metric"].clone();
    let mut name = legend.to_owned();
    for (label, value) in labels.as_object().into_iter().flatten() {
        name = name.replace(&format!("{{{{{label}}}}}"), value.as_str().unwrap_or_default());
    }
    let points = one["values"].as_array().cloned().unwrap_or_else(|| vec![one["value"].clone()]);
    let point = |point: &Value| {
        let value: f64 = point[1].as_str()?.parse().ok()?;
        point[0].as_f64().filter(|_| value.is_finite()).map(|time| (time, value))
    };
    Series { name, labels, values: points.iter().filter_map(point).collect() }
}
