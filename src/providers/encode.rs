//! How does a value travel in a URL or a form? Percent-encoded, so that no byte of it has a meaning there.

/// The value with every byte but `A–Z a–z 0–9 - . _ ~` percent-encoded.
#[must_use]
pub fn percent_encoded(value: &str) -> String {
    let mut encoded = String::with_capacity(encoded_room(value));
    push_percent_encoded(&mut encoded, value);
    encoded
}

/// The room that a value takes at the most.
#[must_use]
pub const fn encoded_room(value: &str) -> usize {
    value.len().saturating_mul(3)
}

/// Appends the value, percent-encoded, without a copy of it on the way.
pub fn push_percent_encoded(text: &mut String, value: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().map_or('0', char::from);
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push('%');
            text.push(digit(byte >> 4));
            text.push(digit(byte & 0x0F));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::percent_encoded;

    #[test]
    fn everything_but_the_unreserved_is_encoded() {
        for (value, expected) in [
            ("AZaz09-._~", "AZaz09-._~"),
            ("EXAMPLE+to/ken==", "EXAMPLE%2Bto%2Fken%3D%3D"),
            ("a b&c#d?e%f", "a%20b%26c%23d%3Fe%25f"),
            ("é\n", "%C3%A9%0A"),
        ] {
            assert_eq!(percent_encoded(value), expected);
        }
    }
}
