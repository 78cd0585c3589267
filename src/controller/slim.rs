//! What is read of a Secret that is only watched? Its name, version and owners; its data is not even asked for.

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::Resource;
use serde::Deserialize;
use std::borrow::Cow;

/// A Secret's metadata as the watch delivers it: a `PartialObjectMetadata`, without annotations, which may hold the
/// key, and without managedFields, which are large.
#[derive(Debug, Clone)]
pub struct SecretMeta(ObjectMeta);

#[derive(Deserialize)]
struct Wire {
    metadata: WireMeta,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireMeta {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    owner_references: Option<Vec<OwnerReference>>,
}

impl<'de> Deserialize<'de> for SecretMeta {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let WireMeta { name, namespace, uid, resource_version, owner_references } =
            Wire::deserialize(deserializer)?.metadata;
        Ok(Self(ObjectMeta { name, namespace, uid, resource_version, owner_references, ..ObjectMeta::default() }))
    }
}

impl Resource for SecretMeta {
    type DynamicType = ();
    type Scope = <Secret as Resource>::Scope;

    fn kind((): &()) -> Cow<'_, str> {
        Secret::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        Secret::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        Secret::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        Secret::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        &self.0
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.0
    }

    fn metadata_api() -> bool {
        true
    }
}
