//! What can go wrong between "no binaries" and "a running control plane", in
//! words that say what to do next.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

/// Why the control plane could not be built, started or used.
#[derive(thiserror::Error)]
pub(crate) enum Error {
    /// `KUBEBUILDER_ASSETS` is set but incomplete.
    #[error(
        "KUBEBUILDER_ASSETS is {directory} but holds no {name}: complete it, or unset it to have the control plane built with Go"
    )]
    MissingAsset { directory: PathBuf, name: &'static str },
    /// Neither assets nor a Go toolchain.
    #[error(
        "no Kubernetes control plane: install Go {wanted} or newer (it is built once into the target directory), or set KUBEBUILDER_ASSETS to a directory that holds etcd, kube-apiserver, kube-controller-manager and kubectl"
    )]
    NoGo {
        wanted: String,
        #[source]
        source: io::Error,
    },
    /// The Go toolchain is too old for the module.
    #[error(
        "Go {found} is older than the {wanted} that tests/controlplane/go.mod asks for: install a newer one, or set KUBEBUILDER_ASSETS"
    )]
    OldGo { found: String, wanted: String },
    /// `go build` failed.
    #[error("the build of the control plane ended with {status}; the end of its output:\n{tail}")]
    Build { status: ExitStatus, tail: String },
    /// `go.mod` lacks a line this code reads.
    #[error("tests/controlplane/go.mod has no {0} line")]
    Module(&'static str),
    /// A component ended before it was ready.
    #[error("{name} ended with {status}; the end of its log:\n{tail}")]
    Ended { name: &'static str, status: ExitStatus, tail: String },
    /// A component did not become ready.
    #[error("{name} was not ready after {limit:?} ({last}); the end of its log:\n{tail}")]
    NotReady { name: &'static str, limit: Duration, last: String, tail: String },
    /// A kubectl command needed by the harness itself failed.
    #[error("kubectl {arguments} failed: {message}")]
    Kubectl { arguments: String, message: String },
    /// A file or a process could not be used.
    #[error("cannot {action}")]
    Io {
        action: String,
        #[source]
        source: io::Error,
    },
    /// The key of the service accounts could not be made.
    #[error("cannot make the service account key")]
    Key(#[from] rcgen::Error),
    /// The kubeconfig could not be turned into a client.
    #[error("cannot read the kubeconfig")]
    Kubeconfig(#[from] kube::config::KubeconfigError),
    /// The API server refused a request of the harness.
    #[error("the API server refused")]
    Api(#[source] Box<kube::Error>),
    /// An answer was not what it should be.
    #[error("unexpected answer from {from}: {message}")]
    Answer { from: &'static str, message: String },
}

impl Error {
    /// Wraps an I/O error with what was attempted.
    pub(super) fn io(action: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let action = action.into();
        move |source| Self::Io { action, source }
    }

    /// Wraps an I/O error with the verb and the path it concerns.
    pub(super) fn path(verb: &str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        Self::io(format!("{verb} {}", path.display()))
    }
}

impl From<kube::Error> for Error {
    fn from(source: kube::Error) -> Self {
        Self::Api(Box::new(source))
    }
}

/// `Debug` is the sentence and its causes, since tests show errors that way.
impl std::fmt::Debug for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")?;
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
