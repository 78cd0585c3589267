//! What is kept of a Secret that was read? No more than a decision may rest on: whoever writes Secrets chooses their
//! size, and dozens of visits hold theirs at once.

use crate::api::KeySecretRef;
use crate::policy::{Ownership, ownership, source};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// Of a value that is longer than any key only so much is kept: what is too long stays too long.
const LONGEST_VALUE: usize = 8 << 10;

/// Of the source: its version, its type, the key and its expiry.
pub(super) fn of_source(secret: Secret, wanted: &KeySecretRef) -> Secret {
    let key = wanted.key.as_deref().unwrap_or(source::DEFAULT_KEY);
    let is_wanted = |name: &str| name == key || Some(name) == wanted.expiration_key.as_deref();
    let values = secret.data.into_iter().flatten().filter(|(name, _)| is_wanted(name));
    let cut = |(name, ByteString(mut value)): (String, ByteString)| {
        value.truncate(LONGEST_VALUE);
        (name, ByteString(value))
    };
    Secret { data: Some(values.map(cut).collect()), type_: secret.type_, ..of_metadata(secret.metadata) }
}

/// Of what stands under an output's name: all of it if it is ours, as it is compared and updated in place.
pub(super) fn of_target(secret: Secret, uid: &str) -> Secret {
    match ownership(&secret, uid) {
        Ownership::Ours => secret,
        Ownership::Foreign => of_metadata(secret.metadata),
    }
}

/// Which Secret, at which version, and whose.
pub(super) fn of_metadata(meta: ObjectMeta) -> Secret {
    let ObjectMeta { name, namespace, uid, resource_version, owner_references, .. } = meta;
    let metadata = ObjectMeta { name, namespace, uid, resource_version, owner_references, ..ObjectMeta::default() };
    Secret { metadata, ..Secret::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn secret(owners: &Value) -> Secret {
        let of = |length: usize| ByteString(vec![b'x'; length]);
        serde_json::from_value(json!({
            "metadata": {
                "name": "it", "namespace": "data", "uid": "s", "resourceVersion": "7", "ownerReferences": owners,
                "annotations": {"last-applied": "x".repeat(200_000)},
            },
            "type": "Opaque",
            "data": {"api-key": of(10), "expires-at": of(20_000), "other": of(900_000)},
        }))
        .unwrap()
    }

    fn named(secret: &Secret) -> Value {
        json!({"metadata": secret.metadata})
    }

    #[test]
    fn of_the_source_the_wanted_values_are_kept_and_what_is_too_long_stays_so() {
        let wanted = |key: Value| serde_json::from_value::<KeySecretRef>(key).unwrap();
        let kept = of_source(secret(&json!([])), &wanted(json!({"name": "it", "expirationKey": "expires-at"})));
        let sizes: Vec<_> = kept.data.iter().flatten().map(|(name, value)| (name.as_str(), value.0.len())).collect();
        assert_eq!(sizes, [("api-key", 10), ("expires-at", LONGEST_VALUE)]);
        assert_eq!(kept.type_.as_deref(), Some("Opaque"));
        assert_eq!(kept.metadata.annotations, None);
        let kept = of_source(secret(&json!([])), &wanted(json!({"name": "it", "key": "other"})));
        let malformed = crate::credential::Key::parse(&kept.data.unwrap()["other"].0);
        assert_eq!(malformed.err(), crate::credential::Key::parse(&vec![b'x'; 900_000]).err());
    }

    #[test]
    fn of_a_foreign_secret_nothing_is_kept_but_which_it_is_and_whose() {
        let owner = |uid: &str| json!([{"apiVersion": "v1", "kind": "ConnectorCredential", "name": "erp", "uid": uid, "controller": true}]);
        let foreign = of_target(secret(&owner("other")), "me");
        let expected = json!({"metadata": {
            "name": "it", "namespace": "data", "uid": "s", "resourceVersion": "7", "ownerReferences": owner("other"),
        }});
        assert_eq!((named(&foreign), foreign.data), (expected, None));
        assert_eq!(of_target(secret(&owner("me")), "me"), secret(&owner("me")));
    }
}
