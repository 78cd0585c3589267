//! Many tenants at once: each gets the verdict and the outputs of its own key, over a connection of its own.

use crate::simulator::{Fault, LedgerFilter, Misbehaviour, NewKey, Provider};
use crate::support::await_object::await_object;
use crate::support::full_length;
use crate::support::stage::{SOON, Stage, get, is, value};
use connector_operator::api::{ConditionType, ConnectorCredential};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// One tenant's credential: every fifth is Aventri's, whose tokens must not be mixed either.
fn is_aventri(n: usize) -> bool {
    n % 5 == 4
}

fn account(n: usize) -> String {
    (500 + n).to_string()
}

fn spec(n: usize) -> Value {
    let provider = if is_aventri(n) {
        json!({"aventri": {"accountID": account(n), "region": "NorthAmerica"}})
    } else {
        json!({"zenflow": {}})
    };
    json!({"provider": provider, "keySecretRef": {"name": "keys", "key": format!("k{n}")}})
}

/// Keys that are refused in this round: others in each, and fewer in all than a namespace may have refused at once.
fn is_bad(n: usize, round: usize) -> bool {
    round > 0 && (n + round) % 25 == 3
}

/// New keys for all; some of them nobody knows.
fn issue(stage: &Stage, number: usize, round: usize) -> Vec<String> {
    let new = |n: usize| {
        let new = if is_aventri(n) {
            NewKey::of(Provider::Aventri, &format!("{}@na", account(n)))
        } else {
            NewKey::of(Provider::ZenFlow, "")
        };
        let issued = stage.simulator.add_key(new);
        let ms = u64::try_from((n * 37 + round * 11) % 150).expect("a small number");
        stage.simulator.set_fault(Fault { key_hash: Some(issued.hash), ..Fault::of(Misbehaviour::Latency { ms }) });
        if is_bad(n, round) {
            stage.simulator.revoke_key(&issued.id);
        }
        issued.key
    };
    (0..number).map(new).collect()
}

fn speaks_of(object: &ConnectorCredential, version: &str) -> bool {
    let source = object.status.as_ref().and_then(|status| status.source.as_ref());
    source.is_some_and(|source| source.resource_version == version)
}

async fn settled(stage: &Stage, n: usize, round: usize, version: &str) {
    let wanted = |object: &ConnectorCredential| {
        let refused = ["KeyRejected", "KeyRevoked"]
            .iter()
            .any(|reason| is(object, ConditionType::Authenticated, ("False", reason)));
        let accepted = is(object, ConditionType::Authenticated, ("True", "KeyAccepted"));
        speaks_of(object, version) && if is_bad(n, round) { refused } else { accepted }
    };
    let name = format!("tenant-{n}");
    await_object(&stage.credentials(), &name, SOON * 3, wanted).await.expect("each gets its own verdict");
}

#[tokio::test(flavor = "multi_thread")]
async fn a19_tenants_are_never_mixed_and_no_connection_is_shared() {
    let (number, rounds) = if full_length() { (200, 4) } else { (60, 2) };
    let stage = Stage::set_with("tenants", &["--log-level=info"]).await;
    let mut good: BTreeMap<usize, String> = BTreeMap::new();
    for round in 0..rounds {
        let keys = issue(&stage, number, round);
        let names: Vec<_> = (0..number).map(|n| format!("k{n}")).collect();
        let data: Vec<_> = names.iter().map(String::as_str).zip(keys.iter().map(String::as_str)).collect();
        let version = stage.put_secret("keys", &data).await.metadata.resource_version.expect("a version");
        if round == 0 {
            for n in 0..number {
                stage.declare(&format!("tenant-{n}"), spec(n)).await;
            }
        }
        for (n, key) in keys.iter().enumerate() {
            settled(&stage, n, round, &version).await;
            if !is_bad(n, round) {
                good.insert(n, key.clone());
            }
            let output = format!("tenant-{n}-auth");
            let own = |secret: &_| value(secret, "api-key").as_ref() == good.get(&n);
            await_object(&stage.secrets(), &output, SOON, own).await.expect("each output has its own key");
        }
    }
    for n in (0..number).filter(|n| is_aventri(*n)) {
        let output = stage.secret(&format!("tenant-{n}-auth")).await.expect("it is published");
        let token = value(&output, "access-token").expect("a token");
        let token: String = url::form_urlencoded::byte_serialize(token.as_bytes()).collect();
        let base = stage.simulator.base();
        get(&format!("{base}/aventri/na/api/v2/global/listEvents.json?accesstoken={token}")).await;
        let row = stage.simulator.ledger(&LedgerFilter::default()).pop().expect("a row");
        assert_eq!(row.account, format!("{}@na", account(n)), "the token is of its own account");
    }
    let rows = stage.simulator.ledger(&LedgerFilter::default());
    let connections: BTreeSet<_> = rows.iter().map(|row| row.connection).collect();
    assert_eq!(connections.len(), rows.len(), "a connection served two requests");
    assert!(rows.len() >= number * rounds);
    for row in &rows {
        let carries = |name: &str| row.header_names.iter().any(|header| header == name);
        assert!(!carries("authorization") && !carries("cookie") && !carries("referer"), "{row:?}");
    }
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a19_two_who_rotate_at_the_same_moment_do_not_swap_verdicts() {
    let stage = Stage::set("swap").await;
    let issue = |scopes: &[&str]| {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        stage.issue(NewKey { scopes, ..NewKey::of(Provider::ZenFlow, "") })
    };
    let keys = [issue(&["read:orders"]), issue(&["read:stock"])];
    let spec = |name: &str| json!({"provider": {"zenflow": {"scopes": ["read:orders"]}}, "keySecretRef": {"name": "keys", "key": name}});
    stage.put_secret("keys", &[("a", &keys[0].key), ("b", &keys[1].key)]).await;
    stage.declare("a", spec("a")).await;
    stage.declare("b", spec("b")).await;
    stage.until_is("a", ConditionType::Authorized, ("True", "AccessVerified")).await;
    stage.until_is("b", ConditionType::Authorized, ("False", "InsufficientScope")).await;
    for key in &keys {
        let fault = Misbehaviour::Latency { ms: 500 };
        stage.simulator.set_fault(Fault { key_hash: Some(key.hash.clone()), ..Fault::of(fault) });
    }
    stage.put_secret("keys", &[("a", &keys[1].key), ("b", &keys[0].key)]).await;
    stage.until_is("a", ConditionType::Authorized, ("False", "InsufficientScope")).await;
    stage.until_is("b", ConditionType::Authorized, ("True", "AccessVerified")).await;
    let (a, b) = (stage.secret("a-auth").await, stage.secret("b-auth").await);
    let carried = |secret: Option<_>| secret.and_then(|secret| value(&secret, "api-key"));
    assert_eq!(carried(a).as_deref(), Some(keys[0].key.as_str()), "a keeps what was proved for it");
    assert_eq!(carried(b).as_deref(), Some(keys[0].key.as_str()), "b has what is proved for it now");
    stage.finish().await;
}
