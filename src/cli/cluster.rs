//! Which cluster, which namespace, as whom? kubectl's flags, and reads whose failures say what to do.

use super::Shown;
use super::completion;
use super::object;
use super::trouble::{Attempt, Trouble};
use crate::api::ConnectorCredential;
use crate::clock::SystemClock;
use crate::error::{Class, Failure, Verb};
use crate::kubernetes::{self, Choice, RESPONSE_TIMEOUT};
use crate::metrics::Metrics;
use clap::{ArgAction, Args};
use clap_complete::engine::ArgValueCandidates;
use jiff::Timestamp;
use k8s_openapi::NamespaceResourceScope;
use kube::api::ListParams;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Objects of one page of a list.
const PAGE: u32 = 500;
/// Nobody waits longer for a request.
const FOR_EVER: Duration = Duration::from_secs(365 * 86_400);
/// So many names are told to who asks for one that is not there.
const FEW: usize = 8;

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Cluster")]
pub(super) struct ClusterFlags {
    /// The namespace [default: the context's]
    #[arg(short, long, value_name = "NAME", add = ArgValueCandidates::new(completion::namespaces))]
    namespace: Option<String>,
    /// The kubeconfig file [default: those of KUBECONFIG, else ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The kubeconfig's context
    #[arg(long, value_name = "NAME", add = ArgValueCandidates::new(completion::contexts))]
    context: Option<String>,
    /// The kubeconfig's cluster
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// The kubeconfig's user
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Act as this user
    #[arg(long = "as", value_name = "USER")]
    impersonate: Option<String>,
    /// Act as a member of this group; may be repeated
    #[arg(long = "as-group", value_name = "GROUP", action = ArgAction::Append, requires = "impersonate")]
    groups: Vec<String>,
    /// How long one request may take, such as 10s; 0 means for ever [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = limit)]
    request_timeout: Option<Duration>,
}

/// As kubectl reads it: a number alone is seconds, and none is no limit.
fn limit(text: &str) -> Result<Duration, String> {
    let seconds = || text.parse::<u32>().ok().map(|seconds| Duration::from_secs(seconds.into()));
    let limit = crate::api::parse_duration(text).or_else(seconds);
    let limit = limit.ok_or_else(|| "a duration is written as 10s, 2m or 1h; 0 means for ever".to_owned())?;
    Ok(if limit.is_zero() { FOR_EVER } else { limit })
}

impl ClusterFlags {
    /// The flags among the words of an unfinished line, for completion.
    pub(super) fn of_words(words: &[String]) -> Self {
        let find = |names: &[&str]| {
            let mut found = None;
            for (place, word) in words.iter().enumerate() {
                let (name, value) =
                    word.split_once('=').map_or((word.as_str(), None), |(name, value)| (name, Some(value)));
                if names.contains(&name) {
                    found = value.map(str::to_owned).or_else(|| words.get(place.saturating_add(1)).cloned());
                }
            }
            found.filter(|value| !value.is_empty())
        };
        Self {
            namespace: find(&["-n", "--namespace"]),
            kubeconfig: find(&["--kubeconfig"]).map(PathBuf::from),
            context: find(&["--context"]),
            cluster: find(&["--cluster"]),
            user: find(&["--user"]),
            impersonate: find(&["--as"]),
            groups: find(&["--as-group"]).into_iter().collect(),
            request_timeout: None,
        }
    }
}

/// A way to the API server, in a namespace.
#[derive(Clone)]
pub(super) struct Cluster {
    pub(super) client: Client,
    pub(super) namespace: String,
    pub(super) clock: SystemClock,
    pub(super) shown: Shown,
    /// Where the API server is.
    pub(super) server: String,
    /// ` --as NAME`, if the user acts as somebody else: hints must do so too.
    acting: String,
}

impl ClusterFlags {
    /// Connects; nothing is sent yet.
    pub(super) async fn connect(&self, shown: Shown) -> Result<Cluster, Trouble> {
        let files = self.files();
        let choice = Choice {
            files: &files,
            context: self.context.as_deref(),
            cluster: self.cluster.as_deref(),
            user: self.user.as_deref(),
        };
        let mut config = kubernetes::chosen(choice).await?;
        config.auth_info.impersonate = self.impersonate.clone().or(config.auth_info.impersonate);
        if !self.groups.is_empty() {
            config.auth_info.impersonate_groups = Some(self.groups.clone());
        }
        let namespace = self.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let server = kubernetes::address(&config);
        let clock = SystemClock::new();
        let metrics = Arc::new(Metrics::new(Arc::new(clock), 1));
        let client = kubernetes::client_within(self.request_timeout.unwrap_or(RESPONSE_TIMEOUT), config, &metrics)?;
        Ok(Cluster { client, namespace, clock, shown, server, acting: self.acting() })
    }

    /// The names of the kubeconfig's contexts.
    pub(super) fn contexts(&self) -> Vec<String> {
        kubernetes::contexts(&self.files())
    }

    /// kubectl's variable comes before the Pod's service account.
    #[expect(clippy::disallowed_methods, reason = "kubectl's variable, in the command that is used like it")]
    fn files(&self) -> Vec<PathBuf> {
        if let Some(file) = &self.kubeconfig {
            return vec![file.clone()];
        }
        let listed = std::env::var_os("KUBECONFIG").unwrap_or_default();
        std::env::split_paths(&listed).filter(|path| !path.as_os_str().is_empty()).collect()
    }

    /// Whether one namespace is meant, and no other.
    pub(super) const fn names_namespace(&self) -> bool {
        self.namespace.is_some()
    }

    fn acting(&self) -> String {
        let user = self.impersonate.iter().map(|name| format!(" --as {name}"));
        user.chain(self.groups.iter().map(|name| format!(" --as-group {name}"))).collect()
    }
}

impl Cluster {
    pub(super) fn now(&self) -> Timestamp {
        crate::clock::Clock::now(&self.clock)
    }

    pub(super) fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Reads one credential.
    pub(super) async fn credential(&self, name: &str) -> Result<ConnectorCredential, Trouble> {
        let found = self.api::<ConnectorCredential>().get(name).await;
        match found {
            Ok(found) => Ok(found),
            Err(error) => {
                let what = format!("cannot read ConnectorCredential {name}");
                Err(self.lost(&Failure::new(Verb::Get, "connectorcredentials", &error), &what).await)
            }
        }
    }

    /// Says what a failed call means.
    pub(super) fn trouble(&self, failure: &Failure, what: &str) -> Trouble {
        self.trouble_in(Some(&self.namespace), failure, what)
    }

    /// The same in another namespace, or in all.
    pub(super) fn trouble_in(&self, namespace: Option<&str>, failure: &Failure, what: &str) -> Trouble {
        let (program, server) = (self.shown.program, self.server.as_str());
        Trouble::call(failure, &Attempt { what, namespace, program, server, acting: &self.acting })
    }

    /// Says what a failed call about one credential means. If it is not there: which there are.
    pub(super) async fn lost(&self, failure: &Failure, what: &str) -> Trouble {
        let trouble = self.trouble(failure, what);
        if failure.class() != Class::NotFound {
            return trouble;
        }
        let found = self.list::<ConnectorCredential>(&self.api(), ListParams::default(), "connectorcredentials").await;
        match found {
            Ok(found) if found.is_empty() => {
                let (place, program) = (&self.namespace, self.shown.program);
                trouble.hint(format!("there is none in namespace {place}; of all namespaces: {program} list -A"))
            }
            Ok(found) => {
                let mut names: Vec<_> = found.iter().take(FEW).map(object::name).collect();
                if found.len() > FEW {
                    names.push("…");
                }
                trouble.hint(format!("in namespace {} there are: {}", self.namespace, names.join(", ")))
            }
            // Without the definition a list is not found either.
            Err(failure) if failure.class() == Class::NotFound => self.trouble(&failure, what),
            Err(_) => trouble,
        }
    }

    /// Reads all objects of a kind, page by page.
    pub(super) async fn list<K>(
        &self,
        api: &Api<K>,
        params: ListParams,
        resource: &'static str,
    ) -> Result<Vec<K>, Failure>
    where
        K: Clone + DeserializeOwned + Debug,
    {
        let mut all = Vec::new();
        let mut params = params.limit(PAGE);
        loop {
            let page = api.list(&params).await.map_err(|error| Failure::new(Verb::List, resource, &error))?;
            all.extend(page.items);
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params.continue_token = Some(token),
                None => return Ok(all),
            }
        }
    }
}
