//! `reconcile`, `suspend`, `resume`: asks the operator for something, and waits for it if told to.

use super::Shown;
use super::cluster::{Cluster, ClusterFlags};
use super::completion;
use super::object::{self, RESOURCE, condition};
use super::output::Output;
use super::page::Page;
use super::trouble::{Ending, Trouble};
use crate::api::{ConditionType, ConnectorCredential, RECONCILE_AT, parse_duration};
use crate::error::Verb;
use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams};
use kube::runtime::wait::await_condition;
use serde_json::{Value, json};
use std::time::Duration;

/// Who writes.
const MANAGER: &str = "connectorctl";

/// Which credentials.
#[derive(Debug, Args)]
struct Which {
    /// The credentials
    #[arg(value_name = "NAME", add = ArgValueCandidates::new(completion::names), required_unless_present_any = ["selector", "all"], conflicts_with_all = ["selector", "all"])]
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
        let what = "cannot list ConnectorCredentials";
        let found = found.map_err(|failure| Trouble::call(&failure, what, Some(&cluster.namespace)))?;
        if found.is_empty() {
            let what = format!("no ConnectorCredential in namespace {} is meant", cluster.namespace);
            return Err(Trouble::new(what).hint("see what there is: connectorctl list -A"));
        }
        Ok(found.iter().map(|object| object::name(object).to_owned()).collect())
    }
}

/// Changes one credential; only the named field is sent.
async fn change(cluster: &Cluster, name: &str, change: &Value) -> Result<ConnectorCredential, Trouble> {
    let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    let api: Api<ConnectorCredential> = cluster.api();
    let what = format!("cannot change ConnectorCredential {name}");
    let changed = api.patch(name, &params, &Patch::Merge(change)).await;
    changed.map_err(|error| cluster.trouble((Verb::Patch, "connectorcredentials"), &error, &what))
}

fn done(output: Output, name: &str, what: &str) -> Result<(), Trouble> {
    let mut page = Page::default();
    page.say(format!("{RESOURCE}/{name} {what}"));
    output.page(&page)
}

impl Suspend {
    pub(super) async fn run(self, output: Output) -> Result<Ending, Trouble> {
        set_suspend(&self.cluster, &self.which, (&json!(true), "suspended"), output).await
    }
}

impl Resume {
    pub(super) async fn run(self, output: Output) -> Result<Ending, Trouble> {
        set_suspend(&self.cluster, &self.which, (&Value::Null, "resumed"), output).await
    }
}

async fn set_suspend(
    flags: &ClusterFlags,
    which: &Which,
    (value, word): (&Value, &str),
    output: Output,
) -> Result<Ending, Trouble> {
    let cluster = flags.connect().await?;
    for name in which.names(&cluster).await? {
        change(&cluster, &name, &json!({"spec": {"suspend": value}})).await?;
        done(output, &name, word)?;
    }
    Ok(Ending::Good)
}

impl Reconcile {
    pub(super) async fn run(self, output: Output, shown: &Shown) -> Result<Ending, Trouble> {
        let cluster = self.cluster.connect().await?;
        let names = self.which.names(&cluster).await?;
        let request = cluster.now().to_string();
        let mut suspended = Vec::new();
        for name in &names {
            let asked = json!({"metadata": {"annotations": {RECONCILE_AT: request}}});
            let object = change(&cluster, name, &asked).await?;
            if object.spec.suspend == Some(true) {
                suspended.push(name.clone());
            }
            if !self.wait {
                done(output, name, "asked to reconcile")?;
            }
        }
        if let [first, ..] = suspended.as_slice() {
            let what = format!("suspended, so nothing is checked: {}", suspended.join(", "));
            return Err(Trouble::new(what).hint(format!("{} resume {first} -n {}", shown.program, cluster.namespace)));
        }
        if self.wait { self.wait_for(&cluster, (&names, &request), (output, shown)).await } else { Ok(Ending::Good) }
    }

    async fn wait_for(
        &self,
        cluster: &Cluster,
        (names, request): (&[String], &str),
        (output, shown): (Output, &Shown),
    ) -> Result<Ending, Trouble> {
        let mut healthy = true;
        output.progress(&format!("waiting for {} checks", names.len()));
        let waits = names.iter().map(|name| handled(cluster, name, request));
        let all = tokio::time::timeout(self.timeout, futures::future::try_join_all(waits)).await;
        output.progress("");
        let objects = all.map_err(|_| {
            Trouble::new(format!("the operator did not answer within {}s", self.timeout.as_secs()))
                .hint(format!("does it run? {} check", shown.program))
                .hint("a check may wait for the provider's budget: wait longer with --timeout")
        })??;
        for (name, object) in names.iter().zip(objects) {
            let object = object.ok_or_else(|| Trouble::new(format!("ConnectorCredential {name} is gone")))?;
            let good = object::is_healthy(&object);
            healthy = healthy && good;
            let ready = condition(&object, ConditionType::Ready);
            let (reason, message) =
                ready.map_or(("NotChecked", ""), |ready| (ready.reason.as_str(), ready.message.as_str()));
            let word = if good { "reconciled" } else { "reconciled, not ready" };
            done(output, name, &format!("{word}: {reason}: {message}"))?;
        }
        Ok(healthy.into())
    }
}

/// The credential, once the operator has acted on the request.
async fn handled(cluster: &Cluster, name: &str, request: &str) -> Result<Option<ConnectorCredential>, Trouble> {
    let request = request.to_owned();
    let acted = move |object: Option<&ConnectorCredential>| {
        let status = object.and_then(|object| object.status.as_ref());
        let handled = status.and_then(|status| status.last_handled_request.as_deref()) == Some(request.as_str());
        object.is_none() || (handled && object.is_some_and(object::is_current))
    };
    let what = format!("cannot watch ConnectorCredential {name}");
    await_condition(cluster.api(), name, acted).await.map_err(|error| match error {
        kube::runtime::wait::Error::ProbeFailed(error) => Trouble::call(
            &crate::error::Failure::watch("connectorcredentials", &error),
            &what,
            Some(&cluster.namespace),
        ),
    })
}
