//! Which provider and account does a request belong to? Placeholders stand in the path on loopback
//! (`/flowlu/{account}`); the providers' real host names work as well, for tests through a proxy.
//! Knows addresses only, never replies.

use serde::{Deserialize, Serialize};

/// The five providers, named as in the operator's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    InFlow,
    Flowlu,
    ZenFlow,
    Flow,
    Aventri,
}

impl Provider {
    /// The name used in configuration, ledger and admin interface.
    pub fn name(self) -> &'static str {
        match self {
            Self::InFlow => "inflow",
            Self::Flowlu => "flowlu",
            Self::ZenFlow => "zenflow",
            Self::Flow => "flow",
            Self::Aventri => "aventri",
        }
    }

    /// The provider of that name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::InFlow, Self::Flowlu, Self::ZenFlow, Self::Flow, Self::Aventri]
            .into_iter()
            .find(|provider| provider.name() == name)
    }
}

/// Where a request arrived: provider, account and the path below the provider's base URL.
///
/// `account` is inFlow's company, Flowlu's account, `@region` for Aventri (the account ID is added
/// once it is known) and empty for the two providers whose key is the tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) provider: Provider,
    pub(super) account: String,
    pub(super) path: String,
}

/// Host names a certificate must cover so that the real addresses can be simulated.
pub(super) const REAL_HOSTS: [&str; 6] = [
    "cloudapi.inflowinventory.com",
    "*.flowlu.com",
    "api.zenflow.com.ar",
    "api-na.eventscloud.com",
    "api-emea.eventscloud.com",
    "api-apac.eventscloud.com",
];

/// Finds the provider by real host name, else by the first path segment.
pub(super) fn place(host: &str, path: &str) -> Option<Place> {
    let name = host.split(':').next().unwrap_or_default();
    if name == "cloudapi.inflowinventory.com" {
        return inflow(path);
    }
    if let Some(account) = name.strip_suffix(".flowlu.com") {
        return flowlu(account, path);
    }
    if name == "api.zenflow.com.ar" {
        return below(Provider::ZenFlow, "", path, "/api/v1");
    }
    if let Some(region) = name.strip_suffix(".eventscloud.com") {
        return aventri(region.strip_prefix("api-")?, path);
    }
    let (first, rest) = split(path)?;
    match Provider::named(first)? {
        Provider::InFlow => inflow(rest),
        Provider::Flowlu => split(rest).and_then(|(account, rest)| flowlu(account, rest)),
        Provider::ZenFlow => below(Provider::ZenFlow, "", rest, "/api/v1"),
        Provider::Flow => below(Provider::Flow, "", rest, "/api"),
        Provider::Aventri => split(rest).and_then(|(region, rest)| aventri(region, rest)),
    }
}

fn inflow(path: &str) -> Option<Place> {
    let (company, rest) = split(path)?;
    below(Provider::InFlow, company, rest, "")
}

fn flowlu(account: &str, path: &str) -> Option<Place> {
    below(Provider::Flowlu, account, path, "/api/v1/module")
}

fn aventri(region: &str, path: &str) -> Option<Place> {
    below(Provider::Aventri, &format!("@{region}"), path, "/api/v2")
}

fn below(provider: Provider, account: &str, path: &str, base: &str) -> Option<Place> {
    let rest = path.strip_prefix(base)?;
    Some(Place { provider, account: account.to_owned(), path: rest.to_owned() })
}

/// `/a/b/c` is `a` and `/b/c`.
fn split(path: &str) -> Option<(&str, &str)> {
    let path = path.strip_prefix('/')?;
    let end = path.find('/').unwrap_or(path.len());
    Some(path.split_at(end))
}
