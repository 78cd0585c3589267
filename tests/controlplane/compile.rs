//! How are the control plane's binaries built?
//!
//! With `go build tool` in the module `tests/controlplane/go.mod`, which pins
//! every version. Knows nothing of where the result is kept.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use ring::digest;
use tempfile::TempDir;

use super::error::Error;
use super::files::hex;
use super::process;

/// How the directories of builds begin, so that those of killed ones can be found.
const UNFINISHED: &str = "building-";

/// How often progress is told.
const PACE: Duration = Duration::from_secs(1);

/// The Go module of the control plane, as far as the build needs it.
pub(super) struct Module {
    directory: PathBuf,
    go: String,
    version: String,
    /// Changes with anything that would change the binaries.
    pub(super) stamp: String,
}

impl Module {
    /// Reads `tests/controlplane/go.mod` and `go.sum` of this package.
    pub(super) fn read() -> Result<Self, Error> {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/controlplane");
        let read = |name: &str| {
            let path = directory.join(name);
            fs::read_to_string(&path).map_err(Error::path("read", &path))
        };
        let (module, sums) = (read("go.mod")?, read("go.sum")?);
        let go = word_after(&module, "go").ok_or(Error::Module("go"))?;
        let version = word_after(&module, "k8s.io/kubernetes").ok_or(Error::Module("k8s.io/kubernetes"))?;
        let stamp = format!("{version} {}\n", hash(&[&module, &sums, &ldflags(&version)]));
        Ok(Self { directory, go, version, stamp })
    }
}

/// The second word of the first line whose first word is `first`, `require` or not.
fn word_after(module: &str, first: &str) -> Option<String> {
    module.lines().find_map(|line| {
        let mut words = line.split_whitespace().skip_while(|word| *word == "require");
        (words.next() == Some(first)).then(|| words.next().map(str::to_owned))?
    })
}

fn hash(parts: &[&str]) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part.as_bytes());
    }
    hex(context.finish().as_ref())
}

/// Without these the API server would call itself `v0.0.0-master`.
fn ldflags(version: &str) -> String {
    let mut numbers = version.trim_start_matches('v').split('.');
    let (major, minor) = (numbers.next().unwrap_or("1"), numbers.next().unwrap_or("0"));
    let package = "k8s.io/component-base/version";
    format!("-s -w -X {package}.gitVersion={version} -X {package}.gitMajor={major} -X {package}.gitMinor={minor}")
}

/// The file name Go gives to one of ours: it names etcd after its module.
pub(super) fn built_as(name: &str) -> &str {
    if name == "etcd" { "server" } else { name }
}

/// Builds all binaries into a new directory inside `beside`, so that they can be renamed.
pub(super) fn build(module: &Module, beside: &Path, progress: &mut impl FnMut(&str)) -> Result<TempDir, Error> {
    check_go(module)?;
    remove_leftovers(beside)?;
    let fresh = tempfile::Builder::new()
        .prefix(UNFINISHED)
        .tempdir_in(beside)
        .map_err(Error::path("create a directory in", beside))?;
    let log = fresh.path().join("log");
    let mut child = start(module, fresh.path(), &log)?;
    watch(&mut child, &log, progress)?;
    Ok(fresh)
}

/// Removes what killed builds left; the caller holds the lock, so none is running.
fn remove_leftovers(beside: &Path) -> Result<(), Error> {
    let entries = fs::read_dir(beside).map_err(Error::path("list", beside))?;
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            fs::remove_dir_all(entry.path()).map_err(Error::path("remove", &entry.path()))?;
        }
    }
    Ok(())
}

fn go(module: &Module) -> Command {
    let mut command = Command::new("go");
    command.current_dir(&module.directory);
    // Nothing of the user's settings may change what is built.
    command.env("GOFLAGS", "-mod=readonly").env("GOWORK", "off");
    command.env("GOTOOLCHAIN", "local");
    for name in ["GOOS", "GOARCH"] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

fn check_go(module: &Module) -> Result<(), Error> {
    // Outside the module: inside it a `go` that is too old refuses to say its version.
    let output = go(module)
        .args(["env", "GOVERSION"])
        .current_dir(std::env::temp_dir())
        .output()
        .map_err(|source| Error::NoGo { wanted: module.go.clone(), source })?;
    let found = String::from_utf8_lossy(&output.stdout);
    let found = found.trim().trim_start_matches("go");
    if numbers(found) < numbers(&module.go) {
        return Err(Error::OldGo { found: found.to_owned(), wanted: module.go.clone() });
    }
    Ok(())
}

/// `1.26.8` as comparable numbers; `1.26rc1` counts as 1.26.
fn numbers(version: &str) -> Vec<u32> {
    let number = |part: &str| {
        let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap_or(0)
    };
    version.split('.').map(number).collect()
}

fn start(module: &Module, directory: &Path, log: &Path) -> Result<Child, Error> {
    let output = File::create(log).map_err(Error::path("create", log))?;
    let mut command = go(module);
    // -v names each package on standard error as it is compiled.
    command.args(["build", "-v", "-trimpath", "-buildvcs=false"]);
    command.args(["-ldflags", &ldflags(&module.version), "-o"]);
    command.arg(directory).arg("tool");
    command.stdout(Stdio::null()).stderr(output);
    command.spawn().map_err(Error::io("start go build"))
}

fn watch(child: &mut Child, log: &Path, progress: &mut impl FnMut(&str)) -> Result<(), Error> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().map_err(Error::io("wait for go build"))? {
            let tail = process::tail(log);
            return if status.success() { Ok(()) } else { Err(Error::Build { status, tail }) };
        }
        progress(&progress_line(start.elapsed(), log));
        thread::sleep(PACE);
    }
}

fn progress_line(elapsed: Duration, log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let (downloads, packages): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.starts_with("go: "));
    let seconds = elapsed.as_secs();
    format!(
        "building the Kubernetes control plane (once, about 8 minutes): {}m{:02}s, {} modules fetched, {} packages compiled",
        seconds / 60,
        seconds % 60,
        downloads.len(),
        packages.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(numbers("1.9.3") < numbers("1.26.0"));
        assert!(numbers("1.26.8") >= numbers("1.26.0"));
        assert!(numbers("1.27rc1") > numbers("1.26.8"));
    }

    #[test]
    fn the_module_names_its_versions() {
        let module = Module::read().expect("go.mod is part of this package");
        assert!(module.version.starts_with("v1."));
        assert!(module.stamp.starts_with(&module.version));
        assert!(ldflags("v1.36.3").contains("gitMinor=36"));
    }
}
