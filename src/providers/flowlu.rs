//! How does Flowlu prove a key?

use super::{AccountId, BaseUrl, Budget, Given, Profile, Provider, ProviderKind, Reply, Site, Step, Unaddressable, Variables};
use crate::credential::{AccessToken, Key};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A Flowlu key. An administrator makes it in Flowlu under the profile icon, Portal Settings, API Settings, Create, and
/// picks the methods that it may use; it is not shown again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Flowlu {
    /// The workspace: the first label of its address, `mycompany` for mycompany.flowlu.com. At most 63 small letters,
    /// digits and dashes; not `www`.
    #[schemars(
        length(max = 63),
        regex(pattern = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"),
        extend("x-kubernetes-validations" = [{
            "rule": "self != 'www'",
            "message": "`account` must be a workspace of yours: www is Flowlu's own site",
        }])
    )]
    pub account: String,
}

/// What is the same for every credential of this provider.
pub(super) static PROFILE: Profile = Profile {
    kind: ProviderKind::Flowlu,
    member: "flowlu",
    display: "Flowlu",
    documents: "",
    endpoint: None,
    mints_token: false,
    longest: 1,
    budget: &Budget { burst: 4, windows: &[(6, std::time::Duration::from_secs(60))] },
    when_rejected: "",
    when_denied: "",
    when_unexpected: "",
};

impl Provider for Flowlu {
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
