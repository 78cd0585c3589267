//! How does inFlow Inventory prove a key?

use super::{
    Access, AccountId, Ask, BaseUrl, Budget, Doubt, Given, Label, Profile, Proof, Provider, ProviderKind, Rejection,
    Reply, Site, Step, Unaddressable, Variable, Variables, Verdict,
};
use crate::credential::{AccessToken, Key};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;

/// An inFlow Inventory key. An administrator makes it in inFlow under Integrations, API, Add new API key; it is shown
/// once. The plan needs the API add-on. A key reads and writes all until it is deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InFlow {
    /// The Company ID, a UUID. It is shown on inFlow's page Integrations, API, beside the keys.
    #[serde(rename = "companyID")]
    #[schemars(length(max = 36), regex(pattern = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"))]
    pub company_id: String,
    /// The version of inFlow's API that workloads use: a date, as inFlow's documentation lists them.
    /// Default: `2025-06-24`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10), regex(pattern = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"))]
    pub api_version: Option<String>,
}

/// What is the same for every credential of this provider.
pub(super) static PROFILE: Profile = Profile {
    kind: ProviderKind::InFlow,
    member: "inflow",
    display: "inFlow Inventory",
    documents: "https://cloudapi.inflowinventory.com/docs",
    endpoint: Some("https://cloudapi.inflowinventory.com"),
    placeholder: None,
    mints_token: false,
    announces_limits: false,
    longest: 1,
    budget: &BUDGET,
    when_rejected: "Check the key in the Secret and companyID: both are shown in inFlow under Integrations, API. \
                    If the key is lost or deleted there, make a new one and put it into the Secret.",
    when_denied: "Check that the plan includes the API add-on and that it is enabled on inFlow's Account page, \
                  and that companyID is the company the key belongs to.",
    when_unexpected: "Check companyID, and whether the configured endpoint is inFlow's.",
};

/// A tenth of 60 a minute (provisional) and of 1000 an hour.
static BUDGET: Budget = Budget { burst: 6, windows: &[(6, MINUTE), (REQUESTS_AN_HOUR, HOUR)] };
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// A tenth of the hourly limit. Seen in public client code only.
const REQUESTS_AN_HOUR: u32 = 100;
/// The documented version.
const API_VERSION: &str = "2025-06-24";
/// Documented; that it serves as a check is seen in public client code only.
const PROBE: &str = "/categories?count=1";
/// Seen in public client code only.
const STATUS_OF_A_BAD_KEY: u16 = 401;
/// Seen in public client code only; a gateway's 403 has no JSON.
const STATUS_OF_NO_ACCESS: u16 = 403;

impl InFlow {
    fn accept(&self) -> String {
        format!("application/json;version={}", self.api_version.as_deref().unwrap_or(API_VERSION))
    }
}

impl Provider for InFlow {
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }

    fn account(&self) -> AccountId {
        AccountId::Named(self.company_id.to_ascii_lowercase())
    }

    fn base(&self, site: &Site) -> Result<BaseUrl, Unaddressable> {
        if !is_uuid(&self.company_id) {
            return Err(Unaddressable::BadField("companyID"));
        }
        if !self.api_version.as_deref().is_none_or(is_version) {
            return Err(Unaddressable::BadField("apiVersion"));
        }
        BaseUrl::build(site.endpoint_or(&PROFILE)?, &Label::NONE, &format!("/{}", self.company_id))
    }

    fn questions(&self, _site: &Site) -> String {
        self.accept()
    }

    fn next(&self, given: &Given<'_>, heard: &[Reply]) -> Step {
        match heard.last() {
            None => Step::Ask(Ask::get(PROBE).accept(self.accept()).header_with_scheme(
                "Authorization",
                Some("Bearer"),
                given.key,
            )),
            Some(reply) => Step::Done(read(reply)),
        }
    }

    fn variables(&self, key: &Key, site: &Site, _token: Option<&AccessToken>) -> Variables {
        Variables::of(self, key, site)
            .with(Variable::Accept, self.accept())
            .with(Variable::CompanyId, &self.company_id)
            .with_bearer(key.reveal())
    }

    fn test_path(&self, _site: &Site) -> Option<String> {
        Some(PROBE.to_owned())
    }
}

fn read(reply: &Reply) -> Verdict {
    match (reply.status(), reply.json()) {
        (200, Some(Value::Array(_))) => Verdict::Accepted(Proof::of(Access::Verified)),
        (STATUS_OF_A_BAD_KEY, _) => Verdict::Rejected(Rejection::Key),
        (STATUS_OF_NO_ACCESS, Some(_)) => Verdict::Accepted(Proof::of(Access::Denied)),
        _ => Verdict::Inconclusive(Doubt::Unexpected),
    }
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn is_version(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([4, 2, 2])
        && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{EXAMPLE_UUID, asked, assert_table, key, pairs, site};
    use super::*;

    fn company(company_id: &str) -> InFlow {
        InFlow { company_id: company_id.to_owned(), api_version: None }
    }

    #[test]
    fn every_row_of_the_table_holds() {
        assert_table(
            &company(EXAMPLE_UUID),
            "inflow",
            &[
                (200, "[]", "accepted Verified"),
                (200, r#"[{"categoryId":"x"}]"#, "accepted Verified"),
                (200, r#"{"error":"x"}"#, "inconclusive Unexpected"),
                (200, "{}", "inconclusive Unexpected"),
                (200, "", "inconclusive Unexpected"),
                (200, "[", "inconclusive Unexpected"),
                (200, "[][]", "inconclusive Unexpected"),
                (200, "null", "inconclusive Unexpected"),
                (201, "[]", "inconclusive Unexpected"),
                (204, "", "inconclusive Unexpected"),
                (401, "", "rejected Key"),
                (401, "Unauthorized", "rejected Key"),
                (401, r#"{"message":"x"}"#, "rejected Key"),
                (403, r#"{"message":"x"}"#, "accepted Denied"),
                (403, "", "inconclusive Unexpected"),
                (403, "Forbidden", "inconclusive Unexpected"),
                (400, r#"{"message":"x"}"#, "inconclusive Unexpected"),
                (404, "", "inconclusive Unexpected"),
                (404, "[]", "inconclusive Unexpected"),
            ],
        );
    }

    #[test]
    fn it_asks_for_one_category_with_the_key_in_a_header() {
        let newer = InFlow { api_version: Some("2026-07-10".to_owned()), ..company(EXAMPLE_UUID) };
        assert_eq!(
            asked(&newer, &[]),
            "Get /categories?count=1 accept=application/json;version=2026-07-10 header Authorization"
        );
    }

    #[test]
    fn company_and_version_are_checked_again() {
        for id in [
            "",
            "..",
            "x/../..",
            "00000000000040008000000000000000",
            "0000000g-0000-4000-8000-000000000000",
            "00000000-0000-4000-8000-000000000000/x",
            "@evil.com",
        ] {
            assert_eq!(company(id).base(&site()).err(), Some(Unaddressable::BadField("companyID")), "{id}");
        }
        for version in ["", "2025-6-24", "2025-06-24\n", "2025-06-2x", "latest"] {
            let settings = InFlow { api_version: Some(version.to_owned()), ..company(EXAMPLE_UUID) };
            assert_eq!(settings.base(&site()).err(), Some(Unaddressable::BadField("apiVersion")), "{version}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_company_reaches_another_host(id in "\\PC{0,40}|[0-9a-f/.@:?#\\\\-]{36}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}") {
            if let Ok(base) = company(&id).base(&site()) {
                proptest::prop_assert_eq!(base.as_str(), format!("https://cloudapi.inflowinventory.com/{id}"));
            }
        }
    }

    #[test]
    fn variables_are_those_of_the_table() {
        assert_eq!(
            pairs(&company(EXAMPLE_UUID).variables(&key("inflow-EXAMPLE"), &site(), None)),
            [
                "provider=inflow",
                "baseURL=https://cloudapi.inflowinventory.com/00000000-0000-4000-8000-000000000000",
                "host=cloudapi.inflowinventory.com",
                "apiKey=inflow-EXAMPLE",
                "headerName=Authorization",
                "headerValue=Bearer inflow-EXAMPLE",
                "authorization=Bearer inflow-EXAMPLE",
                "accept=application/json;version=2025-06-24",
                "companyID=00000000-0000-4000-8000-000000000000",
            ]
        );
    }
}
