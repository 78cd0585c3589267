//! How does ZenFlow prove a key, and each of its scopes?

use super::{AccountId, BaseUrl, Budget, Given, Profile, Provider, ProviderKind, Reply, Scope, Site, Step, Unaddressable, Variables};
use crate::credential::{AccessToken, Key, Malformed};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A ZenFlow key. It is made in ZenFlow's dashboard under Settings, API Keys, Create API Key, with a name, scopes and
/// an optional expiration, to be repeated in `expiresAt`; it is shown once. `{}` declares a Live key and no scopes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "!(has(self.scopePreset) && has(self.scopes))",
    "message": "at most one of `scopePreset` and `scopes` must be set",
    "fieldPath": ".scopes",
}]))]
pub struct ZenFlow {
    /// Which environment the key is for; it must match the key's prefix. Default: `Live`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Environment>,
    /// The set of scopes that was chosen for the key. At most one of `scopePreset` and `scopes` is set. Default: no
    /// scope is declared, so none is proved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope_preset: Option<ScopePreset>,
    /// The scopes that were chosen for the key, each once. Each read scope is proved by a small request; write scopes
    /// cannot be proved without writing. At most one of `scopePreset` and `scopes` is set. Default: no scope is
    /// declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 9), extend("x-kubernetes-list-type" = "set"))]
    pub scopes: Option<Vec<Scope>>,
    /// The allow-list that was set on the key in ZenFlow, repeated here so that messages can name it: one to 64 IP
    /// addresses or CIDRs. It needs the egress addresses of the operator and of the workloads. Default: none.
    #[serde(default, rename = "allowedCIDRs", skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 64),
        inner(length(max = 43)),
        extend("x-kubernetes-list-type" = "set", "x-kubernetes-validations" = [{
            "rule": "self.all(c, isIP(c) || isCIDR(c))",
            "message": "`allowedCIDRs` must be IP addresses such as 203.0.113.7 or CIDRs such as 198.51.100.0/24",
        }])
    )]
    pub allowed_cidrs: Option<Vec<String>>,
    /// What to do about a key that can do more than it declares. Default: `Ignore`.
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
    /// The scope `admin`: everything.
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
