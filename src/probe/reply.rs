//! What does an answer mean before any provider reads it? The rows that are common to all, and how long the provider
//! wants to be left alone.
//!
//! Nothing of an answer leaves this file but numbers and what the provider's reader is given.

use super::transport::{Answer, Body};
use crate::providers::{Doubt, Reply};
use jiff::Timestamp;
use jiff::fmt::{rfc2822, strtime};
use std::time::Duration;

/// The longest time that a provider's word makes us wait.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// Seen from row 1 to row 5.
pub(super) fn judge(answer: Answer) -> Result<Reply, Doubt> {
    if let Some(doubt) = by_status(answer.status) {
        return Err(doubt);
    }
    match answer.body {
        Body::Whole(bytes) if !is_html(&bytes) => Ok(Reply::new(answer.status, &bytes)),
        Body::Whole(_) | Body::Unwanted => Err(Doubt::Unexpected),
        Body::Broken(_) => Err(Doubt::Unavailable),
    }
}

/// The rows that a status alone decides.
pub(super) fn by_status(status: u16) -> Option<Doubt> {
    match status {
        429 => Some(Doubt::RateLimited),
        407 | 408 | 500..=599 => Some(Doubt::Unavailable),
        200..=299 | 400..=499 => None,
        _ => Some(Doubt::Unexpected),
    }
}

fn is_html(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    bytes.trim_ascii_start().first() == Some(&b'<')
}

/// How long the `Retry-After` header asks to wait: seconds, or a date seen from the reply's own `Date`. What is neither,
/// or past, is ignored.
pub(super) fn retry_after(value: &str, date: Option<Timestamp>, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    let wait = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        value.parse().map_or(LONGEST_WAIT, Duration::from_secs)
    } else {
        until(http_date(value)?, date, now)?
    };
    Some(wait.min(LONGEST_WAIT)).filter(|wait| !wait.is_zero())
}

/// `retry_after`, from the two headers as they came.
#[must_use]
pub fn wanted_wait(value: &str, date: Option<&str>, now: Timestamp) -> Option<Duration> {
    retry_after(value, date.and_then(http_date), now)
}

/// What ZenFlow's rate limit headers say of the account: with a tenth or less left, wait for the reset.
pub(super) fn pause(
    limit: &str,
    remaining: &str,
    reset: &str,
    clock: (Option<Timestamp>, Timestamp),
) -> Option<Duration> {
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let (limit, remaining) = (number(limit)?, number(remaining)?);
    if remaining > limit.div_euclid(10) {
        return None;
    }
    let reset = Timestamp::from_second(i64::try_from(number(reset)?).ok()?).ok()?;
    until(reset, clock.0, clock.1).map(|wait| wait.min(LONGEST_WAIT))
}

/// `pause`, from the three headers as they came, by our own clock.
#[must_use]
pub fn wanted_pause(limit: &str, remaining: &str, reset: &str, now: Timestamp) -> Option<Duration> {
    pause(limit, remaining, reset, (None, now))
}

fn until(then: Timestamp, date: Option<Timestamp>, now: Timestamp) -> Option<Duration> {
    Duration::try_from(then.duration_since(date.unwrap_or(now))).ok()
}

/// The three forms of a date in HTTP.
pub(super) fn http_date(value: &str) -> Option<Timestamp> {
    let civil =
        |format: &str| strtime::parse(format, value).ok()?.to_datetime().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok();
    rfc2822::DateTimeParser::new()
        .parse_timestamp(value)
        .ok()
        .or_else(|| civil("%A, %d-%b-%y %H:%M:%S GMT").map(|date| date.timestamp()))
        .or_else(|| civil("%a %b %e %H:%M:%S %Y").map(|date| date.timestamp()))
}

#[cfg(test)]
mod tests {
    use super::super::transport::{Fault, Headers};
    use super::*;

    fn said(status: u16, body: Body) -> String {
        match judge(Answer { status, headers: Headers::default(), body }) {
            Ok(reply) => format!("reply {}", reply.status()),
            Err(doubt) => format!("{doubt:?}"),
        }
    }

    fn whole(text: &str) -> Body {
        Body::Whole(text.as_bytes().to_vec().into())
    }

    #[test]
    fn the_common_rows_hold() {
        for (status, body, expected) in [
            (429, "{}", "RateLimited"),
            (429, "<html>", "RateLimited"),
            (407, "{}", "Unavailable"),
            (408, "{}", "Unavailable"),
            (500, r#"{"success":false,"error":{"code":"invalid_api_key"}}"#, "Unavailable"),
            (503, "", "Unavailable"),
            (599, "", "Unavailable"),
            (301, "[]", "Unexpected"),
            (304, "", "Unexpected"),
            (399, "", "Unexpected"),
            (100, "", "Unexpected"),
            (600, "[]", "Unexpected"),
            (200, "<!doctype html>", "Unexpected"),
            (401, "  \r\n<html>", "Unexpected"),
            (403, "\u{feff}<html>", "Unexpected"),
            (200, "[]", "reply 200"),
            (200, "", "reply 200"),
            (401, "no", "reply 401"),
            (404, "", "reply 404"),
        ] {
            assert_eq!(said(status, whole(body)), expected, "{status} {body}");
        }
        assert_eq!(said(200, Body::Unwanted), "Unexpected");
        assert_eq!(said(200, Body::Broken(Fault::Interrupted)), "Unavailable");
        assert_eq!(said(429, Body::Unwanted), "RateLimited");
    }

    #[test]
    fn every_form_of_retry_after_is_read() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let date = http_date("Sun, 22 Nov 2026 13:00:00 GMT");
        assert!(date.is_some());
        for (value, date, expected) in [
            ("120", None, Some(120)),
            (" 1 ", None, Some(1)),
            ("0", None, None),
            ("3600", None, Some(3600)),
            ("3601", None, Some(3600)),
            ("1000000000000", None, Some(3600)),
            ("99999999999999999999999999", None, Some(3600)),
            ("-1", None, None),
            ("1.5", None, None),
            ("+5", None, None),
            ("", None, None),
            ("banana", None, None),
            ("Sun, 22 Nov 2026 12:00:30 GMT", None, Some(30)),
            ("Sunday, 22-Nov-26 12:00:30 GMT", None, Some(30)),
            ("Sun Nov 22 12:00:30 2026", None, Some(30)),
            ("Sun, 22 Nov 2026 11:59:59 GMT", None, None),
            ("Sun, 22 Nov 2026 12:00:00 GMT", None, None),
            ("Sun, 22 Nov 2026 13:00:30 GMT", date, Some(30)),
            ("Sun, 22 Nov 2026 12:59:30 GMT", date, None),
            ("Mon, 22 Nov 2027 12:00:30 GMT", None, Some(3600)),
            ("Thu, 31 Dec 9998 23:59:59 GMT", None, Some(3600)),
        ] {
            assert_eq!(retry_after(value, date, now).map(|wait| wait.as_secs()), expected, "{value}");
        }
    }

    #[test]
    fn the_last_tenth_of_an_account_is_left_alone() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let reset = |seconds: i64| (now.as_second() + seconds).to_string();
        for (limit, remaining, reset, expected) in [
            ("60", "6", reset(30), Some(30)),
            ("60", "0", reset(30), Some(30)),
            ("60", "7", reset(30), None),
            ("60", "5", reset(-1), None),
            ("60", "5", reset(86_400), Some(3600)),
            ("60", "5", "soon".to_owned(), None),
            ("x", "5", reset(30), None),
            ("60", "-5", reset(30), None),
            ("60", "5", "99999999999999999999".to_owned(), None),
        ] {
            let read = pause(limit, remaining, &reset, (None, now)).map(|wait| wait.as_secs());
            assert_eq!(read, expected, "{limit} {remaining} {reset}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_header_waits_longer_than_an_hour(value in "\\PC{0,40}|[0-9]{0,30}", seconds in -100_000_000_i64..4_000_000_000) {
            let now = Timestamp::from_second(seconds).unwrap();
            let wait = retry_after(&value, None, now);
            proptest::prop_assert!(wait.is_none_or(|wait| wait <= LONGEST_WAIT && !wait.is_zero()));
        }
    }
}
