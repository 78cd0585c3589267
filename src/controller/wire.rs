//! What is read of a credential as the API server sends it? What somebody uses. managedFields, three quarters of it, are
//! passed over unread; an object that does not fit the schema keeps its metadata and stops nobody.

use super::Guarded;
use crate::api::{
    ConnectorCredential, ConnectorCredentialSpec, ConnectorCredentialStatus, FLUX_REQUESTED_AT, RECONCILE_AT,
};
use crate::policy::plan::REQUEST_CHARS;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::Resource;
use kube::core::DeserializeGuard;
use kube::core::error_boundary::InvalidObject;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A credential as the API server sends it, or as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Wire {
    #[serde(default)]
    metadata: WireMeta,
    pub(super) spec: ConnectorCredentialSpec,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<ConnectorCredentialStatus>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireMeta {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    creation_timestamp: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deletion_timestamp: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<BTreeMap<String, String>>,
}

/// Of a credential that is kept only this.
#[derive(Deserialize)]
pub(super) struct Versioned {
    pub(super) metadata: Version,
}

/// Which version it is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Version {
    pub(super) resource_version: Option<String>,
}

#[derive(Deserialize)]
struct Malformed {
    #[serde(default)]
    metadata: WireMeta,
}

impl From<WireMeta> for ObjectMeta {
    fn from(meta: WireMeta) -> Self {
        let WireMeta { name, namespace, uid, resource_version, generation, .. } = meta;
        let WireMeta { creation_timestamp, deletion_timestamp, annotations, .. } = meta;
        // Of annotations only two mean anything, and of those the beginning; each may be as large as the whole object.
        let annotations = annotations.map(|all| {
            let ours = all.into_iter().filter(|(name, _)| [FLUX_REQUESTED_AT, RECONCILE_AT].contains(&name.as_str()));
            ours.map(|(name, text)| (name, text.chars().take(REQUEST_CHARS).collect())).collect::<BTreeMap<_, _>>()
        });
        Self {
            name,
            namespace,
            uid,
            resource_version,
            generation,
            creation_timestamp,
            deletion_timestamp,
            annotations: annotations.filter(|all| !all.is_empty()),
            ..Self::default()
        }
    }
}

impl From<ObjectMeta> for WireMeta {
    fn from(meta: ObjectMeta) -> Self {
        Self {
            name: meta.name,
            namespace: meta.namespace,
            uid: meta.uid,
            resource_version: meta.resource_version,
            generation: meta.generation,
            creation_timestamp: meta.creation_timestamp,
            deletion_timestamp: meta.deletion_timestamp,
            annotations: meta.annotations,
        }
    }
}

impl From<Wire> for ConnectorCredential {
    fn from(Wire { metadata, spec, status }: Wire) -> Self {
        Self { metadata: metadata.into(), spec, status }
    }
}

impl From<ConnectorCredential> for Wire {
    fn from(ConnectorCredential { metadata, spec, status }: ConnectorCredential) -> Self {
        Self { metadata: metadata.into(), spec, status }
    }
}

/// What the API server delivers, whether it fits the schema or not.
#[derive(Debug, Clone)]
pub(super) struct Delivered(pub(super) Guarded);

impl<'de> Deserialize<'de> for Delivered {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <&RawValue>::deserialize(deserializer)?.get();
        if let Ok(wire) = serde_json::from_str::<Wire>(text) {
            return Ok(Self(DeserializeGuard(Ok(wire.into()))));
        }
        let malformed: Malformed = serde_json::from_str(text).map_err(|_| serde::de::Error::custom("no object"))?;
        // What the parser says may quote the object.
        let invalid = InvalidObject { error: String::new(), metadata: malformed.metadata.into() };
        Ok(Self(DeserializeGuard(Err(invalid))))
    }
}

impl Resource for Delivered {
    type DynamicType = ();
    type Scope = <ConnectorCredential as Resource>::Scope;

    fn kind((): &()) -> Cow<'_, str> {
        ConnectorCredential::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        ConnectorCredential::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        ConnectorCredential::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        ConnectorCredential::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        self.0.meta()
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.0.meta_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::plan::requests;
    use serde_json::json;

    #[test]
    fn of_annotations_only_what_is_used_is_kept() {
        let long = "ä".repeat(100_000);
        let object = json!({
            "metadata": {"name": "erp", "annotations": {RECONCILE_AT: long, FLUX_REQUESTED_AT: "now", "other": long}},
            "spec": {"provider": {"zenflow": {}}, "keySecretRef": {"name": "source"}},
        });
        let whole: ConnectorCredential = serde_json::from_value(object.clone()).unwrap();
        let malformed = json!({"metadata": object["metadata"], "spec": 5});
        let Delivered(DeserializeGuard(Ok(kept))) = serde_json::from_str(&object.to_string()).unwrap() else {
            panic!("it fits");
        };
        let Delivered(poison) = serde_json::from_str(&malformed.to_string()).unwrap();
        assert_eq!(requests(&kept), requests(&whole), "nothing that is used is lost");
        for meta in [&kept.metadata, poison.meta()] {
            let all = meta.annotations.clone().unwrap();
            let sizes: Vec<_> = all.iter().map(|(name, text)| (name.as_str(), text.chars().count())).collect();
            assert_eq!(sizes, [(RECONCILE_AT, REQUEST_CHARS), (FLUX_REQUESTED_AT, 3)]);
        }
    }
}
