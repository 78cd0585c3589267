//! Does the sweep at the end of each story find a key that was planted? In each place, in each form.

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use connector_operator::api::FIELD_MANAGER;
use connector_operator::telemetry::{LogFormat, LogLevel, layer};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::api::events::v1::Event;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::controller::cast;
use crate::support::canary::{Canary, Finding, Sweep, find};
use crate::support::encodings::Form;
use crate::support::stage::Stage;

/// Private from its first byte, and with characters that each encoding writes otherwise.
const KEY: &str = "q7Rv/+mT2\"xKp<9LwZ8n";

/// The key in every form, made by other means than those of the search.
fn forms() -> Vec<(Form, String)> {
    let base64 = |text: &str| {
        let value = serde_json::to_value(ByteString(text.as_bytes().to_vec())).expect("JSON");
        value.as_str().expect("a string").to_owned()
    };
    let each = |one: &dyn Fn(u8) -> String| KEY.bytes().map(one).collect::<String>();
    let mut forms = vec![
        (Form::Raw, KEY[..8].to_owned()),
        (Form::Reversed, KEY.chars().rev().collect()),
        (Form::OtherCase, KEY.to_uppercase()),
        (Form::Hex, each(&|byte| format!("{byte:02x}"))),
        (Form::Percent, each(&|byte| format!("%{byte:02X}"))),
        (Form::Escaped, each(&|byte| format!("\\u{byte:04x}"))),
        (Form::DecimalBytes, format!("{:?}", KEY.as_bytes())),
        (Form::Base64Url, base64("k??>>~~?>~?>>~k?").replace('+', "-").replace('/', "_")),
    ];
    for before in ["", "x", "xx"] {
        let once = base64(&format!("{before}{KEY}"));
        forms.push((Form::Base64Twice, base64(&format!("{before}{once}"))));
        forms.push((Form::Base64, once));
    }
    forms
}

/// The second is for the alphabet of base64 in addresses, whose characters the first never makes.
fn canaries() -> Vec<Canary> {
    vec![Canary::new("planted", KEY), Canary::new("planted too", "k??>>~~?>~?>>~k?")]
}

/// Forms that were not found where `place` says.
fn missed(found: &[Finding], place: &str) -> Vec<Form> {
    let there: Vec<_> = found.iter().filter(|finding| finding.place.contains(place)).map(|one| one.form).collect();
    forms().into_iter().map(|(form, _)| form).filter(|form| !there.contains(form)).collect()
}

fn all() -> String {
    forms().into_iter().map(|(_, text)| text + "\n").collect()
}

/// One object of each kind that a careless operator could write a key to.
async fn plant_in_the_cluster(stage: &Stage, text: &str) {
    let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
    let map = json!({"metadata": {"name": "planted"}, "data": {"text": text}});
    let map: ConfigMap = serde_json::from_value(map).expect("a ConfigMap");
    stage.bed.api(&stage.namespace).create(&params, &map).await.expect("it is admitted");
    let foreign = json!({"metadata": {"name": "planted"}, "stringData": {"text": text}});
    let foreign: Secret = serde_json::from_value(foreign).expect("a Secret");
    stage.secrets().create(&params, &foreign).await.expect("it is admitted");
    // An event's note has 1 kB: two of them.
    for (at, note) in halves(text).into_iter().enumerate() {
        let event = json!({
            "metadata": {"name": format!("planted-{at}")}, "eventTime": "2030-01-01T00:00:00.000000Z", "type": "Normal",
            "action": "Tell", "reason": "Told", "reportingController": "c", "reportingInstance": "i", "note": note,
            "regarding": {"kind": "ConfigMap", "name": "planted", "namespace": stage.namespace},
        });
        let event: Event = serde_json::from_value(event).expect("an Event");
        stage.bed.api(&stage.namespace).create(&params, &event).await.expect("it is admitted");
    }
    let act = cast::zenflow();
    let annotated = json!({"metadata": {"annotations": {"planted": text}}});
    let merge = Patch::Merge(&annotated);
    stage.secrets().patch(&act.output(), &PatchParams::default(), &merge).await.expect("it is an output");
    stage.credentials().patch(act.name, &PatchParams::default(), &merge).await.expect("it is a credential");
}

fn halves(text: &str) -> [String; 2] {
    let lines: Vec<_> = text.lines().collect();
    let (first, second) = lines.split_at(lines.len() / 2);
    [first.join("\n"), second.join("\n")]
}

#[tokio::test(flavor = "multi_thread")]
async fn a01_a_planted_key_is_named_wherever_it_is_and_however_it_is_written() {
    let stage = Stage::set("planted").await;
    let act = cast::zenflow();
    let issued = stage.issue(act.new_key());
    stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
    stage.declare(act.name, act.spec()).await;
    stage.until_ready(act.name).await;
    let sweep = Sweep::new(&canaries());
    assert_eq!(stage.leavings().await.search(&sweep), [], "nothing was planted yet");

    let text = all();
    plant_in_the_cluster(&stage, &text).await;
    let append = |path: &std::path::Path| {
        let file = std::fs::File::options().append(true).create(true).open(path);
        file.and_then(|mut file| file.write_all(text.as_bytes())).expect("it can be written to");
    };
    append(stage.operator.log_path());
    append(&stage.directory().join("temporary"));
    let decoy = reqwest::Client::new().post(stage.simulator.decoy()).body(text.clone());
    decoy.send().await.expect("the decoy answers");
    let mut left = stage.leavings().await;
    left.add("metrics", text.clone());
    let found = left.search(&sweep);
    let own = format!("{}/", stage.namespace);
    for place in [
        &format!("/configmaps/{own}planted"),
        &format!("/secrets/{own}planted"),
        &format!("/events/{own}planted-"),
        &format!("metadata of /registry/secrets/{own}{}", act.output()),
        &format!("/connectorcredentials/{own}{}", act.name),
        "log /",
        "temporary",
        "what the decoy heard",
        "connectorctl list -o yaml",
        "metrics",
    ] {
        assert_eq!(missed(&found, place), [], "{place}");
    }
    // And that is what the end of a story looks for: its own key, in its own log.
    append_raw(stage.operator.log_path(), &issued.key);
    let ended = tokio::spawn(stage.finish()).await;
    let panic = ended.expect_err("the story does not end well").into_panic();
    let said = panic.downcast_ref::<String>().expect("words");
    assert!(said.contains("keys leaked") && said.contains("operator-") && !said.contains(&issued.key), "{said}");
}

/// A process that is killed at one of its steps, and nobody asks for more.
#[tokio::test(flavor = "multi_thread")]
async fn a01_a_story_that_breaks_off_is_searched_too() {
    let stage = Stage::set("broken-off").await;
    let act = cast::zenflow();
    let issued = stage.issue(act.new_key());
    append_raw(stage.operator.log_path(), &issued.key);
    let ended = tokio::spawn(async move { drop(stage) }).await;
    let panic = ended.expect_err("the story does not end well").into_panic();
    let said = panic.downcast_ref::<String>().expect("words");
    assert!(said.contains("keys leaked") && said.contains("operator-") && !said.contains(&issued.key), "{said}");
}

fn append_raw(path: &std::path::Path, text: &str) {
    let file = std::fs::File::options().append(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).expect("it can be written to");
}

/// A key that was in no Secret could not have leaked from one: such a story proves nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a01_a_key_that_was_in_no_secret_is_not_taken_for_safe() {
    let stage = Stage::set("absent").await;
    let [present, absent] = ["w4NcYb7QhTz2MvXs", "J9rPd6LkGf3WqZt8"];
    stage.put_secret("key", &[("api-key", present)]).await;
    let canaries = [Canary::new("present", present), Canary::new("absent", absent)];
    let left = stage.leavings().await;
    stage.assert_each_was_in_a_secret(&canaries[..1], &left);
    let asserted = catch_unwind(AssertUnwindSafe(|| stage.assert_each_was_in_a_secret(&canaries, &left)));
    let panic = asserted.expect_err("one was nowhere");
    assert!(panic.downcast_ref::<String>().expect("words").contains("absent was in no Secret"));
    stage.finish().await;
}

/// What a twin of the operator would log that prints a Secret for a developer's eyes, through the operator's own log.
#[test]
fn a01_a_secret_that_is_printed_through_the_log_is_named() {
    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("no writer panics").write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    for format in [LogFormat::Json, LogFormat::Text] {
        let page = Page::default();
        let writer = page.clone();
        let subscriber = tracing_subscriber::registry().with(layer(format, LogLevel::Trace, move || writer.clone()));
        let data = [("api-key".to_owned(), ByteString(KEY.into()))].into();
        let secret = Secret { data: Some(data), ..Secret::default() };
        tracing::subscriber::with_default(subscriber, || {
            tracing::error!(target: "connector_operator", ?secret, "twin");
        });
        let text = page.0.lock().expect("no writer panics").clone();
        let found = find(&text, &canaries());
        assert!(found.iter().any(|one| one.form == Form::DecimalBytes), "{}", String::from_utf8_lossy(&text));
    }
}
