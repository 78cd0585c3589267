//! What do tests of decisions run in? A world with one credential, its source and outputs, a clock that is set, a
//! provider that says what it is told, and a memory that a restart wipes. It follows the controller's order.

mod steps;

use super::{Acted, Notice, Plan, after};
use crate::api::{ConditionType, Conditions, ConnectorCredential, ConnectorCredentialStatus, Reason};
use crate::credential::AccessToken;
use crate::providers::{Access, Doubt, Proof, Rejection, Scope, Site, Verdict};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

pub(super) const MINUTE: Duration = Duration::from_secs(60);
pub(super) const HOUR: Duration = Duration::from_secs(3600);
pub(super) const DAY: Duration = Duration::from_secs(86_400);
pub(super) const OLD_KEY: &str = "zenflow_live_EXAMPLE_OLD_canary";
pub(super) const NEW_KEY: &str = "zenflow_live_EXAMPLE_NEW_canary";

/// What the provider says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    Yes,
    Denied,
    MissingScope,
    WrongAddress,
    No,
    Expired,
    Revoked,
    Silent,
    Busy,
    Odd,
}

pub(super) use Says::{Busy, Denied, Expired, MissingScope, No, Odd, Revoked, Silent, WrongAddress, Yes};

impl Says {
    fn verdict(self, minted: Option<AccessToken>, scopes: bool) -> Verdict {
        let good = if scopes { Access::Verified } else { Access::NotVerifiable };
        let proof = |access| Verdict::Accepted(Proof { token: minted, ..Proof::of(access) });
        match self {
            Yes => proof(good),
            Denied => proof(Access::Denied),
            MissingScope => proof(Access::MissingScopes(vec![Scope::ReadOrders])),
            WrongAddress => proof(Access::IpNotAllowed),
            No => Verdict::Rejected(Rejection::Key),
            Expired => Verdict::Rejected(Rejection::Expired),
            Revoked => Verdict::Rejected(Rejection::Revoked),
            Silent => Verdict::Inconclusive(Doubt::Unavailable),
            Busy => Verdict::Inconclusive(Doubt::RateLimited),
            Odd => Verdict::Inconclusive(Doubt::Unexpected),
        }
    }
}

/// What came of a visit.
pub(super) struct Visit {
    pub(super) plan: Plan,
    pub(super) asked: bool,
    pub(super) events: Vec<Notice>,
    pub(super) next: Option<Timestamp>,
    pub(super) changed: bool,
    pub(super) acted: Acted,
}

/// One credential and all around it.
pub(super) struct World {
    pub(super) object: ConnectorCredential,
    pub(super) source: Option<Secret>,
    pub(super) denied: bool,
    pub(super) targets: BTreeMap<String, Secret>,
    /// Whether of none of them is kept what others wrote on it.
    pub(super) cut: bool,
    pub(super) claimed: BTreeSet<String>,
    pub(super) site: Site,
    pub(super) now: Timestamp,
    pub(super) says: Says,
    pub(super) retry_after: Option<Duration>,
    pub(super) writes_fail: bool,
    /// The budget of the account is used up until then.
    pub(super) budget: Option<Timestamp>,
    pub(super) checks: u32,
    pub(super) proved: BTreeSet<String>,
    known_key: Option<Vec<u8>>,
    pub(super) token: Option<Arc<AccessToken>>,
    full_at: Timestamp,
    pub(super) leading_since: Timestamp,
    version: u64,
}

impl World {
    /// A ZenFlow credential with one output of format Env and the old key, not visited yet.
    pub(super) fn new() -> Self {
        Self::with(&json!({
            "provider": {"zenflow": {"scopes": ["read:orders"]}},
            "keySecretRef": {"name": "source"},
            "outputs": [{"secretName": "out", "format": "Env"}],
        }))
    }

    pub(super) fn with(spec: &Value) -> Self {
        let object = json!({
            "apiVersion": "connector-operator.io/v1alpha1", "kind": "ConnectorCredential",
            "metadata": {"name": "erp", "namespace": "data", "uid": "uid-1", "generation": 1},
            "spec": spec, "status": {"observedGeneration": -1},
        });
        let now: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
        let mut world = Self {
            object: serde_json::from_value(object).unwrap(),
            source: None,
            denied: false,
            targets: BTreeMap::new(),
            cut: false,
            claimed: BTreeSet::new(),
            site: Site::default(),
            now,
            says: Yes,
            retry_after: None,
            writes_fail: false,
            budget: None,
            checks: 0,
            proved: BTreeSet::new(),
            known_key: None,
            token: None,
            full_at: Timestamp::UNIX_EPOCH,
            leading_since: now,
            version: 1,
        };
        world.put_key(OLD_KEY);
        world
    }

    pub(super) fn aventri() -> Self {
        Self::with(&json!({
            "provider": {"aventri": {"accountID": "12345", "region": "EMEA"}},
            "keySecretRef": {"name": "source"},
            "outputs": [{"secretName": "out", "format": "Binding"}],
        }))
    }

    pub(super) fn flow() -> Self {
        Self::with(&json!({
            "provider": {"flow": {"purpose": "FLOWAPI"}},
            "keySecretRef": {"name": "source"},
            "expiresAt": "2026-06-01T00:00:00Z",
            "outputs": [{"secretName": "out", "format": "Env"}],
        }))
    }

    /// A world whose key was accepted and published.
    pub(super) fn accepted() -> Self {
        let mut world = Self::new();
        world.visit();
        world.expect("Ready/Published");
        world
    }

    fn next_version(&mut self) -> String {
        self.version += 1;
        self.version.to_string()
    }

    pub(super) fn put_key(&mut self, key: &str) {
        self.put("api-key", key);
    }

    pub(super) fn put(&mut self, name: &str, value: &str) {
        let version = self.next_version();
        let secret = self.source.get_or_insert_with(|| {
            let mut secret = Secret::default();
            secret.metadata.uid = Some(format!("source-{version}"));
            secret
        });
        secret.metadata.resource_version = Some(version);
        secret.data.get_or_insert_default().insert(name.to_owned(), ByteString(value.as_bytes().to_vec()));
    }

    pub(super) fn relabel(&mut self) {
        let version = self.next_version();
        if let Some(secret) = &mut self.source {
            secret.metadata.resource_version = Some(version);
        }
    }

    /// Merges into the spec, as `kubectl patch` does.
    pub(super) fn edit(&mut self, patch: Value) {
        let mut spec = serde_json::to_value(&self.object.spec).unwrap();
        merge_patch(&mut spec, patch);
        self.object.spec = serde_json::from_value(spec).unwrap();
        self.object.metadata.generation = self.object.metadata.generation.map(|generation| generation + 1);
    }

    pub(super) fn annotate(&mut self, name: &str, value: &str) {
        self.object.metadata.annotations.get_or_insert_default().insert(name.to_owned(), value.to_owned());
    }

    pub(super) fn pass(&mut self, time: Duration) -> &mut Self {
        self.now = after(self.now, time);
        self
    }

    pub(super) fn restart(&mut self) {
        (self.known_key, self.token, self.full_at, self.leading_since) = (None, None, Timestamp::UNIX_EPOCH, self.now);
    }

    pub(super) fn status(&self) -> &ConnectorCredentialStatus {
        self.object.status.as_ref().unwrap()
    }

    fn key_bytes(&self) -> Option<Vec<u8>> {
        Some(self.source.as_ref()?.data.as_ref()?.get("api-key")?.0.clone())
    }

    /// The value of one key of an output.
    pub(super) fn output(&self, name: &str, key: &str) -> Option<String> {
        let bytes = self.targets.get(name)?.data.as_ref()?.get(key)?;
        Some(String::from_utf8(bytes.0.clone()).unwrap())
    }

    /// Whether any output holds this text.
    pub(super) fn publishes(&self, text: &str) -> bool {
        let values = self.targets.values().filter_map(|secret| secret.data.as_ref()).flat_map(BTreeMap::values);
        values.map(|value| String::from_utf8_lossy(&value.0)).any(|value| value.contains(text))
    }

    /// Somebody adds a line to each value of an output, and a value.
    pub(super) fn pad(&mut self, name: &str) {
        let secret = self.targets.get_mut(name).unwrap();
        let data = secret.data.get_or_insert_default();
        for value in data.values_mut() {
            value.0.extend_from_slice(b"\n# a note");
        }
        data.insert("junk".to_owned(), ByteString(b"junk".to_vec()));
    }

    pub(super) fn foreign(&mut self, name: &str) {
        self.targets.insert(name.to_owned(), Secret::default());
    }

    pub(super) fn condition(&self, condition: ConditionType) -> Option<(String, Reason)> {
        let found = self.status().conditions.of(condition)?;
        Some((found.status.clone(), Reason::read(&found.reason).unwrap()))
    }

    /// `<Ready's reason>[!|~]/<Published's reason>`: `!` Stalled, `~` Reconciling; without either Ready is True.
    pub(super) fn summary(&self) -> String {
        let reason = |kind| self.condition(kind).map_or("-", |found| found.1.name());
        let mark = match (self.condition(ConditionType::Stalled), self.condition(ConditionType::Reconciling)) {
            (Some(_), _) => "!",
            (None, Some(_)) => "~",
            (None, None) => "",
        };
        format!("{}{mark}/{}", reason(ConditionType::Ready), reason(ConditionType::Published))
    }

    #[track_caller]
    pub(super) fn expect(&self, summary: &str) {
        assert_eq!(self.summary(), summary);
    }
}

fn merge_patch(value: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *value = patch;
        return;
    };
    let Value::Object(map) = value else {
        *value = Value::Object(patch);
        return;
    };
    for (name, change) in patch {
        if change.is_null() {
            map.remove(&name);
        } else {
            merge_patch(map.entry(name).or_insert(Value::Null), change);
        }
    }
}
