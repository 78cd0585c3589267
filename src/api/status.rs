//! What does the operator report? The status; only it is ever written.

use super::condition::conditions_schema;
use super::spec::Format;
use crate::providers::ProviderKind;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What was found out about the key, and when it is looked at again. Written by the operator only.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectorCredentialStatus {
    /// The generation of the spec that this status speaks of; `-1` before the first visit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The provider that the spec names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<ProviderKind>,
    /// What is true of the credential. `Ready` is the sum; `Stalled` means that a person must act.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions_schema")]
    pub conditions: Vec<Condition>,
    /// The version of the source Secret that the verdict speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceStatus>,
    /// The course of validation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<ValidationStatus>,
    /// The key's expiry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration: Option<ExpirationStatus>,
    /// The key's history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyStatus>,
    /// The access token that was minted last, for `aventri`; never the token itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenStatus>,
    /// The first `Binding` output, once written: this object is a Provisioned Service of the Service Binding
    /// specification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding: Option<BindingStatus>,
    /// The Secrets that are published.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["secretName"]))]
    pub outputs: Vec<OutputStatus>,
    /// The value of the annotation `reconcile.fluxcd.io/requestedAt` that was acted on last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub last_handled_reconcile_at: Option<String>,
    /// The value of the annotation `connector-operator.io/reconcile-at` that was acted on last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub last_handled_request: Option<String>,
}

/// A version of the source Secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceStatus {
    /// Name of the Secret.
    #[schemars(length(max = 253))]
    pub secret_name: String,
    /// Its uid.
    #[schemars(length(max = 128))]
    pub uid: String,
    /// Its resourceVersion.
    #[schemars(length(max = 128))]
    pub resource_version: String,
}

/// The course of validation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ValidationStatus {
    /// When the provider was asked last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_check_time: Option<Time>,
    /// When the provider accepted the key last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_success_time: Option<Time>,
    /// When the provider is asked next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_check_time: Option<Time>,
    /// Inconclusive checks in a row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consecutive_failures: Option<i32>,
    /// The first inconclusive check of a row, for a key that was accepted before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outage_start_time: Option<Time>,
    /// The first refusal of a key that was accepted before, while it waits for its confirmation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_rejection_time: Option<Time>,
    /// Refusals in a row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejections: Option<i32>,
    /// When undeclared scopes were looked for last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_scope_audit_time: Option<Time>,
    /// A hash of provider settings, `keySecretRef` and mode: what the verdict is about. Nothing secret is in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub subject: Option<String>,
}

/// The key's expiry.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExpirationStatus {
    /// When the key expires, as declared by the Secret or by `expiresAt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Time>,
    /// The threshold that was announced last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_notice_time: Option<Time>,
}

/// The key's history.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyStatus {
    /// When this key was first seen; `maxAge` counts from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_seen_time: Option<Time>,
    /// When this key was first published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published_time: Option<Time>,
}

/// The access token that was minted last; never the token itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenStatus {
    /// When it expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration_time: Option<Time>,
    /// When it is renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewal_time: Option<Time>,
}

/// A Secret that follows the Service Binding specification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BindingStatus {
    /// Name of the Secret.
    #[schemars(length(max = 253))]
    pub name: String,
}

/// A Secret that is published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutputStatus {
    /// Name of the Secret.
    #[schemars(length(max = 253))]
    pub secret_name: String,
    /// The shape of its data.
    pub format: Format,
    /// The version that was written last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub resource_version: Option<String>,
}
