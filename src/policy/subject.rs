//! What is a verdict about? A hash of the provider's settings, the reference and the mode, and of where the
//! administrator says that the provider is: an answer from elsewhere is another verdict. Nothing secret is in it.

use crate::api::ConnectorCredentialSpec;
use crate::providers::Site;
use ring::digest::{SHA256, digest};
use std::fmt::Write as _;

/// Sixteen hex digits that change with `provider`, `keySecretRef`, `validation.mode` and the site, and nothing else.
#[must_use]
pub fn subject(spec: &ConnectorCredentialSpec, site: &Site) -> String {
    let mode = spec.validation.as_ref().and_then(|validation| validation.mode).unwrap_or_default();
    let about = serde_json::json!([spec.provider, spec.key_secret_ref, mode, site]);
    let hash = digest(&SHA256, about.to_string().as_bytes());
    hash.as_ref().iter().take(8).fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ok = write!(text, "{byte:02x}");
        text
    })
}
