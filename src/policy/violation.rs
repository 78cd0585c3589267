//! Can the spec be acted on? What the schema admits and cannot judge, and what a stored object may hold nevertheless.

use super::message;
use super::publishing::{Beside, is_local, material};
use super::seen::Observed;
use super::source::resolve;
use crate::api::{Output, Reason};
use crate::credential::{AccessToken, Key};
use crate::outputs::{Unrenderable, render};
use crate::providers::{Provider, Unaddressable};
use jiff::Timestamp;
use std::collections::BTreeSet;

/// Why a spec that the API server admitted cannot be acted on: reason and message.
#[must_use]
pub fn violation(seen: &Observed) -> Option<(Reason, String)> {
    let invalid = |message: String| Some((Reason::InvalidSpec, message));
    let Some(provider) = seen.provider() else { return invalid(message::NO_PROVIDER.to_owned()) };
    if let Err(Unaddressable::BadField(field)) = provider.base(&seen.site) {
        return invalid(message::bad_field(provider.profile().member, field));
    }
    let spec = &seen.object.spec;
    if provider.always_expires() && spec.expires_at.is_none() && spec.key_secret_ref.expiration_key.is_none() {
        return invalid(message::no_expiry(provider.profile()));
    }
    let outputs = seen.outputs();
    let mut names = BTreeSet::from([spec.key_secret_ref.name.as_str()]);
    if let Some(taken) = outputs.iter().find(|output| !names.insert(&output.secret_name)) {
        return invalid(message::ambiguous_output(&taken.secret_name));
    }
    if let Some(taken) = outputs.iter().find(|output| seen.claimed.contains(&output.secret_name)) {
        return Some((Reason::OutputConflict, message::output_conflict(&taken.secret_name)));
    }
    let key = resolve(seen).map(|resolved| resolved.key).or_else(|_| Key::parse(b"placeholder")).ok()?;
    outputs.iter().find_map(|output| {
        let why = unrenderable(seen, provider, output, &key)?;
        invalid(message::unrenderable(&output.secret_name, &why))
    })
}

/// Whether an output could not be made of this key and all that a proof brings.
fn unrenderable(seen: &Observed, provider: &dyn Provider, output: &Output, key: &Key) -> Option<Unrenderable> {
    let token = AccessToken::parse("placeholder").ok()?;
    let expires_at = seen.object.spec.key_secret_ref.expiration_key.is_some().then_some(Timestamp::UNIX_EPOCH);
    let token = (provider.profile().mints_token && !is_local(seen)).then_some(&token);
    render(output, &material(seen, provider, key, Beside { token, expires_at })).err()
}
