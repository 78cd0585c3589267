//! Where is a provider, as far as this installation is concerned? The administrator's settings for it, and the
//! base URL that they and a credential's own labels make.

use std::collections::BTreeMap;
use std::fmt;
use url::Url;

/// The administrator's settings for one provider, checked when the configuration was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Site {
    /// Endpoint with `{account}` or `{region}` in host or path; `None` where there is no default and none is configured.
    pub endpoint: Option<String>,
    /// How FLOW is asked; only FLOW has it.
    pub flow: Option<FlowSite>,
}

/// What the administrator knows about FLOW's API, which is not public.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowSite {
    /// Where the key goes.
    pub authentication: Authentication,
    /// What is asked to prove a key.
    pub probe: FlowProbe,
    /// Exceptions by `spec.provider.flow.purpose`.
    pub probes_by_purpose: BTreeMap<String, FlowProbe>,
}

/// Where a key goes in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// An http or https URL without query and without trailing slash, to which paths are appended.
#[derive(Clone, PartialEq, Eq)]
pub struct BaseUrl(Url);

impl BaseUrl {
    /// Fills placeholders of `endpoint` with values that were checked against their pattern, appends `path`, and
    /// makes sure that scheme, host and port are still the endpoint's.
    ///
    /// # Errors
    /// [`Unaddressable::BadField`] with `field` when the value changes where the URL leads.
    pub fn build(endpoint: &str, placeholder: Option<(&str, &str)>, path: &str, field: &'static str) -> Result<Self, Unaddressable> {
        let bad = Unaddressable::BadField(field);
        let fill = |value: &str| match placeholder {
            Some((name, _)) => endpoint.replace(&format!("{{{name}}}"), value),
            None => endpoint.to_owned(),
        };
        let value = placeholder.map_or("", |(_, value)| value);
        let url = Url::parse(&format!("{}{path}", fill(value).trim_end_matches('/'))).map_err(|_| bad)?;
        // The same endpoint with a value that cannot do harm shows where the URL has to lead.
        let plain = Url::parse(&fill("x")).map_err(|_| bad)?;
        let expected = plain.host_str().map(|host| if endpoint_host_has_placeholder(endpoint) { host.replacen('x', value, 1) } else { host.to_owned() });
        let same = url.scheme() == plain.scheme()
            && url.host_str() == expected.as_deref()
            && url.port_or_known_default() == plain.port_or_known_default()
            && url.username().is_empty()
            && url.password().is_none()
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

fn endpoint_host_has_placeholder(endpoint: &str) -> bool {
    endpoint.split("://").nth(1).and_then(|rest| rest.split('/').next()).is_some_and(|host| host.contains('{'))
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
