//! The five providers as stories need them: settings, keys, and what is published.

use crate::simulator::{NewKey, Provider};
use serde_json::{Value, json};

/// inFlow's company in these stories.
pub(crate) const COMPANY: &str = "3f0c8a52-7d1e-4b96-9a43-5e2f6c7d8b90";

/// A provider and a credential for it.
pub(crate) struct Act {
    pub(crate) provider: Provider,
    pub(crate) name: &'static str,
    pub(crate) account: &'static str,
    pub(crate) settings: Value,
    pub(crate) scopes: &'static [&'static str],
    pub(crate) expires_at: Option<&'static str>,
    /// The keys of the Binding output: providers.md.
    pub(crate) keys: &'static [&'static str],
}

impl Act {
    /// The whole spec, with the default output.
    pub(crate) fn spec(&self) -> Value {
        let mut spec = json!({"provider": self.settings, "keySecretRef": {"name": self.source()}});
        if let Some(end) = self.expires_at {
            spec["expiresAt"] = json!(end);
        }
        spec
    }

    /// The spec with one more member.
    pub(crate) fn spec_with(&self, member: &str, value: Value) -> Value {
        let mut spec = self.spec();
        spec[member] = value;
        spec
    }

    pub(crate) fn source(&self) -> String {
        format!("{}-key", self.name)
    }

    pub(crate) fn output(&self) -> String {
        format!("{}-auth", self.name)
    }

    pub(crate) fn new_key(&self) -> NewKey {
        let scopes = self.scopes.iter().map(|scope| (*scope).to_owned()).collect();
        NewKey { scopes, ..NewKey::of(self.provider, self.account) }
    }
}

/// All five.
pub(crate) fn all() -> [Act; 5] {
    [inflow(), flowlu(), zenflow(), flow(), aventri()]
}

pub(crate) fn inflow() -> Act {
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
    }
}

pub(crate) fn flowlu() -> Act {
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
    }
}

pub(crate) fn zenflow() -> Act {
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
    }
}

pub(crate) fn flow() -> Act {
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
    }
}

pub(crate) fn aventri() -> Act {
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
    }
}
