//! `status` in each state of the condition table: one screen of 80 columns, as a snapshot.

use super::Cluster;
use super::states::states;
use crate::support::bed::bed;
use connector_operator::api::{ConnectorCredential, Reason};
use kube::api::{Patch, PatchParams, PostParams};
use regex::Regex;
use serde_json::json;

/// What differs from run to run: the namespace, moments, and distances that follow from them.
fn settled(text: &str, namespace: &str) -> String {
    let mut text = text.replace(namespace, "data");
    for (pattern, same) in [
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "2030-01-01T00:00:00Z"),
        (r"next in \d+h", "next in 21h"),
        (r"\d{3,}d ago", "300d ago"),
        (r"in \d{5}d", "in 26000d"),
    ] {
        text = Regex::new(pattern).expect("a pattern").replace_all(&text, same).into_owned();
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn each_state_is_one_screen() {
    let bed = bed().await;
    let namespace = bed.namespace("data").await;
    let api = bed.api::<ConnectorCredential>(&namespace);
    let cluster = Cluster::of(&bed, &namespace);
    let mut pages = String::new();
    for state in states() {
        let name = state.name;
        let manifest = json!({
            "apiVersion": "connector-operator.io/v1alpha1", "kind": "ConnectorCredential",
            "metadata": {"name": name, "namespace": namespace}, "spec": state.spec,
        });
        let object: ConnectorCredential = serde_json::from_value(manifest).expect("a credential");
        let created = api.create(&PostParams::default(), &object).await.expect("it is admitted");
        let mut healthy = false;
        if let Some(status) = state.status(&created) {
            let patch = Patch::Merge(json!({"status": status}));
            let patched = api.patch_status(name, &PatchParams::default(), &patch).await.expect("it fits the schema");
            let conditions = patched.status.expect("just written").conditions;
            healthy = conditions.iter().any(|one| one.type_ == "Ready" && one.status == "True");
        }
        let run = cluster.ctl(&["status", name]).ended(i32::from(!healthy));
        assert!(run.out.lines().all(|line| line.chars().count() <= 80), "{name}: {}", run.out);
        assert!(run.out.lines().count() <= 32, "{name} is no screen: {}", run.out);
        assert!(!run.out.contains('\u{1b}'), "{name}: colours in a pipe");
        pages.extend(["──── ", name, if healthy { ": exit 0\n" } else { ": exit 1\n" }]);
        pages.extend([settled(&run.out, &namespace), "\n".to_owned()]);
    }
    // Of Ready there is only the word READY.
    let reasons = Reason::ALL.iter().filter(|reason| **reason != Reason::Ready);
    let absent: Vec<_> = reasons.filter(|reason| !pages.contains(reason.name())).collect();
    assert!(absent.is_empty(), "no page shows {absent:?}");
    insta::assert_snapshot!("status", pages);
    let list = cluster.ctl(&["list"]).ended(0);
    assert!(list.out.lines().all(|line| line.chars().count() <= 80), "{}", list.out);
    let (table, timeline) = list.out.split_once("\n\n").expect("a timeline");
    assert_eq!(table.lines().count(), states().len() + 1, "{table}");
    assert!(timeline.contains("expiring") && timeline.contains("in 12d") && timeline.contains("expired"), "{timeline}");
    let colours = cluster.ctl(&["status", "ready", "--color=always"]).ended(0);
    assert!(colours.out.contains("\u{1b}[32mREADY\u{1b}[0m"), "{}", colours.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_declared_is_known_before_the_first_visit() {
    let bed = bed().await;
    let namespace = bed.namespace("declared").await;
    let manifest = json!({
        "apiVersion": "connector-operator.io/v1alpha1", "kind": "ConnectorCredential", "metadata": {"name": "erp"},
        "spec": {"provider": {"zenflow": {}}, "keySecretRef": {"name": "k"}, "expiresAt": "2099-01-31T00:00:00Z"},
    });
    let object: ConnectorCredential = serde_json::from_value(manifest).expect("a credential");
    bed.api(&namespace).create(&PostParams::default(), &object).await.expect("it is admitted");
    let run = Cluster::of(&bed, &namespace).ctl(&["status", "erp"]).ended(1);
    assert!(run.out.contains("Expires     2099-01-31T00:00:00Z (in "), "{}", run.out);
}
