//! What is kept of a Secret that was read? No more than a decision may rest on: whoever writes Secrets chooses their
//! size, and dozens of visits hold theirs at once.

use crate::api::{CREDENTIAL_LABEL, Format, KeySecretRef, MANAGED_BY_LABEL, Output};
use crate::outputs::largest;
use crate::policy::{Ownership, ownership, source};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::{BTreeMap, BTreeSet};

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

/// No output has so many values.
const MANY_VALUES: usize = 64;
/// What users and tools write on a Secret is shorter.
const LONG_METADATA: usize = 16 << 10;
/// What is longer may leave an output no room: the API server stores a mebibyte and a half, and bounds annotations alone.
const TOO_LONG_METADATA: usize = 512 << 10;
/// Stands for what was dropped; no Secret can have a value of this name, so that what is kept equals nothing rendered.
const AND_MORE: &str = "\u{2026}";
/// Nothing has so many owners.
const MANY_OWNERS: usize = 16;

/// How much may be read and made of templates in a visit; what else there is, is small.
pub(super) fn made_of_templates(outputs: Option<&[Output]>) -> usize {
    let of_template = |output: &&Output| output.format == Some(Format::Template);
    outputs.into_iter().flatten().filter(of_template).map(largest).fold(0, usize::saturating_add)
}

/// Of what stands under an output's name: all of it if it is ours, as it is compared and updated in place. Of what holds
/// more than the output ever does, the values that the output makes, by name. Nothing of much that is written on it: it is
/// made anew without that, if that leaves it no room; otherwise all of that is read again before it is written over, as
/// the second of the answer says.
pub(super) fn of_target(
    secret: Secret,
    uid: &str,
    output: &Output,
    made: impl FnOnce() -> BTreeSet<String>,
) -> (Secret, bool) {
    if ownership(&secret, uid) == Ownership::Foreign {
        return (of_metadata(secret.metadata), false);
    }
    let Secret { mut metadata, data, type_, immutable, .. } = secret;
    let (written, most) = (written_on(&metadata), largest(output));
    let data = data.unwrap_or_default();
    let data = Some(if fits(&data, most) { data } else { values_of(data, &made(), most) });
    if written > TOO_LONG_METADATA {
        return (Secret { data, ..of_metadata(metadata) }, false);
    }
    let cut = written > LONG_METADATA;
    if cut {
        let labels = metadata.labels.take().into_iter().flatten();
        let ours = labels.filter(|(name, _)| [MANAGED_BY_LABEL, CREDENTIAL_LABEL].contains(&name.as_str()));
        metadata = ObjectMeta { labels: Some(ours.collect()), ..of_metadata(metadata).metadata };
    }
    metadata.managed_fields = None;
    (Secret { metadata, data, type_, immutable, ..Secret::default() }, cut)
}

fn fits(data: &BTreeMap<String, ByteString>, most: usize) -> bool {
    let bytes = |(name, value): (&String, &ByteString)| name.len().saturating_add(value.0.len());
    data.len() <= MANY_VALUES && data.iter().map(bytes).fold(0, usize::saturating_add) <= most
}

/// What has one of these names: the shortest, as long as they are not too much together.
fn values_of(
    data: BTreeMap<String, ByteString>,
    names: &BTreeSet<String>,
    most: usize,
) -> BTreeMap<String, ByteString> {
    let mut values: Vec<_> = data.into_iter().filter(|(name, _)| names.contains(name)).collect();
    values.sort_by_key(|(_, value)| value.0.len());
    let mut left = most;
    values.retain(|(_, value)| {
        let rest = left.checked_sub(value.0.len());
        left = rest.unwrap_or(left);
        rest.is_some()
    });
    values.into_iter().chain([(AND_MORE.to_owned(), ByteString::default())]).collect()
}

/// Bytes of what others may write on a Secret.
fn written_on(meta: &ObjectMeta) -> usize {
    let pairs = meta.annotations.iter().chain(&meta.labels).flatten();
    let pairs = pairs.map(|(name, text)| name.len().saturating_add(text.len()));
    let finalizers = meta.finalizers.iter().flatten().map(String::len);
    let owners = meta.owner_references.iter().flatten().map(|owner| owner.name.len().saturating_add(owner.uid.len()));
    pairs.chain(finalizers).chain(owners).fold(0, |sum, bytes| sum.saturating_add(bytes).saturating_add(16))
}

/// Which Secret, at which version, and whose.
pub(super) fn of_metadata(meta: ObjectMeta) -> Secret {
    let ObjectMeta { name, namespace, uid, resource_version, mut owner_references, .. } = meta;
    if let Some(owners) = owner_references.as_mut().filter(|owners| owners.len() > MANY_OWNERS) {
        owners.retain(|owner| owner.controller == Some(true));
        owners.shrink_to_fit();
    }
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
        let output = Output { secret_name: "it".to_owned(), format: None, env_prefix: None, template: None };
        let (foreign, _) = of_target(secret(&owner("other")), "me", &output, BTreeSet::new);
        let expected = json!({"metadata": {
            "name": "it", "namespace": "data", "uid": "s", "resourceVersion": "7", "ownerReferences": owner("other"),
        }});
        assert_eq!((named(&foreign), foreign.data), (expected, None));
    }

    #[test]
    fn of_an_output_nothing_is_kept_that_cannot_have_come_of_it() {
        let owners = json!([{"apiVersion": "v1", "kind": "ConnectorCredential", "name": "erp", "uid": "me", "controller": true}]);
        let output: Output = serde_json::from_value(json!({"secretName": "it"})).unwrap();
        let mut marked = secret(&owners);
        marked.metadata.labels =
            Some([CREDENTIAL_LABEL, "team"].map(|name| (name.to_owned(), "erp".to_owned())).into());
        let made = || ["api-key", "expires-at", "url"].map(str::to_owned).into();
        let (kept, cut) = of_target(marked.clone(), "me", &output, made);
        assert_eq!((cut, kept.metadata.annotations), (true, None));
        let names: Vec<_> = kept.data.iter().flatten().map(|(name, value)| (name.as_str(), value.0.len())).collect();
        assert_eq!(names, [("api-key", 10), ("expires-at", 20_000), (AND_MORE, 0)], "by name, and nothing else");
        assert_eq!(kept.type_.as_deref(), Some("Opaque"), "it need not be made anew");
        assert_eq!(kept.metadata.labels, Some([(CREDENTIAL_LABEL.to_owned(), "erp".to_owned())].into()));
        assert_eq!(kept.metadata.owner_references, secret(&owners).metadata.owner_references);
        let much = [("example.com/note".to_owned(), "x".repeat(TOO_LONG_METADATA))].into();
        marked.metadata.labels = Some(much);
        let (kept, _) = of_target(marked, "me", &output, made);
        assert_eq!((kept.type_, kept.metadata.labels), (None, None), "it leaves no room: it is made anew");

        let mut small = secret(&owners);
        small.metadata.annotations = Some([("team".to_owned(), "data".to_owned())].into());
        small.data.as_mut().unwrap().remove("other");
        assert_eq!(of_target(small.clone(), "me", &output, made), (small.clone(), false));
        let value = |n: usize| (n.to_string(), ByteString(vec![b'x']));
        small.data = Some((0..=MANY_VALUES).map(value).collect());
        let (many, _) = of_target(small.clone(), "me", &output, || ["7".to_owned()].into());
        assert_eq!(many.data.unwrap().into_keys().collect::<Vec<_>>(), ["7", AND_MORE]);
        let longest = || (0..=MANY_VALUES).map(|n| n.to_string()).collect();
        for value in small.data.as_mut().unwrap().values_mut() {
            value.0 = vec![b'x'; 30_000];
        }
        let (two, _) = of_target(small.clone(), "me", &output, longest);
        assert_eq!(two.data.unwrap().len(), 2 + 1, "no more than the output may hold");

        // A template makes as much as it says, and no more.
        let text = "x".repeat(900_000);
        let output =
            json!({"secretName": "it", "format": "Template", "template": {"other": text, "rest": "$(apiKey)"}});
        let output: Output = serde_json::from_value(output).unwrap();
        small.data = secret(&owners).data;
        small.data.as_mut().unwrap().remove("expires-at");
        assert_eq!(of_target(small.clone(), "me", &output, made), (small.clone(), false));
        assert!(made_of_templates(Some(&[output])) > 900_000);
    }

    #[test]
    fn of_very_many_owners_only_the_controller_counts() {
        let owner = |n: usize| json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": n.to_string(), "controller": n == 7});
        let owners: Vec<_> = (0..=MANY_OWNERS).map(owner).collect();
        let kept = of_metadata(secret(&json!(owners)).metadata).metadata.owner_references.unwrap();
        assert_eq!(kept.iter().map(|owner| owner.uid.as_str()).collect::<Vec<_>>(), ["7"]);
    }
}
