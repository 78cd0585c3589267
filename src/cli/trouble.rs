//! Why could a command not do its work, and what does a person type next? Never a text of the API server's.

use crate::error::{Class, Failure, Verb};
use crate::kubernetes;
use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// All is good.
    Good,
    /// Something is not healthy, or was not done, and it was said what.
    Unhealthy,
}

impl From<bool> for Ending {
    fn from(healthy: bool) -> Self {
        if healthy { Self::Good } else { Self::Unhealthy }
    }
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Good => Self::SUCCESS,
            Ending::Unhealthy => Self::FAILURE,
        }
    }
}

/// Why a command could not do its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// What failed, and hints what to do.
    Failed(String, Vec<String>),
    /// The command line makes no sense.
    Usage(String),
    /// Nobody reads the output any more.
    ClosedPipe,
}

impl Trouble {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self::Failed(what.into(), Vec::new())
    }

    /// The same with one more hint.
    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        match self {
            Self::Failed(what, mut hints) => {
                hints.push(hint.into());
                Self::Failed(what, hints)
            }
            Self::Usage(_) | Self::ClosedPipe => self,
        }
    }

    /// What failed, then the hints.
    pub(super) fn lines(&self) -> impl Iterator<Item = &str> {
        let (what, hints) = match self {
            Self::Failed(what, hints) => (what.as_str(), hints.as_slice()),
            Self::Usage(what) => (what.as_str(), &[][..]),
            Self::ClosedPipe => ("", &[][..]),
        };
        std::iter::once(what).chain(hints.iter().map(String::as_str))
    }

    /// The exit code: 2 is usage.
    pub(super) fn code(&self) -> ExitCode {
        match self {
            Self::Failed(..) => ExitCode::FAILURE,
            Self::Usage(_) => ExitCode::from(2),
            Self::ClosedPipe => ExitCode::SUCCESS,
        }
    }

    /// A call to the API server that failed.
    pub(super) fn call(failure: &Failure, attempt: &Attempt<'_>) -> Self {
        let (place, program) = (attempt.place(), attempt.program);
        let trouble = Self::new(format!("{} {place}: {}", attempt.what, failure.cause()));
        match failure.class() {
            Class::Forbidden => attempt.forbidden(failure, trouble),
            Class::Unauthorized => trouble.hint("log in again, or name another context with --context"),
            Class::Unavailable | Class::Timeout => trouble
                .hint(format!("it was sought at {}", attempt.server))
                .hint("is this the right cluster? see kubectl config current-context, or name one with --context"),
            Class::NotFound if matches!(failure.verb, Verb::List | Verb::Watch) => trouble
                .hint("the cluster does not know ConnectorCredentials: install the operator, or its definition first")
                .hint(format!("{program} crd | kubectl apply --server-side -f -")),
            Class::Invalid if failure.verb == Verb::List => trouble
                .hint("labels are selected as -l team=erp or -l 'team in (erp, crm)'")
                .hint(format!("fields that can be selected: {}", selectable_fields().join(", "))),
            Class::Conflict => trouble.hint("try again"),
            Class::NotFound
            | Class::AlreadyExists
            | Class::Invalid
            | Class::Throttled(_)
            | Class::Gone
            | Class::Unexpected => trouble,
        }
    }
}

/// The fields that the definition allows `--field-selector` to name.
fn selectable_fields() -> Vec<String> {
    let fields = crate::crd::crd().spec.versions.into_iter().filter_map(|version| version.selectable_fields);
    let declared = fields.flatten().map(|field| field.json_path.trim_start_matches('.').to_owned());
    std::iter::once("metadata.name".to_owned()).chain(declared).collect()
}

/// What was attempted when a call failed.
pub(super) struct Attempt<'a> {
    /// `cannot …`.
    pub(super) what: &'a str,
    /// Where; in all namespaces without.
    pub(super) namespace: Option<&'a str>,
    /// What a user types.
    pub(super) program: &'a str,
    /// Where the API server is.
    pub(super) server: &'a str,
    /// ` --as NAME`, if the user acts as somebody else.
    pub(super) acting: &'a str,
}

impl Attempt<'_> {
    fn place(&self) -> String {
        self.namespace.map_or_else(|| "in all namespaces".to_owned(), |name| format!("in namespace {name}"))
    }

    fn forbidden(&self, failure: &Failure, trouble: Trouble) -> Trouble {
        let flag = self.namespace.map_or_else(|| "-A".to_owned(), |name| format!("-n {name}"));
        let resource = match failure.resource {
            "connectorcredentials" => "connectorcredentials.connector-operator.io",
            other => other,
        };
        let (verb, place) = (failure.verb, self.place());
        let lacking = format!("you lack the right to {verb} {} {place}; ask an administrator for it", failure.resource);
        let check = format!("see what you may do: kubectl auth can-i {verb} {resource} {flag}{}", self.acting);
        let trouble = trouble.hint(lacking).hint(check);
        if self.namespace.is_none() && verb == Verb::List {
            trouble.hint("to look into one namespace that you may read, name it with -n")
        } else {
            trouble
        }
    }
}

impl From<kubernetes::Error> for Trouble {
    fn from(error: kubernetes::Error) -> Self {
        let hint = match error {
            kubernetes::Error::FindCluster => "name a kubeconfig with --kubeconfig, or set KUBECONFIG",
            kubernetes::Error::FindEntry(..) => "see what there is: kubectl config view",
            kubernetes::Error::FindContext(_) | kubernetes::Error::ChooseContext => {
                "see the contexts that there are: kubectl config get-contexts"
            }
            kubernetes::Error::UseProxy => "reach the API server without a proxy, for instance by kubectl proxy",
            kubernetes::Error::ReadKubeconfig(..)
            | kubernetes::Error::ParseKubeconfig(..)
            | kubernetes::Error::LoadCertificate
            | kubernetes::Error::VerifyNobody
            | kubernetes::Error::UseServiceAccount(_)
            | kubernetes::Error::BuildClient => "see whether kubectl works with the same flags: kubectl version",
        };
        Self::new(error.to_string()).hint(hint)
    }
}
