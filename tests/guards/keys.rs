//! Which bytes are a key? What cannot be one costs no call, and says so.

use connector_operator::api::ConditionType;
use k8s_openapi::ByteString;
use kube::api::{ObjectMeta, PostParams};
use serde_json::json;

use crate::controller::cast;
use crate::simulator::LedgerFilter;
use crate::support::stage::Stage;

/// Twelve shapes that are no key, each around a good one.
fn malformed(key: &str) -> [Vec<u8>; 12] {
    let with = |before: &[u8], after: &[u8]| [before, key.as_bytes(), after].concat();
    [
        Vec::new(),
        b"\n".to_vec(),
        with(b"", b"\n\n"),
        with(b"", b"\r"),
        with(b"", b"\r\nX-Evil: 1"),
        with(b" ", b""),
        with(b"\t", b""),
        with(b"", b"\0"),
        with(b"", b"\x7f"),
        with(b"\xef\xbb\xbf", b""),
        with(b"", "é".as_bytes()),
        [key.as_bytes(), &vec![b'x'; 4097 - key.len()]].concat(),
    ]
}

async fn put(stage: &Stage, name: &str, bytes: Vec<u8>) {
    let secret = k8s_openapi::api::core::v1::Secret {
        metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
        data: Some([("api-key".to_owned(), ByteString(bytes))].into()),
        ..Default::default()
    };
    stage.secrets().create(&PostParams::default(), &secret).await.expect("the administrator may write Secrets");
}

#[tokio::test(flavor = "multi_thread")]
async fn a09_twelve_malformed_keys_cost_no_call_and_one_trailing_newline_is_harmless() {
    let stage = Stage::set("malformed").await;
    let act = cast::zenflow();
    let issued = stage.issue(act.new_key());
    let spec = |secret: &str| json!({"provider": act.settings, "keySecretRef": {"name": secret}});
    let shapes = malformed(&issued.key);
    for (at, bytes) in shapes.iter().enumerate() {
        put(&stage, &format!("bad-{at}"), bytes.clone()).await;
        stage.declare(&format!("bad-{at}"), spec(&format!("bad-{at}"))).await;
    }
    // Of the other environment, by its prefix.
    put(&stage, "bad-prefix", issued.key.replace("zenflow_live_", "zenflow_test_").into()).await;
    stage.declare("bad-prefix", spec("bad-prefix")).await;
    let names = (0..shapes.len()).map(|at| format!("bad-{at}")).chain(["bad-prefix".to_owned()]);
    for name in names {
        stage.until_is(&name, ConditionType::Stalled, ("True", "KeyMalformed")).await;
    }
    assert_eq!(stage.simulator.ledger(&LedgerFilter::default()), [], "nobody was asked");
    for (name, end) in [("lf", "\n"), ("crlf", "\r\n")] {
        put(&stage, name, format!("{}{end}", issued.key).into()).await;
        stage.declare(name, spec(name)).await;
        stage.until_ready(name).await;
        let output = stage.secret(&format!("{name}-auth")).await.expect("it is published");
        assert_eq!(crate::support::stage::value(&output, "api-key").as_deref(), Some(issued.key.as_str()));
    }
    stage.finish().await;
}
