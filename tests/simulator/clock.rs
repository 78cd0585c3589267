//! What time do the providers believe it is? Drives expiry, token life, rate limits and `Date`;
//! never the ledger's times nor any waiting, which are real.

use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

/// A change of the providers' clock; members left out stay as they are.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct ClockChange {
    /// Jump to this time.
    pub now: Option<Timestamp>,
    /// Then move by so many seconds, also backwards.
    pub advance_seconds: i64,
    /// Stand still, or run on.
    pub frozen: Option<bool>,
}

/// The real clock with an offset, or standing still.
#[derive(Clone, Debug, Default)]
pub(super) struct Clock {
    offset: SignedDuration,
    frozen: Option<Timestamp>,
}

impl Clock {
    pub(super) fn now(&self) -> Timestamp {
        self.frozen.unwrap_or_else(|| real().checked_add(self.offset).expect("the offset came from a valid time"))
    }

    /// Fails if the new time cannot be represented.
    pub(super) fn change(&mut self, change: &ClockChange) -> Result<Timestamp, String> {
        let target = change
            .now
            .unwrap_or_else(|| self.now())
            .checked_add(SignedDuration::from_secs(change.advance_seconds))
            .map_err(|error| error.to_string())?;
        let frozen = change.frozen.unwrap_or(self.frozen.is_some());
        self.offset = target.duration_since(real());
        self.frozen = frozen.then_some(target);
        Ok(target)
    }
}

/// The real time.
pub(super) fn real() -> Timestamp {
    Timestamp::now()
}

/// The form of `Date` and `Retry-After`.
pub(super) fn http_date(at: Timestamp) -> String {
    DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&at)
        .unwrap_or_else(|_| "Thu, 01 Jan 1970 00:00:00 GMT".to_owned())
}
