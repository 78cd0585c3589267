//! How long does a minted token serve? Two thirds of its life, counted from before it was asked for.

use super::schedule::{after, whole_second};
use crate::api::{ConnectorCredentialStatus, TokenStatus};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use std::time::Duration;

const SHORTEST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// A claim moves the next check past the deadline of the call that it announces.
pub const CLAIM: Duration = Duration::from_secs(60);

/// The course of a token that was asked for at `asked`; lifetimes are clamped to 1 minute … 24 hours.
#[must_use]
pub fn course(asked: Timestamp, lifetime: Duration) -> TokenStatus {
    let lifetime = lifetime.clamp(SHORTEST, LONGEST);
    TokenStatus {
        expiration_time: Some(Time(whole_second(after(asked, lifetime)))),
        renewal_time: Some(Time(whole_second(after(asked, lifetime.mul_f64(2.0 / 3.0))))),
    }
}

/// Whether a claim is in force: the next check is at hand, and neither a renewal nor a retry.
#[must_use]
pub fn is_claimed(status: &ConnectorCredentialStatus, now: Timestamp) -> bool {
    let Some(validation) = &status.validation else { return false };
    let renewal = status.token.as_ref().and_then(|token| token.renewal_time.as_ref());
    let next = validation.next_check_time.as_ref().filter(|next| Some(*next) != renewal);
    next.is_some_and(|next| now < next.0 && next.0 <= after(now, CLAIM))
        && validation.consecutive_failures.is_none()
        && validation.first_rejection_time.is_none()
}

/// Whether the stored token is still good at `now`.
#[must_use]
pub fn serves(token: Option<&TokenStatus>, now: Timestamp) -> bool {
    token.and_then(|token| token.expiration_time.as_ref()).is_some_and(|end| now < end.0)
}
