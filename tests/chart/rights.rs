//! Is every right that the chart grants used, and nothing asked for that it does not grant? The audit log tells, for each
//! mode of installation, of an operator with the chart's own account, rights and flags.

use std::collections::BTreeSet;
use std::mem;

use connector_operator::api::{ConditionType, ConnectorCredential};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::rbac::v1::Role;
use kube::Api;
use serde_json::{Value, json};

use super::chart;
use super::rendering::{documents, of_kind, rendered};
use crate::controller::cast::{self, Act};
use crate::support::audit::{self, Request};
use crate::support::bed::private_bed;
use crate::support::operator::{Operator, OperatorOptions};
use crate::support::rights::await_right;
use crate::support::stage::{SOON, Stage, is, leads, value};
use crate::tools::Helm;

/// The kinds of documents that give somebody a right.
const KINDS: [&str; 5] = ["ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"];
const ACCOUNT: &str = "connector-operator";
/// What every client may read: the API server's version decides how the operator lists.
const OPEN: &str = "/version";

/// One verb on one resource, in one namespace or in all.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Right {
    namespace: Option<String>,
    group: String,
    resource: String,
    verb: String,
}

impl Right {
    fn covers(&self, request: &Request) -> bool {
        let there = self.namespace.is_none() || self.namespace == request.namespace;
        there && (&self.group, &self.resource, &self.verb) == (&request.group, &request.resource, &request.verb)
    }
}

/// What of the rights was not used, and which requests they do not cover or were denied.
fn judge(granted: &BTreeSet<Right>, asked: &[Request]) -> (Vec<Right>, BTreeSet<String>) {
    let unused = granted.iter().filter(|right| !asked.iter().any(|request| right.covers(request)));
    let covered = |request: &Request| granted.iter().any(|right| right.covers(request)) || request.resource == OPEN;
    let missing = asked.iter().filter(|request| request.denied || !covered(request));
    (unused.cloned().collect(), missing.map(ToString::to_string).collect())
}

/// What the documents grant to the operator's account in `home`.
fn granted(documents: &[Value], home: &str) -> BTreeSet<Right> {
    let mut rights = BTreeSet::new();
    let texts = |list: &Value| -> Vec<String> {
        list.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
    };
    let bindings = ["ClusterRoleBinding", "RoleBinding"].map(|kind| of_kind(documents, kind)).concat();
    let ours =
        |binding: &&Value| binding["subjects"][0]["name"] == ACCOUNT && binding["subjects"][0]["namespace"] == home;
    for binding in bindings.into_iter().filter(ours) {
        let place = &binding["metadata"]["namespace"];
        let roles = of_kind(documents, binding["roleRef"]["kind"].as_str().expect("a kind"));
        let is_bound = |role: &&Value| {
            role["metadata"]["name"] == binding["roleRef"]["name"] && role["metadata"]["namespace"] == *place
        };
        let role = roles.into_iter().find(is_bound).expect("the role is there");
        for rule in role["rules"].as_array().expect("rules") {
            for (group, resource, verb) in texts(&rule["apiGroups"]).into_iter().flat_map(|group| {
                let each = texts(&rule["resources"]).into_iter().map(move |resource| (group.clone(), resource));
                each.flat_map(|(group, resource)| {
                    texts(&rule["verbs"]).into_iter().map(move |verb| (group.clone(), resource.clone(), verb))
                })
            }) {
                let namespace = place.as_str().map(str::to_owned);
                rights.insert(Right { namespace, group, resource, verb });
            }
        }
    }
    rights
}

/// An installation on the stage's control plane: account and rights are the chart's, so are the flags.
struct Installation {
    home: String,
    granted: BTreeSet<Right>,
    flags: Vec<String>,
}

impl Installation {
    /// `alter` may change what is granted.
    async fn make(stage: &Stage, settings: &[&str], alter: impl Fn(&mut Value)) -> Self {
        let home = stage.bed.namespace("install").await;
        let documents = documents(&rendered(Helm::Three, &home, settings));
        let flags = &of_kind(&documents, "Deployment")[0]["spec"]["template"]["spec"]["containers"][0]["args"];
        let flags = flags.as_array().expect("flags").iter().map(|flag| flag.as_str().expect("a text").to_owned());
        let flags = flags.filter(|flag| !flag.contains("-address=") && !flag.contains("--log-level=")).collect();
        let is_right = |document: &Value| KINDS.iter().any(|kind| document["kind"] == *kind);
        let mut rights: Vec<Value> = documents.into_iter().filter(is_right).collect();
        rights.iter_mut().for_each(alter);
        let list = json!({"apiVersion": "v1", "kind": "List", "items": rights}).to_string();
        let plane = stage.bed.plane;
        let apply = move || {
            let arguments = ["apply", "--server-side", "--force-conflicts", "--filename=-"];
            let output = plane.kubectl_stdin(&arguments, &list).expect("kubectl runs");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        };
        tokio::task::spawn_blocking(apply).await.expect("the rights are granted");
        let granted = granted(&rights, &home);
        for right in &granted {
            let what = (right.group.as_str(), right.resource.as_str(), right.verb.as_str());
            await_right(&stage.bed, &format!("{home}:{ACCOUNT}"), right.namespace.as_deref(), what).await;
        }
        Self { home, granted, flags }
    }

    async fn start(&self, stage: &Stage) -> Operator {
        let kubeconfig = stage.bed.plane.kubeconfig_for_service_account(&self.home, ACCOUNT).await;
        let mut args = self.flags.clone();
        args.extend(["--metrics-address=127.0.0.1:0", "--health-address=127.0.0.1:0"].map(str::to_owned));
        args.push(format!("--kubeconfig={}", kubeconfig.expect("the account exists").display()));
        args.push(format!("--config={}", stage.config().display()));
        let options = OperatorOptions { args, environment: Vec::new() };
        let operator = Operator::spawn(&stage.bed, &options).expect("the binary was built");
        stage.adopt(&operator);
        operator
    }

    /// Everything that its account asked for.
    fn asked(&self, stage: &Stage) -> Vec<Request> {
        let account = format!("system:serviceaccount:{}:{ACCOUNT}", self.home);
        audit::requests(&stage.bed.plane.audit_log(), &[&self.home], |name| name == account)
    }
}

/// Budgets are by key here, and one scope is one request: nobody waits for another.
fn act() -> Act {
    Act { settings: json!({"zenflow": {"scopes": ["read:orders"]}}), ..cast::zenflow() }
}

fn output(name: &str) -> Value {
    json!({"secretName": name, "format": "Env", "envPrefix": "KEY_"})
}

/// A credential with two outputs, published in the stage's present namespace.
async fn publish(stage: &Stage) {
    let issued = stage.issue(act().new_key());
    stage.put_secret(&act().source(), &[("api-key", &issued.key)]).await;
    let outputs = json!([output("kept"), output("dropped")]);
    stage.declare(act().name, act().spec_with("outputs", outputs)).await;
    stage.until_ready(act().name).await;
}

/// A new key is proved, and replaces the one that was published.
async fn rotate(stage: &Stage, watched: bool) {
    let issued = stage.issue(act().new_key());
    stage.put_secret(&act().source(), &[("api-key", &issued.key)]).await;
    if !watched {
        check_now(stage, "rotated").await;
    }
    stage.until_secret("kept", |output| value(output, "KEY_API_KEY").as_ref() == Some(&issued.key)).await;
}

async fn check_now(stage: &Stage, token: &str) {
    stage.annotate(act().name, "connector-operator.io/reconcile-at", token).await;
}

/// All that the operator does: it publishes, replaces and deletes.
async fn play(stage: &Stage, watched: bool) {
    publish(stage).await;
    rotate(stage, watched).await;
    stage.declare(act().name, act().spec_with("outputs", json!([output("kept")]))).await;
    stage.until_gone("dropped").await;
    stage.until_ready(act().name).await;
}

async fn until_leading(operator: &Operator) {
    let wait = async {
        while !leads(operator).await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, wait).await.expect("it leads");
}

fn stop(operator: &mut Operator) {
    let stopped = tokio::task::block_in_place(|| operator.stop(SOON));
    assert!(stopped.expect("it ends").success(), "{}", operator.log());
}

/// Acceptance test 30: in each mode every right is used, and none is missing.
#[tokio::test(flavor = "multi_thread")]
async fn a30_rights_used_are_rights_granted_in_each_mode() {
    chart();
    // A control plane of its own: this operator looks after every namespace.
    let mut stage = Stage::set_on(private_bed().await, "rights", &[]).await;
    stage.operator.kill().expect("it can be killed");
    let mut places = vec![mem::take(&mut stage.namespace)];
    for prefix in ["rights-second", "rights-third"] {
        places.push(stage.bed.namespace(prefix).await);
    }
    let (lease, both) = (stage.bed.namespace("lease").await, places[..2].join(","));
    let (both, lease) = (format!("watchNamespaces={{{both}}}"), format!("leaderElection.namespace={lease}"));
    let unwatched = "secretWatch=none";
    for settings in [&[][..], &[unwatched], &[&both, &lease], &[&both, unwatched]] {
        let installation = Installation::make(&stage, settings, |_| {}).await;
        stage.operator = installation.start(&stage).await;
        for place in if settings.contains(&&*both) { &places[..2] } else { &places[2..] } {
            stage.namespace.clone_from(place);
            play(&stage, !settings.contains(&unwatched)).await;
        }
        until_leading(&stage.operator).await;
        stop(&mut stage.operator);
        let asked = installation.asked(&stage);
        let (unused, missing) = judge(&installation.granted, &asked);
        assert!(unused.is_empty() && missing.is_empty(), "{settings:?}: unused {unused:?}, missing {missing:?}");
        // Each single right counts: without it the same requests are not covered.
        for right in &installation.granted {
            let mut fewer = installation.granted.clone();
            fewer.remove(right);
            assert!(!judge(&fewer, &asked).1.is_empty(), "nobody would miss {right:?}");
        }
        forget(&stage).await;
    }
    stage.namespace.clone_from(&places[2]);
    one_missing_and_one_superfluous_right_are_named(&mut stage).await;
    stage.expect_denials();
    stage.finish().await;
}

/// So that the next operator finds an empty cluster.
async fn forget(stage: &Stage) {
    let all: Api<ConnectorCredential> = Api::all(stage.bed.client.clone());
    for object in all.list(&Default::default()).await.expect("they can be listed") {
        let place = object.metadata.namespace.expect("it is in one");
        let name = object.metadata.name.expect("it has one");
        let api = stage.bed.api::<ConnectorCredential>(&place);
        api.delete(&name, &Default::default()).await.expect("it is there");
        // Else the next credential finds it in its way until it is collected.
        let _collected = stage.bed.api::<Secret>(&place).delete("kept", &Default::default()).await;
    }
}

async fn one_missing_and_one_superfluous_right_are_named(stage: &mut Stage) {
    let alter = |document: &mut Value| {
        for rule in document.pointer_mut("/rules").and_then(Value::as_array_mut).into_iter().flatten() {
            if rule["resources"] == json!(["events"]) {
                rule["verbs"] = json!(["patch"]);
            }
        }
    };
    let installation = Installation::make(stage, &[], alter).await;
    stage.operator = installation.start(stage).await;
    play(stage, true).await;
    stop(&mut stage.operator);
    let (unused, missing) = judge(&installation.granted, &installation.asked(stage));
    let unused: Vec<_> = unused.iter().map(|right| (right.resource.as_str(), right.verb.as_str())).collect();
    assert_eq!(unused, [("events", "patch")]);
    let wanted = format!("create events.k8s.io/events in {}", stage.namespace);
    assert_eq!(missing, BTreeSet::from([wanted]));
}

/// A right that is lost in one namespace is told there, stops nobody elsewhere, and heals.
#[tokio::test(flavor = "multi_thread")]
async fn a30_a_lost_right_stops_one_namespace_and_heals() {
    chart();
    let mut stage = Stage::set("lost-right").await;
    stage.operator.kill().expect("it can be killed");
    let (here, there) = (stage.namespace.clone(), stage.bed.namespace("kept-right").await);
    let both = format!("watchNamespaces={{{here},{there}}}");
    let installation = Installation::make(&stage, &[&both], |_| {}).await;
    stage.operator = installation.start(&stage).await;
    for place in [&there, &here] {
        stage.namespace.clone_from(place);
        publish(&stage).await;
    }
    stage.expect_denials();
    let roles: Api<Role> = stage.bed.api(&here);
    let role = roles.get(ACCOUNT).await.expect("the chart made it");
    let mut less = role.clone();
    less.rules.as_mut().expect("rules").retain(|rule| rule.resources != Some(vec!["secrets".to_owned()]));
    roles.replace(ACCOUNT, &Default::default(), &less).await.expect("the administrator may");
    check_now(&stage, "without").await;
    let refused = ("False", "SecretAccessDenied");
    stage.until(act().name, |object| is(object, ConditionType::Resolved, refused)).await;
    stage.namespace.clone_from(&there);
    rotate(&stage, true).await;
    stage.namespace.clone_from(&here);
    let now = roles.get(ACCOUNT).await.expect("it is there");
    let whole = Role { metadata: now.metadata, ..role };
    roles.replace(ACCOUNT, &Default::default(), &whole).await.expect("the administrator may");
    rotate(&stage, true).await;
    stage.until_ready(act().name).await;
    stop(&mut stage.operator);
    let lost = installation.asked(&stage).into_iter().filter(|request| request.denied);
    assert!(lost.clone().all(|one| one.namespace.as_ref() == Some(&here) && one.resource == "secrets"));
    assert!((1..=8).contains(&lost.count()), "it does not hammer on a closed door");
    stage.finish().await;
}
