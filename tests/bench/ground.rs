//! What does the benchmark stand on? The operator's program, a control plane, simulated providers that take their time.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use kube::Client;
use tokio::runtime::Runtime;

use crate::audit::Audit;
use crate::controlplane::{self, ControlPlane, Options, progress};
use crate::error::Error;
use crate::operator::Program;
use crate::simulator::{self, Fault, Misbehaviour, Simulator, Switches};

/// The repository.
pub(crate) const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// How long a provider takes to answer.
pub(crate) const LATENCY: Duration = Duration::from_millis(20);

/// A control plane and providers, fresh.
pub(crate) struct Ground {
    pub(crate) plane: ControlPlane,
    pub(crate) client: Client,
    pub(crate) simulator: Simulator,
    pub(crate) program: Program,
}

impl Ground {
    /// Starts all but the operator. The simulator runs on threads of `providers`.
    pub(crate) async fn lay(binary: &Path, providers: &Runtime) -> Result<Self, Error> {
        let plane = tokio::task::spawn_blocking(|| {
            let binaries = controlplane::find_or_build(progress::on_stderr())?;
            let options = Options { definitions: vec![Path::new(ROOT).join("crds")], ..Options::default() };
            let plane = ControlPlane::start(&options, &binaries)?;
            plane.install_rights()?;
            Ok::<_, Error>(plane)
        });
        let plane = plane.await.map_err(|_| Error::Late("the control plane runs".to_owned()))??;
        let started = providers.spawn(Simulator::start(simulator::Options::default())).await;
        let simulator = started.map_err(|_| Error::Late("the simulator runs".to_owned()))?;
        let simulator = simulator.map_err(Error::io("start the simulated providers"))?;
        simulator.set_switches(Switches { limits: false, ..Switches::default() });
        let ms = u64::try_from(LATENCY.as_millis()).unwrap_or(u64::MAX);
        simulator.set_fault(Fault::of(Misbehaviour::Latency { ms }));
        let client = plane.client().await?;
        let program = Program::new(binary, &plane, &simulator.config_yaml()).await?;
        Ok(Self { plane, client, simulator, program })
    }

    /// The audit log from now on.
    pub(crate) fn audit(&self) -> Result<Audit, Error> {
        Audit::from_now(&self.plane.audit_log()).map_err(Error::io("open the audit log"))
    }
}

/// The operator, built as this program was; Cargo shows how far it is. This program is named too, so that Cargo chooses
/// the same features of dependencies and need not compile them again.
pub(crate) fn build_operator() -> Result<PathBuf, Error> {
    let program = env::current_exe().map_err(Error::io("find this program"))?;
    let directory = program.ancestors().nth(2).unwrap_or(Path::new(".")).to_owned();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([
        "build",
        "--quiet",
        "--locked",
        "--bin",
        "connector-operator",
        "--example",
        "scale",
        "--manifest-path",
    ]);
    cargo.arg(Path::new(ROOT).join("Cargo.toml"));
    // What `cargo run` tells this program about its package would have Cargo compile other packages again.
    for (name, _) in env::vars_os() {
        let told = name.to_string_lossy();
        if told.starts_with("CARGO_PKG_") || told.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&name);
        }
    }
    if directory.file_name().is_some_and(|name| name == "release") {
        cargo.arg("--release");
    }
    let status = cargo.status().map_err(Error::io("start cargo"))?;
    if status.success() { Ok(directory.join("connector-operator")) } else { Err(Error::Build(status)) }
}
