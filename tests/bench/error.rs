//! What can keep the benchmark from measuring?

use std::io;
use std::process::ExitStatus;

use crate::controlplane;

/// Why it ends without figures.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The operator could not be built.
    #[error("the build of the operator ended with {0}; what cargo says stands above")]
    Build(ExitStatus),
    /// The control plane could not be built, started or used.
    #[error(transparent)]
    Plane(#[from] controlplane::Error),
    /// The API server refused a request of the benchmark.
    #[error("the API server refused")]
    Api(#[source] Box<kube::Error>),
    /// A file, a process or a socket could not be used.
    #[error("cannot {action}")]
    Io {
        action: String,
        #[source]
        source: io::Error,
    },
    /// Something did not come about in time.
    #[error("waited in vain until {0}")]
    Late(String),
    /// The operator is gone.
    #[error("the operator ended by itself; the end of its log:\n{0}")]
    Ended(String),
}

impl Error {
    /// Wraps an I/O error with what was attempted.
    pub(crate) fn io(action: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let action = action.into();
        move |source| Self::Io { action, source }
    }
}

impl From<kube::Error> for Error {
    fn from(source: kube::Error) -> Self {
        Self::Api(Box::new(source))
    }
}

/// The sentence and its causes.
pub(crate) fn explained(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
