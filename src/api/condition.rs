//! Which conditions are there, and how are they read and merged? Pure.

use super::Reason;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::{Schema, SchemaGenerator, json_schema};

macro_rules! condition_types {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// A condition type, in the order of the contract.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ConditionType { $($(#[$doc])* $name,)+ }

        impl ConditionType {
            /// Every type there is, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The type as it stands in the status.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }
        }
    };
}

condition_types! {
    /// The spec can be acted on.
    Accepted,
    /// The source Secret holds a usable key.
    Resolved,
    /// The provider accepts the key.
    Authenticated,
    /// The key may do what is declared.
    Authorized,
    /// The outputs carry the key.
    Published,
    /// The key expires soon, or has expired. Present only when True.
    Expiring,
    /// The key is old. Present only when True.
    RotationDue,
    /// The key can do too much. Present only when True.
    OverPrivileged,
    /// Work or a retry is under way. Present only when True.
    Reconciling,
    /// A person must act. Present only when True.
    Stalled,
    /// The sum.
    Ready,
}

impl ConditionType {
    /// Those that advise: present only when True, and no part of Ready.
    pub const ADVICE: [Self; 3] = [Self::Expiring, Self::RotationDue, Self::OverPrivileged];
}

/// A condition's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It holds.
    True,
    /// It does not.
    False,
    /// Nobody knows.
    Unknown,
}

impl Status {
    /// The status that is written so; nobody knows what anything else means.
    #[must_use]
    pub fn read(text: &str) -> Self {
        [Self::True, Self::False].into_iter().find(|status| status.name() == text).unwrap_or(Self::Unknown)
    }

    /// The status as it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// One condition's truth before it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which condition.
    pub condition: ConditionType,
    /// Whether it holds.
    pub status: Status,
    /// Why.
    pub reason: Reason,
    /// For a person: what is, and what to do next.
    pub message: String,
}

/// Reading of stored conditions.
pub trait Conditions {
    /// The stored condition of this type.
    fn of(&self, condition: ConditionType) -> Option<&Condition>;

    /// The stored reason of this type.
    fn reason(&self, condition: ConditionType) -> Option<Reason> {
        self.of(condition).and_then(|stored| Reason::read(&stored.reason))
    }

    /// Whether this type is stored as True.
    fn is_true(&self, condition: ConditionType) -> bool {
        self.of(condition).is_some_and(|stored| stored.status == Status::True.name())
    }

    /// Whether this type is stored as False.
    fn is_false(&self, condition: ConditionType) -> bool {
        self.of(condition).is_some_and(|stored| stored.status == Status::False.name())
    }
}

impl Conditions for [Condition] {
    fn of(&self, condition: ConditionType) -> Option<&Condition> {
        self.iter().find(|stored| stored.type_ == condition.name())
    }
}

/// Writes findings over stored conditions: those not found are dropped, and a transition time moves only with its
/// status. The order is that of [`ConditionType::ALL`].
#[must_use]
pub fn merge(stored: &[Condition], findings: &[Finding], generation: i64, now: &Time) -> Vec<Condition> {
    let write = |finding: &Finding| {
        let since = stored.of(finding.condition).filter(|old| old.status == finding.status.name());
        Condition {
            type_: finding.condition.name().to_owned(),
            status: finding.status.name().to_owned(),
            reason: finding.reason.name().to_owned(),
            message: finding.message.clone(),
            observed_generation: Some(generation),
            last_transition_time: since.map_or_else(|| now.clone(), |old| old.last_transition_time.clone()),
        }
    };
    ConditionType::ALL
        .iter()
        .filter_map(|kind| findings.iter().find(|finding| finding.condition == *kind))
        .map(write)
        .collect()
}

/// The list of conditions in the schema: metav1's, with metav1's bounds, which the type alone does not carry.
pub(super) fn conditions_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 32,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "description": "One aspect of the credential's state.",
            "required": ["type", "status", "reason", "message", "lastTransitionTime"],
            "properties": {
                "type": {
                    "type": "string",
                    "description": "What is judged, such as Ready or Authenticated.",
                    "maxLength": 316,
                    "pattern": "^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?\
                                (([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
                },
                "status": {
                    "type": "string",
                    "description": "Whether it holds.",
                    "enum": ["True", "False", "Unknown"],
                },
                "reason": {
                    "type": "string",
                    "description": "Why, as one word of a closed list.",
                    "minLength": 1,
                    "maxLength": 1024,
                    "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
                },
                "message": {
                    "type": "string",
                    "description": "What is, and what to do next.",
                    "maxLength": 32768,
                },
                "lastTransitionTime": {
                    "type": "string",
                    "description": "When the status changed last.",
                    "format": "date-time",
                },
                "observedGeneration": {
                    "type": "integer",
                    "description": "The generation of the spec that this condition speaks of.",
                    "format": "int64",
                },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(status: Status, reason: Reason) -> Finding {
        Finding { condition: ConditionType::Ready, status, reason, message: String::new() }
    }

    fn at(second: i64) -> Time {
        Time(k8s_openapi::jiff::Timestamp::from_second(second).expect("in range"))
    }

    #[test]
    fn a_transition_time_moves_only_with_the_status() {
        let first = merge(&[], &[finding(Status::False, Reason::KeyRejected)], 1, &at(10));
        let again = merge(&first, &[finding(Status::False, Reason::KeyRevoked)], 2, &at(20));
        assert_eq!(
            again.first().map(|c| (c.last_transition_time.clone(), c.observed_generation)),
            Some((at(10), Some(2)))
        );
        let healed = merge(&again, &[finding(Status::True, Reason::Ready)], 2, &at(30));
        assert_eq!(healed.first().map(|c| c.last_transition_time.clone()), Some(at(30)));
        assert!(merge(&healed, &[], 2, &at(40)).is_empty(), "what is not found any more is dropped");
    }
}
