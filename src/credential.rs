//! What is a key, and a token? The only types that hold their bytes.
//!
//! Neither can be printed, cloned or serialised. Whoever needs the bytes says so by calling `reveal`,
//! which is counted by `tests/architecture.rs`.

use secrecy::{ExposeSecret, SecretString};
use std::fmt;

/// The longest key or token that is accepted, in bytes.
pub const MAX_BYTES: usize = 4096;

/// Why bytes are not usable as a key. Says nothing about the bytes themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Nothing is left after the trailing newline was removed.
    #[error("the key is empty")]
    Empty,
    /// More than [`MAX_BYTES`].
    #[error("the key is longer than 4096 bytes")]
    TooLong,
    /// A byte outside visible ASCII (0x21–0x7E): a space, a control character, a second newline, or binary data.
    #[error("the key holds a character other than visible ASCII (a space, a line break, a letter with an accent)")]
    ForbiddenByte,
    /// The provider's documented prefix contradicts what the credential declares.
    #[error("the key's prefix contradicts the declared environment")]
    WrongPrefix,
}

/// A provider's API key: 1 to 4096 bytes of visible ASCII.
///
/// It cannot be copied:
///
/// ```compile_fail,E0277
/// # use connector_operator::credential::Key;
/// fn copied<T: Clone>(_: T) {}
/// let _copied = Key::parse(b"EXAMPLE").map(copied);
/// ```
///
/// nor printed, nor serialised:
///
/// ```compile_fail,E0277
/// # use connector_operator::credential::Key;
/// let _text = Key::parse(b"EXAMPLE").map(|key| format!("{key}"));
/// ```
///
/// ```compile_fail,E0277
/// # use connector_operator::credential::Key;
/// let _text = Key::parse(b"EXAMPLE").map(|key| serde_json::to_string(&key));
/// ```
pub struct Key(SecretString);

impl Key {
    /// Reads the bytes of a Secret's value. Exactly one trailing newline (LF or CRLF) is removed.
    ///
    /// # Errors
    /// [`Malformed`], when what is left cannot be a key.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let bytes = bytes.strip_suffix(b"\n").map_or(bytes, |rest| rest.strip_suffix(b"\r").unwrap_or(rest));
        visible(bytes).map(Self)
    }

    /// The key itself, for the request, the output or the comparison that needs it.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one way to the bytes, counted by tests/architecture.rs")]
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(redacted)")
    }
}

/// What an exchange mints: 1 to 4096 bytes of visible ASCII.
///
/// It cannot be copied, printed or serialised either:
///
/// ```compile_fail,E0277
/// # use connector_operator::credential::AccessToken;
/// fn copied<T: Clone>(_: T) {}
/// let _copied = AccessToken::parse("EXAMPLE").map(copied);
/// ```
///
/// ```compile_fail,E0277
/// # use connector_operator::credential::AccessToken;
/// let _text = AccessToken::parse("EXAMPLE").map(|token| format!("{token}"));
/// ```
///
/// ```compile_fail,E0277
/// # use connector_operator::credential::AccessToken;
/// let _text = AccessToken::parse("EXAMPLE").map(|token| serde_json::to_string(&token));
/// ```
pub struct AccessToken(SecretString);

impl AccessToken {
    /// Reads a token from a provider's reply or from an output of ours.
    ///
    /// # Errors
    /// [`Malformed`], when the text cannot be a token.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        visible(text.as_bytes()).map(Self)
    }

    /// The token itself, for the output that needs it.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one way to the bytes, counted by tests/architecture.rs")]
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(redacted)")
    }
}

fn visible(bytes: &[u8]) -> Result<SecretString, Malformed> {
    if bytes.is_empty() {
        return Err(Malformed::Empty);
    }
    if bytes.len() > MAX_BYTES {
        return Err(Malformed::TooLong);
    }
    if !bytes.iter().all(u8::is_ascii_graphic) {
        return Err(Malformed::ForbiddenByte);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Malformed::ForbiddenByte)?;
    Ok(SecretString::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a09_exactly_one_trailing_newline_is_trimmed() {
        for (bytes, expected) in [
            (&b"abc"[..], Ok("abc")),
            (b"abc\n", Ok("abc")),
            (b"abc\r\n", Ok("abc")),
            (b"abc\n\n", Err(Malformed::ForbiddenByte)),
            (b"abc\r", Err(Malformed::ForbiddenByte)),
            (b" abc", Err(Malformed::ForbiddenByte)),
            (b"a\0c", Err(Malformed::ForbiddenByte)),
            (b"a\xc3\xa9", Err(Malformed::ForbiddenByte)),
            (b"", Err(Malformed::Empty)),
            (b"\n", Err(Malformed::Empty)),
        ] {
            let read = Key::parse(bytes);
            assert_eq!(read.as_ref().map(Key::reveal).map_err(|why| *why), expected, "{bytes:?}");
        }
        assert!(Key::parse(&[b'x'; MAX_BYTES]).is_ok());
        assert_eq!(Key::parse(&[b'x'; MAX_BYTES + 1]).err(), Some(Malformed::TooLong));
    }

    #[test]
    fn debug_shows_no_byte() {
        assert_eq!(format!("{:?}", Key::parse(b"secret").ok()), "Some(Key(redacted))");
    }
}
