//! Credentials in each state of the condition table, made by the operator's own decisions. Data for the snapshots.

use connector_operator::api::{ConnectorCredential, ConnectorCredentialStatus};
use connector_operator::outputs::labels;
use connector_operator::policy::{
    Acted, Asked, Decision, Done, Move, Observed, OutputResult, Source, Target, Traits, conclude, decide,
};
use connector_operator::providers::{Access, Doubt, Proof, Rejection, Scope, Site, Verdict};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

const UID: &str = "9a1cf3a0-0000-4000-8000-000000000001";
const KEY: &str = "zenflow_live_canaryEXAMPLEcanary01234";

/// One visit of the operator.
struct Visit {
    source: Source,
    said: Option<Verdict>,
    claimed: bool,
    foreign: bool,
    fails: bool,
    hours_ago: i64,
}

impl Default for Visit {
    fn default() -> Self {
        Self { source: found(KEY, None), said: None, claimed: false, foreign: false, fails: false, hours_ago: 3 }
    }
}

fn said(verdict: Verdict) -> Visit {
    Visit { said: Some(verdict), ..Visit::default() }
}

fn sees(source: Source) -> Visit {
    Visit { source, ..Visit::default() }
}

/// A Secret that holds this under `api-key`.
fn found(key: &str, kind: Option<&str>) -> Source {
    let data = [("api-key".to_owned(), ByteString(key.as_bytes().to_vec()))];
    Source::Found(Box::new(Secret {
        metadata: ObjectMeta {
            uid: Some("source".to_owned()),
            resource_version: Some(key.len().to_string()),
            ..ObjectMeta::default()
        },
        type_: kind.map(str::to_owned),
        data: Some(data.into()),
        ..Secret::default()
    }))
}

fn accepted(access: Access) -> Verdict {
    Verdict::Accepted(Proof::of(access))
}

fn good() -> Verdict {
    Verdict::Accepted(Proof {
        unverifiable: vec![Scope::WriteOrders, Scope::WriteStock],
        ..Proof::of(Access::Verified)
    })
}

/// A state: its name, its spec, and the visits that led to it.
pub(super) struct State {
    pub(super) name: &'static str,
    pub(super) spec: Value,
    visits: Vec<Visit>,
}

fn zenflow(more: &Value) -> Value {
    let mut spec = json!({
        "provider": {"zenflow": {"scopePreset": "ERPSync"}}, "keySecretRef": {"name": "erp-key"},
        "validation": {"interval": "24h"},
    });
    for (field, value) in more.as_object().into_iter().flatten() {
        spec[field] = value.clone();
    }
    spec
}

fn state(name: &'static str, visits: Vec<Visit>) -> State {
    State { name, spec: zenflow(&json!({})), visits }
}

fn with(name: &'static str, more: &Value, visits: Vec<Visit>) -> State {
    State { name, spec: zenflow(more), visits }
}

fn days_from_now(days: i64) -> String {
    let time = Timestamp::now() + SignedDuration::from_hours(days * 24 + 1);
    Timestamp::from_second(time.as_second()).expect("in range").to_string()
}

/// Every state that has a page of its own.
pub(super) fn states() -> Vec<State> {
    let rejected = || said(Verdict::Rejected(Rejection::Key));
    let before = || Visit { hours_ago: 50, ..said(good()) };
    let twice = || vec![before(), Visit { hours_ago: 4, ..rejected() }, rejected()];
    let broken =
        json!({"outputs": [{"secretName": "erp-env", "format": "Template", "template": {"a": "$(companyID)"}}]});
    let flow = json!({"provider": {"flow": {"purpose": "ImportMembers"}}, "expiresAt": "2099-01-31T00:00:00Z"});
    let undeclared = Proof { undeclared: Some(vec![Scope::Admin]), ..Proof::of(Access::Verified) };
    vec![
        state("new", vec![]),
        state("ready", vec![said(good())]),
        with("invalid", &broken, vec![Visit::default()]),
        state("conflict", vec![Visit { claimed: true, ..Visit::default() }]),
        state("missing", vec![sees(Source::Missing)]),
        state("missing-later", vec![before(), sees(Source::Missing)]),
        with("no-such-key", &json!({"keySecretRef": {"name": "erp-key", "key": "token"}}), vec![Visit::default()]),
        state("denied", vec![sees(Source::Denied)]),
        state("forbidden-type", vec![sees(found(KEY, Some("kubernetes.io/service-account-token")))]),
        state("malformed", vec![sees(found("two words", None))]),
        state("not-checked", vec![Visit::default()]),
        with("local", &json!({"validation": {"mode": "Local"}}), vec![Visit::default()]),
        with("no-endpoint", &flow, vec![sees(found("flow-EXAMPLE-0123456789", None))]),
        state("rejected", vec![rejected()]),
        state("rejected-later", twice()),
        state("expired-key", vec![said(Verdict::Rejected(Rejection::Expired))]),
        state("revoked", vec![said(Verdict::Rejected(Rejection::Revoked))]),
        with("withdrawn", &json!({"rejectionPolicy": "Withdraw"}), twice()),
        state("unavailable", vec![said(Verdict::Inconclusive(Doubt::Unavailable))]),
        state("rate-limited", vec![said(Verdict::Inconclusive(Doubt::RateLimited))]),
        state("unexpected", vec![said(Verdict::Inconclusive(Doubt::Unexpected))]),
        state("outage", vec![before(), said(Verdict::Inconclusive(Doubt::Unavailable))]),
        state("missing-scope", vec![said(accepted(Access::MissingScopes(vec![Scope::ReadStock])))]),
        state("access-denied", vec![said(accepted(Access::Denied))]),
        state("ip-not-allowed", vec![said(accepted(Access::IpNotAllowed))]),
        state("not-verifiable", vec![said(accepted(Access::NotVerifiable))]),
        state("not-owned", vec![Visit { foreign: true, ..said(good()) }]),
        state("write-failed", vec![Visit { fails: true, ..said(good()) }]),
        with("never-published", &json!({"publishPolicy": "Never"}), vec![said(good())]),
        with("expiring", &json!({"expiresAt": days_from_now(12)}), vec![said(good())]),
        with("declared-expired", &json!({"expiresAt": "2026-01-31T00:00:00Z"}), vec![said(good())]),
        with("too-old", &json!({"maxAge": "1h"}), vec![before(), said(good())]),
        with(
            "over-privileged",
            &json!({"provider": {"zenflow": {"leastPrivilege": "Warn"}}}),
            vec![said(Verdict::Accepted(undeclared))],
        ),
        with("suspended", &json!({"suspend": true}), vec![before(), Visit::default()]),
    ]
}

impl State {
    /// The status that the visits leave behind.
    pub(super) fn status(self, object: &ConnectorCredential) -> Option<ConnectorCredentialStatus> {
        let mut object = object.clone();
        object.metadata.uid = Some(UID.to_owned());
        object.status = None;
        let (last, mut published) = (self.visits.len(), false);
        for (number, visit) in self.visits.into_iter().enumerate() {
            // Only the last visit finds the credential suspended.
            let mut seen = object.clone();
            seen.spec.suspend = object.spec.suspend.filter(|_| number + 1 == last);
            let (status, written) = visit.make(seen, published);
            (object.status, published) = (Some(status), written);
        }
        object.status
    }
}

impl Visit {
    fn make(self, object: ConnectorCredential, published: bool) -> (ConnectorCredentialStatus, bool) {
        let at = Timestamp::now() - SignedDuration::from_mins(self.hours_ago * 60 + 30);
        let at = Timestamp::from_second(at.as_second()).expect("in range");
        let names: Vec<_> = connector_operator::policy::declared_outputs(&object)
            .into_iter()
            .map(|output| output.secret_name)
            .collect();
        let owner = if self.foreign { "somebody" } else { UID };
        let target = |name: &String| Target {
            name: name.clone(),
            secret: (self.foreign || published).then(|| Box::new(output(name, owner))),
            cut: false,
        };
        let seen = Observed {
            targets: names.iter().map(target).collect(),
            source: self.source,
            dropped: Vec::new(),
            claimed: if self.claimed { names.into_iter().collect() } else { BTreeSet::new() },
            site: site(&object),
            traits: Traits { same_key: Some(true), ..Traits::default() },
            object: Arc::new(object),
        };
        let asked = self.said.as_ref().map(|verdict| Asked { verdict, at, retry_at: None });
        let decision = decide(&seen, asked, None, at);
        let acted = Acted { results: results(&decision, self.fails), undeleted: Vec::new() };
        let written = acted.results.iter().any(|result| matches!(result.done, Done::Written(_) | Done::Kept(_)));
        (conclude(&seen, decision, &acted, at).status, published || written)
    }
}

fn site(object: &ConnectorCredential) -> Site {
    let endpoint = object.spec.provider.chosen().and_then(|provider| provider.profile().endpoint);
    Site { endpoint: endpoint.map(str::to_owned), flow: None }
}

fn output(name: &str, owner: &str) -> Secret {
    let owner = OwnerReference { uid: owner.to_owned(), controller: Some(true), ..OwnerReference::default() };
    let metadata = ObjectMeta {
        name: Some(name.to_owned()),
        labels: Some(labels(name)),
        owner_references: Some(vec![owner]),
        resource_version: Some("7".to_owned()),
        ..ObjectMeta::default()
    };
    Secret { metadata, type_: Some("servicebinding.io/connector".to_owned()), ..Secret::default() }
}

fn results(decision: &Decision, fails: bool) -> Vec<OutputResult> {
    let version = || Some("7".to_owned());
    let done = |action: &Move| match action {
        _ if fails => Done::Failed,
        Move::Create(_) | Move::Replace(_) | Move::TakeOver(_) | Move::Recreate(_) => Done::Written(version()),
        Move::Settled => Done::Unchanged(version()),
        Move::Keep => Done::Kept(version()),
        Move::Wait { lost } => Done::Waiting { lost: *lost },
        Move::Withdraw | Move::Gone => Done::Withdrawn,
        Move::Blocked => Done::NotOwned,
    };
    let plans = decision.outputs.iter().flatten();
    plans.map(|plan| OutputResult { name: plan.name.clone(), format: plan.format, done: done(&plan.action) }).collect()
}
