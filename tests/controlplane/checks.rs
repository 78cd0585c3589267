//! Is the control plane a real one? Every promise the other tests rely on.

mod cluster;

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Api;
use kube::api::{ListParams, ObjectMeta, PostParams};
use serde_json::json;

use super::access::client_from;
use super::files::Files;
use super::process::Guarded;
use super::{ControlPlane, Error, Options, binaries, components};
use crate::support::await_object::await_object;
use crate::support::bed::{Bed, bed};
use crate::support::canary::{Canary, Sweep};

const LIMIT: Duration = Duration::from_secs(60);

fn config_map(name: &str) -> ConfigMap {
    ConfigMap { metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() }, ..ConfigMap::default() }
}

async fn create_config_map(bed: &Bed, namespace: &str, name: &str) -> ConfigMap {
    let api: Api<ConfigMap> = bed.api(namespace);
    let created = api.create(&PostParams::default(), &config_map(name)).await;
    created.expect("the administrator may create ConfigMaps")
}

#[track_caller]
fn stdout(output: Result<Output, Error>) -> String {
    let output = output.expect("kubectl can be started");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn the_api_server_knows_its_version() {
    let bed = bed().await;
    let version = bed.client.apiserver_version().await;
    let version = version.expect("the API server answers");
    let number = format!("v{}.{}.", version.major, version.minor);
    assert!(version.git_version.starts_with(&number), "{version:?}");
}

#[tokio::test]
async fn kubectl_applies_what_it_reads() {
    let bed = bed().await;
    let namespace = bed.namespace("kubectl").await;
    let namespace = format!("--namespace={namespace}");
    let manifest = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "b"}});
    let apply = ["apply", "--filename=-", &namespace];
    stdout(bed.plane.kubectl_stdin(&apply, &manifest.to_string()));
    let get = ["get", "configmap", "c", "--output=jsonpath={.data.a}", &namespace];
    assert_eq!(stdout(bed.plane.kubectl(&get)), "b");
}

#[tokio::test]
async fn the_plain_user_is_denied() {
    let bed = bed().await;
    let kubeconfig = bed.plane.kubeconfig_for_token("user", bed.plane.user_token());
    let client = client_from(&kubeconfig.expect("it can be written")).await;
    let secrets: Api<Secret> = Api::default_namespaced(client.expect("it is complete"));
    let refused = secrets.list(&ListParams::default()).await;
    assert!(matches!(refused, Err(kube::Error::Api(status)) if status.code == 403));
}

#[tokio::test]
async fn a_service_account_acts_with_its_own_name_and_rights() {
    let bed = bed().await;
    let namespace = bed.namespace("account").await;
    let kubeconfig = bed.service_account(&namespace, "operator").await;
    let kubeconfig = kubeconfig.expect("the token is granted");
    let who = ["auth", "whoami", "--output=jsonpath={.status.userInfo.username}"];
    let who = stdout(bed.plane.kubectl_as(&kubeconfig, &who, ""));
    assert_eq!(who, format!("system:serviceaccount:{namespace}:operator"));
    let client = client_from(&kubeconfig).await.expect("it is complete");
    let maps: Api<ConfigMap> = Api::namespaced(client, &namespace);
    let refused = maps.list(&ListParams::default()).await;
    assert!(matches!(refused, Err(kube::Error::Api(status)) if status.code == 403));
}

#[tokio::test]
async fn every_request_is_in_the_audit_log() {
    let bed = bed().await;
    let namespace = bed.namespace("audited").await;
    create_config_map(&bed, &namespace, "one").await;
    let log = fs::read_to_string(bed.plane.audit_log()).expect("the log is there");
    let place = format!("/api/v1/namespaces/{namespace}/configmaps");
    let ours = log.lines().find(|line| line.contains(&place));
    let line: serde_json::Value =
        serde_json::from_str(ours.expect("the request was logged")).expect("each line is one JSON object");
    assert_eq!((&line["verb"], &line["level"]), (&json!("create"), &json!("Metadata")));
    assert!(line.get("requestObject").is_none());
}

#[tokio::test]
async fn the_etcd_dump_holds_what_was_created() {
    let bed = bed().await;
    let namespace = bed.namespace("dumped").await;
    create_config_map(&bed, &namespace, "one").await;
    let dump = bed.plane.etcd_dump().expect("etcd answers");
    let key = format!("/registry/configmaps/{namespace}/one");
    let entry = dump.iter().find(|entry| entry.key() == key);
    let value = String::from_utf8_lossy(entry.expect("it is stored").value());
    assert!(value.contains(&namespace));
}

#[tokio::test]
async fn the_sweep_of_etcd_names_a_planted_key_and_its_place() {
    let bed = bed().await;
    let namespace = bed.namespace("swept").await;
    let (key, in_namespace) = ("q7RvXmT2xKp9LwZ", format!("--namespace={namespace}"));
    let literal = format!("--from-literal=key={key}");
    for kind in [&["configmap"][..], &["secret", "generic"]] {
        let command = [&["create"], kind, &["planted", &literal, &in_namespace]].concat();
        stdout(bed.plane.kubectl(&command));
    }
    let stored = bed.plane.etcd_dump().expect("etcd answers");
    let sweep = Sweep::new(&[Canary::new("planted", key)]);
    let found = sweep.find_in_etcd(&stored, |key| key.starts_with("/registry/secrets/"));
    let places: Vec<&str> = found.iter().map(|found| found.place.as_str()).collect();
    assert_eq!(places, [format!("/registry/configmaps/{namespace}/planted")]);
    assert_eq!(sweep.find_in_etcd(&stored, |_| false).len(), 2);
}

#[tokio::test]
async fn the_watch_survives_until_the_state_is_reached() {
    let bed = bed().await;
    let namespace = bed.namespace("awaited").await;
    let maps: Api<ConfigMap> = bed.api(&namespace);
    let waiting = await_object(&maps, "late", LIMIT, |map| map.metadata.uid.is_some());
    let (seen, created) = tokio::join!(waiting, create_config_map(&bed, &namespace, "late"));
    let seen = seen.expect("it is created meanwhile");
    assert_eq!(seen.metadata.uid, created.metadata.uid);
    let never = await_object(&maps, "late", Duration::from_millis(200), |_| false).await;
    let error = never.expect_err("it cannot be reached").to_string();
    assert!(error.contains("late did not get there within 200ms"), "{error}");
}

/// Has a control plane of its own: an outage of the shared one would hit the other tests.
#[tokio::test]
async fn data_survives_an_outage_of_the_api_server() {
    let shared = bed().await.plane;
    let start = || ControlPlane::start(&Options::default(), shared.binaries());
    let plane = start().expect("a second one can run beside it");
    stdout(plane.kubectl(&["create", "configmap", "kept"]));
    plane.stop_api_server();
    let down = plane.kubectl(&["get", "configmap", "kept"]).expect("kubectl can be started");
    assert!(!down.status.success());
    plane.start_api_server().expect("it starts again");
    stdout(plane.kubectl(&["get", "configmap", "kept"]));
    plane.stop_controllers();
    plane.start_controllers().expect("they start again");
    let directory = plane.directory().to_owned();
    drop(plane);
    assert!(!directory.exists());
}

#[tokio::test]
async fn another_etcd_on_our_port_is_noticed() {
    let plane = bed().await.plane;
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    let files = Files::write(directory.path()).expect("it can be written");
    let started = components::start_etcd(plane.binaries(), &files, plane.ports);
    let error = started.expect_err("the port is taken");
    assert!(components::port_was_taken(&error), "{error:?}");
}

#[test]
fn a_child_dies_with_the_pipe_its_parent_holds() {
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    let (program, arguments) = (Path::new("sleep"), ["600".to_owned()]);
    let child = Guarded::spawn(program, &arguments, &[], &directory.path().join("log"));
    let mut child = child.expect("there is a shell");
    let ended = child.ended().expect("it can be waited for");
    assert!(ended.is_none());
    child.cut_lifeline();
    let status = child.wait(LIMIT).expect("it can be waited for");
    assert_eq!(status.expect("the watcher kills it").signal(), Some(9));
}

#[test]
fn incomplete_assets_are_named() {
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    fs::write(directory.path().join("etcd"), "").expect("it can be written");
    let error = binaries::assets(directory.path()).expect_err("three are missing");
    assert!(error.to_string().contains("holds no kube-apiserver"), "{error}");
}
