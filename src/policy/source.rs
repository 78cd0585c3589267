//! Does the source Secret hold a usable key? If not, which reason, and what does a person do?

use super::seen::{Observed, Source};
use crate::api::Reason;
use crate::credential::{Key, Malformed};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;

/// `keySecretRef.key` when it is not set.
pub const DEFAULT_KEY: &str = "api-key";

/// Secret types that are never read: their bytes are Kubernetes' own credentials or Helm's storage.
pub const FORBIDDEN_TYPES: [&str; 3] =
    ["kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token", "helm.sh/release.v1"];

/// A usable key, and the expiry that stands beside it.
#[derive(Debug)]
pub struct Resolved {
    /// The key.
    pub key: Key,
    /// The Secret's own expiry, when `expirationKey` names one.
    pub expires_at: Option<Timestamp>,
    /// uid of the Secret.
    pub uid: String,
    /// resourceVersion of the Secret.
    pub resource_version: String,
}

/// Why there is no usable key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unresolved {
    /// No Secret of that name.
    NotFound,
    /// RBAC refuses it.
    Denied,
    /// A type that is never read.
    ForbiddenType(&'static str),
    /// The Secret has no such key.
    NoKey(String),
    /// The value cannot be a key.
    Malformed(Malformed),
    /// The value of `expirationKey` is no RFC 3339 time.
    MalformedExpiry(String),
}

impl Unresolved {
    /// The reason of `Resolved=False`.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::NotFound => Reason::SecretNotFound,
            Self::Denied => Reason::SecretAccessDenied,
            Self::ForbiddenType(_) => Reason::SecretTypeNotAllowed,
            Self::NoKey(_) => Reason::SecretKeyNotFound,
            Self::Malformed(_) | Self::MalformedExpiry(_) => Reason::KeyMalformed,
        }
    }
}

/// Reads the key out of what was seen.
///
/// # Errors
/// [`Unresolved`], a finding.
pub fn resolve(seen: &Observed) -> Result<Resolved, Unresolved> {
    let secret = match &seen.source {
        Source::Missing => return Err(Unresolved::NotFound),
        Source::Denied => return Err(Unresolved::Denied),
        Source::Found(secret) => secret,
    };
    if let Some(forbidden) = FORBIDDEN_TYPES.iter().find(|kind| secret.type_.as_deref() == Some(kind)) {
        return Err(Unresolved::ForbiddenType(forbidden));
    }
    let reference = &seen.object.spec.key_secret_ref;
    let key =
        Key::parse(value(secret, reference.key.as_deref().unwrap_or(DEFAULT_KEY))?).map_err(Unresolved::Malformed)?;
    if let Some(provider) = seen.provider() {
        provider.inspect(&key).map_err(Unresolved::Malformed)?;
    }
    let expires_at = reference.expiration_key.as_deref().map(|name| expiry(secret, name)).transpose()?;
    Ok(Resolved {
        key,
        expires_at,
        uid: secret.metadata.uid.clone().unwrap_or_default(),
        resource_version: secret.metadata.resource_version.clone().unwrap_or_default(),
    })
}

fn value<'a>(secret: &'a Secret, name: &str) -> Result<&'a [u8], Unresolved> {
    let data = secret.data.as_ref().and_then(|data| data.get(name));
    data.map(|bytes| bytes.0.as_slice()).ok_or_else(|| Unresolved::NoKey(name.to_owned()))
}

fn expiry(secret: &Secret, name: &str) -> Result<Timestamp, Unresolved> {
    read_time(value(secret, name)?).ok_or_else(|| Unresolved::MalformedExpiry(name.to_owned()))
}

/// A time as a Secret's value: RFC 3339, white space behind it.
#[must_use]
pub fn read_time(bytes: &[u8]) -> Option<Timestamp> {
    std::str::from_utf8(bytes).ok()?.trim_end().parse().ok()
}
