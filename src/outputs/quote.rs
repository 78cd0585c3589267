//! How does a value stay one value in a URL, a dotenv file and a curl configuration? An encoder each, and its inverse.

use super::page::Page;
use zeroize::Zeroizing;

/// Writes `text` percent-encoded: all but `A–Z a–z 0–9 - . _ ~`.
pub(super) fn percent(page: &mut Page, text: &str) {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or_default().to_ascii_uppercase();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            page.push_char(char::from(byte));
        } else {
            page.push_char('%');
            page.push_char(digit(byte >> 4));
            page.push_char(digit(byte & 0xF));
        }
    }
}

/// Reads percent-encoded text; `None` when an escape is cut or the result is not UTF-8. A `+` is a `+`.
pub(super) fn unpercent(text: &str) -> Option<Zeroizing<String>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text.bytes();
    let nibble = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'%' { (nibble(rest.next()?)? << 4) | nibble(rest.next()?)? } else { byte });
    }
    std::str::from_utf8(&bytes).ok().map(|text| Zeroizing::new(text.to_owned()))
}

/// Writes `text` as one word of a POSIX shell: in `'`, or in `"` with escapes if it holds a `'`.
pub(super) fn dotenv(page: &mut Page, text: &str) {
    let (quote, special): (&str, &[char]) =
        if text.contains('\'') { ("\"", &['\\', '"', '$', '`']) } else { ("'", &[]) };
    page.push(quote);
    escape(page, text, special);
    page.push(quote);
}

/// Reads a word that [`dotenv`] wrote.
pub(super) fn undotenv(word: &str) -> Option<Zeroizing<String>> {
    match word.strip_prefix('\'') {
        Some(rest) => rest.strip_suffix('\'').map(|text| Zeroizing::new(text.to_owned())),
        None => word.strip_prefix('"')?.strip_suffix('"').and_then(unescape),
    }
}

/// Writes `text` for the inside of a quoted parameter in a curl configuration.
pub(super) fn curl(page: &mut Page, text: &str) {
    escape(page, text, &['\\', '"']);
}

/// Reads what [`curl`] wrote, or the inside of the `"` that [`dotenv`] wrote.
pub(super) fn unescape(text: &str) -> Option<Zeroizing<String>> {
    let mut plain = Zeroizing::new(String::with_capacity(text.len()));
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        plain.push(if character == '\\' { rest.next()? } else { character });
    }
    Some(plain)
}

fn escape(page: &mut Page, text: &str, special: &[char]) {
    for character in text.chars() {
        if special.contains(&character) {
            page.push_char('\\');
        }
        page.push_char(character);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: fn(&mut Page, &str), text: &str) -> String {
        let mut page = Page::default();
        write(&mut page, text);
        String::from_utf8(page.finish().to_vec()).expect("encoders write UTF-8")
    }

    #[test]
    fn each_encoder_quotes_what_its_reader_would_take_for_syntax() {
        for (text, in_url, in_dotenv, in_curl) in [
            ("aZ09-._~", "aZ09-._~", "'aZ09-._~'", "aZ09-._~"),
            ("EXAMPLE+to/ken==", "EXAMPLE%2Bto%2Fken%3D%3D", "'EXAMPLE+to/ken=='", "EXAMPLE+to/ken=="),
            ("a b", "a%20b", "'a b'", "a b"),
            (r#"a"b\c"#, "a%22b%5Cc", r#"'a"b\c'"#, r#"a\"b\\c"#),
            ("$(id)`id`$x", "%24%28id%29%60id%60%24x", "'$(id)`id`$x'", "$(id)`id`$x"),
            (
                r#"it's "$x" `y` \"#,
                "it%27s%20%22%24x%22%20%60y%60%20%5C",
                r#""it's \"\$x\" \`y\` \\""#,
                r#"it's \"$x\" `y` \\"#,
            ),
            ("'", "%27", "\"'\"", "'"),
            ("", "", "''", ""),
            ("é€", "%C3%A9%E2%82%AC", "'é€'", "é€"),
            ("#!&;%", "%23%21%26%3B%25", "'#!&;%'", "#!&;%"),
        ] {
            assert_eq!(written(percent, text), in_url, "{text}");
            assert_eq!(written(dotenv, text), in_dotenv, "{text}");
            assert_eq!(written(curl, text), in_curl, "{text}");
        }
    }

    #[test]
    fn what_no_encoder_wrote_is_not_read() {
        for text in ["%", "%4", "%zz", "%+1", "%FF", "%C3"] {
            assert!(unpercent(text).is_none(), "{text}");
        }
        assert_eq!(unpercent("a+b%2bc").as_deref().map(String::as_str), Some("a+b+c"));
        for text in ["", "a", "'", "'a", "\"a", "\"a\\\"", "\""] {
            assert!(undotenv(text).is_none(), "{text}");
        }
        assert!(unescape("a\\").is_none());
    }

    proptest::proptest! {
        #[test]
        fn every_encoder_has_an_inverse(text in "\\PC*") {
            let (in_url, in_dotenv, in_curl) = (written(percent, &text), written(dotenv, &text), written(curl, &text));
            for read in [unpercent(&in_url), undotenv(&in_dotenv), unescape(&in_curl)] {
                proptest::prop_assert_eq!(read.as_deref(), Some(&text));
            }
        }
    }
}
