//! What a user sees with kubectl: the table, `wait`, `explain`, Events; and the examples as they stand.

use super::cast;
use crate::simulator::NewKey;
use crate::support::await_object::await_object;
use crate::support::stage::{SOON, Stage, is};
use connector_operator::api::ConditionType;
use serde_json::Value;

fn kubectl(stage: &Stage, arguments: &[&str]) -> String {
    let namespaced: Vec<_> = [&["--namespace", stage.namespace.as_str()], arguments].concat();
    let output = tokio::task::block_in_place(|| stage.bed.plane.kubectl(&namespaced)).expect("kubectl runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_go_ready_and_the_table_says_so() {
    let stage = Stage::set("examples").await;
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    for act in cast::all() {
        let member = act.settings.as_object().and_then(|settings| settings.keys().next().cloned()).expect("one member");
        kubectl(&stage, &["apply", "-f", &format!("{examples}/{member}.yaml")]);
        let file =
            std::fs::read_to_string(format!("{examples}/secrets/{member}.yaml")).expect("each example has its Secret");
        let secret: Value = serde_saphyr::from_str(&file).expect("it is YAML");
        let key = secret.pointer("/stringData/api-key").and_then(Value::as_str).expect("under the default key");
        stage.simulator.add_key(NewKey { key: Some(key.to_owned()), ..act.new_key() });
        kubectl(&stage, &["apply", "-f", &format!("{examples}/secrets/{member}.yaml")]);
        kubectl(&stage, &["wait", &format!("concred/{}", act.name), "--for=condition=Ready", "--timeout=30s"]);
    }
    let table = kubectl(&stage, &["get", "concred"]);
    let mut lines = table.lines();
    let header: Vec<_> = lines.next().expect("a header").split_whitespace().collect();
    assert_eq!(header, ["NAME", "PROVIDER", "READY", "REASON", "EXPIRES", "CHECKED", "AGE"]);
    assert_eq!(lines.clone().count(), 5);
    for line in lines {
        let cells: Vec<_> = line.split_whitespace().collect();
        assert_eq!((cells[2], cells[3]), ("True", "Ready"), "{line}");
    }
    let explained = kubectl(&stage, &["explain", "concred.spec.provider.zenflow"]);
    assert!(explained.contains("scopePreset") && explained.contains("zenflow_live_"), "{explained}");
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transition_is_told_once_in_an_event_that_names_the_secret() {
    let stage = Stage::set("events").await;
    let act = cast::inflow();
    let wrong = stage.wrong_key(act.provider);
    stage.put_secret(&act.source(), &[("api-key", &wrong)]).await;
    stage.declare(act.name, act.spec()).await;
    stage.until_is(act.name, ConditionType::Stalled, ("True", "KeyRejected")).await;
    stage.annotate(act.name, "connector-operator.io/reconcile-at", "again").await;
    stage
        .until(act.name, |object| {
            object.status.as_ref().is_some_and(|status| status.last_handled_request.as_deref() == Some("again"))
        })
        .await;
    let issued = stage.issue(act.new_key());
    stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
    // Two unscheduled checks at once, then one every half minute: this is the third.
    let ready = |object: &_| is(object, ConditionType::Ready, ("True", "Ready"));
    await_object(&stage.credentials(), act.name, 3 * SOON, ready).await.expect("it is proved");
    let namespace = stage.namespace.clone();
    let bed = stage.bed.clone();
    stage.finish().await;
    let arguments = ["--namespace", &namespace, "get", "events.events.k8s.io", "-o", "json"];
    let output = tokio::task::block_in_place(|| bed.plane.kubectl(&arguments)).expect("kubectl runs");
    let events: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let mut told: Vec<_> = events["items"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|event| {
            assert_eq!(event["related"]["name"], act.source());
            assert_eq!(event["regarding"]["name"], act.name);
            (event["type"].as_str().expect("text").to_owned(), event["reason"].as_str().expect("text").to_owned())
        })
        .collect();
    told.sort();
    // That it is published, the first one says as well.
    let expected = [("Normal", "Ready"), ("Warning", "KeyRejected")];
    assert_eq!(told, expected.map(|(kind, reason)| (kind.to_owned(), reason.to_owned())));
}
