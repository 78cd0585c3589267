//! Where is a provider, as far as this installation is concerned? The administrator's settings for it, and the
//! base URL that they and a credential's own labels make.

use super::Profile;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use url::Url;

/// The administrator's settings for one provider, checked when the configuration was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Site {
    /// Endpoint with `{account}` or `{region}` in host or path; `None` where there is no default and none is configured.
    pub endpoint: Option<String>,
    /// How FLOW is asked; only FLOW has it.
    pub flow: Option<FlowSite>,
}

impl Site {
    /// The configured endpoint, or the built-in one.
    ///
    /// # Errors
    /// [`Unaddressable::NotConfigured`], when there is neither.
    pub(super) fn endpoint_or(&self, profile: &Profile) -> Result<&str, Unaddressable> {
        self.endpoint.as_deref().or(profile.endpoint).ok_or(Unaddressable::NotConfigured)
    }
}

/// What the administrator knows about FLOW's API, which is not public.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FlowSite {
    /// Where the key goes.
    pub authentication: Authentication,
    /// What is asked to prove a key.
    pub probe: FlowProbe,
    /// Exceptions by `spec.provider.flow.purpose`.
    pub probes_by_purpose: BTreeMap<String, FlowProbe>,
}

/// Where a key goes in a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Authentication {
    /// In this header, behind an optional scheme.
    Header {
        /// The header's name.
        name: String,
        /// `Bearer`, for instance.
        scheme: Option<String>,
    },
    /// In this query parameter.
    Query {
        /// The parameter's name.
        name: String,
    },
}

/// A read-only request, and how its status codes are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FlowProbe {
    /// Path below the endpoint, with an optional query.
    pub path: String,
    /// Status codes that prove the key.
    pub accepted: Vec<u16>,
    /// Status codes that refuse it.
    pub rejected: Vec<u16>,
    /// Status codes that say it is genuine and not allowed.
    pub denied: Vec<u16>,
}

/// Why a base URL cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unaddressable {
    /// The administrator has configured no endpoint, and there is no default.
    #[error("no endpoint is configured")]
    NotConfigured,
    /// This field of the provider's settings is not what the schema admits.
    #[error("{0} is not of the documented form")]
    BadField(&'static str),
}

/// A value of a credential that becomes a part of a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label<'a> {
    /// Where it goes in the endpoint: `{account}`, for instance. Not empty.
    pub placeholder: &'static str,
    /// What goes there.
    pub value: &'a str,
    /// The field that it comes from.
    pub field: &'static str,
}

impl Label<'_> {
    /// For an endpoint that has no placeholder, of a provider without one.
    pub const NONE: Label<'static> = Label { placeholder: "{}", value: "x", field: "endpoint" };

    /// One DNS label: letters, digits and inner hyphens, at most 63.
    fn is_plain(&self) -> bool {
        let bytes = self.value.as_bytes();
        let inner = |edge: Option<&u8>| edge.is_some_and(u8::is_ascii_alphanumeric);
        bytes.len() <= 63
            && inner(bytes.first())
            && inner(bytes.last())
            && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
    }
}

/// An http or https URL without query and without trailing slash, to which paths are appended.
#[derive(Clone, PartialEq, Eq)]
pub struct BaseUrl(Url);

impl BaseUrl {
    /// The endpoint, its placeholder filled with `label`, and `path` below it. Whatever is filled in, the URL leads to
    /// the endpoint's scheme, host and port, and nowhere above its path.
    ///
    /// # Errors
    /// [`Unaddressable::BadField`] with the label's field, when the label could lead elsewhere.
    pub fn build(endpoint: &str, label: &Label<'_>, path: &str) -> Result<Self, Unaddressable> {
        let bad = Unaddressable::BadField(label.field);
        if !label.is_plain() {
            return Err(bad);
        }
        let filled = endpoint.replace(label.placeholder, label.value);
        let (scheme, rest) = filled.split_once("://").ok_or(bad)?;
        let (authority, above) = rest.split_at_checked(rest.find('/').unwrap_or(rest.len())).ok_or(bad)?;
        let wanted_path = format!("{}{path}", above.trim_end_matches('/'));
        let url = Url::parse(&format!("{scheme}://{authority}{wanted_path}")).map_err(|_| bad)?;
        // The parser's view of the whole is compared with the text it was made of: it may normalise nothing away.
        let plain = endpoint.replace(label.placeholder, "x");
        let plain = Url::parse(&plain).map_err(|_| bad)?;
        let host_and_port = match url.port() {
            Some(port) => format!("{}:{port}", url.host_str().unwrap_or_default()),
            None => url.host_str().unwrap_or_default().to_owned(),
        };
        let explicit_default = format!("{host_and_port}:{}", url.port_or_known_default().unwrap_or_default());
        let same = url.scheme() == plain.scheme()
            && url.port_or_known_default() == plain.port_or_known_default()
            && [host_and_port, explicit_default].iter().any(|wanted| authority.eq_ignore_ascii_case(wanted))
            && url.path().trim_end_matches('/') == wanted_path.trim_end_matches('/')
            && url.query().is_none()
            && url.fragment().is_none();
        if same { Ok(Self(url)) } else { Err(bad) }
    }

    /// The URL as text, without trailing slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }

    /// Host, and the port unless it is the scheme's own.
    #[must_use]
    pub fn host(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        self.0.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// The parsed URL.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn account(value: &str) -> Label<'_> {
        Label { placeholder: "{account}", value, field: "account" }
    }

    #[test]
    fn a_plain_label_makes_the_documented_url() {
        for (endpoint, path, expected, host) in [
            (
                "https://{account}.flowlu.com",
                "/api/v1/module",
                "https://my-company.flowlu.com/api/v1/module",
                "my-company.flowlu.com",
            ),
            (
                "http://127.0.0.1:8080/flowlu/{account}",
                "/api",
                "http://127.0.0.1:8080/flowlu/my-company/api",
                "127.0.0.1:8080",
            ),
            (
                "https://{account}.example.com:8443/",
                "",
                "https://my-company.example.com:8443",
                "my-company.example.com:8443",
            ),
            ("https://{account}.example.com:443", "/x", "https://my-company.example.com/x", "my-company.example.com"),
            ("http://[::1]:9000/p/", "/x", "http://[::1]:9000/p/x", "[::1]:9000"),
        ] {
            let base = BaseUrl::build(endpoint, &account("my-company"), path).unwrap();
            assert_eq!((base.as_str(), base.host().as_str()), (expected, host));
        }
    }

    #[test]
    fn a02_a_label_that_leads_elsewhere_is_refused() {
        for value in [
            "",
            "evil.com/",
            "evil.com#",
            "x@evil.com:443/",
            "a.b",
            "..",
            "a/b",
            "a\\b",
            "a%2fb",
            "-a",
            "a-",
            "a b",
            "a\n",
            "é",
            "a:b",
            "a?b",
            "a@b",
            "{account}",
            "xn--a",
            &"a".repeat(64),
        ] {
            for endpoint in ["https://{account}.flowlu.com", "https://api.example.com/{account}"] {
                let built = BaseUrl::build(endpoint, &account(value), "");
                let harmless = value == "xn--a" && endpoint.ends_with('}');
                assert_eq!(built.is_err(), !harmless, "{value:?} in {endpoint}");
            }
        }
    }

    proptest! {
        #[test]
        fn a02_no_label_reaches_another_host(value in "\\PC{0,70}|[a-z0-9.@/:#?%\\\\-]{0,20}") {
            if let Ok(base) = BaseUrl::build("https://{account}.flowlu.com", &account(&value), "/api/v1/module") {
                prop_assert_eq!(base.host(), format!("{}.flowlu.com", value.to_ascii_lowercase()));
                prop_assert_eq!(base.url().path(), "/api/v1/module");
            }
            if let Ok(base) = BaseUrl::build("https://api.example.com/p/{account}", &account(&value), "") {
                prop_assert_eq!(base.url().host_str(), Some("api.example.com"));
                prop_assert_eq!(base.url().path(), format!("/p/{value}"));
            }
        }
    }
}
