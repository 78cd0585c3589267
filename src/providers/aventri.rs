//! How does Aventri prove a key? By exchanging it for an access token.

use super::{AccountId, BaseUrl, Budget, Given, Profile, Provider, ProviderKind, Reply, Site, Step, Unaddressable, Variables};
use crate::credential::{AccessToken, Key};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of an Aventri key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Aventri {
    /// The Account ID, digits, as shown beside the key.
    #[serde(rename = "accountID")]
    pub account_id: String,
    /// The region that the account lives in.
    pub region: Region,
    /// How long a token lives: a setting of the account. 1m to 24h. Default: 10m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_lifetime: Option<String>,
}

/// Aventri's regions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Region {
    /// `na`
    NorthAmerica,
    /// `emea`
    EMEA,
    /// `apac`
    APAC,
}

/// What is the same for every credential of this provider.
pub(super) static PROFILE: Profile = Profile {
    kind: ProviderKind::Aventri,
    member: "aventri",
    display: "Aventri",
    documents: "",
    endpoint: None,
    mints_token: false,
    longest: 1,
    budget: &Budget { burst: 4, windows: &[(6, std::time::Duration::from_secs(60))] },
    when_rejected: "",
    when_denied: "",
    when_unexpected: "",
};

impl Provider for Aventri {
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
