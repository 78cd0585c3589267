//! Which keys do the providers know? Those that the examples' Secrets hold, and new ones on demand.
//!
//! What is read from the examples stands in the repository: placeholders, made for this.

use std::fs;
use std::path::Path;

use connector_operator::api::ConnectorCredential;
use connector_operator::providers::ProviderSettings;
use k8s_openapi::api::core::v1::Secret;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::simulator::{IssuedKey, NewKey, Provider, Simulator};

/// The credentials of the examples.
pub(crate) const CREDENTIALS: &str = "examples";
/// Their Secrets, in files of the same names.
pub(crate) const SECRETS: &str = "examples/secrets";

/// A credential of the examples and its key, which the provider now knows.
pub(crate) struct Example {
    pub(crate) credential: ConnectorCredential,
    pub(crate) issued: IssuedKey,
}

impl Example {
    /// The Secret that holds the key.
    pub(crate) fn source(&self) -> &str {
        &self.credential.spec.key_secret_ref.name
    }
}

/// Has the simulated providers issue the keys that stand in the examples' Secrets.
pub(crate) fn issue_all(simulator: &Simulator, root: &Path) -> Result<Vec<Example>, Error> {
    let directory = root.join(CREDENTIALS);
    let entries = fs::read_dir(&directory).map_err(Error::io(format!("list {CREDENTIALS}")))?;
    let mut names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
    names.retain(|name| Path::new(name).extension().is_some_and(|extension| extension == "yaml"));
    names.sort();
    names.iter().map(|name| issue(simulator, &directory.join(name), &root.join(SECRETS).join(name))).collect()
}

fn issue(simulator: &Simulator, credential: &Path, secret: &Path) -> Result<Example, Error> {
    let credential: ConnectorCredential = read(credential)?;
    let place = secret;
    let secret: Secret = read(secret)?;
    let key = secret.string_data.and_then(|mut data| data.remove("api-key"));
    let key = key.ok_or_else(|| wrong(place, "stringData holds no api-key"))?;
    let new = like(&credential.spec.provider).ok_or_else(|| wrong(place, "no provider that is simulated"))?;
    let issued = simulator.add_key(NewKey { key: Some(key), ..new });
    Ok(Example { credential, issued })
}

fn read<T: DeserializeOwned>(file: &Path) -> Result<T, Error> {
    let text = fs::read_to_string(file).map_err(Error::io(format!("read {}", file.display())))?;
    serde_saphyr::from_str(&text).map_err(|error| wrong(file, &error.to_string()))
}

fn wrong(file: &Path, problem: &str) -> Error {
    Error::Example { file: file.display().to_string(), problem: problem.to_owned() }
}

/// A key that would do what these settings declare.
pub(crate) fn like(settings: &ProviderSettings) -> Option<NewKey> {
    let ProviderSettings { inflow, flowlu, zenflow, flow, aventri } = settings;
    if let Some(inflow) = inflow {
        return Some(NewKey::of(Provider::InFlow, &inflow.company_id));
    }
    if let Some(flowlu) = flowlu {
        return Some(NewKey::of(Provider::Flowlu, &flowlu.account));
    }
    if let Some(aventri) = aventri {
        let account = format!("{}@{}", aventri.account_id, aventri.region.label());
        return Some(NewKey::of(Provider::Aventri, &account));
    }
    if let Some(zenflow) = zenflow {
        let scopes =
            zenflow.scope_preset.map(|preset| preset.scopes().iter().map(|scope| scope.name().to_owned()).collect());
        return Some(NewKey { scopes: scopes.unwrap_or_default(), ..NewKey::of(Provider::ZenFlow, "") });
    }
    flow.as_ref().map(|_| NewKey::of(Provider::Flow, ""))
}
