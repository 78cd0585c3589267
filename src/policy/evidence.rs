//! Of which key was an output made? Its bytes tell only where another key would have made others.
//!
//! An output carries the key that it was made of. Where the key stands in it, as it is or as a header or query has it,
//! its bytes show which. Where it does not, equal bytes show nothing: Aventri's HTTP, Curl and Nexla hold the token
//! alone, and a template need not name the key. Such an output carries the key that the status says was published
//! everywhere, while the source is known to hold that very key; in doubt it carries none: it stays, and the provider is
//! asked.

use super::ownership::{Ownership, ownership};
use super::publishing::{Beside, existing, material, same_data};
use super::seen::Observed;
use crate::api::Output;
use crate::credential::Key;
use crate::outputs::{render, token_in};

/// A key that nobody has.
const ANOTHER: &[u8] = b"no-provider-issued-this";

/// Whether what stands under the outputs' names was made of this key, and the status says that its key was published:
/// how a process that remembers nothing knows that a new version of the source is only a new label.
#[must_use]
pub(super) fn still_published(seen: &Observed, key: &Key) -> bool {
    let known = seen.object.status.as_ref().and_then(|status| status.key.as_ref());
    let ours =
        |output: &Output| existing(seen, output).is_some_and(|secret| ownership(secret, seen.uid()) == Ownership::Ours);
    let outputs = seen.outputs().into_iter().filter(ours);
    let shown: Vec<_> = outputs.filter_map(|output| made_of(seen, &output, key)).collect();
    known.is_some_and(|known| known.published_time.is_some()) && !shown.is_empty() && shown.iter().all(|made| *made)
}

/// Whether the bytes of the output show that it was made of this key.
pub(super) fn shows(seen: &Observed, output: &Output, key: &Key) -> bool {
    made_of(seen, output, key) == Some(true)
}

/// Whether the output was made of this key: with the expiry that was known then, and with whatever token stands in it,
/// be it one that has ended since. `None`: it would be the same with any other.
fn made_of(seen: &Observed, output: &Output, key: &Key) -> Option<bool> {
    let (Some(secret), Some(provider)) = (existing(seen, output), seen.provider()) else { return Some(false) };
    let expiration = seen.object.status.as_ref().and_then(|status| status.expiration.as_ref());
    let expires_at = expiration.and_then(|known| known.time.as_ref()).map(|time| time.0);
    let data = secret.data.as_ref().filter(|_| provider.profile().mints_token);
    let stored = token_in(output, |name| data?.get(name).map(|value| value.0.as_slice()));
    let token = stored.as_ref().or(seen.traits.token.as_deref());
    let with = |key: &Key| render(output, &material(seen, provider, key, Beside { token, expires_at })).ok();
    let (Some(made), Ok(another)) = (with(key), Key::parse(ANOTHER)) else { return Some(false) };
    let differs = with(&another).is_some_and(|other| other.data != made.data);
    differs.then(|| same_data(secret, &made))
}
