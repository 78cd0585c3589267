//! What surrounds the operator: a wall clock that is set, time that goes faster, a record of its sockets. `around.c`,
//! preloaded into the unmodified binary.

use std::collections::BTreeSet;
use std::fs::File;
use std::net::SocketAddr;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The library, compiled once for this process.
fn library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let draft = directory.join(format!("around-{}.so", std::process::id()));
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/around.c");
        let mut compiler = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&draft).arg(source).arg("-ldl");
        let output = compiler.output().expect("there is a C compiler");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let built = directory.join("around.so");
        // Another test process may have it open.
        std::fs::rename(draft, &built).expect("the directory is ours");
        built
    })
}

/// Variables that surround a process.
#[derive(Debug)]
pub(crate) struct Around(Vec<(&'static str, String)>);

impl Around {
    /// Nothing is changed yet.
    pub(crate) fn nothing() -> Self {
        Self(vec![("LD_PRELOAD", library().display().to_string())])
    }

    /// With this wall clock.
    pub(crate) fn clock(mut self, clock: &WallClock) -> Self {
        self.0.push(("AROUND_AHEAD", clock.path.display().to_string()));
        self
    }

    /// Time goes so many times faster.
    pub(crate) fn faster(mut self, times: u32) -> Self {
        self.0.push(("AROUND_FASTER", times.to_string()));
        self
    }

    /// Sockets are recorded in this file.
    pub(crate) fn sockets(mut self, file: &Path) -> Self {
        self.0.push(("AROUND_SOCKETS", file.display().to_string()));
        self
    }

    /// Every name leads to this address, and nobody but this host is reached.
    pub(crate) fn names(mut self, address: &str) -> Self {
        self.0.push(("AROUND_NAMES", address.to_owned()));
        self
    }

    /// As a process takes them.
    pub(crate) fn variables(&self) -> Vec<(&str, &str)> {
        self.0.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }
}

/// A wall clock that can be set while a process runs.
#[derive(Debug)]
pub(crate) struct WallClock {
    path: PathBuf,
    file: File,
}

impl WallClock {
    /// A clock that is right.
    pub(crate) fn right(directory: &Path) -> Self {
        let path = directory.join("ahead");
        std::fs::write(&path, 0_i64.to_ne_bytes()).expect("it can be written to");
        let file = File::options().write(true).open(&path).expect("it is there");
        Self { path, file }
    }

    /// Sets it so many hours ahead of the right time.
    pub(crate) fn set_ahead(&self, hours: i64) {
        self.file.write_all_at(&(hours * 3600).to_ne_bytes(), 0).expect("it can be written to");
    }
}

/// What a process did with TCP and names.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    pub(crate) listens: BTreeSet<SocketAddr>,
    pub(crate) dials: BTreeSet<SocketAddr>,
    pub(crate) asks: BTreeSet<String>,
}

impl Sockets {
    /// As recorded so far.
    pub(crate) fn read(file: &Path) -> Self {
        let mut all = Self::default();
        for line in std::fs::read_to_string(file).expect("something was recorded").lines() {
            let (what, whom) = line.split_once(' ').expect("two words");
            let address = || whom.parse().unwrap_or_else(|_| panic!("no address: {line}"));
            match what {
                "listens" => drop(all.listens.insert(address())),
                "dials" => drop(all.dials.insert(address())),
                _ => drop(all.asks.insert(whom.to_owned())),
            }
        }
        all
    }
}
