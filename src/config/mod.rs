//! What did the administrator configure? `--config`, read once and checked whole before anything starts.
//!
//! Nothing here calls anything: names are vetted again when they are resolved, in `probe`.

mod endpoint;
mod file;
mod flow;
mod reach;
#[cfg(test)]
mod tests;

pub use reach::Reach;

use crate::providers::{ProviderKind, Site};
use endpoint::Rules;
use serde_saphyr::{Location, Spanned};
use std::collections::BTreeMap;
use std::path::PathBuf;
use url::Url;

/// The administrator's configuration, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where each provider is; every provider has an entry.
    pub sites: BTreeMap<ProviderKind, Site>,
    /// PEM file of certificate authorities that are trusted beside the system's.
    pub ca_bundle_file: Option<PathBuf>,
    /// The proxy that every call to a provider goes through.
    pub proxy: Option<Url>,
    /// Whether an endpoint may resolve to private addresses.
    pub allow_private_endpoints: bool,
}

impl Default for Settings {
    /// The built-in endpoints; FLOW has none.
    fn default() -> Self {
        let site = |kind: &ProviderKind| Site { endpoint: kind.profile().endpoint.map(str::to_owned), flow: None };
        Self {
            sites: ProviderKind::ALL.iter().map(|kind| (*kind, site(kind))).collect(),
            ca_bundle_file: None,
            proxy: None,
            allow_private_endpoints: false,
        }
    }
}

/// Why a configuration is refused: one sentence with the place and the remedy, and no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(String);

impl Refused {
    fn at(field: &str, place: Location, what: &str) -> Self {
        Self(format!("{field} (line {}, column {}) {what}", place.line(), place.column()))
    }
}

impl Settings {
    /// Reads a configuration file's text.
    ///
    /// # Errors
    /// [`Refused`], for the first thing that is wrong.
    pub fn parse(yaml: &str) -> Result<Self, Refused> {
        let file = file::read(yaml)?;
        let mut settings = Self { allow_private_endpoints: file.allow_private_endpoints, ..Self::default() };
        if let Some(proxy) = &file.proxy {
            let refused = |what| Refused::at("proxy", proxy.referenced, what);
            settings.proxy = Some(endpoint::check_proxy(&proxy.value).map_err(refused)?);
        }
        if let Some(path) = &file.ca_bundle_file {
            if path.value.is_empty() {
                return Err(Refused::at(
                    "caBundleFile",
                    path.referenced,
                    "is empty; name a PEM file or remove the field",
                ));
            }
            settings.ca_bundle_file = Some(PathBuf::from(&path.value));
        }
        settings.read_providers(file.providers.unwrap_or_default())?;
        Ok(settings)
    }

    fn read_providers(&mut self, providers: file::Providers) -> Result<(), Refused> {
        if let Some(flow) = &providers.flow {
            let site = flow::site(flow).map_err(|(field, what)| {
                let place = place_of(flow, &field);
                let field = format!("providers.flow.{field}");
                place.map_or_else(|| Refused(format!("{field} {what}")), |place| Refused::at(&field, place, what))
            })?;
            self.sites.entry(ProviderKind::Flow).or_default().flow = site;
        }
        let endpoints = [
            (ProviderKind::InFlow, providers.inflow.and_then(|site| site.endpoint)),
            (ProviderKind::Flowlu, providers.flowlu.and_then(|site| site.endpoint)),
            (ProviderKind::ZenFlow, providers.zenflow.and_then(|site| site.endpoint)),
            (ProviderKind::Flow, providers.flow.and_then(|site| site.endpoint)),
            (ProviderKind::Aventri, providers.aventri.and_then(|site| site.endpoint)),
        ];
        for (kind, endpoint) in endpoints {
            if let Some(endpoint) = endpoint {
                self.set_endpoint(kind, endpoint)?;
            }
        }
        Ok(())
    }

    fn set_endpoint(&mut self, kind: ProviderKind, endpoint: Spanned<String>) -> Result<(), Refused> {
        let rules = Rules {
            placeholder: kind.profile().placeholder,
            allow_private: self.allow_private_endpoints,
            by_proxy: self.proxy.is_some(),
        };
        let field = format!("providers.{}.endpoint", kind.member());
        let refused = |what| Refused::at(&field, endpoint.referenced, what);
        endpoint::check(&endpoint.value, rules).map_err(refused)?;
        self.sites.entry(kind).or_default().endpoint = Some(endpoint.value);
        Ok(())
    }

    /// The administrator's settings for one provider.
    #[must_use]
    pub fn site(&self, kind: ProviderKind) -> &Site {
        static NONE: Site = Site { endpoint: None, flow: None };
        self.sites.get(&kind).unwrap_or(&NONE)
    }
}

/// Where the part of `providers.flow` that `field` is in stands.
fn place_of(flow: &file::Flow, field: &str) -> Option<Location> {
    let mut parts = field.split('.');
    match parts.next() {
        Some("authentication") => flow.authentication.as_ref().map(|part| part.referenced),
        Some("probe") => flow.probe.as_ref().map(|part| part.referenced),
        Some("probesByPurpose") => {
            let probes = flow.probes_by_purpose.as_ref()?;
            parts.next().and_then(|purpose| probes.get(purpose)).map(|part| part.referenced)
        }
        _ => None,
    }
}
