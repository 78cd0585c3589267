//! What does a person type next? A command for each reason that has one.

use super::object;
use crate::api::{ConditionType, Conditions, ConnectorCredential, Reason};

/// Commands, each as lines of a shell; empty when waiting is all that there is to do.
pub(super) fn commands(object: &ConnectorCredential, reason: Reason, program: &str) -> Vec<String> {
    let (name, namespace) = (object::name(object), object::namespace(object));
    let source = &object.spec.key_secret_ref;
    let key = source.key.as_deref().unwrap_or(crate::policy::source::DEFAULT_KEY);
    let edit = || vec![format!("kubectl edit concred {name} -n {namespace}")];
    match reason {
        Reason::SecretNotFound => vec![
            format!("kubectl create secret generic {} -n {namespace} \\", source.name),
            format!("  --from-file={key}=FILE"),
        ],
        Reason::SecretKeyNotFound
        | Reason::KeyMalformed
        | Reason::KeyRejected
        | Reason::KeyExpired
        | Reason::KeyRevoked
        | Reason::ExpiringSoon
        | Reason::KeyTooOld
        | Reason::SecretTypeNotAllowed => vec![
            format!("kubectl create secret generic {} -n {namespace} \\", source.name),
            format!("  --from-file={key}=FILE --dry-run=client -o yaml \\"),
            "  | kubectl apply --server-side --force-conflicts -f -".to_owned(),
        ],
        Reason::SecretAccessDenied => {
            vec![
                format!("kubectl auth can-i get secret/{} -n {namespace} \\", source.name),
                "  --as=system:serviceaccount:connector-operator:connector-operator".to_owned(),
            ]
        }
        Reason::InvalidSpec
        | Reason::OutputConflict
        | Reason::InsufficientScope
        | Reason::UndeclaredScope
        | Reason::LocalOnly
        | Reason::Expired => edit(),
        Reason::TargetNotOwned => {
            let outputs = crate::policy::declared_outputs(object);
            let ours = |name: &str| {
                object
                    .status
                    .as_ref()
                    .is_some_and(|status| status.outputs.iter().any(|output| output.secret_name == name))
            };
            let foreign = outputs.iter().map(|output| output.secret_name.as_str()).filter(|name| !ours(name));
            foreign.take(3).map(|secret| format!("kubectl describe secret {secret} -n {namespace}")).collect()
        }
        Reason::WriteFailed => vec![format!("kubectl describe quota -n {namespace}")],
        Reason::Suspended => vec![format!("{program} resume {name} -n {namespace}")],
        Reason::AccessDenied
        | Reason::IPNotAllowed
        | Reason::ProviderUnavailable
        | Reason::RateLimited
        | Reason::UnexpectedResponse => vec![format!("{program} reconcile {name} -n {namespace} --wait")],
        Reason::Accepted
        | Reason::SecretResolved
        | Reason::NotChecked
        | Reason::KeyAccepted
        | Reason::EndpointNotConfigured
        | Reason::AccessVerified
        | Reason::NotVerifiable
        | Reason::Published
        | Reason::LastKnownGood
        | Reason::WaitingForVerification
        | Reason::Withdrawn
        | Reason::Ready => Vec::new(),
    }
}

/// The reason that a person acts on: Ready's, or that of the most urgent warning.
pub(super) fn pressing(object: &ConnectorCredential) -> Option<Reason> {
    let conditions = object.status.as_ref()?.conditions.as_slice();
    let ready = conditions.reason(ConditionType::Ready)?;
    let warning = || ConditionType::ADVICE.into_iter().find_map(|kind| conditions.reason(kind));
    Some(if ready == Reason::Ready { warning().unwrap_or(ready) } else { ready })
}
