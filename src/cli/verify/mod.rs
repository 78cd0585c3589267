//! `verify`: are the keys that these manifests name good? No cluster is needed.

mod advice;
mod cases;
mod input;
mod metadata;
mod prove;
mod schema;
mod show;
mod yaml;

use super::Shown;
use super::output::Output;
use super::progress;
use super::trouble::{Ending, Trouble};
use crate::api::parse_duration;
use crate::clock::{Clock, SystemClock};
use crate::probe::{Limits, Prober};
use cases::{Case, Cases, Given};
use clap::{Args, ValueEnum};
use futures::StreamExt as _;
use prove::{Court, Judged};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::env::VarError;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Checks under way at once; the probe's budgets limit them further.
const AT_ONCE: usize = 16;

/// How many documents a text holds, or where and why it cannot be read.
pub(super) fn documents(text: &str) -> Result<usize, String> {
    let read = yaml::read(text).map_err(|refused| format!("{}: {}", refused.line, refused.what))?;
    Ok(read.len())
}

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// A manifest, a directory of manifests, or - for standard input; may be repeated
    #[arg(short, long = "filename", value_name = "FILE", required = true, num_args = 1..)]
    filename: Vec<PathBuf>,
    /// The operator's configuration with the providers' endpoints. Without, the built-in endpoints
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The key of credential NAME is in the environment variable VAR; may be repeated
    #[arg(long, value_name = "NAME=VAR", value_parser = pair)]
    key_from_env: Vec<(String, String)>,
    /// The namespace of manifests that name none
    #[arg(short, long, value_name = "NAME")]
    namespace: Option<String>,
    /// How long one check may wait for its turn in the provider's budget
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = patience)]
    timeout: Duration,
    /// The form of the result
    #[arg(short, long, value_name = "FORM", default_value = "table")]
    output: Form,
}

/// The form of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// A table, and a line for each problem.
    Table,
    /// For programs.
    Json,
    /// For programs.
    Yaml,
    /// For test reports of most CI systems.
    Junit,
    /// Annotations in a pull request on GitHub.
    Github,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, variable)| !name.is_empty() && !variable.is_empty());
    let pair = pair.map(|(name, variable)| (name.to_owned(), variable.to_owned()));
    pair.ok_or_else(|| "write NAME=VAR: the credential's name, and the name of the variable".to_owned())
}

fn patience(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "a duration is written as 90s, 2m or 1h30m".to_owned())
}

impl Verify {
    pub(super) async fn run(self, output: Output, shown: &Shown) -> Result<Ending, Trouble> {
        let settings = Arc::new(super::site::settings(self.config.as_deref())?);
        let given = Given { keys: self.keys()?, namespace: self.namespace.clone(), settings: Arc::clone(&settings) };
        let court = self.court(settings)?;
        let input = input::read(&self.filename)?;
        let others = input.others;
        let cases = Cases::new(input, &given);
        if let Some((name, variable)) = self.key_from_env.iter().find(|(name, _)| !cases.has(name)) {
            let what = format!("--key-from-env {name}={variable}: no ConnectorCredential {name} is in what was given");
            return Err(Trouble::Usage(what));
        }
        if cases.open.is_empty() && cases.refused.is_empty() {
            let what = format!("there is no ConnectorCredential in what was given ({others} other objects)");
            let hint = format!("for Kustomize: kustomize build . | {} verify -f -", shown.program);
            return Err(Trouble::new(what).hint(hint));
        }
        let mut judged = cases.refused;
        judged.extend(prove(&court, &cases.open, output).await);
        judged.sort_by_key(|(number, _)| *number);
        let judged: Vec<_> = judged.into_iter().map(|(_, judged)| judged).collect();
        show::show(&judged, self.output, output)?;
        Ok(judged.iter().all(Judged::is_good).into())
    }

    fn court(&self, settings: Arc<crate::config::Settings>) -> Result<Court, Trouble> {
        let clock = SystemClock::new();
        let prober = Prober::new(settings, Arc::new(clock), Limits::for_concurrency(64))
            .map_err(|why| Trouble::new(format!("cannot call providers: {why}")))?;
        Ok(Court { prober, clock, since: clock.now(), patience: self.timeout })
    }

    #[expect(clippy::disallowed_methods, reason = "--key-from-env names the variable")]
    fn keys(&self) -> Result<BTreeMap<String, String>, Trouble> {
        let read = |(name, variable): &(String, String)| {
            let why = match std::env::var(variable) {
                // In CI this is a secret that is not set.
                Ok(key) if key.is_empty() => "is empty",
                Ok(key) => return Ok((name.clone(), key)),
                Err(VarError::NotPresent) => "is not set",
                Err(VarError::NotUnicode(_)) => "is not text",
            };
            Err(Trouble::Usage(format!("--key-from-env: the variable {variable} {why}")))
        };
        self.key_from_env.iter().map(read).collect()
    }
}

/// Judges all cases, several at once; tells how far it is.
async fn prove(court: &Court, cases: &[Case], output: Output) -> Vec<(usize, Judged)> {
    let mut verdicts = futures::stream::iter(cases.iter().map(|case| judge(court, case))).buffer_unordered(AT_ONCE);
    let judged = RefCell::new(Vec::new());
    let far = || format!("{} of {} checked", judged.borrow().len(), cases.len());
    let work = async {
        while let Some(verdict) = verdicts.next().await {
            judged.borrow_mut().push(verdict);
        }
    };
    progress::told(output, far, work).await;
    judged.into_inner()
}

async fn judge(court: &Court, case: &Case) -> (usize, Judged) {
    (case.number, court.judge(&case.seen, &case.found.file, |path| case.found.node.line_of(path)).await)
}
