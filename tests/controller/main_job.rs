//! The main job, once for each provider: a Secret arrives, its key is proved and published, a wrong key is not.

use crate::simulator::{NewKey, Provider};
use crate::support::stage::{Stage, keys, value};
use connector_operator::api::ConditionType;
use serde_json::{Value, json};

/// inFlow's company in these stories.
const COMPANY: &str = "3f0c8a52-7d1e-4b96-9a43-5e2f6c7d8b90";

/// A provider as a story needs it.
struct Act {
    provider: Provider,
    name: &'static str,
    account: &'static str,
    settings: Value,
    scopes: &'static [&'static str],
    expires_at: Option<&'static str>,
    keys: &'static [&'static str],
}

fn acts() -> Vec<Act> {
    vec![
        Act {
            provider: Provider::InFlow,
            name: "inventory",
            account: COMPANY,
            settings: json!({"inflow": {"companyID": COMPANY}}),
            scopes: &[],
            expires_at: None,
            keys: &[
                "accept",
                "api-key",
                "authorization",
                "base-url",
                "company-id",
                "header-name",
                "header-value",
                "host",
                "provider",
                "type",
                "uri",
            ],
        },
        Act {
            provider: Provider::Flowlu,
            name: "crm",
            account: "mycompany",
            settings: json!({"flowlu": {"account": "mycompany"}}),
            scopes: &[],
            expires_at: None,
            keys: &[
                "accept",
                "account",
                "api-key",
                "base-url",
                "host",
                "provider",
                "query-name",
                "query-value",
                "type",
                "uri",
            ],
        },
        Act {
            provider: Provider::ZenFlow,
            name: "erp",
            account: "",
            settings: json!({"zenflow": {"scopePreset": "ERPSync"}}),
            scopes: &["read:orders", "read:products", "read:stock", "write:orders", "write:stock"],
            expires_at: None,
            keys: &[
                "accept",
                "api-key",
                "base-url",
                "environment",
                "header-name",
                "header-value",
                "host",
                "provider",
                "scopes",
                "type",
                "uri",
            ],
        },
        Act {
            provider: Provider::Flow,
            name: "leisure",
            account: "",
            settings: json!({"flow": {"purpose": "ImportMembers", "reference": "Leisure centre sync"}}),
            scopes: &[],
            expires_at: Some("2099-01-31T00:00:00Z"),
            keys: &[
                "accept",
                "api-key",
                "authorization",
                "base-url",
                "expires-at",
                "header-name",
                "header-value",
                "host",
                "provider",
                "purpose",
                "reference",
                "type",
                "uri",
            ],
        },
        Act {
            provider: Provider::Aventri,
            name: "events",
            account: "12345@na",
            settings: json!({"aventri": {"accountID": "12345", "region": "NorthAmerica"}}),
            scopes: &[],
            expires_at: None,
            keys: &[
                "accept",
                "access-token",
                "account-id",
                "api-key",
                "authorization",
                "base-url",
                "header-name",
                "header-value",
                "host",
                "provider",
                "query-name",
                "query-value",
                "region",
                "type",
                "uri",
            ],
        },
    ]
}

impl Act {
    fn spec(&self) -> Value {
        let mut spec = json!({"provider": self.settings, "keySecretRef": {"name": self.source()}});
        if let Some(end) = self.expires_at {
            spec["expiresAt"] = json!(end);
        }
        spec
    }

    fn source(&self) -> String {
        format!("{}-key", self.name)
    }

    fn output(&self) -> String {
        format!("{}-auth", self.name)
    }

    fn new_key(&self) -> NewKey {
        let scopes = self.scopes.iter().map(|scope| (*scope).to_owned()).collect();
        NewKey { scopes, ..NewKey::of(self.provider, self.account) }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_proved_and_published_when_its_secret_arrives() {
    let stage = Stage::set("main-job").await;
    for act in acts() {
        stage.declare(act.name, act.spec()).await;
        stage.until_is(act.name, ConditionType::Resolved, ("False", "SecretNotFound")).await;
        let issued = stage.issue(act.new_key());
        stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
        let ready = stage.until_ready(act.name).await;
        let output = stage.secret(&act.output()).await.expect("a ready credential is published");
        assert_eq!(keys(&output), act.keys, "{}", act.name);
        assert_eq!(value(&output, "api-key").as_deref(), Some(issued.key.as_str()), "{}", act.name);
        assert_eq!(output.type_.as_deref(), Some("servicebinding.io/connector"));
        let binding = ready.status.and_then(|status| status.binding);
        assert_eq!(binding.map(|binding| binding.name), Some(act.output()));
        if let Some(token) = value(&output, "access-token") {
            stage.watch_for(&token);
        }
    }
    assert_eq!(stage.simulator.decoy_hits(), 0);
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_rejected_and_never_published() {
    let stage = Stage::set("wrong-key").await;
    for act in acts() {
        let wrong = stage.wrong_key(act.provider);
        stage.put_secret(&act.source(), &[("api-key", &wrong)]).await;
        stage.declare(act.name, act.spec()).await;
        stage.until_is(act.name, ConditionType::Authenticated, ("False", "KeyRejected")).await;
        stage.until_is(act.name, ConditionType::Stalled, ("True", "KeyRejected")).await;
        stage.until_is(act.name, ConditionType::Ready, ("False", "KeyRejected")).await;
        assert!(stage.secret(&act.output()).await.is_none(), "{}: nothing is published", act.name);
        let issued = stage.issue(act.new_key());
        stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
        stage.until_ready(act.name).await;
        if let Some(token) = stage.secret(&act.output()).await.and_then(|output| value(&output, "access-token")) {
            stage.watch_for(&token);
        }
    }
    stage.finish().await;
}
