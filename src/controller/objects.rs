//! Which credentials are there, as the watch delivered them last? Kept in little room: ten thousand of them fit into a few
//! dozen megabytes, and each is unpacked when somebody looks at it.
//!
//! Conditions make up most of a status and say the same of most objects: each combination of words is kept once.

use super::Guarded;
use super::compact::{pack, unpack};
use super::large::Room;
use super::name::Name;
use super::wire::{Versioned, Wire};
use crate::api::{ConditionType, Conditions, ConnectorCredential};
use crate::providers::ProviderKind;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta, Time};
use kube::core::DeserializeGuard;
use kube::core::error_boundary::InvalidObject;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// The words of a condition.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Words {
    kind: String,
    status: String,
    reason: String,
    message: String,
}

/// A condition as it is kept.
#[derive(Debug)]
struct Kept {
    words: Arc<Words>,
    since: Timestamp,
    generation: Option<i64>,
}

/// What is asked of every credential at once; it is not unpacked for that.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Brief {
    /// The provider that the spec names.
    pub provider: Option<ProviderKind>,
    /// When the key expires.
    pub expiration: Option<Timestamp>,
    /// When the key is checked next.
    pub next_check: Option<Timestamp>,
    /// When the key was accepted last.
    pub last_success: Option<Timestamp>,
    /// Whether its spec can be acted on and is to be.
    pub active: bool,
}

#[derive(Debug)]
enum Packed {
    Sound { body: Body, conditions: Box<[Kept]>, brief: Box<Brief> },
    Malformed(Box<ObjectMeta>),
}

#[derive(Debug)]
enum Body {
    Here(Box<[u8]>),
    /// Too large to be kept: the API server has it.
    Elsewhere {
        version: Option<Box<str>>,
        bytes: usize,
    },
}

/// A text that is longer is not kept: templates make it so, and whoever declares credentials chooses how many.
const LONGEST: usize = 8 << 10;

/// A credential that is kept, or known to be elsewhere.
#[derive(Debug)]
pub enum Held {
    /// Here it is.
    Here(Box<Guarded>),
    /// The API server has to be asked for it; its text takes so many bytes.
    Elsewhere(usize),
}

#[derive(Debug, Default)]
struct Inner {
    spaces: HashMap<String, HashMap<Box<str>, Packed>>,
    words: HashSet<Arc<Words>>,
    /// Words are looked through for those that nobody uses when there are so many.
    sweep_at: usize,
}

/// The credentials of one watch.
#[derive(Debug, Default)]
pub struct Objects(RwLock<Inner>, Arc<Room>);

impl Objects {
    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Room for visits to what is too large to be kept.
    pub(super) const fn room(&self) -> &Arc<Room> {
        &self.1
    }

    /// Keeps what the watch delivered.
    pub fn put(&self, object: Guarded) {
        let name = match &object.0 {
            Ok(object) => Name::of(&object.metadata),
            Err(invalid) => Name::of(&invalid.metadata),
        };
        let mut inner = self.write();
        let packed = match object.0 {
            Ok(object) => inner.pack(object),
            Err(invalid) => Some(Packed::Malformed(Box::new(invalid.metadata))),
        };
        let Some(packed) = packed else { return };
        inner.spaces.entry(name.namespace).or_default().insert(name.name.into(), packed);
    }

    /// Forgets a credential that is gone.
    pub fn remove(&self, name: &Name) {
        let mut inner = self.write();
        let Some(space) = inner.spaces.get_mut(&name.namespace) else { return };
        space.remove(name.name.as_str());
        if space.is_empty() {
            inner.spaces.remove(&name.namespace);
        }
    }

    /// The credential of this name.
    #[must_use]
    pub fn get(&self, name: &Name) -> Option<Held> {
        self.read().spaces.get(&name.namespace)?.get(name.name.as_str())?.unpack()
    }

    /// The version of it that was delivered last; `None` where it does not fit the schema.
    #[must_use]
    pub fn version(&self, name: &Name) -> Option<String> {
        match self.read().spaces.get(&name.namespace)?.get(name.name.as_str())? {
            Packed::Sound { body: Body::Here(body), .. } => {
                serde_json::from_slice::<Versioned>(&unpack(body)?).ok()?.metadata.resource_version
            }
            Packed::Sound { body: Body::Elsewhere { version, .. }, .. } => version.as_deref().map(str::to_owned),
            Packed::Malformed(_) => None,
        }
    }

    /// Shows every credential that fits the schema: namespace, name, what is asked of all, and its conditions' types and
    /// statuses.
    pub fn each(&self, mut show: impl FnMut((&str, &str), &Brief, &mut dyn Iterator<Item = (&str, &str)>)) {
        let inner = self.read();
        for (namespace, space) in &inner.spaces {
            for (name, packed) in space {
                if let Packed::Sound { conditions, brief, .. } = packed {
                    let mut standing = conditions.iter().map(|kept| (&*kept.words.kind, &*kept.words.status));
                    show((namespace, name), brief, &mut standing);
                }
            }
        }
    }
}

impl Inner {
    fn pack(&mut self, mut object: ConnectorCredential) -> Option<Packed> {
        let brief = Box::new(brief(&object));
        let conditions = object.status.as_mut().map(|status| std::mem::take(&mut status.conditions));
        let conditions = conditions.into_iter().flatten().map(|condition| self.keep(condition)).collect();
        let version = object.metadata.resource_version.clone();
        let text = serde_json::to_vec(&Wire::from(object)).ok()?;
        let body = if text.len() > LONGEST {
            Body::Elsewhere { version: version.map(Into::into), bytes: text.len() }
        } else {
            Body::Here(pack(&text))
        };
        Some(Packed::Sound { body, conditions, brief })
    }

    fn keep(&mut self, condition: Condition) -> Kept {
        let Condition { type_, status, reason, message, last_transition_time, observed_generation } = condition;
        let words = Words { kind: type_, status, reason, message };
        let words = self.words.get(&words).cloned().unwrap_or_else(|| {
            let words = Arc::new(words);
            self.remember(&words);
            words
        });
        Kept { words, since: last_transition_time.0, generation: observed_generation }
    }

    fn remember(&mut self, words: &Arc<Words>) {
        if self.words.len() >= self.sweep_at {
            self.words.retain(|words| Arc::strong_count(words) > 1);
            self.sweep_at = self.words.len().saturating_mul(2).max(256);
        }
        self.words.insert(Arc::clone(words));
    }
}

impl Packed {
    fn unpack(&self) -> Option<Held> {
        match self {
            Self::Malformed(metadata) => {
                let metadata = ObjectMeta::clone(metadata);
                let invalid = InvalidObject { error: String::new(), metadata };
                Some(Held::Here(Box::new(DeserializeGuard(Err(invalid)))))
            }
            Self::Sound { body: Body::Elsewhere { bytes, .. }, .. } => Some(Held::Elsewhere(*bytes)),
            Self::Sound { body: Body::Here(body), conditions, .. } => {
                let mut object: ConnectorCredential = serde_json::from_slice::<Wire>(&unpack(body)?).ok()?.into();
                if let Some(status) = &mut object.status {
                    status.conditions = conditions.iter().map(Kept::unpack).collect();
                }
                Some(Held::Here(Box::new(DeserializeGuard(Ok(object)))))
            }
        }
    }
}

impl Kept {
    fn unpack(&self) -> Condition {
        let Words { kind, status, reason, message } = &*self.words;
        Condition {
            type_: kind.clone(),
            status: status.clone(),
            reason: reason.clone(),
            message: message.clone(),
            last_transition_time: Time(self.since),
            observed_generation: self.generation,
        }
    }
}

fn brief(object: &ConnectorCredential) -> Brief {
    let status = object.status.as_ref();
    let validation = status.and_then(|status| status.validation.as_ref());
    let accepted = status.is_some_and(|status| status.conditions.is_true(ConditionType::Accepted));
    let time = |time: Option<&Time>| time.map(|time| time.0);
    Brief {
        provider: object.spec.provider.chosen().map(|provider| provider.profile().kind),
        expiration: time(status.and_then(|status| status.expiration.as_ref()).and_then(|end| end.time.as_ref())),
        next_check: time(validation.and_then(|validation| validation.next_check_time.as_ref())),
        last_success: time(validation.and_then(|validation| validation.last_success_time.as_ref())),
        active: accepted && object.spec.suspend != Some(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::wire::Delivered;
    use serde_json::{Value, json};

    fn sent(name: &str) -> Value {
        let condition = |kind: &str| {
            json!({"type": kind, "status": "True", "reason": "KeyAccepted", "message": "m",
                   "lastTransitionTime": "2026-01-02T03:04:05Z", "observedGeneration": 3})
        };
        json!({
            "apiVersion": "connector-operator.io/v1alpha1", "kind": "ConnectorCredential",
            "metadata": {
                "name": name, "namespace": "data", "uid": "u", "resourceVersion": "7", "generation": 3,
                "creationTimestamp": "2026-01-02T03:04:05Z", "managedFields": [{"manager": "m", "fieldsV1": {"f:x": {}}}],
                "annotations": {"connector-operator.io/reconcile-at": "now", "other": "x"},
            },
            "spec": {"provider": {"zenflow": {}}, "keySecretRef": {"name": "key"}},
            "status": {
                "observedGeneration": 3, "conditions": [condition("Accepted"), condition("Ready")],
                "validation": {"nextCheckTime": "2026-01-02T04:04:05Z"},
            },
        })
    }

    fn here(held: Option<Held>) -> Guarded {
        let Some(Held::Here(object)) = held else { panic!("it is kept") };
        *object
    }

    fn delivered(value: &Value) -> Guarded {
        serde_json::from_str::<Delivered>(&value.to_string()).unwrap().0
    }

    #[test]
    fn a_credential_comes_out_as_it_went_in_less_what_nobody_reads() {
        let objects = Objects::default();
        let original: ConnectorCredential = serde_json::from_value(sent("erp")).unwrap();
        objects.put(delivered(&sent("erp")));
        let kept = here(objects.get(&Name::new("data", "erp"))).0.unwrap();
        assert_eq!((&kept.spec, &kept.status), (&original.spec, &original.status));
        assert_eq!(objects.version(&Name::new("data", "erp")).as_deref(), Some("7"));
        let annotations = [("connector-operator.io/reconcile-at".to_owned(), "now".to_owned())].into();
        let expected = ObjectMeta { managed_fields: None, annotations: Some(annotations), ..original.metadata };
        assert_eq!(kept.metadata, expected);
        assert!(objects.get(&Name::new("data", "other")).is_none());
    }

    #[test]
    fn of_a_large_credential_only_what_is_asked_of_all_is_kept() {
        let objects = Objects::default();
        let mut large = sent("large");
        large["spec"]["outputs"] =
            json!([{"secretName": "o", "format": "Template", "template": {"f": "x".repeat(9000)}}]);
        objects.put(delivered(&large));
        let held = objects.get(&Name::new("data", "large"));
        assert!(matches!(held, Some(Held::Elsewhere(9000..10_000))), "{held:?}");
        assert_eq!(objects.version(&Name::new("data", "large")).as_deref(), Some("7"));
        let mut seen = 0;
        objects.each(|_, brief, standing| {
            assert!(brief.active && standing.count() == 2);
            seen += 1;
        });
        assert_eq!(seen, 1);
    }

    #[test]
    fn what_does_not_fit_the_schema_keeps_its_name() {
        let objects = Objects::default();
        let mut bad = sent("bad");
        bad["spec"] = json!({"provider": 5});
        objects.put(delivered(&bad));
        let kept = here(objects.get(&Name::new("data", "bad"))).0.unwrap_err();
        assert_eq!((kept.metadata.name.as_deref(), kept.metadata.generation), (Some("bad"), Some(3)));
        assert!(kept.error.is_empty());
        objects.each(|_, _, _| panic!("nothing is known of it"));
    }

    #[test]
    fn equal_words_are_kept_once_and_those_of_nobody_are_dropped() {
        let objects = Objects::default();
        for name in ["a", "b", "c"] {
            objects.put(delivered(&sent(name)));
        }
        assert_eq!(objects.read().words.len(), 2);
        for nth in 0..1000 {
            let mut changing = sent("a");
            changing["status"]["conditions"][0]["message"] = json!(nth.to_string());
            objects.put(delivered(&changing));
        }
        assert!(objects.read().words.len() <= 512);
        for gone in ["a", "c"] {
            objects.remove(&Name::new("data", gone));
        }
        assert!(objects.get(&Name::new("data", "a")).is_none() && objects.get(&Name::new("data", "b")).is_some());
        let mut seen = 0;
        objects.each(|(namespace, name), brief, standing| {
            assert_eq!((namespace, name, brief.active), ("data", "b", true));
            assert_eq!(standing.collect::<Vec<_>>(), [("Accepted", "True"), ("Ready", "True")]);
            seen += 1;
        });
        assert_eq!(seen, 1);
    }
}
