//! What does a finding mean for files, where no operator looks again? Added to its message, or said instead.

use crate::api::Reason;
use crate::policy::message::{AGAIN, NOT_ASKED, READY};

/// The operator's message about a credential, as it holds here. What the operator does later by itself, nobody does
/// here.
pub(super) fn said(reason: Option<Reason>, name: &str, message: &str) -> String {
    if message == READY {
        return "The key is proved. Nothing is published by verify.".to_owned();
    }
    if reason == Some(Reason::NotChecked) && message == NOT_ASKED {
        return "The provider's budget left no turn for this key in time. Wait longer, with --timeout.".to_owned();
    }
    let message = message.strip_suffix(AGAIN).map_or(message, str::trim_end);
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
            Some("Run verify again.".to_owned())
        }
        Reason::EndpointNotConfigured => Some("Give verify that configuration with --config.".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::message::not_accepted;
    use crate::providers::ProviderKind;

    #[test]
    fn nothing_happens_by_itself_without_an_operator() {
        for kind in ProviderKind::ALL {
            for reason in [Reason::ProviderUnavailable, Reason::RateLimited, Reason::UnexpectedResponse] {
                let told = said(Some(reason), "erp", &not_accepted(kind.profile(), reason));
                assert!(!told.contains("by itself") && told.ends_with(". Run verify again."), "{told}");
            }
        }
        let waiting = said(Some(Reason::NotChecked), "erp", NOT_ASKED);
        assert!(!waiting.contains("by itself") && waiting.contains("--timeout"), "{waiting}");
    }
}
