//! How long is `720h`? GEP-2257 durations: `^([0-9]{1,5}(h|m|s|ms)){1,4}$`.

use serde_json::{Value, json};
use std::time::Duration;

/// What a duration looks like, in the schema.
pub(crate) const DURATION_PATTERN: &str = "^([0-9]{1,5}(h|m|s|ms)){1,4}$";

/// The rule that keeps the duration `field` between two others; `words` says so to the user.
pub(super) fn duration_rules(field: &str, least: &str, most: &str, words: &str) -> Value {
    let limits = format!("duration(self) >= duration('{least}') && duration(self) <= duration('{most}')");
    json!([{
        "rule": format!("self.matches('{DURATION_PATTERN}') && {limits}"),
        "message": format!("`{field}` must be a duration {words}"),
    }])
}

/// Reads a GEP-2257 duration; `None` when the text is not one.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    for _ in 0..4 {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at_checked(digits).filter(|_| (1..=5).contains(&digits))?;
        let number: u64 = number.parse().ok()?;
        let (unit, tail) = [
            ("ms", Duration::from_millis(1)),
            ("h", Duration::from_secs(3600)),
            ("m", Duration::from_secs(60)),
            ("s", Duration::from_secs(1)),
        ]
        .into_iter()
        .find_map(|(unit, length)| tail.strip_prefix(unit).map(|tail| (length, tail)))?;
        total = total.checked_add(unit.checked_mul(u32::try_from(number).ok()?)?)?;
        rest = tail;
        if rest.is_empty() {
            return Some(total);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_gep_2257_says() {
        for (text, seconds) in
            [("720h", 2_592_000), ("5m", 300), ("1h30m", 5400), ("10s", 10), ("1000ms", 1), ("1h1m1s1000ms", 3662)]
        {
            assert_eq!(parse_duration(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "5", "h", "1d", "-5m", "1.5h", "123456s", "1h1m1s1ms1h", "5m ", " 5m", "5M"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }
}
