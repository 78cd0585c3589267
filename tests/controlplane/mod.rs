//! A real Kubernetes control plane for tests and the demo: etcd, kube-apiserver
//! and kube-controller-manager on loopback, with nothing kept afterwards.
//!
//! Pods stay Pending: there is no scheduler and no kubelet. Nothing here is tied
//! to an async runtime but the clients, which belong to the runtime that asked
//! for them. Used by `tests/main.rs` and by the demo, so it refers to its own
//! parts by relative paths only.

#![allow(dead_code, reason = "the tests and the demo use different parts")]

pub(crate) mod access;
mod binaries;
#[cfg(test)]
mod checks;
mod compile;
mod components;
mod error;
pub(crate) mod etcd;
mod files;
mod kubectl;
pub(crate) mod process;
pub(crate) mod progress;
mod rights;

use std::path::{Path, PathBuf};
use std::process::ChildStdin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tempfile::TempDir;

pub(crate) use binaries::{Binaries, find_or_build};
use components::Ports;
pub(crate) use error::Error;
use files::Files;
use process::Guarded;

/// How long each component may take to become ready; generous, for loaded machines.
const READY: Duration = Duration::from_secs(120);

/// How often other ports are tried when something took ours.
const ATTEMPTS: u32 = 3;

/// What may differ between control planes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// Flags for kube-apiserver after our own, for instance `--emulated-version=kube=1.33`.
    pub(crate) api_server_flags: Vec<String>,
    /// Files or directories of CRDs, served before the controllers start: the garbage
    /// collector looks for new kinds every 30 s only, but knows these from its start.
    pub(crate) definitions: Vec<PathBuf>,
    /// Leaves the `ServiceAccount` admission plugin on: Pods then need their account.
    pub(crate) service_account_admission: bool,
}

/// A running control plane; dropping it kills its processes and removes its files.
#[derive(Debug)]
pub(crate) struct ControlPlane {
    // Dropped in this order: whoever depends on another goes first.
    controllers: Mutex<Option<Guarded>>,
    api_server: Mutex<Option<Guarded>>,
    etcd: Guarded,
    options: Options,
    binaries: Binaries,
    ports: Ports,
    files: Files,
    _sweeper: ChildStdin,
    _directory: TempDir,
}

impl ControlPlane {
    /// Starts all components and waits until they are ready, about 5 s.
    ///
    /// Blocks: call it outside an async runtime or through `spawn_blocking`.
    pub(crate) fn start(options: &Options, binaries: &Binaries) -> Result<Self, Error> {
        let mut attempt = 1;
        loop {
            match Self::start_once(options, binaries) {
                Err(error) if attempt < ATTEMPTS && components::port_was_taken(&error) => {
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    fn start_once(options: &Options, binaries: &Binaries) -> Result<Self, Error> {
        let directory = tempfile::Builder::new()
            .prefix("control-plane-")
            .tempdir()
            .map_err(Error::io("create a temporary directory"))?;
        let sweeper = process::remove_at_exit(directory.path())
            .map_err(Error::io("start the sweeper of the temporary directory"))?;
        let ports = Ports::free().map_err(Error::io("find free ports"))?;
        let files = Files::write(directory.path())?;
        let etcd = components::start_etcd(binaries, &files, ports)?;
        let plane = Self {
            controllers: Mutex::new(None),
            api_server: Mutex::new(None),
            etcd,
            options: options.clone(),
            binaries: binaries.clone(),
            ports,
            files,
            _sweeper: sweeper,
            _directory: directory,
        };
        plane.start_api_server()?;
        for definitions in &plane.options.definitions {
            plane.apply_definitions(definitions)?;
        }
        plane.start_controllers()?;
        Ok(plane)
    }

    /// Kills the API server, as an outage would; does nothing when it is down.
    pub(crate) fn stop_api_server(&self) {
        drop(locked(&self.api_server).take());
    }

    /// Starts the API server on the same port and data, and waits until it is ready.
    pub(crate) fn start_api_server(&self) -> Result<(), Error> {
        let mut running = locked(&self.api_server);
        if running.is_none() {
            let mut server = self.spawn_api_server()?;
            self.await_api_server(&mut server)?;
            *running = Some(server);
        }
        Ok(())
    }

    /// Kills the controllers: nothing is then collected, finalised or rolled out.
    pub(crate) fn stop_controllers(&self) {
        drop(locked(&self.controllers).take());
    }

    /// Starts the controllers, which look at once for kinds defined since, and waits until they work.
    pub(crate) fn start_controllers(&self) -> Result<(), Error> {
        let mut running = locked(&self.controllers);
        if running.is_none() {
            let mut manager = self.spawn_controllers()?;
            self.await_controllers(&mut manager)?;
            *running = Some(manager);
        }
        Ok(())
    }

    /// The programs it was started from.
    pub(crate) fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// A directory that lives as long as the control plane, for files of tests.
    pub(crate) fn directory(&self) -> &Path {
        self.files.directory()
    }
}

/// A panic while holding the lock leaves at worst a component that is not running.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
