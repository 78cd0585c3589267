//! How long does pure thinking take? Calls into the library, on one thread.

use std::collections::BTreeSet;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use connector_operator::api::ConnectorCredential;
use connector_operator::credential::Key;
use connector_operator::outputs::{Material, default_output, render};
use connector_operator::policy::{Asked, Observed, Source, Target, Traits, decide};
use connector_operator::providers::{
    Access, Depth, Given, Proof, Provider, Reply, Site, Variable, Variables, Verdict, ZenFlow,
};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use serde_json::json;

use crate::figures::Micro;

const KEY: &str = "zenflow_live_EXAMPLE_0123456789";
const ROUNDS: u32 = 20_000;

/// Times each for a healthy ZenFlow credential that was accepted just now.
pub(crate) fn micro() -> Micro {
    let seen = seen();
    let verdict = Verdict::Accepted(Proof::of(Access::Verified));
    let now = Timestamp::now();
    let decide_micros = timed(|| {
        let asked = Asked { verdict: &verdict, at: now, retry_at: None };
        black_box(decide(black_box(&seen), Some(asked), None, now));
    });
    let (output, material) = (default_output("erp"), material());
    let render_micros = timed(|| {
        let rendered = render(black_box(&output), black_box(&material));
        black_box(rendered.is_ok());
    });
    let key = Key::parse(KEY.as_bytes()).expect("the key is well-formed");
    let settings: ZenFlow = serde_json::from_value(json!({})).expect("the settings are well-formed");
    let site = Site::default();
    let given = Given { key: &key, site: &site, depth: Depth::Declared };
    let body = br#"{"success":true,"data":{"orders":[],"pagination":{"total":0,"page":1,"limit":1,"total_pages":0}}}"#;
    let classify_micros = timed(|| {
        let heard = [Reply::new(200, black_box(body))];
        black_box(settings.next(&given, &heard));
    });
    Micro { decide: decide_micros, render: render_micros, classify: classify_micros }
}

/// Microseconds a call.
fn timed(mut call: impl FnMut()) -> f64 {
    (0..ROUNDS / 10).for_each(|_| call());
    let began = Instant::now();
    (0..ROUNDS).for_each(|_| call());
    began.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS)
}

fn seen() -> Observed {
    let credential: ConnectorCredential = serde_json::from_value(json!({
        "apiVersion": "connector-operator.io/v1alpha1",
        "kind": "ConnectorCredential",
        "metadata": {"name": "erp", "namespace": "data", "uid": "0001", "resourceVersion": "7", "generation": 1},
        "spec": {"provider": {"zenflow": {}}, "keySecretRef": {"name": "zenflow-key"}},
    }))
    .expect("the credential is well-formed");
    let secret: Secret = serde_json::from_value(json!({
        "metadata": {"name": "zenflow-key", "namespace": "data", "uid": "0002", "resourceVersion": "5"},
        "data": {"api-key": k8s_openapi::ByteString(KEY.into())},
    }))
    .expect("the Secret is well-formed");
    Observed {
        object: Arc::new(credential),
        source: Source::Found(Box::new(secret)),
        targets: vec![Target { name: "erp-auth".to_owned(), secret: None, cut: false }],
        dropped: Vec::new(),
        claimed: BTreeSet::new(),
        site: Site::default(),
        traits: Traits::default(),
    }
}

fn material() -> Material {
    let variables = Variables::default()
        .with(Variable::ApiKey, KEY)
        .with(Variable::BaseUrl, "https://api.zenflow.com.ar/api/v1")
        .with(Variable::HeaderName, "X-API-Key")
        .with(Variable::HeaderValue, KEY);
    Material { title: "data/erp".to_owned(), description: None, provider: "zenflow", variables, test_url: None }
}
