//! May outputs carry this key? Only when it is proved, or when the user wants it unproved; and the token that goes
//! with it must still serve.

use super::confidence::Judged;
use super::decide::Decision;
use super::publishing::{self, Carriage};
use super::recall::Standing;
use super::seen::Observed;
use super::source::Resolved;
use super::token;
use crate::api::{ConditionType, PublishPolicy, RejectionPolicy, Status};
use crate::credential::AccessToken;
use jiff::Timestamp;

/// What is known that bears on publishing.
pub(super) struct Publishable<'a> {
    /// The key, if there is a usable one.
    pub(super) key: Option<&'a Resolved>,
    /// What is known about it.
    pub(super) judged: Option<&'a Judged>,
    /// Whether the provider can be asked.
    pub(super) by_provider: bool,
    /// The token that was minted just now.
    pub(super) minted: Option<&'a AccessToken>,
}

/// Plans outputs and deletions, unless nothing is ever to be written.
pub(super) fn publish(decision: &mut Decision, seen: &Observed, what: &Publishable<'_>, now: Timestamp) {
    if seen.object.spec.publish_policy == Some(PublishPolicy::Never) {
        return;
    }
    let carriage = match what.key {
        Some(key) if may_publish(decision, seen, what) => match token(seen, what, now) {
            Ok(token) => Carriage::Proved { key: &key.key, token },
            Err(TokenMissing) => Carriage::LastKnownGood,
        },
        Some(key) if withdraws(seen, what) => {
            // Remembered as published, or found in an output: each output is looked at for itself.
            let everywhere = decision.status.key.as_ref().is_some_and(|key| key.published_time.is_some());
            Carriage::Refused { key: &key.key, everywhere }
        }
        _ => Carriage::LastKnownGood,
    };
    let expires_at = what.key.and_then(|key| key.expires_at);
    decision.outputs = Some(publishing::plan_outputs(seen, &carriage, expires_at));
    decision.dropped = publishing::deletable(seen);
}

fn may_publish(decision: &Decision, seen: &Observed, what: &Publishable<'_>) -> bool {
    let is = |condition, status| {
        decision.findings.iter().any(|found| found.condition == condition && found.status == status)
    };
    if seen.object.spec.publish_policy == Some(PublishPolicy::Always) {
        return !withdraws(seen, what);
    }
    if what.by_provider {
        is(ConditionType::Authenticated, Status::True) && !is(ConditionType::Authorized, Status::False)
    } else {
        !is(ConditionType::Authenticated, Status::False)
    }
}

/// Withdraw needs the provider's definite refusal; a declared expiry is none.
fn withdraws(seen: &Observed, what: &Publishable<'_>) -> bool {
    let refused = what.judged.is_some_and(|judged| matches!(judged.standing, Standing::Rejected(_)));
    seen.object.spec.rejection_policy == Some(RejectionPolicy::Withdraw) && what.by_provider && refused
}

/// The output needs a token, and there is none that still serves.
struct TokenMissing;

fn token<'a>(
    seen: &'a Observed,
    what: &Publishable<'a>,
    now: Timestamp,
) -> Result<Option<&'a AccessToken>, TokenMissing> {
    let mints = what.by_provider && seen.provider().is_some_and(|provider| provider.profile().mints_token);
    if !mints {
        return Ok(None);
    }
    let serves = token::serves(what.judged.and_then(|judged| judged.token.as_ref()), now);
    what.minted.or(seen.traits.token.as_deref()).filter(|_| serves).map(Some).ok_or(TokenMissing)
}
