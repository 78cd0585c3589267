//! How does FLOW by OpenPlay prove a key? Only as the administrator configured it: its API is not public.

use super::{AccountId, BaseUrl, Budget, Given, Profile, Provider, ProviderKind, Reply, Site, Step, Unaddressable, Variables};
use crate::credential::{AccessToken, Key};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A FLOW key by OpenPlay. It is made in FLOW under Home, System Configuration, Integrations, FLOW API Keys, Create New
/// API Key, with a reference, one purpose and an expiry date, to be repeated in `expiresAt`. FLOW's API is not public:
/// until an administrator configures its endpoint the key is checked locally only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Flow {
    /// The reference that was given to the key in FLOW: 1 to 256 characters, on one line. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), regex(pattern = r"^[^\x00-\x1f\x7f]*$"))]
    pub reference: Option<String>,
    /// The purpose that was chosen for the key in FLOW.
    pub purpose: Purpose,
    /// Logo and colours of a third-party checkout, as entered in FLOW. They are copied to outputs. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkout_theme: Option<CheckoutTheme>,
}

/// FLOW's documented purposes of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Purpose {
    /// Tools that load members into FLOW.
    ImportMembers,
    /// The Innovatise platform and app.
    InnovatiseBridge,
    /// Synchronisation with CoursePro.
    CourseProIntegration,
    /// General access and own integrations.
    FLOWAPI,
}

/// The look of a third-party checkout.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckoutTheme {
    /// Address of the logo: an https URL of at most 2048 visible ASCII characters. It is copied to outputs and never
    /// fetched. Default: none.
    #[serde(default, rename = "logoURL", skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 2048),
        regex(pattern = r"^https://[!-~]+$"),
        extend("x-kubernetes-validations" = [{
            "rule": "isURL(self) && url(self).getHostname() != ''",
            "message": "`logoURL` must be an https URL with a host",
        }])
    )]
    pub logo_url: Option<String>,
    /// First colour: a number sign and six hex digits, such as `#112233`. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 7), regex(pattern = "^#[0-9A-Fa-f]{6}$"))]
    pub primary_color: Option<String>,
    /// Second colour: a number sign and six hex digits, such as `#445566`. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 7), regex(pattern = "^#[0-9A-Fa-f]{6}$"))]
    pub secondary_color: Option<String>,
}

/// What is the same for every credential of this provider.
pub(super) static PROFILE: Profile = Profile {
    kind: ProviderKind::Flow,
    member: "flow",
    display: "Flow",
    documents: "",
    endpoint: None,
    mints_token: false,
    longest: 1,
    budget: &Budget { burst: 4, windows: &[(6, std::time::Duration::from_secs(60))] },
    when_rejected: "",
    when_denied: "",
    when_unexpected: "",
};

impl Provider for Flow {
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
