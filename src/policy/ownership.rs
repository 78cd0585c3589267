//! Whose is a Secret? Ours only with a controller owner reference of this very uid.

use k8s_openapi::api::core::v1::Secret;

/// Whose a Secret is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// The credential with this uid controls it.
    Ours,
    /// Anything else: it is never touched.
    Foreign,
}

/// Whether the credential with `uid` controls this Secret. Name, kind and labels prove nothing.
#[must_use]
pub fn ownership(secret: &Secret, uid: &str) -> Ownership {
    let owners = secret.metadata.owner_references.as_deref().unwrap_or_default();
    let controlled = owners.iter().any(|owner| owner.controller == Some(true) && owner.uid == uid);
    if controlled && !uid.is_empty() { Ownership::Ours } else { Ownership::Foreign }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

    fn owned(owners: &[(&str, Option<bool>)]) -> Secret {
        let owner_references = owners
            .iter()
            .map(|(uid, controller)| OwnerReference {
                uid: (*uid).to_owned(),
                controller: *controller,
                ..OwnerReference::default()
            })
            .collect();
        let mut secret = Secret::default();
        secret.metadata.owner_references = Some(owner_references);
        secret
    }

    #[test]
    fn only_a_controller_reference_of_this_uid_makes_a_secret_ours() {
        for (owners, expected) in [
            (&[("me", Some(true))][..], Ownership::Ours),
            (&[("other", None), ("me", Some(true))], Ownership::Ours),
            (&[("me", None)], Ownership::Foreign),
            (&[("me", Some(false))], Ownership::Foreign),
            (&[("a former me", Some(true))], Ownership::Foreign),
            (&[], Ownership::Foreign),
        ] {
            assert_eq!(ownership(&owned(owners), "me"), expected, "{owners:?}");
        }
        assert_eq!(ownership(&owned(&[("", Some(true))]), ""), Ownership::Foreign, "no uid owns nothing");
    }
}
