//! Child processes that never outlive their parent, however it dies.
//!
//! The child's program replaces a shell that first left a watcher behind: the
//! watcher reads from a pipe this process holds, and kills the program when the
//! pipe closes, which the kernel does even after SIGKILL. Standard output and
//! error go to a log file. Nothing here belongs to an async runtime, so a child
//! may outlive the test that started it.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The program keeps the shell's pid, so signals and the exit status are its own.
const GUARD: &str = r#"exec 3<&0
self=$$
{ read -r _ <&3; kill -9 "$self"; } >/dev/null 2>&1 &
exec "$@" 3<&- </dev/null"#;

/// Waits for the parent's end, then removes the directory given.
const SWEEP: &str = r#"read -r _; sleep 1; rm -rf -- "$1""#;

/// The pause between two looks at something that cannot be waited for.
pub(crate) const POLL: Duration = Duration::from_millis(50);

/// A running child with its log file; killed when dropped.
#[derive(Debug)]
pub(crate) struct Guarded {
    child: Child,
    lifeline: Option<ChildStdin>,
    log: PathBuf,
}

impl Guarded {
    /// Starts `program` with `environment` added to this process's own and its output appended to `log`.
    pub(crate) fn spawn(
        program: &Path,
        arguments: &[String],
        environment: &[(String, String)],
        log: &Path,
    ) -> io::Result<Self> {
        let output = File::options().create(true).append(true).open(log)?;
        let mut command = Command::new("sh");
        command.args(["-c", GUARD, "guard"]).arg(program);
        command.args(arguments).envs(environment.iter().cloned());
        command.stdin(Stdio::piped());
        command.stdout(output.try_clone()?).stderr(output);
        // A group of its own: Ctrl-C reaches the parent, which decides.
        command.process_group(0);
        let mut child = command.spawn()?;
        let lifeline = child.stdin.take();
        Ok(Self { child, lifeline, log: log.to_owned() })
    }

    /// The program's process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Where its output goes.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// The exit status, if it has ended.
    pub(crate) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        let status = self.child.try_wait()?;
        if status.is_some() {
            // The pid is free from now on: the watcher must not outlive it.
            self.lifeline = None;
        }
        Ok(status)
    }

    /// Waits at most `limit` for its end.
    pub(crate) fn wait(&mut self, limit: Duration) -> io::Result<Option<ExitStatus>> {
        let deadline = Instant::now() + limit;
        loop {
            let status = self.ended()?;
            if status.is_some() || Instant::now() >= deadline {
                return Ok(status);
            }
            thread::sleep(POLL);
        }
    }

    /// Kills it without warning and waits.
    pub(crate) fn kill(&mut self) -> io::Result<ExitStatus> {
        self.child.kill()?;
        self.lifeline = None;
        self.child.wait()
    }

    /// Lets go of the pipe only, as the death of this process would.
    pub(crate) fn cut_lifeline(&mut self) {
        self.lifeline = None;
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // Ended already, or killed: in both cases there is nothing left to do.
        let _already_gone = self.kill();
    }
}

/// Has `directory` removed after this process ends, however it does.
///
/// For values in statics, which are never dropped. The returned pipe must be kept.
pub(crate) fn remove_at_exit(directory: &Path) -> io::Result<ChildStdin> {
    let mut command = Command::new("sh");
    command.args(["-c", SWEEP, "sweep"]).arg(directory);
    command.stdin(Stdio::piped());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.process_group(0);
    let mut child = command.spawn()?;
    child.stdin.take().ok_or_else(|| io::Error::other("the pipe to the sweeper is missing"))
}

/// The last lines of a log file, for error messages.
pub(crate) fn tail(log: &Path) -> String {
    const LINES: usize = 25;
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}
