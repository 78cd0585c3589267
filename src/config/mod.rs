//! What did the administrator configure? `--config`, read once and checked whole before anything starts.
//!
//! Nothing here calls anything: names are vetted again when they are resolved, in `probe`.

use crate::providers::{ProviderKind, Site};
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
    fn default() -> Self {
        todo!()
    }
}

/// Why a configuration is refused: one sentence with the place and the remedy, and no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(String);

impl Settings {
    /// Reads a configuration file's text.
    ///
    /// # Errors
    /// [`Refused`], for the first thing that is wrong.
    pub fn parse(_yaml: &str) -> Result<Self, Refused> {
        todo!()
    }

    /// The administrator's settings for one provider.
    #[must_use]
    pub fn site(&self, _kind: ProviderKind) -> &Site {
        todo!()
    }
}
