//! How is the API server reached? Configuration from a file or the Pod, and clients with limits.
//!
//! Nothing is inferred: no `KUBE_RS_DEBUG_*`, no proxy of the environment, no retries behind our back.

mod pace;
mod travel;

use crate::error::refused_by_system;
use crate::metrics::Metrics;
use kube::client::ClientBuilder;
use kube::config::{InClusterError, KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tower::timeout::TimeoutLayer;
use travel::travel;

/// To be connected.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// To the response's headers; a watch goes on behind them.
pub const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);
/// From one byte of a response to the next: watches of 55 seconds may be silent, and end themselves after 60.
const SILENCE: Duration = Duration::from_secs(61);
/// The same where watches last as long as kube has them by itself: 290 seconds.
const LONG_SILENCE: Duration = Duration::from_secs(300);

/// Stands in a kubeconfig while it is read, so that the environment's proxy is not.
const NO_PROXY: &str = "http://proxy.invalid";

/// Why there is no way to the API server. No variant holds what a file contains: it may be a token.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read kubeconfig {}: {}", .0.display(), refused_by_system(*.1))]
    ReadKubeconfig(PathBuf, std::io::ErrorKind),
    /// The file is no kubeconfig.
    #[error("cannot parse kubeconfig{}", At(.0.as_deref(), *.1))]
    ParseKubeconfig(Option<PathBuf>, Option<u64>),
    /// The context, or what it names, is not in the file.
    #[error("kubeconfig has no complete context {0}")]
    FindContext(String),
    /// The cluster or user that was named is not in the file.
    #[error("kubeconfig has no {0} {1}")]
    FindEntry(&'static str, String),
    /// The file names no current context.
    #[error("kubeconfig has no current context; name one with --context")]
    ChooseContext,
    /// A certificate or key that the kubeconfig names cannot be used.
    #[error("cannot load a certificate or key of the kubeconfig")]
    LoadCertificate,
    /// Proxies on the way to the API server are not supported.
    #[error("kubeconfig has a proxy-url, which is not supported")]
    UseProxy,
    /// Whoever answers would be taken for the API server, and be shown Secrets.
    #[error("kubeconfig has insecure-skip-tls-verify, which the operator does not accept; name certificate-authority")]
    VerifyNobody,
    /// The Pod's own service account is incomplete.
    #[error("cannot use the service account of this Pod: {0}")]
    UseServiceAccount(&'static str),
    /// Neither in a Pod nor with a kubeconfig.
    #[error("no cluster: not in a Pod, and no kubeconfig found; name one with --kubeconfig")]
    FindCluster,
    /// The client's TLS or authentication cannot be set up.
    #[error("cannot set up TLS or authentication for the API server")]
    BuildClient,
}

/// What of which kubeconfig is meant. What is not named is the file's own choice.
#[derive(Debug, Clone, Copy, Default)]
pub struct Choice<'a> {
    /// The files, which are merged, the first winning. None: the Pod's service account, else the default kubeconfig.
    pub files: &'a [PathBuf],
    /// The context.
    pub context: Option<&'a str>,
    /// The cluster, instead of the context's.
    pub cluster: Option<&'a str>,
    /// The user, instead of the context's.
    pub user: Option<&'a str>,
}

impl Choice<'_> {
    const fn names_something(&self) -> bool {
        self.context.is_some() || self.cluster.is_some() || self.user.is_some()
    }
}

/// Where the API server is, and who we are there: the given kubeconfig, else the Pod's service account, else the
/// default kubeconfig (`KUBECONFIG`, `~/.kube/config`). A context without a file means the default kubeconfig. The API
/// server's certificate is verified.
///
/// # Errors
/// [`Error`], when what is found first cannot be used.
pub async fn config(kubeconfig: Option<&Path>, context: Option<&str>) -> Result<Config, Error> {
    let file = kubeconfig.map(Path::to_owned);
    let config = chosen(Choice { files: file.as_slice(), context, ..Choice::default() }).await?;
    if config.accept_invalid_certs { Err(Error::VerifyNobody) } else { Ok(config) }
}

/// The same for a choice with more to it.
///
/// # Errors
/// [`Error`], when what is found first cannot be used.
pub async fn chosen(choice: Choice<'_>) -> Result<Config, Error> {
    let config = match choice.files {
        [_, ..] => from_file(read_files(choice.files)?, choice).await?,
        [] if choice.names_something() => from_file(read_default()?, choice).await?,
        [] => match Config::incluster_env() {
            Ok(config) => config,
            Err(InClusterError::ReadEnvironmentVariable(_)) => from_file(read_default()?, choice).await?,
            Err(error) => return Err(Error::UseServiceAccount(incomplete(&error))),
        },
    };
    Ok(config)
}

/// The names of the contexts of these files, or of the default kubeconfig; none if they cannot be read.
#[must_use]
pub fn contexts(files: &[PathBuf]) -> Vec<String> {
    let read = if files.is_empty() { read_default() } else { read_files(files) };
    read.map(|file| file.contexts.into_iter().map(|context| context.name).collect()).unwrap_or_default()
}

/// Where the API server is: nothing that may stand before the host's name or behind its port.
#[must_use]
pub fn address(config: &Config) -> String {
    let url = &config.cluster_url;
    let port = url.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}", url.scheme_str().unwrap_or("https"), url.host().unwrap_or_default())
}

/// A client with our limits: connect 5 s, headers 30 s, silence 61 s, no retries. Each call counts in
/// `rest_client_requests_total`.
///
/// # Errors
/// [`Error::BuildClient`], when TLS or authentication cannot be set up.
pub fn client(config: Config, metrics: &Arc<Metrics>) -> Result<Client, Error> {
    limited((RESPONSE_TIMEOUT, SILENCE), config, metrics)
}

/// The same with another limit for a response's headers, and for watches that are silent for minutes.
///
/// # Errors
/// [`Error::BuildClient`], when TLS or authentication cannot be set up.
pub fn client_within(limit: Duration, config: Config, metrics: &Arc<Metrics>) -> Result<Client, Error> {
    limited((limit, limit.max(LONG_SILENCE)), config, metrics)
}

fn limited((headers, silence): (Duration, Duration), config: Config, metrics: &Arc<Metrics>) -> Result<Client, Error> {
    let host = config.cluster_url.authority().map(ToString::to_string).unwrap_or_default();
    let builder = ClientBuilder::new(travel(&config, silence)?, config.default_namespace);
    let limits = TimeoutLayer::new(headers);
    Ok(builder.with_layer(&limits).with_layer(&metrics.requests(&host)).build())
}

fn read_file(path: &Path) -> Result<Kubeconfig, Error> {
    Kubeconfig::read_from(path).map_err(|error| refused(&error, Some(path)))
}

/// Absent files of a list are passed over, as kubectl does.
fn read_files(files: &[PathBuf]) -> Result<Kubeconfig, Error> {
    let mut merged = None;
    for path in files.iter().filter(|path| files.len() == 1 || path.exists()) {
        let next = read_file(path)?;
        merged = Some(match merged {
            None => next,
            Some(first) => Kubeconfig::merge(first, next).map_err(|error| refused(&error, Some(path)))?,
        });
    }
    merged.ok_or(Error::FindCluster)
}

fn read_default() -> Result<Kubeconfig, Error> {
    Kubeconfig::read().map_err(|error| if is_absent(&error) { Error::FindCluster } else { refused(&error, None) })
}

/// No file where it is by itself; one that `KUBECONFIG` names is another matter.
fn is_absent(error: &KubeconfigError) -> bool {
    let gone = |source: &std::io::Error| source.kind() == std::io::ErrorKind::NotFound;
    matches!(error, KubeconfigError::FindPath)
        || matches!(error, KubeconfigError::ReadConfig(source, path) if gone(source) && path.ends_with(".kube/config"))
}

async fn from_file(mut file: Kubeconfig, choice: Choice<'_>) -> Result<Config, Error> {
    // kube takes an unknown user for nobody.
    if let Some(name) = choice.cluster.filter(|name| !file.clusters.iter().any(|one| one.name == **name)) {
        return Err(Error::FindEntry("cluster", name.to_owned()));
    }
    if let Some(name) = choice.user.filter(|name| !file.auth_infos.iter().any(|one| one.name == **name)) {
        return Err(Error::FindEntry("user", name.to_owned()));
    }
    for cluster in file.clusters.iter_mut().filter_map(|named| named.cluster.as_mut()) {
        if cluster.proxy_url.as_deref().is_none_or(str::is_empty) {
            cluster.proxy_url = Some(NO_PROXY.to_owned());
        }
    }
    let [context, cluster, user] = [choice.context, choice.cluster, choice.user].map(|name| name.map(str::to_owned));
    let options = KubeConfigOptions { context, cluster, user };
    let read = Config::from_custom_kubeconfig(file, &options).await;
    let mut config = read.map_err(|error| refused(&error, None))?;
    if config.proxy_url.take().and_then(|url| url.host().map(str::to_owned)).as_deref() != Some("proxy.invalid") {
        return Err(Error::UseProxy);
    }
    Ok(config)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "kube's enum: what it adds is a file that cannot be parsed")]
fn refused(error: &KubeconfigError, path: Option<&Path>) -> Error {
    match error {
        KubeconfigError::ReadConfig(source, path) => Error::ReadKubeconfig(path.clone(), source.kind()),
        KubeconfigError::CurrentContextNotSet => Error::ChooseContext,
        KubeconfigError::LoadContext(name) | KubeconfigError::LoadClusterOfContext(name) => {
            Error::FindContext(name.clone())
        }
        KubeconfigError::LoadCertificateAuthority(_)
        | KubeconfigError::LoadClientCertificate(_)
        | KubeconfigError::LoadClientKey(_)
        | KubeconfigError::ParseCertificates(_) => Error::LoadCertificate,
        KubeconfigError::Parse(error) => {
            Error::ParseKubeconfig(path.map(Path::to_owned), error.location().map(|location| location.line()))
        }
        _ => Error::ParseKubeconfig(path.map(Path::to_owned), None),
    }
}

const fn incomplete(error: &InClusterError) -> &'static str {
    match error {
        InClusterError::ReadDefaultNamespace(_) => "its namespace file cannot be read",
        InClusterError::ReadEnvironmentVariable(_) => "KUBERNETES_SERVICE_HOST is not set",
        InClusterError::ReadCertificateBundle(_) => "its ca.crt cannot be read",
        InClusterError::ParseClusterPort(_) | InClusterError::ParseClusterUrl(_) => {
            "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are no address"
        }
        InClusterError::ParseCertificates(_) => "its ca.crt is no certificate",
    }
}

/// ` /path, line 3`, or what of it is known.
struct At<'a>(Option<&'a Path>, Option<u64>);

impl std::fmt::Display for At<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.map_or(Ok(()), |path| write!(f, " {}", path.display()))?;
        self.1.map_or(Ok(()), |line| write!(f, ", line {line}"))
    }
}

#[cfg(test)]
mod tests;
