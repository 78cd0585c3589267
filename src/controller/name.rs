//! Which object? Namespace and name; and which version of it is later.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// Namespace and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl Name {
    /// The name of the object with this metadata.
    #[must_use]
    pub fn of(meta: &ObjectMeta) -> Self {
        Self::new(meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default())
    }

    /// A name.
    #[must_use]
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

/// What the watch last said of a Secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Sight {
    /// Nothing yet.
    #[default]
    Unknown,
    /// It is gone.
    Absent,
    /// It is there, at this version.
    Present {
        /// Its uid.
        uid: String,
        /// Its resourceVersion.
        version: String,
    },
}

impl Sight {
    /// The version of the object with this metadata.
    #[must_use]
    pub fn of(meta: &ObjectMeta) -> Self {
        Self::Present {
            uid: meta.uid.clone().unwrap_or_default(),
            version: meta.resource_version.clone().unwrap_or_default(),
        }
    }

    /// Whether `new` is news. Versions of one object only grow.
    #[must_use]
    pub fn is_overtaken_by(&self, new: &Self) -> bool {
        match (self, new) {
            (Self::Present { uid, version }, Self::Present { uid: new_uid, version: new_version }) => {
                uid != new_uid || is_newer(new_version, version)
            }
            (old, new) => old != new,
        }
    }
}

/// Whether resourceVersion `new` is later than `old`. They are compared as numbers, as the API server orders them
/// (KEP-5504); what is no number counts as newer when it differs.
#[must_use]
pub(super) fn is_newer(new: &str, old: &str) -> bool {
    match (new.parse::<u128>(), old.parse::<u128>()) {
        (Ok(new), Ok(old)) => new > old,
        _ => new != old,
    }
}
