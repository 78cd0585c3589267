//! Where do etcd, the API server, the controller manager and kubectl come from?
//!
//! `KUBEBUILDER_ASSETS` when set; else `controlplane/` in the target directory,
//! built by `compile.rs` when it is missing or older than `go.mod`. Never from
//! the search path: the versions are part of the test.

use std::env;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use super::compile::{self, Module};
use super::error::Error;

/// The file names, in the order in which they are looked for.
pub(super) const NAMES: [&str; 4] = ["etcd", "kube-apiserver", "kube-controller-manager", "kubectl"];

/// Names the build the binaries beside it came from; written last.
const STAMP: &str = "stamp";

/// The programs of one control plane, all present.
#[derive(Clone, Debug)]
pub(crate) struct Binaries {
    pub(crate) etcd: PathBuf,
    pub(crate) api_server: PathBuf,
    pub(crate) controller_manager: PathBuf,
    pub(crate) kubectl: PathBuf,
}

impl Binaries {
    fn within(directory: &Path) -> Self {
        let [etcd, api_server, controller_manager, kubectl] = NAMES.map(|name| directory.join(name));
        Self { etcd, api_server, controller_manager, kubectl }
    }
}

/// Finds the binaries, building them first if need be.
///
/// `progress` is called about once a second during a build, with the line to show.
pub(crate) fn find_or_build(progress: impl FnMut(&str)) -> Result<Binaries, Error> {
    match env::var_os("KUBEBUILDER_ASSETS") {
        Some(directory) if !directory.is_empty() => assets(Path::new(&directory)),
        Some(_) | None => built(&target_directory()?.join("controlplane"), progress),
    }
}

/// The binaries in a directory somebody else filled.
pub(super) fn assets(directory: &Path) -> Result<Binaries, Error> {
    match missing(directory) {
        Some(name) => Err(Error::MissingAsset { directory: directory.to_owned(), name }),
        None => Ok(Binaries::within(directory)),
    }
}

fn missing(directory: &Path) -> Option<&'static str> {
    NAMES.into_iter().find(|name| !directory.join(name).is_file())
}

/// The binaries in our own directory, under a lock that lasts until they are there.
fn built(directory: &Path, mut progress: impl FnMut(&str)) -> Result<Binaries, Error> {
    fs::create_dir_all(directory).map_err(Error::path("create", directory))?;
    let _lock = lock(&directory.join(".lock"), &mut progress)?;
    let module = Module::read()?;
    if !is_current(directory, &module) {
        let fresh = compile::build(&module, directory, &mut progress)?;
        install(fresh.path(), directory, &module)?;
        progress("the Kubernetes control plane is built");
    }
    Ok(Binaries::within(directory))
}

fn is_current(directory: &Path, module: &Module) -> bool {
    let stamp = fs::read_to_string(directory.join(STAMP)).unwrap_or_default();
    stamp == module.stamp && missing(directory).is_none()
}

/// Moves the new binaries into place one by one; the stamp vouches for all of them.
fn install(fresh: &Path, directory: &Path, module: &Module) -> Result<(), Error> {
    let stamp = directory.join(STAMP);
    if stamp.exists() {
        fs::remove_file(&stamp).map_err(Error::path("remove", &stamp))?;
    }
    for name in NAMES {
        let from = fresh.join(compile::built_as(name));
        fs::rename(&from, directory.join(name)).map_err(Error::path("move", &from))?;
    }
    let draft = fresh.join(STAMP);
    fs::write(&draft, &module.stamp).map_err(Error::path("write", &draft))?;
    fs::rename(&draft, &stamp).map_err(Error::path("write", &stamp))
}

fn lock(path: &Path, progress: &mut impl FnMut(&str)) -> Result<File, Error> {
    let file = File::create(path).map_err(Error::path("create", path))?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => {
            progress("waiting for another process that builds the Kubernetes control plane");
        }
        Err(TryLockError::Error(source)) => return Err(Error::path("lock", path)(source)),
    }
    file.lock().map_err(Error::path("lock", path))?;
    Ok(file)
}

/// Cargo's target directory: the ancestor of this executable that Cargo tagged.
pub(super) fn target_directory() -> Result<PathBuf, Error> {
    let executable = env::current_exe().map_err(Error::io("find this executable"))?;
    let tagged = executable.ancestors().find(|directory| directory.join("CACHEDIR.TAG").is_file());
    // …/target/debug/deps/suite and …/target/debug/examples/demo are equally deep.
    let directory = tagged.or_else(|| executable.ancestors().nth(3));
    directory.map(Path::to_owned).ok_or_else(|| Error::path("find the target directory of", &executable)(not_found()))
}

fn not_found() -> std::io::Error {
    std::io::Error::from(std::io::ErrorKind::NotFound)
}
