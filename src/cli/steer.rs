//! `reconcile`, `suspend`, `resume`: asks the operator for something, and waits for it if told to. What fails for one
//! credential is said, and the others have their turn.

use super::Shown;
use super::cluster::{Cluster, ClusterFlags};
use super::completion;
use super::object::{self, RESOURCE, condition, warnings};
use super::output::Output;
use super::page::Page;
use super::progress;
use super::trouble::{Ending, Trouble};
use crate::api::{ConditionType, ConnectorCredential, RECONCILE_AT, Reason, parse_duration};
use crate::error::{Failure, Verb};
use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams};
use kube::runtime::wait::await_condition;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

/// Who writes.
const MANAGER: &str = "connectorctl";

/// Which credentials.
#[derive(Debug, Args)]
struct Which {
    /// The credentials
    #[arg(value_name = "NAME", value_parser = object::named, add = ArgValueCandidates::new(completion::names), required_unless_present_any = ["selector", "all"], conflicts_with_all = ["selector", "all"])]
    names: Vec<String>,
    /// All credentials with these labels
    #[arg(short = 'l', long, value_name = "LABELS", conflicts_with = "all")]
    selector: Option<String>,
    /// All credentials of the namespace
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Args)]
pub(super) struct Reconcile {
    #[command(flatten)]
    which: Which,
    /// Wait until the operator has checked, and say what it found
    #[arg(long)]
    wait: bool,
    /// How long to wait
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = span)]
    timeout: Duration,
    #[command(flatten)]
    cluster: ClusterFlags,
}

#[derive(Debug, Args)]
pub(super) struct Suspend {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    cluster: ClusterFlags,
}

#[derive(Debug, Args)]
pub(super) struct Resume {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    cluster: ClusterFlags,
}

fn span(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "a duration is written as 30s, 2m or 1h".to_owned())
}

impl Which {
    async fn names(&self, cluster: &Cluster) -> Result<Vec<String>, Trouble> {
        if !self.names.is_empty() {
            return Ok(self.names.clone());
        }
        let mut params = ListParams::default();
        params.label_selector.clone_from(&self.selector);
        let found = cluster.list::<ConnectorCredential>(&cluster.api(), params, "connectorcredentials").await;
        let found = found.map_err(|failure| cluster.trouble(&failure, "cannot list ConnectorCredentials"))?;
        if found.is_empty() {
            let labels = self.selector.as_ref().map(|labels| format!(" with the labels {labels}"));
            let what =
                format!("no ConnectorCredential in namespace {}{}", cluster.namespace, labels.unwrap_or_default());
            return Err(Trouble::new(what).hint(format!("see what there is: {} list -A", cluster.shown.program)));
        }
        Ok(found.iter().map(|object| object::name(object).to_owned()).collect())
    }
}

/// Changes one credential; only the named field is sent.
async fn change(cluster: &Cluster, name: &str, change: &Value) -> Result<ConnectorCredential, Trouble> {
    let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    let api: Api<ConnectorCredential> = cluster.api();
    match api.patch(name, &params, &Patch::Merge(change)).await {
        Ok(changed) => Ok(changed),
        Err(error) => {
            let what = format!("cannot change ConnectorCredential {name}");
            Err(cluster.lost(&Failure::new(Verb::Patch, "connectorcredentials", &error), &what).await)
        }
    }
}

fn done(output: Output, name: &str, what: &str) -> Result<(), Trouble> {
    let mut page = Page::default();
    page.say(format!("{RESOURCE}/{name} {what}"));
    output.page(&page)
}

impl Suspend {
    pub(super) async fn run(self, output: Output, shown: &Shown) -> Result<Ending, Trouble> {
        let cluster = self.cluster.connect(*shown).await?;
        set_suspend(&cluster, &self.which, (&json!(true), "suspended"), output).await
    }
}

impl Resume {
    pub(super) async fn run(self, output: Output, shown: &Shown) -> Result<Ending, Trouble> {
        let cluster = self.cluster.connect(*shown).await?;
        set_suspend(&cluster, &self.which, (&Value::Null, "resumed"), output).await
    }
}

async fn set_suspend(
    cluster: &Cluster,
    which: &Which,
    (value, word): (&Value, &str),
    output: Output,
) -> Result<Ending, Trouble> {
    let mut all = true;
    for name in which.names(cluster).await? {
        match change(cluster, &name, &json!({"spec": {"suspend": value}})).await {
            Ok(_) => done(output, &name, word)?,
            Err(trouble) => {
                all = false;
                output.trouble(&trouble);
            }
        }
    }
    Ok(all.into())
}

impl Reconcile {
    pub(super) async fn run(self, output: Output, shown: &Shown) -> Result<Ending, Trouble> {
        let cluster = self.cluster.connect(*shown).await?;
        let names = self.which.names(&cluster).await?;
        let request = cluster.now().to_string();
        let mut asked = Vec::new();
        for name in &names {
            match ask(&cluster, name, &request).await {
                Ok(()) => asked.push(name.as_str()),
                Err(trouble) => output.trouble(&trouble),
            }
            if !self.wait && asked.last() == Some(&name.as_str()) {
                done(output, name, "asked to reconcile")?;
            }
        }
        let healthy = !self.wait || self.wait_for(&cluster, (&asked, &request), output).await?;
        Ok((healthy && asked.len() == names.len()).into())
    }

    /// Tells what each check found, as it ends; whether all are healthy.
    async fn wait_for(
        &self,
        cluster: &Cluster,
        (names, request): (&[&str], &str),
        output: Output,
    ) -> Result<bool, Trouble> {
        let mut open: BTreeSet<&str> = names.iter().copied().collect();
        let mut checks: FuturesUnordered<_> = names.iter().map(|name| handled(cluster, name, request)).collect();
        let end = crate::policy::after(cluster.now(), self.timeout);
        let mut healthy = true;
        while !open.is_empty() {
            let left = Duration::try_from(end.duration_since(cluster.now())).unwrap_or_default();
            let far = || format!("waiting for the check of {}", list(&open));
            let next = progress::told(output, far, tokio::time::timeout(left, checks.next())).await;
            let Ok(Some((name, found))) = next else { return Err(unanswered(self.timeout, &open, cluster)) };
            open.remove(name);
            let found = found
                .and_then(|object| object.ok_or_else(|| Trouble::new(format!("ConnectorCredential {name} is gone"))));
            match found {
                Ok(object) => {
                    healthy = healthy && object::is_healthy(&object);
                    done(output, name, &outcome(&object))?;
                }
                Err(trouble) => {
                    healthy = false;
                    output.trouble(&trouble);
                }
            }
        }
        Ok(healthy)
    }
}

/// Asks for a check; of a suspended credential nothing comes of it.
async fn ask(cluster: &Cluster, name: &str, request: &str) -> Result<(), Trouble> {
    let object = change(cluster, name, &json!({"metadata": {"annotations": {RECONCILE_AT: request}}})).await?;
    if object.spec.suspend == Some(true) {
        let hint = format!("{} resume {name} -n {}", cluster.shown.program, cluster.namespace);
        return Err(Trouble::new(format!("{name} is suspended, so nothing is checked")).hint(hint));
    }
    Ok(())
}

fn list(names: &BTreeSet<&str>) -> String {
    names.iter().copied().collect::<Vec<_>>().join(", ")
}

fn unanswered(waited: Duration, names: &BTreeSet<&str>, cluster: &Cluster) -> Trouble {
    let what = format!("the operator did not answer within {}s about {}", waited.as_secs(), list(names));
    Trouble::new(what)
        .hint(format!("does it run? {} check", cluster.shown.program))
        .hint("a check may wait for the provider's budget: wait longer with --timeout")
}

fn outcome(object: &ConnectorCredential) -> String {
    let ready = condition(object, ConditionType::Ready);
    let (reason, message) =
        ready.map_or((Reason::NotChecked.name(), ""), |ready| (ready.reason.as_str(), ready.message.as_str()));
    let word = if object::is_healthy(object) { "reconciled" } else { "reconciled, not ready" };
    let warnings = warnings(object).into_iter().map(|warning| format!(" Warning: {}", warning.message));
    format!("{word}: {reason}: {message}{}", warnings.collect::<String>())
}

/// The credential, once the operator has acted on the request.
async fn handled<'a>(
    cluster: &Cluster,
    name: &'a str,
    request: &str,
) -> (&'a str, Result<Option<ConnectorCredential>, Trouble>) {
    let request = request.to_owned();
    let acted = move |object: Option<&ConnectorCredential>| {
        let status = object.and_then(|object| object.status.as_ref());
        let handled = status.and_then(|status| status.last_handled_request.as_deref()) == Some(request.as_str());
        object.is_none() || (handled && object.is_some_and(object::is_current))
    };
    let found = await_condition(cluster.api(), name, acted).await;
    let found = found.map_err(|kube::runtime::wait::Error::ProbeFailed(error)| {
        let what = format!("cannot watch ConnectorCredential {name}");
        cluster.trouble(&Failure::watch("connectorcredentials", &error), &what)
    });
    (name, found)
}
