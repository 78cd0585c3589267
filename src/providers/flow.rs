//! How does FLOW by OpenPlay prove a key? Only as the administrator configured it: its API is not public.

use super::{
    Access, AccountId, Ask, Authentication, BaseUrl, Budget, Doubt, FlowProbe, FlowSite, Given, Label, Profile, Proof,
    Provider, ProviderKind, Rejection, Reply, Site, Step, Unaddressable, Variable, Variables, Verdict,
};
use crate::credential::{AccessToken, Key};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

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
    display: "FLOW by OpenPlay",
    documents: "https://flow.openapi.openplay.uk",
    endpoint: None,
    placeholder: None,
    mints_token: false,
    announces_limits: false,
    longest: 1,
    budget: &BUDGET,
    when_rejected: "Check the key in the Secret, and in FLOW, under System Configuration, Integrations, FLOW API Keys, \
                    whether it still exists and has not expired; make a new one there and put it into the Secret.",
    when_denied: "Check that purpose is the one the key was made for in FLOW; if another is needed, make a new key for it \
                  and put it into the Secret.",
    when_unexpected: "Ask the administrator to check endpoint, authentication and probe of flow in the operator's \
                      configuration.",
};

/// The limit is unknown: assumed.
static BUDGET: Budget = Budget { burst: 4, windows: &[(6, Duration::from_secs(60))] };

impl Purpose {
    /// The purpose as FLOW and the configuration write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ImportMembers => "ImportMembers",
            Self::InnovatiseBridge => "InnovatiseBridge",
            Self::CourseProIntegration => "CourseProIntegration",
            Self::FLOWAPI => "FLOWAPI",
        }
    }

    /// Every purpose there is.
    pub const ALL: &'static [Self] =
        &[Self::ImportMembers, Self::InnovatiseBridge, Self::CourseProIntegration, Self::FLOWAPI];
}

impl Flow {
    fn probe<'a>(&self, site: &'a FlowSite) -> &'a FlowProbe {
        site.probes_by_purpose.get(self.purpose.name()).unwrap_or(&site.probe)
    }
}

impl Provider for Flow {
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }

    fn account(&self) -> AccountId {
        AccountId::ByKey
    }

    fn base(&self, site: &Site) -> Result<BaseUrl, Unaddressable> {
        match &site.flow {
            Some(_) => BaseUrl::build(site.endpoint_or(&PROFILE)?, &Label::NONE, ""),
            None => Err(Unaddressable::NotConfigured),
        }
    }

    fn questions(&self, _site: &Site) -> String {
        self.purpose.name().to_owned()
    }

    fn next(&self, given: &Given<'_>, heard: &[Reply]) -> Step {
        let Some(site) = &given.site.flow else {
            return Step::Done(Verdict::Inconclusive(Doubt::Unexpected));
        };
        let probe = self.probe(site);
        if let Some(reply) = heard.last() {
            return Step::Done(read(probe, reply));
        }
        let ask = Ask::get(&probe.path);
        Step::Ask(match &site.authentication {
            Authentication::Header { name, scheme } => ask.header_with_scheme(name, scheme.as_deref(), given.key),
            Authentication::Query { name } => ask.query(name, given.key),
        })
    }

    fn variables(&self, key: &Key, site: &Site, _token: Option<&AccessToken>) -> Variables {
        let theme = self.checkout_theme.as_ref();
        let variables = Variables::of(self, key, site)
            .with(Variable::Purpose, self.purpose.name())
            .with_some(Variable::Reference, self.reference.as_deref())
            .with_some(Variable::LogoUrl, theme.and_then(|theme| theme.logo_url.as_deref()))
            .with_some(Variable::PrimaryColor, theme.and_then(|theme| theme.primary_color.as_deref()))
            .with_some(Variable::SecondaryColor, theme.and_then(|theme| theme.secondary_color.as_deref()));
        match (&site.flow, self.base(site)) {
            (Some(flow), Ok(_)) => with_authentication(variables, flow, key),
            _ => variables,
        }
    }

    fn test_path(&self, site: &Site) -> Option<String> {
        self.base(site).ok()?;
        Some(self.probe(site.flow.as_ref()?).path.clone())
    }

    fn always_expires(&self) -> bool {
        true
    }
}

fn with_authentication(variables: Variables, site: &FlowSite, key: &Key) -> Variables {
    match &site.authentication {
        Authentication::Query { name } => variables.with_query(name, key.reveal()),
        Authentication::Header { name, scheme } => {
            let value = scheme.as_ref().map_or_else(|| key.reveal().to_owned(), |s| format!("{s} {}", key.reveal()));
            variables.with_header(name, value)
        }
    }
}

fn read(probe: &FlowProbe, reply: &Reply) -> Verdict {
    let status = reply.status();
    let answered = reply.json().is_some();
    if probe.accepted.contains(&status) && (answered || (status == 204 && reply.is_empty())) {
        Verdict::Accepted(Proof::of(Access::Verified))
    } else if probe.rejected.contains(&status) {
        Verdict::Rejected(Rejection::Key)
    } else if probe.denied.contains(&status) && answered {
        Verdict::Accepted(Proof::of(Access::Denied))
    } else {
        Verdict::Inconclusive(Doubt::Unexpected)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{asked_at, assert_table_at, key, pairs, verdict_at};
    use super::*;
    use std::collections::BTreeMap;

    fn flow() -> Flow {
        Flow {
            reference: Some("Leisure centre sync".to_owned()),
            purpose: Purpose::ImportMembers,
            checkout_theme: Some(CheckoutTheme {
                primary_color: Some("#112233".to_owned()),
                ..CheckoutTheme::default()
            }),
        }
    }

    fn probe(path: &str) -> FlowProbe {
        FlowProbe { path: path.to_owned(), accepted: vec![200, 204], rejected: vec![401], denied: vec![403] }
    }

    fn site(authentication: Authentication) -> Site {
        let flow = FlowSite { authentication, probe: probe("/members?limit=1"), probes_by_purpose: BTreeMap::new() };
        Site { endpoint: Some("https://flow.example.com/api".to_owned()), flow: Some(flow) }
    }

    fn header(name: &str, scheme: Option<&str>) -> Site {
        site(Authentication::Header { name: name.to_owned(), scheme: scheme.map(str::to_owned) })
    }

    #[test]
    fn every_row_of_the_table_holds() {
        assert_table_at(
            &flow(),
            &header("Authorization", Some("Bearer")),
            &[
                (200, r#"{"items":[]}"#, "accepted Verified"),
                (200, "", "inconclusive Unexpected"),
                (200, "ok", "inconclusive Unexpected"),
                (204, "", "accepted Verified"),
                (204, "x", "inconclusive Unexpected"),
                (201, "{}", "inconclusive Unexpected"),
                (401, "", "rejected Key"),
                (401, "{}", "rejected Key"),
                (403, "{}", "accepted Denied"),
                (403, "", "inconclusive Unexpected"),
                (400, "{}", "inconclusive Unexpected"),
                (404, "{}", "inconclusive Unexpected"),
            ],
        );
    }

    #[test]
    fn it_asks_as_the_administrator_configured() {
        for (site, expected) in [
            (
                header("Authorization", Some("Bearer")),
                "Get /members?limit=1 accept=application/json header Authorization",
            ),
            (header("X-API-Key", None), "Get /members?limit=1 accept=application/json header X-API-Key"),
            (
                site(Authentication::Query { name: "api_key".to_owned() }),
                "Get /members?limit=1 accept=application/json query api_key",
            ),
        ] {
            assert_eq!(asked_at(&flow(), &site, &[]), expected);
        }
    }

    #[test]
    fn a_purpose_may_have_its_own_probe() {
        let mut site = header("Authorization", None);
        let own = [("ImportMembers".to_owned(), probe("/import"))];
        site.flow.as_mut().unwrap().probes_by_purpose = BTreeMap::from(own);
        assert_eq!(asked_at(&flow(), &site, &[]), "Get /import accept=application/json header Authorization");
        assert_eq!(flow().test_path(&site).as_deref(), Some("/import"));
        let other = Flow { purpose: Purpose::FLOWAPI, ..flow() };
        assert_eq!(other.test_path(&site).as_deref(), Some("/members?limit=1"));
    }

    #[test]
    fn without_an_endpoint_nobody_is_asked_and_outputs_have_the_key_only() {
        let site = Site::default();
        assert_eq!(flow().base(&site).err(), Some(Unaddressable::NotConfigured));
        assert_eq!(flow().test_path(&site), None);
        assert_eq!(verdict_at(&flow(), &site, &[]), "inconclusive Unexpected");
        assert_eq!(
            pairs(&flow().variables(&key("flow-EXAMPLE"), &site, None)),
            [
                "provider=flow",
                "apiKey=flow-EXAMPLE",
                "purpose=ImportMembers",
                "reference=Leisure centre sync",
                "primaryColor=#112233",
            ]
        );
    }

    #[test]
    fn variables_follow_the_configured_authentication() {
        let site = header("authorization", Some("Bearer"));
        assert_eq!(
            pairs(&flow().variables(&key("flow-EXAMPLE"), &site, None)),
            [
                "provider=flow",
                "baseURL=https://flow.example.com/api",
                "host=flow.example.com",
                "apiKey=flow-EXAMPLE",
                "headerName=authorization",
                "headerValue=Bearer flow-EXAMPLE",
                "authorization=Bearer flow-EXAMPLE",
                "accept=application/json",
                "purpose=ImportMembers",
                "reference=Leisure centre sync",
                "primaryColor=#112233",
            ]
        );
        let variables = flow().variables(&key("flow-EXAMPLE"), &header("X-API-Key", None), None);
        assert_eq!(variables.get(Variable::HeaderValue), Some("flow-EXAMPLE"));
        assert_eq!(variables.get(Variable::Authorization), None);
        let site = super::tests::site(Authentication::Query { name: "k".to_owned() });
        let variables = flow().variables(&key("a+b"), &site, None);
        assert_eq!(variables.get(Variable::QueryName), Some("k"));
        assert_eq!(variables.get(Variable::QueryValue), Some("a%2Bb"));
        assert_eq!(variables.get(Variable::HeaderName), None);
    }
}
