//! In which forms can a piece of a key turn up in a text?
//!
//! Each form is what a program would really write: a Secret's data, a Debug
//! print, a query string, a hex dump. White space inside them is left out here;
//! the search looks at the text without it as well.

use std::fmt::Write as _;

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// How a byte is written in hexadecimal: what is before each, and what is between them.
const HEX_STYLES: [(&str, &str); 5] = [("", ""), ("", ":"), ("", ","), ("0x", ","), ("\\x", "")];

/// What was done to the key.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Form {
    Raw,
    Reversed,
    OtherCase,
    Base64,
    Base64Url,
    Base64Twice,
    Hex,
    Percent,
    Escaped,
    DecimalBytes,
}

/// Every form of `piece`, the same text once.
pub(crate) fn forms(piece: &[u8]) -> Vec<(Form, Vec<u8>)> {
    let mut forms = vec![(Form::Raw, piece.to_vec())];
    let reversed = piece.iter().rev().copied().collect();
    forms.push((Form::Reversed, reversed));
    forms.push((Form::OtherCase, piece.to_ascii_lowercase()));
    forms.push((Form::OtherCase, piece.to_ascii_uppercase()));
    push_base64(&mut forms, piece);
    push_numbers(&mut forms, piece);
    push_percent(&mut forms, piece);
    push_escapes(&mut forms, piece);
    let mut seen = std::collections::HashSet::new();
    forms.retain(|(_, text)| seen.insert(text.clone()));
    forms
}

fn push_base64(forms: &mut Vec<(Form, Vec<u8>)>, piece: &[u8]) {
    for (form, alphabet) in [(Form::Base64, STANDARD), (Form::Base64Url, URL_SAFE)] {
        for shift in 0..3 {
            let once = base64(piece, shift, alphabet);
            for shift in 0..3 {
                forms.push((Form::Base64Twice, base64(&once, shift, alphabet)));
            }
            forms.push((form, once));
        }
    }
}

/// The characters that depend on `piece` alone when it follows `3n + shift` other bytes.
fn base64(piece: &[u8], shift: usize, alphabet: &[u8; 64]) -> Vec<u8> {
    let bit = |index: usize| {
        let byte = piece[index / 8 - shift];
        (byte >> (7 - index % 8)) & 1
    };
    let characters = (shift * 8).div_ceil(6)..((shift + piece.len()) * 8) / 6;
    characters
        .map(|character| {
            let bits = character * 6..character * 6 + 6;
            let value = bits.fold(0, |value, index| (value << 1) | bit(index));
            alphabet[usize::from(value)]
        })
        .collect()
}

fn push_numbers(forms: &mut Vec<(Form, Vec<u8>)>, piece: &[u8]) {
    for separator in [",", " "] {
        let text = joined(piece, separator, |byte| byte.to_string());
        forms.push((Form::DecimalBytes, text));
    }
    for (before, between) in HEX_STYLES {
        let lower = joined(piece, between, |byte| format!("{before}{byte:02x}"));
        let upper = joined(piece, between, |byte| format!("{before}{byte:02X}"));
        forms.push((Form::Hex, lower));
        forms.push((Form::Hex, upper));
    }
}

fn joined(piece: &[u8], separator: &str, one: impl Fn(u8) -> String) -> Vec<u8> {
    let bytes: Vec<String> = piece.iter().map(|byte| one(*byte)).collect();
    bytes.join(separator).into_bytes()
}

/// All bytes escaped, and only those that must be.
fn push_percent(forms: &mut Vec<(Form, Vec<u8>)>, piece: &[u8]) {
    let lower = |byte: u8| format!("%{byte:02x}");
    let upper = |byte: u8| format!("%{byte:02X}");
    let stays = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    forms.push((Form::Percent, joined(piece, "", lower)));
    forms.push((Form::Percent, joined(piece, "", upper)));
    forms.push((Form::Percent, unless(piece, stays, lower)));
    forms.push((Form::Percent, unless(piece, stays, upper)));
}

fn push_escapes(forms: &mut Vec<(Form, Vec<u8>)>, piece: &[u8]) {
    for backslash in ["\\", "\\\\"] {
        let lower = joined(piece, "", |byte| format!("{backslash}u{byte:04x}"));
        let upper = joined(piece, "", |byte| format!("{backslash}u{byte:04X}"));
        forms.push((Form::Escaped, lower));
        forms.push((Form::Escaped, upper));
    }
    let rust = joined(piece, "", |byte| format!("\\u{{{byte:x}}}"));
    forms.push((Form::Escaped, rust));
    // What JSON must escape, then also what careful writers (Go, PHP) do.
    for special in [&b"\"\\"[..], b"\"\\/", b"\"\\<>&"] {
        let stays = |byte: u8| !special.contains(&byte);
        let short = unless(piece, stays, |byte| match byte {
            b'<' | b'>' | b'&' => format!("\\u{byte:04x}"),
            other => format!("\\{}", char::from(other)),
        });
        forms.push((Form::Escaped, short));
    }
}

fn unless(piece: &[u8], stays: impl Fn(u8) -> bool, escape: impl Fn(u8) -> String) -> Vec<u8> {
    let mut text = String::new();
    for byte in piece {
        if stays(*byte) {
            text.push(char::from(*byte));
        } else {
            let _infallible = write!(text, "{}", escape(*byte));
        }
    }
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_found_in_every_alignment() {
        // From RFC 4648 and `printf 'xfoobar' | base64`.
        assert_eq!(base64(b"foobar", 0, STANDARD), b"Zm9vYmFy");
        let (one, two) = (base64(b"foobar", 1, STANDARD), base64(b"foobar", 2, STANDARD));
        assert!("eGZvb2Jhcg".contains(&*String::from_utf8_lossy(&one)));
        assert!("eHhmb29iYXI".contains(&*String::from_utf8_lossy(&two)));
        assert_eq!(base64(&[0xfb, 0xff, 0xfe], 0, URL_SAFE), b"-__-");
    }

    #[test]
    fn only_what_must_be_escaped_is_one_form() {
        let texts: Vec<Vec<u8>> = forms(b"a/b+c\"d<").into_iter().map(|(_, text)| text).collect();
        for expected in [&b"a%2Fb%2Bc%22d%3C"[..], b"a/b+c\\\"d<", b"a/b+c\\\"d\\u003c"] {
            assert!(texts.iter().any(|text| text == expected));
        }
    }
}
