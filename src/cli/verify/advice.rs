//! What does a finding mean for files, where no operator looks again? Added to its message, or said instead.

use crate::api::Reason;
use crate::policy::message::READY;

/// The operator's message about a credential, as it holds here.
pub(super) fn said(reason: Option<Reason>, name: &str, message: &str) -> String {
    if message == READY {
        return "The key is proved. Nothing is published by verify.".to_owned();
    }
    match reason.and_then(|reason| remedy(reason, name)) {
        Some(remedy) => format!("{message} {remedy}"),
        None => message.to_owned(),
    }
}

/// What to do here.
#[expect(clippy::wildcard_enum_match_arm, reason = "the operator's message has it all for the other reasons")]
fn remedy(reason: Reason, name: &str) -> Option<String> {
    match reason {
        Reason::SecretNotFound => {
            Some(format!("For verify: add its manifest with -f, or give the key with --key-from-env {name}=VARIABLE."))
        }
        Reason::ProviderUnavailable | Reason::RateLimited | Reason::UnexpectedResponse => {
            Some("verify does not: run it again.".to_owned())
        }
        Reason::NotChecked => Some("For verify: wait longer for its turn, with --timeout.".to_owned()),
        Reason::EndpointNotConfigured => Some("Give verify that configuration with --config.".to_owned()),
        _ => None,
    }
}
