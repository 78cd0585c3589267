//! Which cluster, which namespace, as whom? kubectl's flags, and reads whose failures say what to do.

use super::trouble::Trouble;
use crate::api::ConnectorCredential;
use crate::clock::SystemClock;
use crate::error::{Failure, Verb};
use crate::kubernetes;
use crate::metrics::Metrics;
use clap::{ArgAction, Args};
use jiff::Timestamp;
use k8s_openapi::NamespaceResourceScope;
use kube::api::ListParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, Resource};
use serde::de::DeserializeOwned;
use std::ffi::OsString;
use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Objects of one page of a list.
const PAGE: u32 = 500;

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Cluster")]
pub(super) struct ClusterFlags {
    /// The namespace [default: the context's]
    #[arg(short, long, value_name = "NAME")]
    namespace: Option<String>,
    /// The kubeconfig file
    #[arg(long, value_name = "FILE", env = "KUBECONFIG", hide_env_values = true)]
    kubeconfig: Option<OsString>,
    /// The kubeconfig's context
    #[arg(long, value_name = "NAME")]
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
    #[arg(long = "as-group", value_name = "GROUP", action = ArgAction::Append)]
    groups: Vec<String>,
    /// How long one request may take, such as 10s
    #[arg(long, value_name = "DURATION", value_parser = span)]
    request_timeout: Option<Duration>,
}

fn span(text: &str) -> Result<Duration, String> {
    crate::api::parse_duration(text).ok_or_else(|| "a duration is written as 10s, 2m or 1h".to_owned())
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
            kubeconfig: find(&["--kubeconfig"]).map(OsString::from).or_else(|| std::env::var_os("KUBECONFIG")),
            context: find(&["--context"]),
            cluster: find(&["--cluster"]),
            user: find(&["--user"]),
            impersonate: None,
            groups: Vec::new(),
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
}

impl ClusterFlags {
    /// Connects; nothing is sent yet.
    pub(super) async fn connect(&self) -> Result<Cluster, Trouble> {
        let mut config = self.config().await?;
        config.auth_info.impersonate = self.impersonate.clone().or(config.auth_info.impersonate);
        if !self.groups.is_empty() {
            config.auth_info.impersonate_groups = Some(self.groups.clone());
        }
        if let Some(limit) = self.request_timeout {
            config.read_timeout = Some(limit);
        }
        let namespace = self.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let clock = SystemClock::new();
        let metrics = Arc::new(Metrics::new(Arc::new(clock), 1));
        Ok(Cluster { client: kubernetes::client(config, &metrics)?, namespace, clock })
    }

    /// A list of files, as KUBECONFIG may be, is the default kubeconfig's business.
    fn file(&self) -> Option<PathBuf> {
        let given = self.kubeconfig.as_ref().filter(|given| !given.is_empty())?;
        if given.to_string_lossy().contains(':') { None } else { Some(PathBuf::from(given)) }
    }

    async fn config(&self) -> Result<Config, Trouble> {
        let file = self.file();
        if self.cluster.is_none() && self.user.is_none() {
            return Ok(kubernetes::config(file.as_deref(), self.context.as_deref()).await?);
        }
        let read = file.as_ref().map_or_else(Kubeconfig::read, Kubeconfig::read_from);
        // The error may quote the file, which may hold a token.
        let unusable = || {
            Trouble::new("cannot use the kubeconfig with --cluster and --user")
                .hint("see what it holds: kubectl config view")
        };
        let file = read.map_err(|_| unusable())?;
        let options =
            KubeConfigOptions { context: self.context.clone(), cluster: self.cluster.clone(), user: self.user.clone() };
        let mut config = Config::from_custom_kubeconfig(file, &options).await.map_err(|_| unusable())?;
        config.proxy_url = None;
        Ok(config)
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
        let what = format!("cannot read ConnectorCredential {name}");
        self.api::<ConnectorCredential>()
            .get(name)
            .await
            .map_err(|error| self.trouble((Verb::Get, "connectorcredentials"), &error, &what))
    }

    /// Says what a failed call means.
    pub(super) fn trouble(&self, (verb, resource): (Verb, &'static str), error: &kube::Error, what: &str) -> Trouble {
        let failure = Failure::new(verb, resource, error);
        Trouble::call(&failure, what, Some(&self.namespace))
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
