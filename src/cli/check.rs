//! `check`: can the operator be installed here, and does it work?

use super::Shown;
use super::cluster::{Cluster, ClusterFlags};
use super::object;
use super::output::Output;
use super::page::{Page, Tone, Word, span};
use super::trouble::{Ending, Trouble};
use crate::api::{ConnectorCredential, GROUP, parse_duration};
use crate::crd::crd;
use crate::error::{Class, Failure, Verb};
use crate::leader::LEASE;
use clap::Args;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::{ListParams, PostParams};
use serde_json::json;
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
    /// The user may not see it: no failure.
    Hidden,
}

fn good(what: &'static str, detail: impl Into<String>) -> Point {
    Point { what, state: State::Good, detail: detail.into() }
}

fn bad(what: &'static str, detail: impl Into<String>) -> Point {
    Point { what, state: State::Bad, detail: detail.into() }
}

/// What a refused or failed read says.
fn failed(what: &'static str, verb: Verb, resource: &'static str, error: &kube::Error) -> Point {
    let failure = Failure::new(verb, resource, error);
    match failure.class() {
        Class::Forbidden => {
            let detail = format!("not shown: you may not {verb} {resource} there");
            Point { what, state: State::Hidden, detail }
        }
        _ => bad(what, failure.to_string()),
    }
}

impl Check {
    pub(super) async fn run(self, output: Output, shown: &Shown) -> Result<Ending, Trouble> {
        let cluster = self.cluster.connect().await?;
        let end = crate::policy::after(cluster.now(), self.timeout);
        loop {
            let points = if self.pre { before(&cluster).await } else { self.after(&cluster, shown).await };
            let all_good = points.iter().all(|point| point.state != State::Bad);
            if all_good || !self.wait || cluster.now() >= end {
                output.progress("");
                output.page(&page(&points))?;
                return Ok(all_good.into());
            }
            let waits = points.iter().find(|point| point.state == State::Bad);
            output.progress(&format!("waiting: {}", waits.map(|point| point.detail.as_str()).unwrap_or_default()));
            pause().await;
        }
    }

    /// Whether an installation works.
    async fn after(&self, cluster: &Cluster, shown: &Shown) -> Vec<Point> {
        let server = server(cluster).await;
        if server.state == State::Bad {
            return vec![server];
        }
        let definition = definition(cluster, shown).await;
        vec![
            server,
            definition,
            self.deployment(cluster).await,
            self.lease(cluster).await,
            credentials(cluster, shown).await,
        ]
    }

    async fn deployment(&self, cluster: &Cluster) -> Point {
        const WHAT: &str = "operator";
        let api: Api<Deployment> = Api::namespaced(cluster.client.clone(), &self.operator_namespace);
        let labels = ListParams::default().labels("app.kubernetes.io/name=connector-operator");
        let found = match api.list(&labels).await {
            Ok(found) => found.items.into_iter().next(),
            Err(error) => return failed(WHAT, Verb::List, "deployments", &error),
        };
        let Some(found) = found else {
            let place = &self.operator_namespace;
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
            State::Hidden => ("?", Tone::Doubtful),
        };
        page.beside(&format!("{mark:<4}{}", point.what), 19, Word::new(&point.detail, tone));
    }
    page
}

async fn server(cluster: &Cluster) -> Point {
    const WHAT: &str = "API server";
    match cluster.client.apiserver_version().await {
        Ok(version) => {
            let minor: String = version.minor.chars().take_while(char::is_ascii_digit).collect();
            let new_enough = version.major != "1" || minor.parse::<u32>().is_ok_and(|minor| minor >= OLDEST);
            let detail = format!("Kubernetes {}.{}", version.major, version.minor);
            if new_enough { good(WHAT, detail) } else { bad(WHAT, format!("{detail} is older than 1.{OLDEST}")) }
        }
        Err(error) => bad(WHAT, Failure::new(Verb::Get, "version", &error).to_string()),
    }
}

/// Whether the cluster knows our kind, as this version writes it.
async fn definition(cluster: &Cluster, shown: &Shown) -> Point {
    const WHAT: &str = "definition";
    let api: Api<CustomResourceDefinition> = Api::all(cluster.client.clone());
    let found = match api.get_opt(CRD).await {
        Ok(Some(found)) => found,
        Ok(None) => {
            return bad(WHAT, format!("missing: {} crd | kubectl apply --server-side -f -", shown.program));
        }
        Err(error) => return failed(WHAT, Verb::Get, "customresourcedefinitions", &error),
    };
    let conditions = found.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let established = conditions.into_iter().any(|one| one.type_ == "Established" && one.status == "True");
    let schema = |definition: &CustomResourceDefinition| {
        json!(definition.spec.versions.first().and_then(|version| version.schema.as_ref()))
    };
    match (established, schema(&found) == schema(&crd())) {
        (false, _) => bad(WHAT, "not established yet; kubectl describe crd connectorcredentials"),
        (true, true) => good(WHAT, format!("{CRD}, as of {}", env!("CARGO_PKG_VERSION"))),
        (true, false) => {
            let detail = format!(
                "{CRD} is of another version than this {} ({}): upgrade the older one",
                shown.program,
                env!("CARGO_PKG_VERSION")
            );
            Point { what: WHAT, state: State::Hidden, detail }
        }
    }
}

/// Whether the operator has looked at every credential of the namespace.
async fn credentials(cluster: &Cluster, shown: &Shown) -> Point {
    const WHAT: &str = "credentials";
    let found: Vec<ConnectorCredential> =
        match cluster.list(&cluster.api(), ListParams::default(), "connectorcredentials").await {
            Ok(found) => found,
            Err(failure) if failure.class() == Class::Forbidden => {
                let detail = format!("not shown: you may not list connectorcredentials in {}", cluster.namespace);
                return Point { what: WHAT, state: State::Hidden, detail };
            }
            Err(failure) => return bad(WHAT, failure.to_string()),
        };
    let new: Vec<_> = found.iter().filter(|object| !object::is_current(object)).map(object::name).collect();
    let ready = found.iter().filter(|object| object::is_healthy(object)).count();
    let place = &cluster.namespace;
    match new.first() {
        None => good(WHAT, format!("namespace {place}: {ready} of {} ready; {} list", found.len(), shown.program)),
        Some(first) => {
            bad(WHAT, format!("namespace {place}: the operator has not looked at {} yet, such as {first}", new.len()))
        }
    }
}

/// Whether an installation may be made.
async fn before(cluster: &Cluster) -> Vec<Point> {
    let server = server(cluster).await;
    if server.state == State::Bad {
        return vec![server];
    }
    let mut missing = Vec::new();
    for (group, resource) in CREATED {
        match may_create(cluster, group, resource).await {
            Ok(true) => {}
            Ok(false) => missing.push(resource),
            Err(error) => return vec![server, failed("rights", Verb::Create, "selfsubjectaccessreviews", &error)],
        }
    }
    let rights = if missing.is_empty() {
        good("rights", "you may create all that an installation needs")
    } else {
        bad("rights", format!("you may not create {}; ask a cluster administrator", missing.join(", ")))
    };
    let api: Api<CustomResourceDefinition> = Api::all(cluster.client.clone());
    let earlier = match api.get_opt(CRD).await {
        Ok(None) => good("definition", format!("no {GROUP} yet")),
        Ok(Some(_)) => good("definition", format!("{CRD} is there: this is an upgrade")),
        Err(error) => failed("definition", Verb::Get, "customresourcedefinitions", &error),
    };
    vec![server, rights, earlier]
}

async fn may_create(cluster: &Cluster, group: &str, resource: &str) -> Result<bool, kube::Error> {
    let attributes = ResourceAttributes {
        group: Some(group.to_owned()),
        resource: Some(resource.to_owned()),
        verb: Some("create".to_owned()),
        ..ResourceAttributes::default()
    };
    let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() };
    let review = SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() };
    let api: Api<SelfSubjectAccessReview> = Api::all(cluster.client.clone());
    let answer = api.create(&PostParams::default(), &review).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}
