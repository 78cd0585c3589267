//! When is a key asked about next? Intervals with spread, and backoffs; chance is a hash of the source's UID.

use crate::api::ValidationStatus;
use jiff::{SignedDuration, Timestamp};
use ring::digest::{SHA256, digest};
use std::time::Duration;

/// Two refusals of a key that was accepted before lie at least this far apart.
pub const CONFIRMATION: Duration = Duration::from_secs(30);
/// And at the most so much more.
const CONFIRMATION_SPREAD: Duration = Duration::from_secs(14);
const FIRST_RECHECK: Duration = Duration::from_secs(3600);
const LONGEST_RECHECK: Duration = Duration::from_secs(24 * 3600);
const FIRST_RETRY: Duration = Duration::from_secs(2);
const LONGEST_RETRY: Duration = Duration::from_secs(15 * 60);
/// Overdue checks are spread over this time after a start.
const START_SPREAD: Duration = Duration::from_secs(60);

/// `time` and `wait` later; the end of time when that is past it.
#[must_use]
pub fn after(time: Timestamp, wait: Duration) -> Timestamp {
    SignedDuration::try_from(wait).ok().and_then(|wait| time.checked_add(wait).ok()).unwrap_or(Timestamp::MAX)
}

/// `time` without its fraction of a second: times in the status have whole seconds.
#[must_use]
pub fn whole_second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

/// The first whole second that is not before `time`: what shall not come too early is stored so.
#[must_use]
pub fn no_sooner(time: Timestamp) -> Timestamp {
    let floor = whole_second(time);
    if floor < time { after(floor, A_SECOND) } else { floor }
}

/// A part of `range` that depends on the object and the attempt alone: as good as chance, and the same after a restart.
#[must_use]
pub fn jittered(range: Duration, uid: &str, attempt: &str) -> Duration {
    let hash = digest(&SHA256, format!("{uid}/{attempt}").as_bytes());
    let share = hash.as_ref().iter().take(4).fold(0_u32, |number, byte| number.wrapping_shl(8) | u32::from(*byte));
    range.mul_f64(f64::from(share) / f64::from(u32::MAX))
}

/// The next check of a healthy key: `interval` ± 10 %, always the same for one source.
#[must_use]
pub fn healthy(at: Timestamp, interval: Duration, uid: &str) -> Timestamp {
    no_sooner(after(at, interval.mul_f64(0.9).saturating_add(jittered(interval.mul_f64(0.2), uid, "interval"))))
}

/// The interval whose spread never comes below `apart`.
#[must_use]
pub fn at_the_shortest(apart: Duration) -> Duration {
    apart.div_f64(0.9)
}

/// The second look at a key that was accepted before and refused once.
#[must_use]
pub fn confirmation(at: Timestamp, uid: &str) -> Timestamp {
    no_sooner(after(earliest_confirmation(at), jittered(CONFIRMATION_SPREAD, uid, "confirmation")))
}

/// When a second refusal counts, after a first one that is stored as `first`: its moment may be stored up to a second
/// early, and half a minute shall lie between the two for certain.
#[must_use]
pub fn earliest_confirmation(first: Timestamp) -> Timestamp {
    after(first, CONFIRMATION.saturating_add(A_SECOND))
}

/// What times in the status are rounded to, and the shortest wait.
pub const A_SECOND: Duration = Duration::from_secs(1);

/// The next look at a key that was refused `rejections` times in a row: 1 h doubling to 24 h.
#[must_use]
pub fn rejected(at: Timestamp, rejections: i32) -> Timestamp {
    after(at, doubled(FIRST_RECHECK, rejections, LONGEST_RECHECK))
}

/// The next try after `failures` inconclusive checks in a row: full jitter, 2 s doubling to 15 min.
#[must_use]
pub fn inconclusive(at: Timestamp, failures: i32, uid: &str) -> Timestamp {
    let range = doubled(FIRST_RETRY, failures, LONGEST_RETRY);
    // Not of the number of failures: those who share an answer have counted differently, and are due together.
    no_sooner(after(at, jittered(range, uid, &at.as_second().to_string()).max(A_SECOND)))
}

/// Until when the provider asked to be left alone, as far as the schedule tells: that far no backoff goes.
#[must_use]
pub fn left_alone(validation: &ValidationStatus) -> Option<Timestamp> {
    let (last, next) = (validation.last_check_time.as_ref()?.0, validation.next_check_time.as_ref()?.0);
    let longest = doubled(FIRST_RETRY, validation.consecutive_failures?, LONGEST_RETRY);
    Some(next).filter(|next| *next > no_sooner(after(last, longest)))
}

/// When an overdue check starts after this process began to lead.
#[must_use]
pub fn spread_after_start(leading_since: Timestamp, uid: &str) -> Timestamp {
    no_sooner(after(leading_since, jittered(START_SPREAD, uid, "start")))
}

fn doubled(first: Duration, count: i32, longest: Duration) -> Duration {
    let steps = u32::try_from(count.saturating_sub(1)).unwrap_or(0).min(30);
    first.saturating_mul(2_u32.saturating_pow(steps)).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::UNIX_EPOCH;

    fn seconds(time: Timestamp) -> i64 {
        time.as_second()
    }

    #[test]
    fn a_healthy_key_is_checked_at_its_interval_give_or_take_a_tenth() {
        for uid in ["a", "b", "c", "d", "e"] {
            let next = seconds(healthy(START, Duration::from_secs(3600), uid));
            assert!((3240..=3960).contains(&next), "{uid}: {next}");
            assert_eq!(next, seconds(healthy(START, Duration::from_secs(3600), uid)), "always the same");
        }
    }

    #[test]
    fn times_are_stored_in_whole_seconds() {
        let fraction = START + jiff::SignedDuration::from_millis(10_400);
        assert_eq!((seconds(whole_second(fraction)), seconds(no_sooner(fraction))), (10, 11));
        assert_eq!(whole_second(START), no_sooner(START));
        for time in
            [healthy(START, Duration::from_secs(301), "a"), confirmation(START, "a"), inconclusive(START, 9, "a")]
        {
            assert_eq!(time.subsec_nanosecond(), 0);
        }
        assert_eq!(spread_after_start(START, "a").subsec_nanosecond(), 0);
    }

    #[test]
    fn overdue_checks_start_within_a_minute() {
        let starts: Vec<_> = (0..200).map(|uid| seconds(spread_after_start(START, &uid.to_string()))).collect();
        assert!(starts.iter().all(|start| (0..=60).contains(start)));
        assert!(starts.iter().filter(|start| **start < 30).count() > 50, "spread, not piled up");
    }

    #[test]
    fn a_rejected_key_is_checked_after_one_hour_doubling_to_a_day() {
        let hours: Vec<_> = (1..=7).map(|count| seconds(rejected(START, count)) / 3600).collect();
        assert_eq!(hours, [1, 2, 4, 8, 16, 24, 24]);
    }

    #[test]
    fn an_outage_is_probed_with_full_jitter_up_to_a_quarter_of_an_hour() {
        for failures in 1..40 {
            let wait = seconds(inconclusive(START, failures, "uid"));
            let limit = (2_i64 << (failures - 1).min(20)).min(900);
            assert!((1..=limit).contains(&wait), "{failures}: {wait}");
        }
    }

    #[test]
    fn a_confirmation_comes_after_half_a_minute() {
        for uid in ["a", "b", "c", "d", "e", "f", "g", "h"] {
            let wait = seconds(confirmation(START, uid));
            assert!((31..=45).contains(&wait), "{wait}");
        }
    }
}
