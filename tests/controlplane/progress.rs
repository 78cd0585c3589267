//! How is a long build shown on standard error?
//!
//! Written to the stream itself, not through `eprintln!`, which the test harness
//! swallows: a run that builds for minutes must say so.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// How often a log, which keeps every line, gets one.
const LOG_PACE: Duration = Duration::from_secs(30);

/// What was shown last; ends the line that was rewritten.
struct Shown {
    terminal: bool,
    last: Option<Instant>,
}

impl Shown {
    fn show(&mut self, line: &str) -> io::Result<()> {
        let due = self.last.is_none_or(|last| last.elapsed() >= LOG_PACE);
        let mut stderr = io::stderr().lock();
        if self.terminal {
            write!(stderr, "\r\x1b[K{line}")?;
        } else if due {
            writeln!(stderr, "{line}")?;
        } else {
            return Ok(());
        }
        self.last = Some(Instant::now());
        stderr.flush()
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        if self.terminal && self.last.is_some() {
            let _lost = writeln!(io::stderr());
        }
    }
}

/// A reporter for `find_or_build`: one line rewritten on a terminal, else a line every 30 s.
pub(crate) fn on_stderr() -> impl FnMut(&str) {
    let terminal = io::stderr().is_terminal();
    let mut shown = Shown { terminal, last: None };
    move |line| {
        // A lost progress line is not worth an error.
        let _lost = shown.show(line);
    }
}
