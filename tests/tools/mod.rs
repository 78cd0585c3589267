//! Where do both majors of Helm come from?
//!
//! Built with Go from `tests/tools/go.mod`, which pins every version, into
//! `tools/` in the target directory: on first need, under a lock, about four
//! minutes on two cores. Never from the search path.

#![allow(clippy::panic, reason = "a test fails by panicking, also in what its functions share")]

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::controlplane::progress;

/// File name and package of each.
const HELMS: [(&str, &str); 2] = [("helm3", "helm.sh/helm/v3/cmd/helm"), ("helm4", "helm.sh/helm/v4/cmd/helm")];

/// Names the module the binaries were built from; written last.
const STAMP: &str = "stamp";

/// The directory of the binaries; a failure is kept, so that not every test tries again for minutes.
static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();

/// A major version of Helm.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Helm {
    Three,
    Four,
}

impl Helm {
    /// A command of this major that reads none of the user's settings.
    ///
    /// # Panics
    ///
    /// When it cannot be built: skipping is not passing.
    pub(crate) fn command(self) -> Command {
        let directory = match BUILT.get_or_init(built) {
            Ok(directory) => directory,
            Err(message) => panic!("{message}"),
        };
        let [(three, _), (four, _)] = HELMS;
        let mut command = Command::new(directory.join(match self {
            Self::Three => three,
            Self::Four => four,
        }));
        for name in ["HELM_CONFIG_HOME", "HELM_CACHE_HOME", "HELM_DATA_HOME"] {
            command.env(name, directory.join("home"));
        }
        command.env("KUBECONFIG", directory.join("no-kubeconfig")).stdin(Stdio::null());
        command
    }
}

fn built() -> Result<PathBuf, String> {
    // Cargo's directory for files of tests stands in the target directory.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().ok_or("there is no target directory")?;
    let directory = target.join("tools");
    build_into(&directory).map_err(|error| format!("cannot build Helm, which needs Go: {error}"))?;
    Ok(directory)
}

fn build_into(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let lock = File::create(directory.join(".lock"))?;
    lock.lock()?;
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools");
    let wanted = fs::read_to_string(module.join("go.mod"))? + &fs::read_to_string(module.join("go.sum"))?;
    let stamp = directory.join(STAMP);
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    let mut progress = progress::on_stderr();
    for (name, package) in HELMS {
        progress(&format!("building {name} (once, about 2 minutes)"));
        // Renamed when complete: a killed build leaves nothing that looks like a result.
        let draft = directory.join(format!("{name}.draft"));
        go_build(&module, package, &draft)?;
        fs::rename(draft, directory.join(name))?;
    }
    fs::write(stamp, wanted)
}

fn go_build(module: &Path, package: &str, target: &Path) -> io::Result<()> {
    let mut go = Command::new("go");
    go.args(["build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o"]).arg(target).arg(package);
    // Nothing of the user's settings may change what is built.
    go.current_dir(module).env("GOFLAGS", "-mod=readonly").env("GOWORK", "off").env("GOTOOLCHAIN", "local");
    for name in ["GOOS", "GOARCH"] {
        go.env_remove(name);
    }
    let output = go.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()))
}

/// The unpacked files of a Go module of this version and checksum, from Go's cache or its proxy.
///
/// # Panics
///
/// When it cannot be had: skipping is not passing.
pub(crate) fn go_module(path: &str, version: &str, checksum: &str) -> PathBuf {
    let mut go = Command::new("go");
    go.args(["mod", "download", "-json"]).arg(format!("{path}@{version}"));
    go.current_dir(env!("CARGO_TARGET_TMPDIR"))
        .env("GOFLAGS", "-mod=mod")
        .env("GOWORK", "off")
        .env("GO111MODULE", "on");
    let output = go.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("cannot run go: {error}"));
    let answer = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{answer}{}", String::from_utf8_lossy(&output.stderr));
    let answer: serde_json::Value = serde_json::from_str(&answer).expect("go answers with JSON");
    assert_eq!(answer["Sum"], checksum, "{path} {version} is not what it was");
    answer["Dir"].as_str().expect("a directory").into()
}
