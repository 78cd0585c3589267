//! Completion and man pages, generated from the commands themselves; names come from the cluster.

use super::cluster::{Cluster, ClusterFlags};
use super::output::Output;
use super::trouble::{Ending, Trouble};
use super::{NAME, Shown, command};
use crate::api::ConnectorCredential;
use crate::error::refused_by_system;
use clap::{Args, ValueEnum};
use clap_complete::engine::{CompletionCandidate, complete};
use clap_complete::env::{CompleteEnv, Shells};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::ListParams;
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt::{Debug, Write as _};
use std::path::PathBuf;
use std::time::Duration;

/// Set by the scripts that `completion` prints: what is wanted is completion.
const VARIABLE: &str = "CONNECTORCTL_COMPLETE";
/// Nobody waits longer for a name.
const PATIENCE: Duration = Duration::from_secs(2);
/// kubectl: what was printed is all; no file names.
const NO_FILES: &str = ":4";

#[derive(Debug, Args)]
pub(super) struct Completion {
    /// The shell that the script is for
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// A shell that knows completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shell {
    /// Bash.
    Bash,
    /// Zsh.
    Zsh,
    /// Fish.
    Fish,
    /// PowerShell.
    Powershell,
}

#[derive(Debug, Args)]
pub(super) struct Man {
    /// The directory to write to; it must exist
    #[arg(value_name = "DIRECTORY")]
    directory: PathBuf,
}

impl Completion {
    pub(super) fn run(&self, output: Output) -> Result<Ending, Trouble> {
        let name = match self.shell {
            Shell::Bash => "bash",
            Shell::Zsh => "zsh",
            Shell::Fish => "fish",
            Shell::Powershell => "powershell",
        };
        let mut script = Vec::new();
        let shells = Shells::builtins();
        let written =
            shells.completer(name).map(|shell| shell.write_registration(VARIABLE, NAME, NAME, NAME, &mut script));
        match written {
            Some(Ok(())) => output.raw(&script).map(|()| Ending::Good),
            Some(Err(_)) | None => Err(Trouble::new(format!("there is no completion for {name}"))),
        }
    }
}

impl Man {
    pub(super) fn run(&self) -> Result<Ending, Trouble> {
        let pages = command(Shown { program: NAME });
        let written = clap_mangen::generate_to(pages, &self.directory);
        written.map(|()| Ending::Good).map_err(|error| {
            Trouble::new(format!("cannot write to {}: {}", self.directory.display(), refused_by_system(error.kind())))
                .hint("name a directory that exists and may be written to")
        })
    }
}

/// Completes, if a script of ours asks for it; false on any other run.
pub(super) fn completed(arguments: &[OsString], shown: Shown) -> bool {
    let here = std::env::current_dir().ok();
    let asked = CompleteEnv::with_factory(|| command(shown)).var(VARIABLE);
    asked.try_complete(arguments.to_vec(), here.as_deref()).unwrap_or(true)
}

/// Completes for kubectl, which calls `kubectl_complete-connector` with the words so far.
pub(super) fn complete_for_kubectl(words: &[OsString], shown: Shown, output: Output) -> Result<Ending, Trouble> {
    let mut line: Vec<OsString> = vec![NAME.into()];
    line.extend(words.iter().skip(1).cloned());
    let last = line.len().saturating_sub(1).max(1);
    line.resize(last.saturating_add(1), OsString::new());
    let found = complete(&mut command(shown), line, last, None).unwrap_or_default();
    let mut text = String::new();
    for candidate in found.iter().filter(|candidate| !candidate.is_hide_set()) {
        // Writing to a String cannot fail.
        let _ok = writeln!(text, "{}", super::page::clean(&candidate.get_value().to_string_lossy()));
    }
    text.push_str(NO_FILES);
    text.push('\n');
    output.raw(text.as_bytes()).map(|()| Ending::Good)
}

/// The flags of the words so far.
fn flags() -> ClusterFlags {
    let words: Vec<String> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    ClusterFlags::of_words(&words)
}

/// What the cluster says, unless it takes too long.
fn asked<K>(api: impl FnOnce(Cluster) -> Api<K>) -> Vec<CompletionCandidate>
where
    K: Clone + DeserializeOwned + Debug + Resource,
{
    let list = async {
        let cluster = flags().connect(Shown { program: NAME }).await.ok()?;
        cluster.list(&api(cluster.clone()), ListParams::default(), "names").await.ok()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let found = runtime
        .ok()
        .and_then(|runtime| runtime.block_on(async { tokio::time::timeout(PATIENCE, list).await.unwrap_or_default() }));
    let names = found.into_iter().flatten().filter_map(|object| object.meta().name.clone());
    names.collect::<BTreeSet<_>>().into_iter().map(CompletionCandidate::new).collect()
}

/// The credentials of the namespace that the words so far name.
pub(super) fn names() -> Vec<CompletionCandidate> {
    asked::<ConnectorCredential>(|cluster| cluster.api())
}

/// The namespaces that the user may list.
pub(super) fn namespaces() -> Vec<CompletionCandidate> {
    asked::<Namespace>(|cluster| Api::all(cluster.client))
}

/// The kubeconfig's contexts.
pub(super) fn contexts() -> Vec<CompletionCandidate> {
    flags().contexts().into_iter().map(CompletionCandidate::new).collect()
}
