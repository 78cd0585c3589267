//! The command line as its users run it: the real binary, simulated providers, the real API server.

mod flags;
mod help;
mod pages;
mod refusals;
mod rights;
mod states;
mod story;
mod verify;

use crate::support::bed::Bed;
use connector_operator::api::ConnectorCredential;
use kube::api::PostParams;
use serde_json::json;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// What a run printed, and how it ended.
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Run {
    /// All that was printed.
    pub(crate) fn all(&self) -> String {
        format!("{}{}", self.out, self.err)
    }

    /// Fails unless the run ended with this code.
    #[track_caller]
    pub(crate) fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.all());
        self
    }
}

/// The binary with nothing of the user's own.
fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_connectorctl"));
    for name in ["KUBECONFIG", "HOME", "NO_COLOR", "CLICOLOR_FORCE", "COLUMNS", "KUBERNETES_SERVICE_HOST"] {
        command.env_remove(name);
    }
    command
}

fn run(mut command: Command, input: &str) -> Run {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary was built");
    let mut stdin = child.stdin.take().expect("piped");
    let output: Output = std::thread::scope(|scope| {
        // A command that reads no input closes it early.
        scope.spawn(move || drop(stdin.write_all(input.as_bytes())));
        child.wait_with_output().expect("it ends")
    });
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Run { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// Runs `connectorctl` with these arguments, without a cluster.
pub(crate) fn ctl(arguments: &[&str]) -> Run {
    ctl_with(arguments, "", &[])
}

/// The same with standard input and variables. Does not block the simulator's own thread.
pub(crate) fn ctl_with(arguments: &[&str], input: &str, variables: &[(&str, &str)]) -> Run {
    let mut command = command();
    command.args(arguments).envs(variables.iter().copied());
    match tokio::runtime::Handle::try_current() {
        Ok(_) => tokio::task::block_in_place(|| run(command, input)),
        Err(_) => run(command, input),
    }
}

/// Writes a file below a directory.
pub(crate) fn write(directory: &Path, name: &str, text: &str) -> String {
    let path = directory.join(name);
    std::fs::create_dir_all(path.parent().expect("below the directory")).expect("it can be made");
    std::fs::write(&path, text).expect("it can be written");
    path.display().to_string()
}

/// A cluster as somebody sees it, and a namespace of it.
pub(crate) struct Cluster {
    kubeconfig: String,
    namespace: String,
}

impl Cluster {
    /// As the administrator sees it.
    pub(crate) fn of(bed: &Bed, namespace: &str) -> Self {
        Self { kubeconfig: bed.plane.kubeconfig().display().to_string(), namespace: namespace.to_owned() }
    }

    /// Runs `connectorctl` there.
    pub(crate) fn ctl(&self, arguments: &[&str]) -> Run {
        let place = ["--kubeconfig", &self.kubeconfig, "--namespace", &self.namespace];
        ctl(&[arguments, &place].concat())
    }

    /// Creates a credential that nobody looks at.
    async fn create(&self, bed: &Bed, name: &str) {
        let manifest = json!({
            "apiVersion": "connector-operator.io/v1alpha1", "kind": "ConnectorCredential", "metadata": {"name": name},
            "spec": {"provider": {"zenflow": {}}, "keySecretRef": {"name": "erp-key"}},
        });
        let object: ConnectorCredential = serde_json::from_value(manifest).expect("a credential");
        bed.api(&self.namespace).create(&PostParams::default(), &object).await.expect("it is admitted");
    }
}
