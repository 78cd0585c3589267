//! ZenFlow's scopes: what is declared is proved where it can be, and what is missing or too much is named.

use super::with_scopes;
use crate::simulator::NewKey;
use crate::support::stage::{Stage, is};
use connector_operator::api::{ConditionType, Conditions as _, ConnectorCredential};
use serde_json::{Value, json};

async fn declared(stage: &Stage, name: &str, zenflow: Value, key: NewKey) {
    let key = stage.issue(key);
    stage.put_secret(name, &[("api-key", &key.key)]).await;
    stage.declare(name, json!({"provider": {"zenflow": zenflow}, "keySecretRef": {"name": name}})).await;
}

fn message(object: &ConnectorCredential, condition: ConditionType) -> String {
    let conditions = object.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    conditions.of(condition).map(|found| found.message.clone()).unwrap_or_default()
}

const ERP: [&str; 5] = ["read:orders", "read:products", "read:stock", "write:orders", "write:stock"];

#[tokio::test(flavor = "multi_thread")]
async fn every_preset_is_proved_scope_by_scope() {
    let stage = Stage::set("presets").await;
    for (name, preset, scopes, paths) in [
        ("read-only", "ReadOnly", &["read:orders", "read:products", "read:stock"][..], 3),
        ("erp-sync", "ERPSync", &ERP[..], 3),
        ("stock-sync", "StockSync", &["read:products", "read:stock", "write:stock"][..], 2),
        ("full", "FullAccess", &["admin"][..], 4),
    ] {
        let before = super::calls(&stage);
        declared(&stage, name, json!({"scopePreset": preset}), with_scopes(scopes)).await;
        let ready = stage.until_ready(name).await;
        assert!(is(&ready, ConditionType::Authorized, ("True", "AccessVerified")), "{name}");
        assert_eq!(super::calls(&stage) - before, paths, "{name}: one request a read scope");
        let unproved = scopes.iter().filter(|scope| !scope.starts_with("read:"));
        for scope in unproved {
            let said = message(&ready, ConditionType::Authorized);
            assert!(said.contains(scope), "{name} does not name {scope}: {said}");
        }
    }
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_named_and_not_published() {
    let stage = Stage::set("scopes").await;
    declared(&stage, "missing", json!({"scopePreset": "ERPSync"}), with_scopes(&["read:orders", "write:orders"])).await;
    let told = stage.until_is("missing", ConditionType::Authorized, ("False", "InsufficientScope")).await;
    assert!(is(&told, ConditionType::Authenticated, ("True", "KeyAccepted")), "the key itself is genuine");
    assert!(is(&told, ConditionType::Stalled, ("True", "InsufficientScope")));
    let said = message(&told, ConditionType::Authorized);
    assert!(said.contains("read:stock") && said.contains("read:products"), "{said}");
    assert!(stage.secret("missing-auth").await.is_none());

    declared(&stage, "writer", json!({"scopes": ["write:orders"]}), with_scopes(&["write:orders"])).await;
    let told = stage.until_ready("writer").await;
    assert!(is(&told, ConditionType::Authorized, ("Unknown", "NotVerifiable")));
    assert!(message(&told, ConditionType::Authorized).contains("write:orders"));
    declared(&stage, "silent", json!({}), with_scopes(&[])).await;
    let told = stage.until_ready("silent").await;
    assert!(is(&told, ConditionType::Authorized, ("Unknown", "NotVerifiable")));

    let allowed_cidrs = vec!["203.0.113.0/24".parse().expect("a network")];
    let elsewhere = NewKey { allowed_cidrs, ..with_scopes(&["read:orders"]) };
    let zenflow = json!({"scopes": ["read:orders"], "allowedCIDRs": ["203.0.113.0/24", "198.51.100.7"]});
    declared(&stage, "elsewhere", zenflow, elsewhere).await;
    let told = stage.until_is("elsewhere", ConditionType::Authorized, ("False", "IPNotAllowed")).await;
    assert!(is(&told, ConditionType::Ready, ("False", "IPNotAllowed")));
    let said = message(&told, ConditionType::Authorized);
    assert!(said.contains("203.0.113.0/24") && said.contains("198.51.100.7"), "{said}");
    assert!(stage.secret("elsewhere-auth").await.is_none());
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_can_do_too_much_is_ready_and_told_of_once_a_day_at_most() {
    let stage = Stage::set("least-privilege").await;
    let zenflow = json!({"scopes": ["read:orders", "write:stock"], "leastPrivilege": "Warn"});
    let scopes = ["read:orders", "read:stock", "read:webhooks", "write:stock"];
    declared(&stage, "erp", zenflow, with_scopes(&scopes)).await;
    let told = stage.until_is("erp", ConditionType::OverPrivileged, ("True", "UndeclaredScope")).await;
    assert!(is(&told, ConditionType::Ready, ("True", "Ready")), "advice only");
    let said = message(&told, ConditionType::OverPrivileged);
    assert!(said.contains("read:webhooks") && !said.contains("read:stock"), "its write twin is declared: {said}");
    let first = super::calls(&stage);
    stage.annotate("erp", "connector-operator.io/reconcile-at", "again").await;
    let handled = |object: &ConnectorCredential| {
        object.status.as_ref().is_some_and(|status| status.last_handled_request.as_deref() == Some("again"))
    };
    let again = stage.until("erp", handled).await;
    assert!(is(&again, ConditionType::OverPrivileged, ("True", "UndeclaredScope")), "it stands until the next look");
    assert_eq!(super::calls(&stage) - first, 1, "the declared read scope only");
    stage.finish().await;
}
