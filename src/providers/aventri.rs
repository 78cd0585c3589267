//! How does Aventri prove a key? By exchanging it for an access token.

use super::{AccountId, BaseUrl, Budget, Given, Profile, Provider, ProviderKind, Reply, Site, Step, Unaddressable, Variables};
use crate::credential::{AccessToken, Key};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An Aventri (now Stova) key. Account ID and key are shown in Aventri under Settings, API; both are needed. They are
/// exchanged for an access token, which is published and renewed in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Aventri {
    /// The Account ID, as shown beside the key: 1 to 20 digits, in quotes.
    #[serde(rename = "accountID")]
    #[schemars(length(max = 20), regex(pattern = "^[0-9]{1,20}$"))]
    pub account_id: String,
    /// The region that the account lives in.
    pub region: Region,
    /// How long a token lives, as set for the account: a duration from `1m` to `24h`. Tokens are renewed at two thirds
    /// of it. Default: `10m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 32),
        regex(pattern = "^([0-9]{1,5}(h|m|s|ms)){1,4}$"),
        extend("x-kubernetes-validations" = [{
            "rule": "self.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$') && \
                     duration(self) >= duration('1m') && duration(self) <= duration('24h')",
            "message": "`tokenLifetime` must be a duration from one minute (1m) to twenty-four hours (24h)",
        }])
    )]
    pub token_lifetime: Option<String>,
}

/// Aventri's regions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Region {
    /// Accounts at na.eventscloud.com.
    NorthAmerica,
    /// Accounts at emea.eventscloud.com.
    EMEA,
    /// Accounts at apac.eventscloud.com.
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
