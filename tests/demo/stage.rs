//! What does the play stand on? The operator's program, a control plane, the simulated providers, the operator itself.

use std::env;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use kube::Client;

use crate::controlplane::process::{Guarded, tail};
use crate::controlplane::{self, ControlPlane, Options, progress};
use crate::error::Error;
use crate::screen::{Colour, Screen};
use crate::simulator::{self, Simulator};

/// The repository.
pub(crate) const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// The operator's configuration, beside the control plane's files.
const CONFIG: &str = "operator.yaml";
/// Where everything happens.
pub(crate) const NAMESPACE: &str = "demo";

/// What is there before the first async call: it is built and started with Ctrl-C as the system has it.
pub(crate) struct Ground {
    operator: PathBuf,
    connectorctl: PathBuf,
    log: PathBuf,
    /// Locked: another demo that runs meanwhile writes another log.
    _ours: File,
    pub(crate) plane: ControlPlane,
}

impl Ground {
    /// Builds the operator and the control plane if need be, and starts the latter.
    pub(crate) fn prepare(screen: &mut Screen) -> Result<Self, Error> {
        let bold = screen.paint(Colour::Bold, "Connector Operator: a key's life before your eyes");
        for line in ["", &bold, "Nothing here leaves this machine, and every key is made up.", ""] {
            screen.line(line);
        }
        let directory = output_directory()?;
        let operator = build_operator(&directory)?;
        let binaries = controlplane::find_or_build(progress::on_stderr())?;
        let options = Options { definitions: vec![Path::new(ROOT).join("crds")], ..Options::default() };
        let started = Instant::now();
        screen.live(vec!["  … starting etcd, API server and controllers".to_owned()]);
        let plane = ControlPlane::start(&options, &binaries)?;
        plane.install_rights()?;
        screen.clear();
        let seconds = started.elapsed().as_secs_f64();
        done(screen, &format!("a real Kubernetes control plane runs, with our CRD and RBAC ({seconds:.1} s)"));
        let (log, ours) = fresh(&directory.with_file_name("demo"))?;
        let connectorctl = directory.join("connectorctl");
        Ok(Self { operator, connectorctl, log, _ours: ours, plane })
    }
}

/// Where Cargo puts what it builds: two levels above this program, which is an example.
fn output_directory() -> Result<PathBuf, Error> {
    let program = env::current_exe().map_err(Error::io("find this program"))?;
    program.ancestors().nth(2).map(Path::to_owned).ok_or_else(|| not_found("find Cargo's output directory"))
}

fn not_found(action: &str) -> Error {
    Error::io(action)(std::io::ErrorKind::NotFound.into())
}

/// Built as this program was built; Cargo shows how far it is. This program is named too, so that Cargo chooses the
/// same features of dependencies and need not compile them again.
fn build_operator(directory: &Path) -> Result<PathBuf, Error> {
    let manifest = Path::new(ROOT).join("Cargo.toml");
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--bin", "connector-operator", "--bin", "connectorctl", "--example", "demo", "--manifest-path"])
        .arg(manifest);
    // What `cargo run` tells this program about its package would have Cargo compile other packages again.
    for (name, _) in env::vars_os() {
        let told = name.to_string_lossy();
        if told.starts_with("CARGO_PKG_") || told.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&name);
        }
    }
    match directory.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => {}
        Some(profile) => drop(cargo.args(["--profile", profile])),
    }
    let status = cargo.status().map_err(Error::io("start cargo"))?;
    if !status.success() {
        return Err(Error::Build(status));
    }
    let operator = directory.join("connector-operator");
    if operator.is_file() { Ok(operator) } else { Err(not_found("find the operator that cargo built")) }
}

/// An empty log, which outlives the demo: `operator.log`, or `operator-2.log` while another demo writes that.
fn fresh(directory: &Path) -> Result<(PathBuf, File), Error> {
    fs::create_dir_all(directory).map_err(Error::io(format!("create {}", directory.display())))?;
    let mut number = 1;
    loop {
        let name = if number == 1 { "operator.log".to_owned() } else { format!("operator-{number}.log") };
        let log = directory.join(name);
        let failed = |error| Error::io(format!("write {}", log.display()))(error);
        let file = File::options().create(true).append(true).open(&log).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {
                file.set_len(0).map_err(failed)?;
                return Ok((log, file));
            }
            Err(TryLockError::WouldBlock) => number += 1,
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
    }
}

fn done(screen: &mut Screen, what: &str) {
    let mark = screen.paint(Colour::Green, "✓");
    screen.line(&format!("  {mark} {what}"));
}

/// Everything that plays.
pub(crate) struct Stage<'a> {
    operator: Guarded,
    pub(crate) connectorctl: &'a Path,
    pub(crate) simulator: Simulator,
    pub(crate) plane: &'a ControlPlane,
    pub(crate) client: Client,
}

impl<'a> Stage<'a> {
    /// Starts the providers and the operator.
    pub(crate) async fn open(screen: &mut Screen, ground: &'a Ground) -> Result<Self, Error> {
        let plane = &ground.plane;
        let simulator = Simulator::start(simulator::Options::default()).await;
        let simulator = simulator.map_err(Error::io("start the simulated providers"))?;
        done(screen, "five providers are simulated: inFlow, Flowlu, ZenFlow, FLOW, Aventri");
        let config = plane.directory().join(CONFIG);
        fs::write(&config, simulator.config_yaml()).map_err(Error::io("write the operator's configuration"))?;
        let kubeconfig = plane.operator_kubeconfig().await?;
        let arguments: Vec<String> = [
            ("--kubeconfig", kubeconfig.display().to_string()),
            ("--config", config.display().to_string()),
            ("--health-address", "127.0.0.1:0".to_owned()),
            ("--metrics-address", "127.0.0.1:0".to_owned()),
            ("--log-format", "text".to_owned()),
        ]
        .into_iter()
        .flat_map(|(flag, value)| [flag.to_owned(), value])
        .collect();
        let operator = Guarded::spawn(&ground.operator, &arguments, &[], &ground.log);
        let operator = operator.map_err(Error::io("start the operator"))?;
        done(screen, "the operator runs, with its own service account's rights and no others");
        let connectorctl = &ground.connectorctl;
        Ok(Self { operator, connectorctl, simulator, plane, client: plane.client().await? })
    }

    /// The operator's configuration.
    pub(crate) fn config(&self) -> PathBuf {
        self.plane.directory().join(CONFIG)
    }

    /// Where the operator's log is.
    pub(crate) fn log(&self) -> &Path {
        self.operator.log()
    }

    /// Where the operator serves its metrics, once it says so.
    pub(crate) async fn metrics(&mut self) -> Result<String, Error> {
        loop {
            let log = fs::read_to_string(self.log()).unwrap_or_default();
            let line = log.lines().find(|line| line.contains("metrics listening"));
            if let Some((_, address)) = line.and_then(|line| line.split_once("address=")) {
                return Ok(address.split(' ').next().unwrap_or(address).trim_matches('"').to_owned());
            }
            self.check_operator()?;
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    /// An error once the operator is gone.
    pub(crate) fn check_operator(&mut self) -> Result<(), Error> {
        match self.operator.ended().map_err(Error::io("look after the operator"))? {
            None => Ok(()),
            Some(_) => Err(Error::OperatorEnded { tail: tail(self.operator.log()) }),
        }
    }
}
