//! Does the command line repeat what moves a cursor? Whoever may write a credential, an Event or a file name decides what
//! stands there, and somebody else reads it on a terminal.

use std::path::Path;

use connector_operator::api::ConnectorCredential;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Pod, Secret};
use k8s_openapi::api::events::v1::Event;
use kube::api::{Patch, PatchParams, PostParams};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::cli::{Cluster, Run, ctl, write};
use crate::support::bed::{Bed, bed};

/// Clears the screen, sets the title, goes back to the beginning of the line, turns the direction, rings.
const HOSTILE: &str = "\u{1b}[2J\u{1b}]0;title\u{7}word\r\u{8}\u{9b}31m\u{202e}\u{2066}\nnext\u{b}\u{c}\u{7f}end";
/// What stands in for a harmful character, beside `word`, where it was shown.
const SHOWN: &str = "word";

/// Fails if anything printed is more than text and line ends.
#[track_caller]
fn is_plain(what: &str, run: &Run) {
    let harmful = |one: char| {
        (one.is_control() && one != '\n')
            || matches!(one, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let found = run.all().chars().find(|one| harmful(*one));
    assert_eq!(found, None, "{what}: {:?}", run.all());
}

fn object<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("a valid object")
}

/// A credential that says what it can in hostile words, and what others say of it.
async fn hostile(bed: &Bed, namespace: &str) {
    let post = PostParams::default();
    let source = json!({
        "metadata": {"name": "key", "annotations": {"note": HOSTILE}},
        "stringData": {"api-key": "zenflow_live_EXAMPLE", "other": HOSTILE},
    });
    bed.api::<Secret>(namespace).create(&post, &object(source)).await.expect("it is admitted");
    let credential = json!({
        "apiVersion": "connector-operator.io/v1alpha1", "kind": "ConnectorCredential",
        "metadata": {
            "name": "erp",
            "annotations": {"note": HOSTILE, "connector-operator.io/reconcile-at": HOSTILE},
        },
        "spec": {
            "description": HOSTILE, "expiresAt": "2099-01-31T00:00:00Z",
            "provider": {"flow": {"purpose": "ImportMembers", "reference": "Leisure"}},
            "keySecretRef": {"name": "key"},
            "outputs": [
                {"secretName": "file", "format": "Template", "template": {"app.ini": HOSTILE}},
                {"secretName": "erp-auth", "format": "Binding"},
            ],
        },
    });
    let credentials = bed.api::<ConnectorCredential>(namespace);
    let credential: ConnectorCredential = object(credential);
    let stored = credentials.create(&post, &credential).await.expect("it is admitted");
    let uid = stored.metadata.uid.expect("an uid");
    let condition = |kind: &str, reason: &str| {
        json!({"type": kind, "status": "False", "reason": reason, "message": HOSTILE,
               "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1})
    };
    let status = json!({"status": {
        "observedGeneration": 1,
        "conditions": [condition("Ready", "KeyRejected"), condition("Authenticated", "KeyRejected"),
                       condition("Strange", "Strange")],
        "lastHandledReconcileAt": HOSTILE, "lastHandledRequest": HOSTILE,
        "source": {"secretName": "key", "uid": HOSTILE, "resourceVersion": HOSTILE},
        "outputs": [{"secretName": "file", "format": "Template", "resourceVersion": HOSTILE}],
    }});
    credentials.patch_status("erp", &PatchParams::default(), &Patch::Merge(status)).await.expect("it is admitted");
    let event = json!({
        "metadata": {"name": "word"}, "eventTime": "2026-01-01T00:00:00.000000Z", "action": HOSTILE,
        "reportingController": "example.com/stranger", "reportingInstance": HOSTILE,
        "reason": HOSTILE, "note": HOSTILE, "type": "Warning",
        "regarding": {"apiVersion": "connector-operator.io/v1alpha1", "kind": "ConnectorCredential",
                      "namespace": namespace, "name": "erp", "uid": uid},
    });
    bed.api::<Event>(namespace).create(&post, &object(event)).await.expect("it is admitted");
    consumers(bed, namespace).await;
}

/// A Pod that uses an output, and something that looks like the operator.
async fn consumers(bed: &Bed, namespace: &str) {
    let post = PostParams::default();
    let container = json!({"name": "app", "image": "none", "args": [HOSTILE], "env": [{"name": "A", "value": HOSTILE}],
                           "envFrom": [{"secretRef": {"name": "erp-auth"}}]});
    let pod =
        json!({"metadata": {"name": "app", "annotations": {"note": HOSTILE}}, "spec": {"containers": [container]}});
    bed.api::<Pod>(namespace).create(&post, &object(pod)).await.expect("it is admitted");
    let status = json!({"status": {"phase": "Failed", "reason": HOSTILE, "message": HOSTILE}});
    let patched = bed.api::<Pod>(namespace).patch_status("app", &PatchParams::default(), &Patch::Merge(status)).await;
    patched.expect("it is there");
    let labels = json!({"app.kubernetes.io/name": "connector-operator"});
    let deployment = json!({
        "metadata": {"name": "connector-operator", "labels": labels},
        "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "app", "image": "none", "args": [HOSTILE]}]},
        }},
    });
    bed.api::<Deployment>(namespace).create(&post, &object(deployment)).await.expect("it is admitted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a39_nothing_that_stands_in_the_cluster_moves_a_cursor() {
    let bed = bed().await;
    let namespace = bed.namespace("screens").await;
    hostile(&bed, &namespace).await;
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    let site = "providers:\n  flow:\n    endpoint: https://flow.example.com/api\n    authentication: {header: Authorization, \
                scheme: Bearer}\n    probe: {path: '/members?limit=1', accepted: [200], rejected: [401], denied: [403]}\n";
    let site = write(directory.path(), "site.yaml", site);
    let broken =
        write(directory.path(), "broken.yaml", "providers: {flow: {endpoint: \"\\e[2Jword\", \"\\e[2J\": 1}}\n");
    let operator = ["--operator-namespace", &namespace];
    let mut shown = 0;
    for command in [
        &["status", "erp"][..],
        &["status", "erp", "-o", "json"],
        &["status", "erp", "-o", "yaml"],
        &["list"],
        &["list", "-o", "wide"],
        &["list", "-o", "json"],
        &["list", "-o", "yaml"],
        &["list", "-o", "name"],
        &["tree", "erp"],
        &["render", "erp", "--config", &site],
        &["render", "erp", "--config", &site, "-o", "json"],
        &["render", "erp", "--config", &site, "--show-secrets"],
        &["render", "erp", "--config", &broken],
        &["render", HOSTILE],
        &["reconcile", "erp", "--wait", "--timeout", "1s"],
        &["suspend", "erp"],
        &["resume", "erp"],
        &["check"],
        &[&["report"][..], &operator].concat(),
    ] {
        let run = Cluster::of(&bed, &namespace).ctl(command);
        is_plain(&command.join(" "), &run);
        shown += usize::from(run.all().contains(SHOWN));
    }
    assert!(shown >= 6, "{shown} commands show what stands there: else this proves nothing");
}

#[test]
fn a39_nothing_that_stands_in_a_file_or_its_name_moves_a_cursor() {
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    let manifest =
        |more: &str| format!("apiVersion: connector-operator.io/v1alpha1\nkind: ConnectorCredential\n{more}");
    let files = [
        manifest(
            "metadata: {name: \"\\e[2Jword\"}\nspec: {provider: {zenflow: {}}, keySecretRef: {name: \"\\rword\"}}\n",
        ),
        manifest(
            "metadata: {name: a, namespace: \"\\e]0;word\\a\"}\nspec: {\"\\e[2Jword\": 1, provider: {\"\\u202eword\": {}}}\n",
        ),
        manifest("metadata: {name: b, labels: {\"\\e[2Jword\": \"\\e[2J\"}, annotations: {a: \"\\e[2J\"}}\nspec: 1\n"),
        "apiVersion: \"\\e[2Jword\"\nkind: \"\\e[2J\"\n".to_owned(),
        "&\u{1b}[2Jword [\n".to_owned(),
        "\"\\e[2Jword\": *\u{85}\n".to_owned(),
    ];
    for (number, text) in files.iter().enumerate() {
        write(directory.path(), &format!("{number}.yaml"), text);
        // A name is a pull request's author's, too.
        write(directory.path(), &format!("\u{1b}[2Jword\r{number}\n.yaml"), text);
    }
    let all = directory.path().display().to_string();
    for form in [&["verify", "-f", &all][..], &["verify", "-f", &all, "-o", "json"]] {
        let run = ctl(form);
        is_plain(&form.join(" "), &run);
        assert!(run.all().contains(SHOWN), "{}", run.all());
    }
    let one = Path::new(&all).join("\u{1b}[2Jword");
    is_plain("a file that is not there", &ctl(&["verify", "-f", &one.display().to_string()]));
}
