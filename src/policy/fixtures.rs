//! What do tests of decisions run in? A world with one credential, its source and outputs, a clock that is set, a
//! provider that says what it is told, and a memory that a restart wipes. It follows the controller's order.

use super::tests::lint::lint;
use super::{
    Acted, Asked, Check, Decision, Done, Move, Notice, Observed, OutputResult, Plan, Source, Target, Traits, after,
    claim, conclude, decide, dropped_may_go, probe_plan,
};
use crate::api::{ConditionType, Conditions, ConnectorCredential, ConnectorCredentialStatus, Reason};
use crate::credential::AccessToken;
use crate::outputs::{Rendered, labels};
use crate::providers::{Access, Doubt, Proof, Rejection, Site, Verdict};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
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
            MissingScope => proof(Access::MissingScopes(vec![crate::providers::Scope::ReadOrders])),
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
        Self::with(json!({
            "provider": {"zenflow": {"scopes": ["read:orders"]}},
            "keySecretRef": {"name": "source"},
            "outputs": [{"secretName": "out", "format": "Env"}],
        }))
    }

    pub(super) fn with(spec: Value) -> Self {
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
        Self::with(json!({
            "provider": {"aventri": {"accountID": "12345", "region": "EMEA"}},
            "keySecretRef": {"name": "source"},
            "outputs": [{"secretName": "out", "format": "Binding"}],
        }))
    }

    pub(super) fn flow() -> Self {
        Self::with(json!({
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

    pub(super) fn observe(&self) -> Observed {
        let declared: Vec<_> = super::declared_outputs(&self.object).into_iter().map(|o| o.secret_name).collect();
        let target =
            |name: &String| Target { name: name.clone(), secret: self.targets.get(name).cloned().map(Box::new) };
        let unscheduled_at = self.full_at.checked_sub(jiff::SignedDuration::from_secs(30)).unwrap();
        Observed {
            object: Arc::new(self.object.clone()),
            source: match &self.source {
                _ if self.denied => Source::Denied,
                None => Source::Missing,
                Some(secret) => Source::Found(Box::new(secret.clone())),
            },
            targets: if self.denied { vec![] } else { declared.iter().map(target).collect() },
            dropped: self.targets.keys().filter(|name| !declared.contains(name)).map(target).collect(),
            claimed: self.claimed.clone(),
            site: self.site.clone(),
            traits: Traits {
                same_key: self.known_key.as_ref().map(|known| Some(known) == self.key_bytes().as_ref()),
                token: self.token.clone(),
                unscheduled_at: unscheduled_at.max(Timestamp::UNIX_EPOCH),
                leading_since: self.leading_since,
            },
        }
    }

    fn store(&mut self, status: ConnectorCredentialStatus) {
        // As the API server gives it back.
        self.object.status = Some(serde_json::from_value(serde_json::to_value(status).unwrap()).unwrap());
    }

    fn consult(&mut self, seen: &mut Observed, check: Check) -> Result<Verdict, Timestamp> {
        if check.claim {
            let claimed = claim(seen, self.now);
            self.store(claimed);
            lint(seen.object.status.as_ref(), &self.object);
            seen.object = Arc::new(self.object.clone());
        }
        if let Some(later) = self.budget.filter(|budget| *budget > self.now) {
            return Err(later);
        }
        self.checks += 1;
        if check.unscheduled {
            self.full_at = after(self.full_at.max(self.now), Duration::from_secs(30));
        }
        let minted = check.claim.then(|| AccessToken::parse(&format!("token-{}", self.checks)).unwrap());
        let genuine = matches!(self.says, Yes | Denied | MissingScope | WrongAddress);
        let verdict = self.says.verdict(minted, !check.claim);
        if genuine {
            let key = String::from_utf8(self.key_bytes().unwrap()).unwrap();
            if self.says == Yes {
                self.proved.insert(key);
            }
            if check.claim {
                self.token = Some(Arc::new(AccessToken::parse(&format!("token-{}", self.checks)).unwrap()));
                seen.traits.token = self.token.clone();
            }
        }
        Ok(verdict)
    }

    /// One visit of the controller; every status is linted, and a second visit has nothing to do.
    pub(super) fn visit(&mut self) -> Visit {
        let mut seen = self.observe();
        let plan = probe_plan(&seen, self.now);
        let (mut verdict, mut wait) = (None, None);
        match plan {
            Plan::Due(check) => match self.consult(&mut seen, check) {
                Ok(heard) => verdict = Some(heard),
                Err(later) => wait = Some(later),
            },
            Plan::Later(at) => wait = Some(at),
            Plan::Pointless(_) => {}
        }
        let retry_at = self.retry_after.map(|wait| after(self.now, wait));
        let asked = verdict.as_ref().map(|verdict| Asked { verdict, at: self.now, retry_at });
        let decision = decide(&seen, asked, wait, self.now);
        let (acted, next) = (self.act(&seen, &decision), decision.next);
        let concluded = conclude(&seen, decision, &acted, self.now);
        let before = self.object.status.clone();
        self.store(concluded.status.clone());
        assert_eq!(self.object.status.as_ref(), Some(&concluded.status), "a status is what is read back");
        lint(before.as_ref(), &self.object);
        if self.status().source.is_some() {
            self.known_key = self.key_bytes();
        }
        let changed = before != self.object.status;
        Visit { plan, asked: verdict.is_some(), events: concluded.notices, next, changed, acted }
    }

    fn act(&mut self, seen: &Observed, decision: &Decision) -> Acted {
        let mut acted = Acted::default();
        for plan in decision.outputs.iter().flatten() {
            let version = self.targets.get(&plan.name).and_then(|secret| secret.metadata.resource_version.clone());
            let done = match &plan.action {
                Move::Create(_) | Move::Replace(_) | Move::Recreate(_) if self.writes_fail => Done::Failed,
                Move::Create(made) | Move::Replace(made) | Move::Recreate(made) => self.write(&plan.name, made),
                Move::Settled => Done::Unchanged(version),
                Move::Keep => Done::Kept(version),
                Move::Wait { lost } => Done::Waiting { lost: *lost },
                Move::Withdraw => {
                    self.targets.remove(&plan.name);
                    Done::Withdrawn
                }
                Move::Gone => Done::Withdrawn,
                Move::Blocked => Done::NotOwned,
            };
            acted.results.push(OutputResult { name: plan.name.clone(), format: plan.format, done });
        }
        let stands = dropped_may_go(&acted.results);
        for name in &decision.dropped {
            assert!(seen.dropped.iter().any(|target| target.name == *name));
            if stands {
                self.targets.remove(name);
            } else {
                acted.undeleted.push(name.clone());
            }
        }
        acted
    }

    fn write(&mut self, name: &str, made: &Rendered) -> Done {
        let mut secret = Secret { type_: Some(made.secret_type.to_owned()), ..Secret::default() };
        secret.data = Some(made.data.iter().map(|(k, v)| (k.clone(), ByteString(v.to_vec()))).collect());
        secret.metadata.labels = Some(labels("erp"));
        let owner = OwnerReference { uid: "uid-1".to_owned(), controller: Some(true), ..OwnerReference::default() };
        secret.metadata.owner_references = Some(vec![owner]);
        secret.metadata.resource_version = Some(self.next_version());
        let version = secret.metadata.resource_version.clone();
        self.targets.insert(name.to_owned(), secret);
        Done::Written(version)
    }

    /// A process claims an exchange and dies.
    pub(super) fn die_after_claim(&mut self) {
        let seen = self.observe();
        if let Plan::Due(Check { claim: true, .. }) = probe_plan(&seen, self.now) {
            let before = self.object.status.clone();
            self.store(claim(&seen, self.now));
            lint(before.as_ref(), &self.object);
        }
        self.restart();
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

    pub(super) fn foreign(&mut self, name: &str) {
        self.targets.insert(name.to_owned(), Secret::default());
    }

    pub(super) fn condition(&self, condition: ConditionType) -> Option<(String, Reason)> {
        let found = self.status().conditions.of(condition)?;
        Some((found.status.clone(), Reason::read(&found.reason).unwrap()))
    }

    /// `<Ready's reason>[!|~]/<Published's reason>`: `!` Stalled, `~` Reconciling; without either Ready is True.
    pub(super) fn summary(&self) -> String {
        let reason = |kind| self.condition(kind).map_or("-", |(_, reason)| reason.name());
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

    /// Says something, lets time pass until the schedule is due, and visits.
    pub(super) fn next_check(&mut self, says: Says) -> Visit {
        self.says = says;
        let next = self.status().validation.as_ref().and_then(|v| v.next_check_time.clone()).unwrap();
        self.now = self.now.max(next.0);
        let visit = self.visit();
        assert!(visit.asked, "a check is due at its time");
        visit
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
