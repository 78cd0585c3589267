//! What do metrics tell? Names that a viewer of the objects sees anyway, words from closed lists, and nothing of what is
//! gone.

use std::collections::{BTreeMap, BTreeSet};

use connector_operator::api::{ConditionType, Reason};
use connector_operator::providers::ProviderKind;

use crate::controller::cast;
use crate::support::stage::{SOON, Stage};
use futures::{StreamExt as _, stream};

/// The labels of one line, and the family.
fn labels(line: &str) -> (&str, BTreeMap<&str, &str>) {
    let Some((family, rest)) = line.split_once('{') else {
        return (line.split(' ').next().unwrap_or_default(), BTreeMap::new());
    };
    let (labels, _) = rest.rsplit_once('}').expect("a closing brace");
    let labels =
        labels.split(',').filter_map(|label| label.split_once('=')).map(|(name, text)| (name, text.trim_matches('"')));
    (family, labels.collect())
}

/// Whether this label may have this value.
fn is_allowed(stage: &Stage, family: &str, (name, text): (&str, &str)) -> bool {
    let is_number = |text: &str| text == "+Inf" || text.parse::<f64>().is_ok();
    let is_object = family.starts_with("connectorcredential_");
    match name {
        "namespace" => is_object && text == stage.namespace,
        "name" if is_object => cast::all().iter().any(|act| act.name == text) || text == "wrong",
        "name" => ["connector-operator", "connectorcredential"].contains(&text),
        "controller" => text == "connectorcredential",
        "provider" => ProviderKind::ALL.iter().any(|kind| kind.member() == text),
        "type" => ConditionType::ALL.iter().any(|kind| kind.name() == text),
        "status" => ["True", "False", "Unknown"].contains(&text),
        "reason" => Reason::ALL.iter().any(|reason| reason.name() == text),
        "verdict" => ["accepted", "rejected", "inconclusive"].contains(&text),
        "result" => ["success", "error", "requeue", "requeue_after"].contains(&text),
        "format" => ["Binding", "Env", "Dotenv", "HTTP", "Curl", "Nexla", "Template"].contains(&text),
        "code" => text.parse::<u16>().is_ok() || text == "<error>",
        "method" | "verb" => text.bytes().all(|byte| byte.is_ascii_uppercase()),
        "host" => stage.bed.plane.url().contains(text),
        "le" | "quantile" => is_number(text),
        "version" | "revision" => true,
        _ => false,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a34_metrics_carry_allowed_labels_only_and_forget_what_is_deleted() {
    let stage = Stage::set("labels").await;
    for act in cast::all() {
        let issued = stage.issue(act.new_key());
        stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
        stage.declare(act.name, act.spec()).await;
    }
    let act = cast::zenflow();
    let wrong = stage.wrong_key(act.provider);
    stage.put_secret("wrong-key", &[("api-key", &wrong)]).await;
    stage.declare("wrong", serde_json::json!({"provider": act.settings, "keySecretRef": {"name": "wrong-key"}})).await;
    stage.until_is("wrong", ConditionType::Ready, ("False", "KeyRejected")).await;
    for act in cast::all() {
        stage.until_ready(act.name).await;
    }
    let text = stage.metrics().await;
    let mut seen = BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (family, labels) = labels(line);
        for label in labels {
            assert!(is_allowed(&stage, family, label), "{label:?} in {line}");
            seen.insert(label.0);
        }
    }
    for name in ["namespace", "name", "provider", "type", "status", "reason", "verdict", "format", "code"] {
        assert!(seen.contains(name), "no series has {name}: {text}");
    }
    let gone = act.name;
    stage.credentials().delete(gone, &Default::default()).await.expect("it is there");
    stage.until_gone(&act.output()).await;
    let name = format!("name=\"{gone}\"");
    let forgotten = async {
        while stage.metrics().await.contains(&name) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, forgotten).await.expect("it is forgotten");
    assert!(stage.metrics().await.contains("name=\"wrong\""), "the others are still there");
    stage.finish().await;
}

/// How many come and go in each of two rounds.
const MANY: usize = 500;

/// Series without their values.
async fn series(stage: &Stage) -> BTreeSet<String> {
    let text = stage.metrics().await;
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| Some(line.rsplit_once(' ')?.0.to_owned())).collect()
}

/// Waits until so many credentials are exposed.
async fn until_exposed(stage: &Stage, wanted: usize) {
    let exposed = async {
        loop {
            let all = series(stage).await;
            let names: BTreeSet<_> = all.iter().filter_map(|one| Some(one.split_once("name=\"many-")?.1)).collect();
            let names: BTreeSet<_> = names.iter().filter_map(|rest| rest.split('"').next()).collect();
            if names.len() == wanted {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    };
    let waited = tokio::time::timeout(2 * SOON, exposed).await;
    waited.unwrap_or_else(|_| panic!("{wanted} are not exposed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a34_a_thousand_credentials_that_come_and_go_leave_no_series() {
    let stage = Stage::set_with("coming-and-going", &["--log-level=info"]).await;
    let spec = serde_json::json!({"provider": cast::zenflow().settings, "keySecretRef": {"name": "none"}});
    let mut left = Vec::new();
    for round in 0..2 {
        let (stage, spec) = (&stage, &spec);
        let declared = stream::iter(0..MANY).for_each_concurrent(16, |number| async move {
            stage.declare(&format!("many-{round}-{number}"), spec.clone()).await;
        });
        declared.await;
        until_exposed(stage, MANY).await;
        let all = stage.credentials().delete_collection(&Default::default(), &Default::default()).await;
        all.expect("the administrator may delete them");
        until_exposed(stage, 0).await;
        left.push(series(stage).await);
    }
    let named: Vec<_> = left[1].iter().filter(|one| one.contains("many-") || one.contains(&stage.namespace)).collect();
    assert!(named.is_empty(), "{named:?}");
    // Words of closed lists, such as a code that the API server had not answered before.
    let new: Vec<_> = left[1].difference(&left[0]).collect();
    assert!(new.len() <= 5, "series grow: {new:?}");
    stage.finish().await;
}
