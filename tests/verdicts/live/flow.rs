//! FLOW as an administrator configures it: where the key goes, what statuses mean, and what is refused at the start.

use crate::simulator::{LedgerFilter, NewKey, Placement, Provider as Product};
use crate::support::operator::{Operator, OperatorOptions};
use crate::support::stage::{SOON, Stage, keys, value};
use connector_operator::api::ConditionType;
use serde_json::json;

fn configuration(stage: &Stage, authentication: &str) -> String {
    let base = stage.simulator.base();
    format!(
        "providers:
  flow:
    endpoint: {base}/flow/api
    authentication: {authentication}
    probe: {{path: \"/members?limit=1\", accepted: [200], rejected: [401], denied: [403]}}
    probesByPurpose:
      FLOWAPI: {{path: \"/members?limit=2\", accepted: [200], rejected: [403], denied: [401]}}
      InnovatiseBridge: {{path: /nothing, accepted: [200], rejected: [404], denied: [403]}}
"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn flow_is_proved_as_configured() {
    let mut stage = Stage::set("flow").await;
    for (name, authentication, placement, member) in [
        ("bearer", "{header: Authorization, scheme: Bearer}", Placement::Header, "authorization"),
        ("plain", "{header: X-API-Key}", Placement::Header, "header-value"),
        ("query", "{query: api_key}", Placement::Query, "query-value"),
    ] {
        stage.configure(&configuration(&stage, authentication));
        stage.operator.kill().expect("it can be killed");
        stage.operator = stage.another_operator(&[]).await;
        let key = stage.issue(NewKey::of(Product::Flow, ""));
        let source = format!("{name}-key");
        let spec = |purpose: &str| {
            json!({
                "provider": {"flow": {"purpose": purpose}}, "keySecretRef": {"name": source},
                "expiresAt": "2099-01-31T00:00:00Z",
            })
        };
        stage.put_secret(&source, &[("api-key", &key.key)]).await;
        stage.declare(name, spec("ImportMembers")).await;
        stage.until_is(name, ConditionType::Authorized, ("True", "AccessVerified")).await;
        stage.until_ready(name).await;
        let about = LedgerFilter { key_hash: Some(key.hash.clone()), ..LedgerFilter::default() };
        let rows = stage.simulator.ledger(&about);
        assert!(!rows.is_empty() && rows.iter().all(|row| row.placement == placement), "{name}: {rows:?}");
        let output = stage.secret(&format!("{name}-auth")).await.expect("it is published");
        assert!(keys(&output).contains(&member), "{name}: {:?}", keys(&output));
        assert_eq!(value(&output, "api-key").as_deref(), Some(key.key.as_str()));

        // The lists go by purpose: what is a rejection for one is a denial for another.
        let wrong = stage.wrong_key(Product::Flow);
        let source = format!("{name}-changing");
        let spec = |purpose: &str| {
            let mut spec = spec(purpose);
            spec["keySecretRef"]["name"] = json!(source);
            spec
        };
        stage.put_secret(&source, &[("api-key", &wrong)]).await;
        let other = format!("{name}-other");
        stage.declare(&other, spec("CourseProIntegration")).await;
        stage.until_is(&other, ConditionType::Authenticated, ("False", "KeyRejected")).await;
        let general = format!("{name}-general");
        stage.declare(&general, spec("FLOWAPI")).await;
        stage.until_is(&general, ConditionType::Authorized, ("False", "AccessDenied")).await;
        assert!(stage.secret(&format!("{general}-auth")).await.is_none());
        let limited = stage.issue(NewKey { granted: Some(Vec::new()), ..NewKey::of(Product::Flow, "") });
        stage.put_secret(&source, &[("api-key", &limited.key)]).await;
        stage.until_is(&other, ConditionType::Authorized, ("False", "AccessDenied")).await;
        stage.until_is(&general, ConditionType::Authenticated, ("False", "KeyRejected")).await;
        // A Secret and a key of its own: no budget to wait for.
        let bridge = format!("{name}-bridge");
        let unheard = stage.issue(NewKey::of(Product::Flow, ""));
        stage.put_secret(&bridge, &[("api-key", &unheard.key)]).await;
        let mut spec = spec("InnovatiseBridge");
        spec["keySecretRef"]["name"] = json!(bridge);
        stage.declare(&bridge, spec).await;
        stage.until_is(&bridge, ConditionType::Authenticated, ("False", "KeyRejected")).await;
    }
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_configuration_of_flow_is_refused_with_line_and_column() {
    let bed = crate::support::bed::bed().await;
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    let whole = "providers:
  flow:
    endpoint: https://flow.example.com
    authentication: {header: X-API-Key}
    probe: {path: /x, accepted: [200], rejected: [401], denied: [403]}
";
    let with = |from: &str, to: &str| whole.replace(from, to);
    for (number, (text, place)) in [
        (with("[401]", "[200]"), "line 5, column 12"),
        (with("[200]", "[302]"), "line 5, column 12"),
        (with("[200]", "[sesame]"), "line 5, column 34"),
        (with("X-API-Key", "Host"), "line 4, column 21"),
        (with("header", "haeder"), "line 4, column 22"),
        (with("https", "http"), "line 3, column 15"),
        (with("flow.example.com", "169.254.169.254"), "line 3, column 15"),
    ]
    .into_iter()
    .enumerate()
    {
        let file = directory.path().join(format!("{number}.yaml"));
        std::fs::write(&file, &text).expect("it can be written");
        let kubeconfig = bed.plane.kubeconfig();
        let args = vec![format!("--config={}", file.display()), format!("--kubeconfig={}", kubeconfig.display())];
        let options = OperatorOptions { args, environment: Vec::new() };
        let mut operator = Operator::spawn(&bed, &options).expect("it starts");
        let ended = tokio::task::block_in_place(|| operator.wait(SOON)).expect("it can be asked");
        assert_eq!(ended.and_then(|status| status.code()), Some(1), "{text}");
        let log = operator.log();
        assert!(log.contains(place), "{text}\n{log}");
        assert!(!log.contains("sesame") && !log.contains("169.254"), "{log}");
    }
}
