//! What does a user declare? The spec, its rules and its documentation, as `kubectl explain` shows it.

use super::status::ConnectorCredentialStatus;
use crate::providers::ProviderSettings;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A SaaS API key: where it is, whose it is, and what is published once it is proved.
#[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "connector-operator.io",
    version = "v1alpha1",
    kind = "ConnectorCredential",
    plural = "connectorcredentials",
    shortname = "concred",
    category = "connectors",
    namespaced,
    status = "ConnectorCredentialStatus",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct ConnectorCredentialSpec {
    /// What the key is for, in a person's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The provider and its settings: exactly one member.
    pub provider: ProviderSettings,
    /// The Secret that holds the key, in the same namespace.
    pub key_secret_ref: KeySecretRef,
    /// When the key expires, if the provider said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
    /// How long before its expiry the key is reported as expiring. Default: 720h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warn_before: Option<String>,
    /// The age at which a reminder to rotate the key is raised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<String>,
    /// How the key is proved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<Validation>,
    /// When outputs are written. Default: WhenVerified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publish_policy: Option<PublishPolicy>,
    /// What happens to outputs whose key was refused. Default: Keep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejection_policy: Option<RejectionPolicy>,
    /// Secrets to write for workloads. Default: one of format Binding, named like this object with -auth behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<Vec<Output>>,
    /// Stops checks and writes; expiry is still watched. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
}

/// Where the key is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeySecretRef {
    /// Name of the Secret.
    pub name: String,
    /// Its key that holds the API key. Default: api-key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Its key that holds the expiry, RFC 3339. Wins over expiresAt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration_key: Option<String>,
}

/// How a key is proved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Validation {
    /// Whether the provider is asked, or only local checks are made. Default: Provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// How often a healthy key is checked again: 5m to 24h. Default: 1h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<String>,
}

/// Who proves a key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Mode {
    /// The provider's own API.
    #[default]
    Provider,
    /// Nobody: the key's form is looked at, and it is published unproved.
    Local,
}

/// When outputs are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PublishPolicy {
    /// Once the key is proved.
    #[default]
    WhenVerified,
    /// After the local checks.
    Always,
    /// Never.
    Never,
}

/// What happens to outputs whose key was refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RejectionPolicy {
    /// They stay.
    #[default]
    Keep,
    /// They are deleted when the very key that they carry was definitely refused.
    Withdraw,
}

/// A Secret to write for workloads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// Name of the Secret.
    pub secret_name: String,
    /// Its shape. Default: Binding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// What names begin with, for Env and Dotenv. Default: the provider's name and an underscore, in capitals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env_prefix: Option<String>,
    /// Files with $(variable) in them, for Template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<BTreeMap<String, String>>,
}

/// The shape of an output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Format {
    /// Service Binding specification.
    #[default]
    Binding,
    /// Environment variables, for envFrom.
    Env,
    /// One file of quoted environment variables.
    Dotenv,
    /// Base URL, headers and query of a generic HTTP client.
    HTTP,
    /// A file for curl --config.
    Curl,
    /// The body of a Nexla REST credential.
    Nexla,
    /// Files from templates.
    Template,
}
