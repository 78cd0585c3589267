//! How does a value travel in a URL or a form? Percent-encoded, so that no byte of it has a meaning there.

/// The value with every byte but `A–Z a–z 0–9 - . _ ~` percent-encoded.
#[must_use]
pub fn percent_encoded(value: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().map_or('0', char::from);
    let mut encoded = String::with_capacity(value.len().saturating_mul(3));
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push(digit(byte >> 4));
            encoded.push(digit(byte & 0x0F));
        }
    }
    encoded
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
