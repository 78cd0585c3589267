//! What does a user declare? The spec, its rules and its documentation, as `kubectl explain` shows it.
//!
//! Optional values have no default in the schema, so that no tool sees drift: the code defaults them, and the
//! documentation says to what.

use super::duration::{DURATION_PATTERN, duration_rules};
use super::status::ConnectorCredentialStatus;
use crate::providers::ProviderSettings;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Names of Secrets: DNS-1123 subdomains.
const SECRET_NAME: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
/// Keys in a Secret: as the API server accepts them, so never `.` and nothing that begins with `..`.
const SECRET_KEY: &str = r"^\.?[-_a-zA-Z0-9][-._a-zA-Z0-9]*$";
/// The limits of spans that have no natural end.
const DECADE: &str = "of more than zero and at most ten years (87600h)";
/// RFC 3339 without its exotic forms, which not every client reads.
const DATE_TIME: &str =
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$";

/// What a user declares about a key: whose it is, where it is, and what is published once it is proved.
#[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "connector-operator.io",
    version = "v1alpha1",
    kind = "ConnectorCredential",
    plural = "connectorcredentials",
    singular = "connectorcredential",
    shortname = "concred",
    category = "connectors",
    namespaced,
    doc = "A SaaS API key: it is read from a Secret of the same namespace, proved against the provider's own API, \
           watched, and published in Secrets that workloads consume.",
    status = "ConnectorCredentialStatus",
    derive = "PartialEq",
    selectable = ".spec.keySecretRef.name",
    selectable = ".spec.suspend",
    selectable = ".status.provider",
    printcolumn(name = "Provider", type_ = "string", json_path = ".status.provider"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(
        name = "Expires",
        type_ = "string",
        json_path = ".status.expiration.time",
        description = "When the key expires"
    ),
    printcolumn(
        name = "Checked",
        type_ = "date",
        json_path = ".status.validation.lastCheckTime",
        description = "Since the provider was asked last"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        priority = 1
    ),
    validation = Rule::new("has(self.spec.outputs) || self.metadata.name.size() <= 248")
        .message("`metadata.name` must be at most 248 characters when `outputs` is not set: the output is then named \
                  like the object with -auth behind")
        .field_path(".spec.outputs"),
    validation = Rule::new("has(self.spec.outputs) || self.spec.keySecretRef.name != self.metadata.name + '-auth' || \
                            (has(self.spec.publishPolicy) && self.spec.publishPolicy == 'Never')")
        .message("`outputs` must be set when the source Secret has the default output's name: that of the object \
                  with -auth behind")
        .field_path(".spec.outputs")
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "!has(self.provider.flow) || has(self.expiresAt) || has(self.keySecretRef.expirationKey)",
        "message": "`expiresAt` or `keySecretRef.expirationKey` must be set for `flow`, whose keys always expire",
        "fieldPath": ".expiresAt",
    },
    {
        "rule": "!has(self.outputs) || self.outputs.all(o, o.secretName != self.keySecretRef.name)",
        "message": "`outputs` must not name the source Secret, which is never written",
        "fieldPath": ".outputs",
    },
]))]
pub struct ConnectorCredentialSpec {
    /// What the key is for, in a person's words; at most 1024 characters. It is copied to Nexla outputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub description: Option<String>,
    /// The provider that issued the key, and its settings. Exactly one member is set; `{}` is enough for `zenflow`.
    pub provider: ProviderSettings,
    /// The Secret that holds the key, always in this object's namespace. It is read, and never changed.
    pub key_secret_ref: KeySecretRef,
    /// When the key expires, RFC 3339, such as `2027-01-31T00:00:00Z`; from the year 2000 to 9998. No provider can be
    /// asked: repeat here what it showed when the key was made. Keys of `flow` always expire and need this or
    /// `keySecretRef.expirationKey`, which wins. Default: the key is not known to expire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        regex(pattern = DATE_TIME),
        extend("x-kubernetes-validations" = [{
            "rule": "self.getFullYear() >= 2000 && self.getFullYear() <= 9998",
            "message": "`expiresAt` must be in the years from 2000 to 9998",
        }])
    )]
    pub expires_at: Option<Time>,
    /// How long before its expiry the key is reported as `Expiring`: a duration such as `336h`, more than zero and at
    /// most `87600h`, ten years. Default: `720h`, thirty days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 32),
        regex(pattern = DURATION_PATTERN),
        extend("x-kubernetes-validations" = duration_rules("warnBefore", "1ms", "87600h", DECADE))
    )]
    pub warn_before: Option<String>,
    /// The age of the key at which `RotationDue` reminds of rotating it: a duration such as `2160h`, more than zero and
    /// at most `87600h`, ten years. The age counts from when this key was first seen. Default: no reminder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 32),
        regex(pattern = DURATION_PATTERN),
        extend("x-kubernetes-validations" = duration_rules("maxAge", "1ms", "87600h", DECADE))
    )]
    pub max_age: Option<String>,
    /// How the key is proved, and how often. Default: by the provider, every hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<Validation>,
    /// When outputs are written. Default: `WhenVerified`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publish_policy: Option<PublishPolicy>,
    /// What happens to outputs whose key was refused. Default: `Keep`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejection_policy: Option<RejectionPolicy>,
    /// The Secrets to write for workloads: one to eight, each with a name of its own. A Secret that exists already
    /// and is not this object's is never touched. Default: one Secret of format `Binding`, named like this object with
    /// `-auth` behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 8))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["secretName"]))]
    pub outputs: Option<Vec<Output>>,
    /// Stops every check and every write to outputs; expiry and age are still watched. Default: `false`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
}

/// The Secret that holds the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "!has(self.expirationKey) || self.expirationKey != (has(self.key) ? self.key : 'api-key')",
    "message": "`expirationKey` must differ from `key`, which holds the API key",
    "fieldPath": ".expirationKey",
}]))]
pub struct KeySecretRef {
    /// Name of the Secret, in this object's namespace; at most 253 characters. It need not exist yet.
    #[schemars(length(max = 253), regex(pattern = SECRET_NAME))]
    pub name: String,
    /// The key in the Secret's data that holds the API key; at most 253 letters, digits, dashes, underscores and
    /// dots. One newline at the end of the value is ignored. Default: `api-key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253), regex(pattern = SECRET_KEY))]
    pub key: Option<String>,
    /// The key in the Secret's data that holds the time of expiry, RFC 3339, so that it travels with the key. It wins
    /// over `expiresAt`. Default: none is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253), regex(pattern = SECRET_KEY))]
    pub expiration_key: Option<String>,
}

/// How a key is proved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Validation {
    /// Who proves the key. Default: `Provider`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// How often a healthy key is checked again: a duration from `5m` to `24h`. Checks are spread by ten percent, and
    /// stretched where a tenth of the provider's own limit would be exceeded. Default: `1h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 32),
        regex(pattern = DURATION_PATTERN),
        extend("x-kubernetes-validations" =
            duration_rules("interval", "5m", "24h", "from five minutes (5m) to twenty-four hours (24h)"))
    )]
    pub interval: Option<String>,
}

/// Who proves a key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Mode {
    /// The provider's own API is asked.
    #[default]
    Provider,
    /// Nobody is asked: the key's form is checked, and it is published unproved, with the reason `LocalOnly`.
    Local,
}

/// When outputs are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PublishPolicy {
    /// Once the key is proved; an unproved one never replaces it.
    #[default]
    WhenVerified,
    /// After the local checks.
    Always,
    /// Outputs are not written: the key is checked and watched only.
    Never,
}

/// What happens to outputs whose key was refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RejectionPolicy {
    /// They stay.
    #[default]
    Keep,
    /// They are deleted when the very key that they carry was definitely rejected, expired or revoked.
    Withdraw,
}

/// A Secret to write for workloads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "!has(self.envPrefix) || (has(self.format) && self.format in ['Env', 'Dotenv'])",
        "message": "`envPrefix` must be set with the formats Env and Dotenv only",
        "fieldPath": ".envPrefix",
    },
    {
        "rule": "has(self.template) == (has(self.format) && self.format == 'Template')",
        "message": "`template` must be set with the format Template, and only with it",
        "fieldPath": ".template",
    },
]))]
pub struct Output {
    /// Name of the Secret, in this object's namespace; at most 253 characters. Never that of the source Secret.
    #[schemars(length(max = 253), regex(pattern = SECRET_NAME))]
    pub secret_name: String,
    /// The shape of the Secret's data. A change to or from `Binding` replaces the Secret, since its type changes.
    /// Default: `Binding`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// What the names of variables begin with, for `Env` and `Dotenv` only: letters, digits and underscores, not a
    /// digit first, at most 64. Default: the provider's name in capitals and an underscore, such as `ZENFLOW_`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), regex(pattern = r"^[A-Za-z_][A-Za-z0-9_]*$"))]
    pub env_prefix: Option<String>,
    /// Files by name, for `Template` only: one to sixteen, each of at most 65536 characters. `$(variable)` in the text
    /// is replaced, such as `$(apiKey)` or `$(baseURL)`; `$$(` stands for a literal `$(`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend(
        "minProperties" = 1,
        "maxProperties" = 16,
        "additionalProperties" = {"type": "string", "maxLength": 65536},
        "x-kubernetes-validations" = [{
            "rule": format!("self.all(f, f.size() <= 253 && f.matches('{}'))", SECRET_KEY.replace('\\', r"\\")),
            "message": "`template` must have file names of at most 253 letters, digits, dashes, underscores and dots, \
                        not beginning with two dots",
        }]
    ))]
    pub template: Option<BTreeMap<String, String>>,
}

/// The shape of an output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Format {
    /// A Secret of the Service Binding specification: `type`, `provider`, `host`, `uri`, `api-key` and so on.
    #[default]
    Binding,
    /// Environment variables, for `envFrom`.
    Env,
    /// One key `.env` with the same variables, quoted.
    Dotenv,
    /// What a generic HTTP client sends: `base-url`, `headers` and `query`.
    HTTP,
    /// One key `curlrc`, for `curl --config`.
    Curl,
    /// One key `credential.json`: the body of a Nexla REST credential.
    Nexla,
    /// The files of `template`.
    Template,
}
