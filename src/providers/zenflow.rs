//! How does ZenFlow prove a key, and each of its scopes?

use super::{AccountId, BaseUrl, Budget, Given, Profile, Provider, ProviderKind, Reply, Scope, Site, Step, Unaddressable, Variables};
use crate::credential::{AccessToken, Key, Malformed};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of a ZenFlow key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ZenFlow {
    /// Which environment the key is for; it must match the key's prefix. Default: Live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Environment>,
    /// A documented set of scopes. At most one of scopePreset and scopes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope_preset: Option<ScopePreset>,
    /// The scopes that the key should have. At most one of scopePreset and scopes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<Scope>>,
    /// The allow-list that was set on the key, repeated here for messages: addresses or CIDRs.
    #[serde(default, rename = "allowedCIDRs", skip_serializing_if = "Option::is_none")]
    pub allowed_cidrs: Option<Vec<String>>,
    /// Whether a key that can do more than it declares is reported. Default: Ignore.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least_privilege: Option<LeastPrivilege>,
}

/// ZenFlow's two environments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Environment {
    /// Keys that begin with `zenflow_live_`.
    #[default]
    Live,
    /// Keys that begin with `zenflow_test_`.
    Test,
}

/// ZenFlow's documented sets of scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ScopePreset {
    /// Read orders, products and stock.
    ReadOnly,
    /// Read orders, products and stock; write orders and stock.
    ERPSync,
    /// Read products and stock; write stock.
    StockSync,
    /// `admin`.
    FullAccess,
}

/// What to do about a key that can do more than it declares.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LeastPrivilege {
    /// Nothing.
    #[default]
    Ignore,
    /// Look for it once a day at most, and raise `OverPrivileged`.
    Warn,
}

/// What is the same for every credential of this provider.
pub(super) static PROFILE: Profile = Profile {
    kind: ProviderKind::ZenFlow,
    member: "zenflow",
    display: "ZenFlow",
    documents: "",
    endpoint: None,
    mints_token: false,
    longest: 1,
    budget: &Budget { burst: 4, windows: &[(6, std::time::Duration::from_secs(60))] },
    when_rejected: "",
    when_denied: "",
    when_unexpected: "",
};

impl Provider for ZenFlow {
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }
    fn account(&self) -> AccountId {
        AccountId::ByKey
    }
    fn base(&self, _site: &Site) -> Result<BaseUrl, Unaddressable> {
        Err(Unaddressable::NotConfigured)
    }
    fn next(&self, _given: &Given<'_>, _heard: &[Reply]) -> Step {
        unimplemented!()
    }
    fn variables(&self, _key: &Key, _site: &Site, _token: Option<&AccessToken>) -> Variables {
        Variables::default()
    }
    fn test_path(&self, _site: &Site) -> Option<String> {
        None
    }
}
