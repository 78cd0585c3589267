//! What did the administrator ask for? Flags and environment, read once.

use crate::telemetry::{LogFormat, LogLevel};
use clap::builder::styling::{AnsiColor, Styles};
use clap::error::ErrorKind;
use clap::{ArgAction, CommandFactory, FromArgMatches, Parser, ValueEnum};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The namespace of the Pod that this runs in.
const POD_NAMESPACE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

const EXAMPLES: &str = "\
Examples:
  connector-operator --config operator.yaml
      All namespaces of the cluster of the current context; one replica.
  connector-operator --config operator.yaml --watch-namespace team-a --watch-namespace team-b
      These namespaces only; needs no cluster-wide rights.
  connector-operator --leader-elect --log-format json --metrics-address 0
      As in a Deployment with several replicas, without metrics.

Every flag is also an environment variable, in capitals after CONNECTOR_OPERATOR_; a flag wins.
  CONNECTOR_OPERATOR_WATCH_NAMESPACE=team-a,team-b connector-operator";

/// What the administrator asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The administrator's configuration file.
    pub config: Option<PathBuf>,
    /// The namespaces to watch; empty means all.
    pub namespaces: BTreeSet<String>,
    /// How changes of Secrets are noticed.
    pub secret_watch: SecretWatch,
    /// How many credentials are reconciled at once, 1 to 256.
    pub concurrency: u16,
    /// Whether only the holder of the Lease works.
    pub leader_elect: bool,
    /// The namespace of the Lease.
    pub lease_namespace: String,
    /// Where metrics are served; `None`: nowhere.
    pub metrics_address: Option<SocketAddr>,
    /// Where probes are answered.
    pub health_address: SocketAddr,
    /// The form of log lines.
    pub log_format: LogFormat,
    /// The least severe level that is logged.
    pub log_level: LogLevel,
    /// The kubeconfig file to use.
    pub kubeconfig: Option<PathBuf>,
    /// The kubeconfig's context to use.
    pub context: Option<String>,
}

/// How changes of Secrets are noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SecretWatch {
    /// Watch their metadata; needs the right to list and watch Secrets.
    Metadata,
    /// Do not watch; read again every 5 minutes.
    None,
}

#[derive(Debug, Parser)]
#[command(
    name = "connector-operator",
    version,
    about = "Proves, watches and publishes the SaaS API keys that ConnectorCredentials declare",
    after_help = EXAMPLES,
    styles = Styles::styled().header(AnsiColor::Green.on_default().bold()).usage(AnsiColor::Green.on_default().bold()),
    max_term_width = 100
)]
struct Flags {
    /// The administrator's configuration: endpoints, proxy, CA bundle. Without, the built-in endpoints
    #[arg(long, env = "CONNECTOR_OPERATOR_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,

    /// A namespace to watch; may be repeated. None means all namespaces
    #[arg(
        long,
        env = "CONNECTOR_OPERATOR_WATCH_NAMESPACE",
        value_name = "NAMESPACE",
        value_delimiter = ',',
        value_parser = namespace
    )]
    watch_namespace: Vec<String>,

    /// How changes of Secrets are noticed
    #[arg(long, env = "CONNECTOR_OPERATOR_SECRET_WATCH", value_name = "HOW", default_value = "metadata")]
    secret_watch: SecretWatch,

    /// How many credentials are reconciled at once, 1 to 256
    #[arg(
        long,
        env = "CONNECTOR_OPERATOR_CONCURRENCY",
        value_name = "NUMBER",
        default_value_t = 64,
        value_parser = clap::value_parser!(u16).range(1..=256)
    )]
    concurrency: u16,

    /// Work only while holding the Lease connector-operator; needed with more than one replica
    #[arg(
        long,
        env = "CONNECTOR_OPERATOR_LEADER_ELECT",
        value_name = "BOOL",
        action = ArgAction::Set,
        num_args = 0..=1,
        require_equals = true,
        default_value_t = false,
        default_missing_value = "true",
        hide_possible_values = true
    )]
    leader_elect: bool,

    /// The namespace of the Lease [default: the Pod's own, else "default"]
    #[arg(long, env = "CONNECTOR_OPERATOR_LEASE_NAMESPACE", value_name = "NAMESPACE", value_parser = namespace)]
    lease_namespace: Option<String>,

    /// Where /metrics is served; 0 means nowhere
    #[arg(
        long,
        env = "CONNECTOR_OPERATOR_METRICS_ADDRESS",
        value_name = "ADDRESS",
        default_value = "0.0.0.0:8080",
        value_parser = listen
    )]
    metrics_address: Listen,

    /// Where /livez and /readyz are served
    #[arg(
        long,
        env = "CONNECTOR_OPERATOR_HEALTH_ADDRESS",
        value_name = "ADDRESS",
        default_value = "0.0.0.0:8081",
        value_parser = address
    )]
    health_address: SocketAddr,

    /// The form of log lines on standard error
    #[arg(long, env = "CONNECTOR_OPERATOR_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,

    /// The least severe level that is logged; libraries that may print a Secret stay silent at every level
    #[arg(long, env = "CONNECTOR_OPERATOR_LOG_LEVEL", value_name = "LEVEL", default_value = "info")]
    log_level: LogLevel,

    /// The kubeconfig file [default: the Pod's service account, else the default kubeconfig]
    #[arg(long, env = "CONNECTOR_OPERATOR_KUBECONFIG", value_name = "FILE")]
    kubeconfig: Option<PathBuf>,

    /// The kubeconfig's context [default: its current one]
    #[arg(long, env = "CONNECTOR_OPERATOR_CONTEXT", value_name = "NAME")]
    context: Option<String>,
}

/// An address, or nowhere.
#[derive(Debug, Clone, Copy)]
struct Listen(Option<SocketAddr>);

impl Settings {
    /// Reads flags and environment. Ends the process with help, version or an error when there is nothing to run.
    #[must_use]
    pub fn parse() -> Self {
        Self::read(std::env::args_os()).unwrap_or_else(|error| error.exit())
    }

    /// Reads these arguments, the program's name first, and the environment.
    ///
    /// # Errors
    /// What is wrong with them, or the help or version text that they ask for.
    pub fn read(args: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> Result<Self, clap::Error> {
        let command = Flags::command().mut_args(|flag| flag.hide_env(true));
        let flags = Flags::from_arg_matches(&command.try_get_matches_from(args)?)?;
        let metrics_address = flags.metrics_address.0;
        if metrics_address.is_some_and(|metrics| metrics == flags.health_address && metrics.port() != 0) {
            let clash = "--metrics-address and --health-address must differ";
            return Err(Flags::command().error(ErrorKind::ArgumentConflict, clash));
        }
        Ok(Self {
            config: given(flags.config),
            namespaces: flags.watch_namespace.into_iter().filter(|name| !name.is_empty()).collect(),
            secret_watch: flags.secret_watch,
            concurrency: flags.concurrency,
            leader_elect: flags.leader_elect,
            lease_namespace: flags.lease_namespace.filter(|name| !name.is_empty()).unwrap_or_else(own_namespace),
            metrics_address,
            health_address: flags.health_address,
            log_format: flags.log_format,
            log_level: flags.log_level,
            kubeconfig: given(flags.kubeconfig),
            context: flags.context.filter(|name| !name.is_empty()),
        })
    }
}

/// An empty environment variable counts as none.
fn given(path: Option<PathBuf>) -> Option<PathBuf> {
    path.filter(|path| !path.as_os_str().is_empty())
}

fn own_namespace() -> String {
    read_namespace(Path::new(POD_NAMESPACE)).unwrap_or_else(|| "default".to_owned())
}

fn read_namespace(file: &Path) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    namespace(&text).ok().filter(|name| !name.is_empty())
}

fn namespace(text: &str) -> Result<String, String> {
    let name = text.trim();
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.len() > 63 || !name.bytes().all(allowed) || name.starts_with('-') || name.ends_with('-') {
        return Err("a namespace has at most 63 of the characters a-z, 0-9 and -, and no - at an end".to_owned());
    }
    Ok(name.to_owned())
}

fn listen(text: &str) -> Result<Listen, String> {
    if text == "0" {
        return Ok(Listen(None));
    }
    let listen = address(text).map(|address| Listen(Some(address)));
    listen.map_err(|error| format!("{error}; 0 means nowhere"))
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "an address is IP:PORT, as in 0.0.0.0:8080, 127.0.0.1:0 or [::]:8080".to_owned())
}

#[cfg(test)]
mod tests;
