//! What can a workload need to know about a credential? The variables that outputs are made of.

use super::{Provider, Site, percent_encoded};
use crate::credential::Key;
use std::collections::BTreeMap;
use std::fmt;
use zeroize::Zeroizing;

/// The `Accept` header unless a provider wants another.
const ACCEPT: &str = "application/json";

macro_rules! variables {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// A named value that a provider offers to outputs.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Variable { $($(#[$doc])* $variant,)+ }

        impl Variable {
            /// Every variable there is, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name as templates write it, in lower camel case.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

variables! {
    /// The provider, in lower case.
    Provider = "provider",
    /// Where calls go: scheme, host and path prefix.
    BaseUrl = "baseURL",
    /// The host (and port, if it is not the scheme's own) of the base URL.
    Host = "host",
    /// The key.
    ApiKey = "apiKey",
    /// The header that carries the key or token.
    HeaderName = "headerName",
    /// What that header holds, raw.
    HeaderValue = "headerValue",
    /// The value of the `Authorization` header.
    Authorization = "authorization",
    /// The query parameter that carries the key or token.
    QueryName = "queryName",
    /// What that parameter holds, percent-encoded.
    QueryValue = "queryValue",
    /// The `Accept` header.
    Accept = "accept",
    /// inFlow's company.
    CompanyId = "companyID",
    /// Flowlu's account.
    Account = "account",
    /// Aventri's account.
    AccountId = "accountID",
    /// Aventri's region.
    Region = "region",
    /// Aventri's access token, raw.
    AccessToken = "accessToken",
    /// ZenFlow's environment.
    Environment = "environment",
    /// Declared scopes, joined by commas, presets resolved.
    Scopes = "scopes",
    /// FLOW's purpose.
    Purpose = "purpose",
    /// FLOW's reference.
    Reference = "reference",
    /// The checkout theme's logo.
    LogoUrl = "logoURL",
    /// The checkout theme's first colour.
    PrimaryColor = "primaryColor",
    /// The checkout theme's second colour.
    SecondaryColor = "secondaryColor",
    /// When the key expires, RFC 3339.
    ExpiresAt = "expiresAt",
}

/// The variables of one credential and their values. Ordered, wiped when dropped, never printed.
#[derive(Default)]
pub struct Variables(BTreeMap<Variable, Zeroizing<String>>);

impl Variables {
    /// What every provider has: its name and the key; and, if there is an endpoint, where and how it is called.
    pub(super) fn of(provider: &dyn Provider, key: &Key, site: &Site) -> Self {
        let variables =
            Self::default().with(Variable::Provider, provider.profile().member).with(Variable::ApiKey, key.reveal());
        match provider.base(site) {
            Ok(base) => variables
                .with(Variable::BaseUrl, base.as_str())
                .with(Variable::Host, base.host())
                .with(Variable::Accept, ACCEPT),
            Err(_) => variables,
        }
    }

    /// The header that carries the key or token. `Authorization` is also a variable of its own.
    pub(super) fn with_header(self, name: &str, value: impl Into<String>) -> Self {
        let value = Zeroizing::new(value.into());
        let authorization = name.eq_ignore_ascii_case("authorization").then(|| value.as_str());
        self.with_some(Variable::Authorization, authorization)
            .with(Variable::HeaderName, name)
            .with(Variable::HeaderValue, value.as_str())
    }

    /// The key or token behind `Authorization: Bearer`.
    pub(super) fn with_bearer(self, secret: &str) -> Self {
        self.with_header("Authorization", format!("Bearer {secret}"))
    }

    /// The query parameter that carries the key or token.
    pub(super) fn with_query(self, name: &str, secret: &str) -> Self {
        self.with(Variable::QueryName, name).with(Variable::QueryValue, percent_encoded(secret))
    }

    /// Adds or replaces one value.
    #[must_use]
    pub fn with(mut self, variable: Variable, value: impl Into<String>) -> Self {
        self.0.insert(variable, Zeroizing::new(value.into()));
        self
    }

    /// As [`Variables::with`], if there is a value.
    #[must_use]
    pub fn with_some(self, variable: Variable, value: Option<impl Into<String>>) -> Self {
        match value {
            Some(value) => self.with(variable, value),
            None => self,
        }
    }

    /// The value of one variable.
    #[must_use]
    pub fn get(&self, variable: Variable) -> Option<&str> {
        self.0.get(&variable).map(|value| value.as_str())
    }

    /// All that have a value, in the order of [`Variable::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (Variable, &str)> {
        self.0.iter().map(|(variable, value)| (*variable, value.as_str()))
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Variables({} values, redacted)", self.0.len())
    }
}
