//! How do tests run kubectl against the control plane?

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use super::ControlPlane;
use super::error::Error;

impl ControlPlane {
    /// Runs kubectl as the administrator and captures what it prints. Blocks.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> Result<Output, Error> {
        self.kubectl_as(&self.kubeconfig(), arguments, "")
    }

    /// The same with `input` on its standard input, for `apply -f -`.
    pub(crate) fn kubectl_stdin(&self, arguments: &[&str], input: &str) -> Result<Output, Error> {
        self.kubectl_as(&self.kubeconfig(), arguments, input)
    }

    /// The same as whoever `kubeconfig` belongs to.
    pub(crate) fn kubectl_as(&self, kubeconfig: &Path, arguments: &[&str], input: &str) -> Result<Output, Error> {
        let mut command = self.kubectl_command(kubeconfig);
        command.args(arguments).stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(Error::io("start kubectl"))?;
        let stdin = child.stdin.take();
        thread::scope(|scope| {
            scope.spawn(move || {
                // A kubectl that does not read its input says so by its exit status.
                stdin.map(|mut stdin| stdin.write_all(input.as_bytes()))
            });
            child.wait_with_output().map_err(Error::io("run kubectl"))
        })
    }

    /// kubectl with a kubeconfig and nothing of the user's own, to be completed by the caller.
    pub(crate) fn kubectl_command(&self, kubeconfig: &Path) -> Command {
        let mut command = Command::new(&self.binaries.kubectl);
        command.env("KUBECONFIG", kubeconfig);
        command.env("HOME", self.directory());
        command
    }

    /// Applies definitions of kinds and waits until they are served.
    pub(super) fn apply_definitions(&self, definitions: &Path) -> Result<(), Error> {
        let file = format!("--filename={}", definitions.display());
        self.must(&["apply", "--server-side", &file], "")?;
        let wait = ["wait", "--for=condition=Established", "--timeout=60s", "customresourcedefinitions", "--all"];
        // kubectl fails at once on a definition that has no conditions yet.
        for _ in 0..40 {
            if self.must(&wait, "").is_ok() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(250));
        }
        self.must(&wait, "")
    }

    /// Runs a command that the harness itself depends on.
    pub(super) fn must(&self, arguments: &[&str], input: &str) -> Result<(), Error> {
        let output = self.kubectl_stdin(arguments, input)?;
        if output.status.success() {
            return Ok(());
        }
        Err(Error::Kubectl {
            arguments: arguments.join(" "),
            message: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }
}
