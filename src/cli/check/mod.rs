//! `check`: can the operator be installed here, and does it work?

mod points;

use super::Shown;
use super::cluster::{Cluster, ClusterFlags};
use super::output::Output;
use super::page::{Page, Tone, Word, span};
use super::progress;
use super::trouble::{Ending, Trouble};
use crate::api::parse_duration;
use crate::error::{Class, Failure, Verb};
use crate::leader::LEASE;
use clap::Args;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::api::ListParams;
use std::cell::RefCell;
use std::time::Duration;

/// The oldest minor version of Kubernetes that is supported.
const OLDEST: u32 = 33;
/// A Lease that was not renewed for so long is nobody's, in seconds.
const STALE: i64 = 30;
const CRD: &str = "connectorcredentials.connector-operator.io";
/// What an installation creates.
const CREATED: [(&str, &str); 6] = [
    ("apiextensions.k8s.io", "customresourcedefinitions"),
    ("rbac.authorization.k8s.io", "clusterroles"),
    ("rbac.authorization.k8s.io", "clusterrolebindings"),
    ("", "namespaces"),
    ("", "serviceaccounts"),
    ("apps", "deployments"),
];

#[derive(Debug, Args)]
pub(super) struct Check {
    /// Before the installation: may it be installed here?
    #[arg(long)]
    pre: bool,
    /// Wait until all is good
    #[arg(long)]
    wait: bool,
    /// How long to wait
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = duration)]
    timeout: Duration,
    /// The operator's own namespace
    #[arg(long, value_name = "NAME", default_value = "connector-operator")]
    operator_namespace: String,
    #[command(flatten)]
    cluster: ClusterFlags,
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "a duration is written as 30s, 2m or 1h".to_owned())
}

/// What was found out about one thing.
struct Point {
    what: &'static str,
    state: State,
    detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Good,
    Bad,
    /// Worth a look, and no failure.
    Doubtful,
    /// The user may not see it: no failure, unless nothing else is seen either.
    Hidden,
}

fn good(what: &'static str, detail: impl Into<String>) -> Point {
    Point { what, state: State::Good, detail: detail.into() }
}

fn bad(what: &'static str, detail: impl Into<String>) -> Point {
    Point { what, state: State::Bad, detail: detail.into() }
}

fn doubtful(what: &'static str, detail: impl Into<String>) -> Point {
    Point { what, state: State::Doubtful, detail: detail.into() }
}

/// What a refused or failed read says.
fn failed(what: &'static str, verb: Verb, resource: &'static str, error: &kube::Error) -> Point {
    let failure = Failure::new(verb, resource, error);
    if failure.class() == Class::Forbidden {
        let detail = format!("not shown: you may not {verb} {resource} there");
        return Point { what, state: State::Hidden, detail };
    }
    bad(what, failure.to_string())
}

impl Check {
    pub(super) async fn run(self, output: Output, shown: &Shown) -> Result<Ending, Trouble> {
        let cluster = self.cluster.connect(*shown).await?;
        let end = crate::policy::after(cluster.now(), self.timeout);
        let waits = RefCell::new(String::new());
        let far = || format!("waiting: {}", waits.borrow());
        let points = progress::told(output, far, async {
            loop {
                let points = if self.pre { points::before(&cluster).await } else { self.after(&cluster, shown).await };
                let Some(first) = points.iter().find(|point| point.state == State::Bad) else { return points };
                if !self.wait || cluster.now() >= end {
                    return points;
                }
                waits.replace(first.detail.clone());
                pause().await;
            }
        });
        let mut points = points.await;
        let installed = points.get(1..).unwrap_or_default();
        if !installed.is_empty() && installed.iter().all(|point| point.state == State::Hidden) {
            let detail = "nothing of it could be judged; ask an administrator for the rights above";
            points.push(bad("installation", detail));
        }
        output.page(&page(&points))?;
        Ok(points.iter().all(|point| point.state != State::Bad).into())
    }

    /// Whether an installation works.
    async fn after(&self, cluster: &Cluster, shown: &Shown) -> Vec<Point> {
        let server = points::server(cluster).await;
        if server.state == State::Bad {
            return vec![server];
        }
        let definition = points::definition(cluster, shown).await;
        let (credentials, attended) = points::credentials(cluster, !self.cluster.names_namespace(), shown).await;
        vec![server, definition, self.deployment(cluster, attended).await, self.lease(cluster).await, credentials]
    }

    /// Where credentials are `attended`, an operator works, wherever it is.
    async fn deployment(&self, cluster: &Cluster, attended: bool) -> Point {
        const WHAT: &str = "operator";
        let api: Api<Deployment> = Api::namespaced(cluster.client.clone(), &self.operator_namespace);
        let labels = ListParams::default().labels("app.kubernetes.io/name=connector-operator");
        let found = match api.list(&labels).await {
            Ok(found) => found.items.into_iter().next(),
            Err(error) => return failed(WHAT, Verb::List, "deployments", &error),
        };
        let Some(found) = found else {
            let place = &self.operator_namespace;
            if attended {
                let detail =
                    format!("runs outside the cluster, or not in namespace {place}: name it with --operator-namespace");
                return doubtful(WHAT, detail);
            }
            let detail =
                format!("no Deployment in namespace {place}; install it, or name it with --operator-namespace");
            return bad(WHAT, detail);
        };
        let name = found.metadata.name.unwrap_or_default();
        let wanted = found.spec.and_then(|spec| spec.replicas).unwrap_or(1);
        let available = found.status.and_then(|status| status.available_replicas).unwrap_or_default();
        let detail = format!("Deployment {name}: {available} of {wanted} replicas available");
        if available > 0 {
            good(WHAT, detail)
        } else {
            bad(WHAT, format!("{detail}; kubectl describe pod -n {}", self.operator_namespace))
        }
    }

    async fn lease(&self, cluster: &Cluster) -> Point {
        const WHAT: &str = "leader";
        let api: Api<Lease> = Api::namespaced(cluster.client.clone(), &self.operator_namespace);
        let spec = match api.get_opt(LEASE).await {
            Ok(found) => found.and_then(|lease| lease.spec),
            Err(error) => return failed(WHAT, Verb::Get, "leases", &error),
        };
        let holder = spec.as_ref().and_then(|spec| spec.holder_identity.clone()).filter(|name| !name.is_empty());
        let renewed = spec.and_then(|spec| spec.renew_time).map(|time| time.0);
        match (holder, renewed) {
            (Some(holder), Some(renewed)) => {
                let age = cluster.now().as_second().saturating_sub(renewed.as_second());
                let detail = format!("{holder}, renewed {} ago", span(renewed, cluster.now()));
                if age < STALE { good(WHAT, detail) } else { bad(WHAT, format!("{detail}: nobody leads now")) }
            }
            _ => good(WHAT, "no Lease: one replica without --leader-elect needs none"),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a command looks again after a moment; there is no schedule")]
async fn pause() {
    tokio::time::sleep(Duration::from_secs(2)).await;
}

fn page(points: &[Point]) -> Page {
    let mut page = Page::default();
    for point in points {
        let (mark, tone) = match point.state {
            State::Good => ("ok", Tone::Good),
            State::Bad => ("bad", Tone::Bad),
            State::Doubtful | State::Hidden => ("?", Tone::Doubtful),
        };
        page.beside(&format!("{mark:<4}{}", point.what), 19, Word::new(&point.detail, tone));
    }
    page
}
