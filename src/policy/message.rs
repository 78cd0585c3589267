//! Every sentence that a user reads in a condition or an Event. Composed of fixed words, names of the user's own
//! objects, numbers and dates; never of anything that a provider or a server said. Each says what to do next.

use super::recall::Pending;
use super::source::Unresolved;
use crate::api::{ConditionType, ConnectorCredentialSpec, Reason};
use crate::credential::Malformed;
use crate::outputs::Unrenderable;
use crate::providers::{Access, Profile, Scope};
use jiff::Timestamp;

/// The spec names no provider, or several.
pub const NO_PROVIDER: &str = "spec.provider must have exactly one member: inflow, flowlu, zenflow, flow or aventri.";
/// The spec does not parse under this version's schema.
pub const MALFORMED_OBJECT: &str = "The object does not fit this version's schema. Apply it again with the fields that kubectl explain concred.spec shows.";
/// All is well with the spec.
pub const ACCEPTED: &str = "The spec is complete.";
/// All is well.
pub const READY: &str = "The key is proved and published.";
/// All is well, and nothing is published because nothing shall be.
pub const READY_UNPUBLISHED: &str = "The key is proved; publishPolicy is Never.";
/// The credential is suspended.
pub const SUSPENDED: &str = "Suspended: no checks and no writes. Set spec.suspend to false to resume.";
/// The same where more than `suspend` was changed.
pub const SUSPENDED_BEHIND: &str = "Suspended: no checks and no writes. What is declared has changed and was not looked \
     at; the other conditions tell of what was declared before. Set spec.suspend to false to resume.";
/// Nobody has looked yet.
pub const NOT_CHECKED: &str = "Not looked at yet.";
/// There is no key to ask about.
pub const NO_KEY: &str = "The provider is asked once there is a usable key.";
/// The key waits for its first check.
pub const NOT_ASKED: &str = "The provider has not been asked about this key yet. It is asked by itself once the spec can be acted on and its turn has come.";
/// Ends what is said of a doubt.
pub const AGAIN: &str = "It is asked again by itself.";
/// Access is not known before the key is.
pub const ACCESS_NOT_CHECKED: &str = "Known once the provider accepts the key.";
/// Only local checks are asked for.
pub const LOCAL_ONLY: &str = "validation.mode is Local: the key's form was checked, the provider is not asked. Set it to Provider to have the key proved.";
/// Outputs carry the proved key.
pub const PUBLISHED: &str = "All outputs carry the current key.";
/// Outputs carry the last good key.
pub const LAST_KNOWN_GOOD: &str = "Outputs stay as they were published last, until a key is proved.";
/// Outputs carry the last token.
pub const LAST_TOKEN: &str =
    "Outputs stay as they were published last, until a new access token is exchanged; that happens by itself.";
/// There is nothing to publish yet.
pub const WAITING: &str = "Outputs are written once the key is proved.";
/// There is no token to publish yet.
pub const WAITING_FOR_TOKEN: &str =
    "The key is proved; outputs are written with the next access token, which is exchanged by itself.";
/// Outputs were deleted.
pub const WITHDRAWN: &str = "Outputs were deleted because the provider refused their key. They return with a good key.";

/// The most bytes of a message: what an Event's note may hold.
const LONGEST: usize = 1000;

/// A time as it stands in messages and outputs.
#[must_use]
pub fn moment(time: Timestamp) -> String {
    jiff::fmt::strtime::format("%Y-%m-%dT%H:%M:%SZ", time).unwrap_or_default()
}

/// A field of the provider's settings cannot be used.
#[must_use]
pub fn bad_field(member: &str, field: &str) -> String {
    format!(
        "spec.provider.{member}: {field} is not of the documented form. Correct it; kubectl explain concred.spec.provider.{member} shows the form."
    )
}

/// The key always expires, and nobody says when.
#[must_use]
pub fn no_expiry(profile: &Profile) -> String {
    format!("A key of {} always expires. Set spec.expiresAt or keySecretRef.expirationKey.", profile.display)
}

/// Two outputs, or an output and the source, have one name.
#[must_use]
pub fn ambiguous_output(name: &str) -> String {
    format!("The output {name} is declared twice, or is the Secret that holds the key. Choose another secretName.")
}

/// An older credential declares that output.
#[must_use]
pub fn output_conflict(name: &str) -> String {
    format!("An older ConnectorCredential of this namespace declares the output {name}. Choose another secretName.")
}

/// An output cannot be made.
#[must_use]
pub fn unrenderable(name: &str, why: &Unrenderable) -> String {
    let why = shortened(why.to_string(), LONGEST.saturating_sub(name.len()).saturating_sub(100));
    format!("Output {name}: {why}. Change the output in spec.outputs.")
}

/// A Secret that is not ours stands in the way.
#[must_use]
pub fn not_owned(name: &str) -> String {
    format!(
        "Secret {name} exists and does not belong to this credential, so it is left alone. Delete it, or choose another secretName."
    )
}

/// The API server refused a write.
#[must_use]
pub fn write_failed(name: &str) -> String {
    format!(
        "The API server refused to write Secret {name}; it is tried again. Check quota, admission policies and the operator's RBAC."
    )
}

/// An output is gone that cannot be made again.
#[must_use]
pub fn lost(name: &str) -> String {
    format!(
        "Secret {name} was deleted, and the key that it held is not at hand any more. It is written again once a key is proved."
    )
}

/// The source Secret holds a usable key.
#[must_use]
pub fn resolved(spec: &ConnectorCredentialSpec) -> String {
    let reference = &spec.key_secret_ref;
    let key = reference.key.as_deref().unwrap_or(super::source::DEFAULT_KEY);
    format!("Secret {} holds a usable key under {key}.", reference.name)
}

/// The source Secret holds no usable key.
#[must_use]
pub fn unresolved(spec: &ConnectorCredentialSpec, why: &Unresolved) -> String {
    let name = &spec.key_secret_ref.name;
    let key = spec.key_secret_ref.key.as_deref().unwrap_or(super::source::DEFAULT_KEY);
    match why {
        Unresolved::NotFound => {
            format!("Secret {name} does not exist in this namespace. Create it; it is picked up at once.")
        }
        Unresolved::Denied => {
            format!(
                "The operator may not read Secret {name}. Grant it get on Secrets in this namespace; it looks again within five minutes."
            )
        }
        Unresolved::ForbiddenType(kind) => {
            format!("Secret {name} has type {kind}, which is never read. Put the key into a Secret of type Opaque.")
        }
        Unresolved::NoKey(missing) => {
            format!("Secret {name} has no entry {missing}. Add it, or name another one in keySecretRef.")
        }
        Unresolved::Malformed(Malformed::WrongPrefix) => format!(
            "The key in Secret {name} does not begin as keys of the declared environment do: zenflow_live_ for Live, zenflow_test_ for Test. Correct provider.zenflow.environment or the key."
        ),
        Unresolved::Malformed(why) => {
            format!("Secret {name}, {key}: {why}. Put the key there exactly as the provider showed it.")
        }
        Unresolved::MalformedExpiry(expiry) => {
            format!("Secret {name}, {expiry}: not an RFC 3339 time. Write it as 2027-01-31T00:00:00Z.")
        }
    }
}

/// `Authenticated=True`; with an outage, or with a refusal that waits for its confirmation.
#[must_use]
pub fn accepted(profile: &Profile, outage: bool, pending: Option<Pending>) -> String {
    let name = profile.display;
    match (pending, outage) {
        (Some(Pending::Rejection), _) => {
            format!("{name} accepted this key before and refused it once; it is asked again before that counts.")
        }
        (Some(Pending::Denial), _) => {
            format!("{name} accepts the key and denied it access once; it is asked again before that counts.")
        }
        (None, true) => format!(
            "{name} accepted this key before and gives no usable answer just now. The verdict stands for 24 hours from the first such answer."
        ),
        (None, false) => format!("{name} accepted the key."),
    }
}

/// `Authenticated` other than True, for a reason that the provider gave or withheld.
#[must_use]
#[expect(clippy::wildcard_enum_match_arm, reason = "of all reasons only these speak of an answer")]
pub fn not_accepted(profile: &Profile, reason: Reason) -> String {
    let name = profile.display;
    match reason {
        Reason::KeyRevoked => {
            format!("{name} says that the key was revoked. Make a new key and put it into the Secret.")
        }
        Reason::KeyExpired => {
            format!("{name} says that the key has expired. Make a new key and put it into the Secret.")
        }
        Reason::ProviderUnavailable => {
            format!("{name} did not answer, so nothing is known about the key now. {AGAIN}")
        }
        Reason::RateLimited => {
            format!("{name} limits requests just now, so nothing is known about the key. {AGAIN}")
        }
        Reason::UnexpectedResponse => format!(
            "{name} answered in a way that its documentation does not know, so nothing is known about the key. {} {AGAIN}",
            profile.when_unexpected
        ),
        Reason::EndpointNotConfigured => format!(
            "No endpoint is configured for {name}, so the key was checked for its form only. An administrator can set providers.{} in the operator's configuration.",
            profile.member
        ),
        _ => format!("{name} refused the key. {}", profile.when_rejected),
    }
}

/// A key that cannot be proved, past its declared expiry.
#[must_use]
pub fn expired_unproved(end: Timestamp) -> String {
    format!(
        "The key expired at {} as declared, and cannot be proved. Make a new key, put it into the Secret and declare its expiry.",
        moment(end)
    )
}

/// `Authorized`, from a proof.
#[must_use]
pub fn access(profile: &Profile, spec: &ConnectorCredentialSpec, access: &Access, unverifiable: &[Scope]) -> String {
    let name = profile.display;
    match access {
        Access::Verified if unverifiable.is_empty() => "The key may do what is declared.".to_owned(),
        Access::Verified => {
            format!("The key may read what is declared. Not verifiable without writing: {}.", names(unverifiable))
        }
        Access::NotVerifiable if unverifiable.is_empty() => {
            format!("{name} offers no harmless request that shows what the key may do.")
        }
        Access::NotVerifiable => format!("{name} offers no harmless request that shows: {}.", names(unverifiable)),
        Access::MissingScopes(missing) => format!(
            "The key lacks these declared scopes: {}. Make a key that has them, or declare fewer.",
            names(missing)
        ),
        Access::Denied => format!("{name} knows the key and denies it access. {}", profile.when_denied),
        Access::IpNotAllowed => {
            let allowed =
                spec.provider.zenflow.as_ref().and_then(|zenflow| zenflow.allowed_cidrs.as_deref()).unwrap_or_default();
            let declared = shortened(if allowed.is_empty() { "none".to_owned() } else { allowed.join(", ") }, 600);
            format!(
                "{name} knows the key and refuses the operator's address: it is not on the key's allow-list (allowedCIDRs declares: {declared}). Add the egress addresses of the cluster there."
            )
        }
    }
}

/// `OverPrivileged`.
#[must_use]
pub fn over_privileged(undeclared: &[Scope]) -> String {
    format!(
        "The key also has scopes that are not declared: {}. Make one with fewer scopes, or declare them.",
        names(undeclared)
    )
}

/// `Expiring`, before the end.
#[must_use]
pub fn expiring(end: &Timestamp) -> String {
    format!(
        "The key expires at {}. Make a new key, put it into the Secret, and revoke the old one once outputs and workloads have taken the new one.",
        moment(*end)
    )
}

/// `Expiring`, after the end.
#[must_use]
pub fn expired(end: &Timestamp, accepted: bool) -> String {
    if accepted {
        format!(
            "The declared expiry {} has passed and the provider still accepts the key. Correct the declared expiry.",
            moment(*end)
        )
    } else {
        format!("The key expired at {}. Make a new key and put it into the Secret.", moment(*end))
    }
}

/// An advisory condition is gone.
#[must_use]
pub fn over(condition: ConditionType) -> &'static str {
    match condition {
        ConditionType::Expiring => "The declared expiry is no longer near.",
        ConditionType::RotationDue => "The key is no longer older than maxAge.",
        ConditionType::OverPrivileged => "No undeclared scopes are known any more.",
        ConditionType::Accepted
        | ConditionType::Resolved
        | ConditionType::Authenticated
        | ConditionType::Authorized
        | ConditionType::Published
        | ConditionType::Reconciling
        | ConditionType::Stalled
        | ConditionType::Ready => "It is over.",
    }
}

/// `RotationDue`.
#[must_use]
pub fn too_old(limit: &str) -> String {
    format!(
        "The same key has been in use for longer than maxAge ({limit}). Make a new one, put it into the Secret, then revoke this one."
    )
}

/// The text, or its beginning and an ellipsis, in at most `most` bytes.
fn shortened(text: String, most: usize) -> String {
    if text.len() <= most {
        return text;
    }
    let end = (0..=most.saturating_sub('…'.len_utf8())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}…", text.get(..end).unwrap_or_default())
}

fn names(scopes: &[Scope]) -> String {
    scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>().join(", ")
}
