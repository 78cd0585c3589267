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
use crate::credential::{AccessToken, Key};
use crate::outputs::{Rendered, render, token_in};
use jiff::Timestamp;
use std::collections::BTreeSet;

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

/// Whether some line of the output is what this key makes of it, and another would not, whatever others have put beside
/// it: a refused key does not hide behind a comment or a further value.
pub(super) fn carries(seen: &Observed, output: &Output, key: &Key) -> bool {
    let Some((made, other)) = made_of_either(seen, output, key).filter(|(made, other)| made.data != other.data) else {
        return false;
    };
    let stored = existing(seen, output).and_then(|secret| secret.data.as_ref());
    made.data.iter().any(|(name, value)| {
        let stands = stored.and_then(|data| data.get(name)).map(|bytes| lines(&bytes.0));
        let others = other.data.get(name).map(|value| lines(value)).unwrap_or_default();
        stands.is_some_and(|stands| lines(value).difference(&others).any(|line| stands.contains(line)))
    })
}

fn lines(value: &[u8]) -> BTreeSet<&[u8]> {
    value.split(|byte| *byte == b'\n').collect()
}

/// Names of the values that the output may hold, whatever its key and its token.
#[must_use]
pub fn value_names(seen: &Observed, output: &Output) -> BTreeSet<String> {
    let rendered = || {
        let (key, token) = (Key::parse(ANOTHER).ok()?, AccessToken::parse("any").ok()?);
        let beside = Beside { token: Some(&token), expires_at: Some(Timestamp::UNIX_EPOCH) };
        render(output, &material(seen, seen.provider()?, &key, beside)).ok()
    };
    rendered().map(|made| made.data.into_keys().collect()).unwrap_or_default()
}

/// Whether the output was made of this key, and holds nothing else. `None`: it would be the same with any other.
fn made_of(seen: &Observed, output: &Output, key: &Key) -> Option<bool> {
    let (Some(secret), Some((made, other))) = (existing(seen, output), made_of_either(seen, output, key)) else {
        return Some(false);
    };
    (made.data != other.data).then(|| same_data(secret, &made))
}

/// What is made of this key, and what of another: with the expiry that was known when the output was written, and with
/// whatever token stands in it, be it one that has ended since.
fn made_of_either(seen: &Observed, output: &Output, key: &Key) -> Option<(Rendered, Rendered)> {
    let (secret, provider) = (existing(seen, output)?, seen.provider()?);
    let expiration = seen.object.status.as_ref().and_then(|status| status.expiration.as_ref());
    let expires_at = expiration.and_then(|known| known.time.as_ref()).map(|time| time.0);
    let data = secret.data.as_ref().filter(|_| provider.profile().mints_token);
    let stored = token_in(output, |name| data?.get(name).map(|value| value.0.as_slice()));
    let token = stored.as_ref().or(seen.traits.token.as_deref());
    let with = |key: &Key| render(output, &material(seen, provider, key, Beside { token, expires_at })).ok();
    Some((with(key)?, with(&Key::parse(ANOTHER).ok()?)?))
}
