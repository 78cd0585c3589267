//! How does FLOW by OpenPlay prove a key? Only as the administrator configured it: its API is not public.

use super::{AccountId, BaseUrl, Budget, Given, Profile, Provider, ProviderKind, Reply, Site, Step, Unaddressable, Variables};
use crate::credential::{AccessToken, Key};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of a FLOW key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Flow {
    /// The reference given to the key in FLOW.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The purpose chosen for the key in FLOW.
    pub purpose: Purpose,
    /// Logo and colours of a third-party checkout; copied to outputs, never fetched.
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
    /// Address of the logo, https.
    #[serde(default, rename = "logoURL", skip_serializing_if = "Option::is_none")]
    pub logo_url: Option<String>,
    /// First colour, as `#112233`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary_color: Option<String>,
    /// Second colour, as `#445566`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
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
