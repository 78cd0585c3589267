//! Who may hold the Lease, and what is written to it? Pure: the Lease as read and the time in, the next move out.
//!
//! The record's own times are for people. It has expired when this process saw it unchanged for its duration.

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use std::time::Duration;

/// How long is how long. A holder stops well before others may follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// An unchanged record counts for this long.
    pub lease: Duration,
    /// A holder that could not renew for this long holds no more.
    pub renew_deadline: Duration,
    /// Between two looks, and between two renewals.
    pub retry: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self { lease: Duration::from_secs(15), renew_deadline: Duration::from_secs(10), retry: Duration::from_secs(2) }
    }
}

/// Both clocks at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    /// Decides.
    pub(super) monotonic: Duration,
    /// Is written for people.
    pub(super) wall: Timestamp,
}

/// What a candidate does next.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Move {
    /// Somebody else holds, or may hold.
    Wait,
    /// There is no Lease: make it, ours.
    Create(Lease),
    /// Nobody holds any more: replace what was read.
    Replace(Lease),
}

/// The state of one candidate.
#[derive(Debug)]
pub(super) struct Election {
    name: String,
    identity: String,
    timing: Timing,
    seen: Option<Seen>,
}

/// The record of another holder, and when it was seen so first.
#[derive(Debug)]
struct Seen {
    uid: Option<String>,
    spec: LeaseSpec,
    since: Duration,
}

impl Election {
    pub(super) fn new(name: &str, identity: &str, timing: Timing) -> Self {
        Self { name: name.to_owned(), identity: identity.to_owned(), timing, seen: None }
    }

    /// A candidate's move, given what was read at the earliest at this moment.
    pub(super) fn look(&mut self, found: Option<&Lease>, at: Moment) -> Move {
        let Some(lease) = found else {
            return if self.is_expired(at) { Move::Create(self.first(at)) } else { Move::Wait };
        };
        let spec = lease.spec.clone().unwrap_or_default();
        if self.is_ours(lease) {
            // A write of ours whose answer was lost.
            return Move::Replace(self.renewed(lease, at));
        }
        if spec.holder_identity.as_deref().is_none_or(str::is_empty) {
            return Move::Replace(self.taken(lease, at));
        }
        if !self.seen.as_ref().is_some_and(|seen| seen.uid == lease.metadata.uid && seen.spec == spec) {
            self.seen = Some(Seen { uid: lease.metadata.uid.clone(), spec, since: at.monotonic });
        }
        if self.is_expired(at) { Move::Replace(self.taken(lease, at)) } else { Move::Wait }
    }

    /// Who held when a candidate looked last.
    pub(super) fn holder(&self) -> Option<&str> {
        self.seen.as_ref().and_then(|seen| seen.spec.holder_identity.as_deref())
    }

    /// Whether this Lease names us.
    pub(super) fn is_ours(&self, lease: &Lease) -> bool {
        lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref()) == Some(self.identity.as_str())
    }

    /// The same Lease, held on.
    pub(super) fn renewed(&self, held: &Lease, at: Moment) -> Lease {
        let spec = held.spec.clone().unwrap_or_default();
        self.with(held, LeaseSpec { renew_time: Some(MicroTime(at.wall)), ..spec })
    }

    /// The same Lease, held by nobody.
    pub(super) fn released(held: &Lease, at: Moment) -> Lease {
        let spec = held.spec.clone().unwrap_or_default();
        let renew_time = Some(MicroTime(at.wall));
        Lease { spec: Some(LeaseSpec { holder_identity: None, renew_time, ..spec }), ..held.clone() }
    }

    /// Whether another holder's time is over; so it is where none was seen.
    fn is_expired(&self, at: Moment) -> bool {
        self.seen.as_ref().is_none_or(|seen| {
            let stated = seen.spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
            let lasts = self.timing.lease.max(Duration::from_secs(stated.unwrap_or(0)));
            at.monotonic.saturating_sub(seen.since) >= lasts
        })
    }

    fn first(&self, at: Moment) -> Lease {
        let metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
        let times = Some(MicroTime(at.wall));
        let spec = LeaseSpec { acquire_time: times.clone(), renew_time: times, ..LeaseSpec::default() };
        self.with(&Lease { metadata, spec: None }, LeaseSpec { lease_transitions: Some(0), ..spec })
    }

    fn taken(&self, lease: &Lease, at: Moment) -> Lease {
        let spec = lease.spec.clone().unwrap_or_default();
        let lease_transitions = Some(spec.lease_transitions.unwrap_or(0).saturating_add(1));
        let times = Some(MicroTime(at.wall));
        self.with(lease, LeaseSpec { acquire_time: times.clone(), renew_time: times, lease_transitions, ..spec })
    }

    fn with(&self, lease: &Lease, spec: LeaseSpec) -> Lease {
        let seconds = self.timing.lease.as_secs().max(1);
        let spec = LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: Some(i32::try_from(seconds).unwrap_or(i32::MAX)),
            ..spec
        };
        Lease { metadata: lease.metadata.clone(), spec: Some(spec) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: &str = "connector-operator";

    fn at(second: u64) -> Moment {
        let wall = Timestamp::from_second(1_800_000_000).expect("in range");
        Moment { monotonic: Duration::from_secs(second), wall }
    }

    fn candidate(identity: &str) -> Election {
        Election::new(LEASE, identity, Timing::default())
    }

    /// As the API server stores it.
    fn stored(lease: Lease, version: &str) -> Lease {
        let resource_version = Some(version.to_owned());
        Lease { metadata: ObjectMeta { uid: Some("u".to_owned()), resource_version, ..lease.metadata }, ..lease }
    }

    fn held_by(identity: &str, version: &str) -> Lease {
        let Move::Create(lease) = candidate(identity).look(None, at(0)) else { panic!("nobody holds it") };
        stored(lease, version)
    }

    fn spec(lease: &Lease) -> &LeaseSpec {
        lease.spec.as_ref().expect("a spec")
    }

    #[test]
    fn the_first_candidate_creates_the_lease() {
        let lease = held_by("a", "1");
        assert_eq!(lease.metadata.name.as_deref(), Some(LEASE));
        assert_eq!(spec(&lease).holder_identity.as_deref(), Some("a"));
        assert_eq!((spec(&lease).lease_duration_seconds, spec(&lease).lease_transitions), (Some(15), Some(0)));
    }

    #[test]
    fn an_unchanged_record_expires_on_our_own_clock() {
        let mut other = candidate("b");
        let lease = held_by("a", "1");
        assert_eq!(other.look(Some(&lease), at(100)), Move::Wait, "however old its times are");
        assert_eq!(other.look(Some(&lease), at(114)), Move::Wait);
        let Move::Replace(taken) = other.look(Some(&lease), at(115)) else { panic!("it has expired") };
        assert_eq!(spec(&taken).holder_identity.as_deref(), Some("b"));
        assert_eq!(spec(&taken).lease_transitions, Some(1));
        assert_eq!(taken.metadata.resource_version.as_deref(), Some("1"), "guarded by what was read");
    }

    #[test]
    fn a_renewal_starts_the_time_again_and_an_annotation_does_not() {
        let (holder, mut other) = (candidate("a"), candidate("b"));
        let lease = held_by("a", "1");
        assert_eq!(other.look(Some(&lease), at(0)), Move::Wait);
        let later = Moment { wall: Timestamp::from_second(1_800_000_014).expect("in range"), ..at(14) };
        let renewed = stored(holder.renewed(&lease, later), "2");
        assert_eq!(other.look(Some(&renewed), at(14)), Move::Wait);
        let annotated = stored(renewed, "3");
        assert_eq!(other.look(Some(&annotated), at(28)), Move::Wait);
        assert!(matches!(other.look(Some(&annotated), at(29)), Move::Replace(_)), "15 s after the renewal was seen");
    }

    #[test]
    fn a_released_lease_is_taken_at_once() {
        let mut other = candidate("b");
        let lease = held_by("a", "1");
        assert_eq!(other.look(Some(&lease), at(0)), Move::Wait);
        let released = stored(Election::released(&lease, at(1)), "2");
        assert_eq!(spec(&released).holder_identity, None);
        assert!(matches!(other.look(Some(&released), at(1)), Move::Replace(_)));
    }

    #[test]
    fn a_deleted_lease_is_no_free_seat_while_its_holder_may_work() {
        let mut other = candidate("b");
        assert_eq!(other.look(Some(&held_by("a", "1")), at(0)), Move::Wait);
        assert_eq!(other.look(None, at(14)), Move::Wait);
        assert!(matches!(other.look(None, at(15)), Move::Create(_)));
    }

    #[test]
    fn a_write_whose_answer_was_lost_is_recognised() {
        let mut holder = candidate("a");
        let lease = held_by("a", "1");
        let Move::Replace(renewed) = holder.look(Some(&lease), at(1)) else { panic!("it is ours") };
        assert_eq!(spec(&renewed).lease_transitions, Some(0), "it never changed hands");
        assert!(holder.is_ours(&renewed) && !candidate("b").is_ours(&renewed));
    }

    #[test]
    fn a_longer_record_is_respected() {
        let mut other = candidate("b");
        let mut lease = held_by("a", "1");
        lease.spec.as_mut().expect("a spec").lease_duration_seconds = Some(60);
        assert_eq!(other.look(Some(&lease), at(0)), Move::Wait);
        assert_eq!(other.look(Some(&lease), at(59)), Move::Wait);
        assert!(matches!(other.look(Some(&lease), at(60)), Move::Replace(_)));
    }
}
