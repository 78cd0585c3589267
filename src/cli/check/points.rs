//! Single points of a check: each is good, bad, or not for this user to see.

use super::{CRD, CREATED, OLDEST, Point, State, bad, doubtful, failed, good};
use crate::api::{ConnectorCredential, GROUP};
use crate::cli::Shown;
use crate::cli::cluster::Cluster;
use crate::cli::object;
use crate::crd::crd;
use crate::error::{Class, Failure, Verb};
use jiff::Timestamp;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Api;
use kube::api::{ListParams, PostParams};
use serde_json::json;
use std::time::Duration;

/// A check that waits for longer is one that nobody makes.
const LATE: Duration = Duration::from_secs(120);
/// Somebody who checked so long ago is taken to be there still.
const LATELY: Duration = Duration::from_secs(15 * 60);

pub(super) async fn server(cluster: &Cluster) -> Point {
    const WHAT: &str = "API server";
    match cluster.client.apiserver_version().await {
        Ok(version) => {
            let minor: String = version.minor.chars().take_while(char::is_ascii_digit).collect();
            let new_enough = version.major != "1" || minor.parse::<u32>().is_ok_and(|minor| minor >= OLDEST);
            let detail = format!("Kubernetes {}.{}", version.major, version.minor);
            if new_enough { good(WHAT, detail) } else { bad(WHAT, format!("{detail} is older than 1.{OLDEST}")) }
        }
        Err(error) => {
            let cause = Failure::new(Verb::Get, "version", &error).cause();
            bad(WHAT, format!("{}: {cause}", cluster.server))
        }
    }
}

/// Whether the cluster knows our kind, as this version writes it.
pub(super) async fn definition(cluster: &Cluster, shown: &Shown) -> Point {
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
            doubtful(WHAT, detail)
        }
    }
}

/// Whether the operator has looked at every credential: of all namespaces for those who may, else of this one. And
/// whether some operator keeps them in time.
pub(super) async fn credentials(cluster: &Cluster, everywhere: bool, shown: &Shown) -> (Point, bool) {
    const WHAT: &str = "credentials";
    let list =
        async |api: Api<ConnectorCredential>| cluster.list(&api, ListParams::default(), "connectorcredentials").await;
    let all = if everywhere { list(Api::all(cluster.client.clone())).await.ok() } else { None };
    let (found, place, flag) = match all {
        Some(found) => (found, "all namespaces".to_owned(), " -A"),
        None => match list(cluster.api()).await {
            Ok(found) => (found, format!("namespace {}", cluster.namespace), ""),
            Err(failure) if failure.class() == Class::Forbidden => {
                let detail = format!("not shown: you may not list connectorcredentials in {}", cluster.namespace);
                return (Point { what: WHAT, state: State::Hidden, detail }, false);
            }
            Err(failure) => return (bad(WHAT, failure.to_string()), false),
        },
    };
    let new: Vec<_> = found.iter().filter(|object| !object::is_current(object)).collect();
    let ready = found.iter().filter(|object| object::is_healthy(object)).count();
    let attended = new.is_empty() && in_time(&found, cluster.now());
    let point = match new.first() {
        None => good(WHAT, format!("{place}: {ready} of {} ready; {} list{flag}", found.len(), shown.program)),
        Some(first) => {
            let first = format!("{}/{}", object::namespace(first), object::name(first));
            bad(WHAT, format!("{place}: the operator has not looked at {} yet, such as {first}", new.len()))
        }
    };
    (point, attended)
}

/// Whether some check was made lately, and none is long overdue.
fn in_time(credentials: &[ConnectorCredential], now: Timestamp) -> bool {
    let active = credentials.iter().filter(|object| object.spec.suspend != Some(true));
    let validations: Vec<_> = active.filter_map(|object| object.status.as_ref()?.validation.as_ref()).collect();
    let lately = |last: &Time| crate::policy::after(last.0, LATELY) > now;
    let on_time = |next: &Time| crate::policy::after(next.0, LATE) > now;
    validations.iter().filter_map(|known| known.last_check_time.as_ref()).any(lately)
        && validations.iter().filter_map(|known| known.next_check_time.as_ref()).all(on_time)
}

/// Whether an installation may be made.
pub(super) async fn before(cluster: &Cluster) -> Vec<Point> {
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
