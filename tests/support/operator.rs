//! The operator as its users run it: the real binary as a child process.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::bed::Bed;
use crate::controlplane::process::Guarded;

/// How many operators this process has started, to tell their logs apart.
static STARTED: AtomicU32 = AtomicU32::new(0);

/// How to start it.
#[derive(Clone, Debug, Default)]
pub(crate) struct OperatorOptions {
    /// The command line after the program's name.
    pub(crate) args: Vec<String>,
    /// Variables added to the test's own environment.
    pub(crate) environment: Vec<(String, String)>,
}

/// A running operator; killed when dropped.
#[derive(Debug)]
pub(crate) struct Operator {
    process: Guarded,
}

impl Operator {
    /// Starts the binary Cargo built for this test run.
    pub(crate) fn spawn(bed: &Bed, options: &OperatorOptions) -> io::Result<Self> {
        let binary = Path::new(env!("CARGO_BIN_EXE_connector-operator"));
        Self::spawn_program(binary, options, &Self::next_log(bed))
    }

    /// Starts the operator of an unpacked image, as the image's user, with nothing but the image around it. Needs root.
    pub(crate) fn spawn_in_image(bed: &Bed, root: &Path, options: &OperatorOptions) -> io::Result<Self> {
        let mut command: Vec<_> = ["sudo", "chroot", "--userspec=65532:65532"].map(str::to_owned).into();
        command.push(root.display().to_string());
        command.push("/connector-operator".to_owned());
        command.extend(options.args.iter().cloned());
        if rustix::process::geteuid().is_root() {
            command.remove(0);
        }
        let program = command.remove(0);
        let inside = OperatorOptions { args: command, environment: options.environment.clone() };
        Self::spawn_program(Path::new(&program), &inside, &Self::next_log(bed))
    }

    fn spawn_program(binary: &Path, options: &OperatorOptions, log: &Path) -> io::Result<Self> {
        let process = Guarded::spawn(binary, &options.args, &options.environment, log)?;
        Ok(Self { process })
    }

    fn next_log(bed: &Bed) -> PathBuf {
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        bed.plane.directory().join(format!("operator-{number}.log"))
    }

    /// Its process id, for signals such as STOP and CONT.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Where its standard output and error go.
    pub(crate) fn log_path(&self) -> &Path {
        self.process.log()
    }

    /// What it has written so far.
    pub(crate) fn log(&self) -> String {
        let text = std::fs::read(self.log_path()).unwrap_or_default();
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Whether it has ended, and how.
    pub(crate) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.process.ended()
    }

    /// Waits at most `limit` for its end. Blocks.
    pub(crate) fn wait(&mut self, limit: Duration) -> io::Result<Option<ExitStatus>> {
        self.process.wait(limit)
    }

    /// Sends `signal` to it; an error once it has ended, when its id may be another's.
    pub(crate) fn signal(&mut self, signal: Signal) -> io::Result<()> {
        if self.process.ended()?.is_some() {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        }
        let pid = i32::try_from(self.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::other("not a process id"))?;
        Ok(kill_process(pid, signal)?)
    }

    /// Asks it to end, as the kubelet does, and waits at most `limit`. Blocks.
    pub(crate) fn stop(&mut self, limit: Duration) -> io::Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        let status = self.process.wait(limit)?;
        status.ok_or_else(|| io::Error::new(io::ErrorKind::TimedOut, "still running after SIGTERM"))
    }

    /// Kills it without warning, as a crash would.
    pub(crate) fn kill(&mut self) -> io::Result<ExitStatus> {
        self.process.kill()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt as _;

    fn shell(script: &str, directory: &Path) -> Operator {
        let options = OperatorOptions {
            args: vec!["-c".to_owned(), script.to_owned()],
            environment: vec![("GREETING".to_owned(), "hello".to_owned())],
        };
        let log = directory.join("log");
        Operator::spawn_program(Path::new("sh"), &options, &log).expect("there is a shell")
    }

    #[test]
    fn its_output_and_exit_status_are_kept() {
        let directory = tempfile::tempdir().expect("there is a temporary directory");
        let mut operator = shell("echo \"$GREETING\"; echo oops >&2; exit 3", directory.path());
        let status = operator.process.wait(Duration::from_secs(10));
        let status = status.expect("it can be waited for").expect("it ends");
        assert_eq!(status.code(), Some(3));
        assert_eq!(operator.log(), "hello\noops\n");
    }

    #[test]
    fn stop_lets_it_end_by_itself_and_kill_does_not() {
        let directory = tempfile::tempdir().expect("there is a temporary directory");
        let wait = "trap 'exit 7' TERM; echo ready; while :; do sleep 0.1; done";
        let mut operator = shell(wait, directory.path());
        while !operator.log().contains("ready") {
            std::thread::yield_now();
        }
        let stopped = operator.stop(Duration::from_secs(10));
        assert_eq!(stopped.expect("it ends").code(), Some(7));
        let killed = shell(wait, directory.path()).kill();
        assert_eq!(killed.expect("it ends").signal(), Some(9));
    }
}
