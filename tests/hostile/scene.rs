//! A stage with the fault proxy between the operator and the API server. Every status that passes is held to the rules.

use std::time::Duration;

use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::api::PostParams;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::proxy::{Proxy, Seen};
use crate::controller::cast::Act;
use crate::gitops::rules::broken;
use crate::simulator::{IssuedKey, LedgerFilter, Placement, Provider};
use crate::support::bed::{Bed, bed};
use crate::support::operator::Operator;
use crate::support::rights::await_right;
use crate::support::stage::{SOON, Stage};

pub(super) const STATUS: &str = "connectorcredentials/status";

pub(super) struct Scene {
    pub(super) stage: Stage,
    pub(super) proxy: Proxy,
    flags: Vec<String>,
}

impl Scene {
    pub(super) async fn set(prefix: &str) -> Self {
        Self::set_with(prefix, &[]).await
    }

    pub(super) async fn set_with(prefix: &str, flags: &[&str]) -> Self {
        Self::set_before(bed().await, prefix, flags, false).await
    }

    /// The same with TLS on the operator's side.
    pub(super) async fn set_encrypted(prefix: &str) -> Self {
        Self::set_before(bed().await, prefix, &[], true).await
    }

    async fn set_before(bed: Bed, prefix: &str, flags: &[&str], encrypted: bool) -> Self {
        let plane = bed.plane;
        tokio::task::spawn_blocking(|| plane.install_rights())
            .await
            .expect("no panic")
            .expect("the rights are granted");
        let kubeconfig = plane.operator_kubeconfig().await.expect("the account exists");
        let proxy = Proxy::before(&bed, &kubeconfig, encrypted).await;
        let mut all: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        all.push(format!("--kubeconfig={}", proxy.kubeconfig().display()));
        let borrowed: Vec<_> = all.iter().map(String::as_str).collect();
        let stage = Stage::set_on(bed, prefix, &borrowed).await;
        proxy.set_victim(stage.operator.id());
        Self { stage, proxy, flags: all }
    }

    /// Another operator behind the same proxy.
    pub(super) async fn another_operator(&self, more: &[&str]) -> Operator {
        let flags: Vec<_> = self.flags.iter().map(String::as_str).chain(more.iter().copied()).collect();
        self.stage.another_operator(&flags).await
    }

    /// Kills the operator, if nobody did, and starts one anew.
    pub(super) async fn revive(&mut self) {
        tokio::task::block_in_place(|| self.stage.operator.kill()).expect("it can be reaped");
        self.stage.operator = self.another_operator(&[]).await;
        self.proxy.set_victim(self.stage.operator.id());
    }

    /// Starts it anew with further flags, which it keeps.
    pub(super) async fn lead(&mut self, flags: &[&str]) {
        self.flags.extend(flags.iter().map(|flag| (*flag).to_owned()));
        self.revive().await;
    }

    pub(super) fn signal(&mut self, signal: Signal) {
        self.stage.operator.signal(signal).expect("it runs");
    }

    /// The Secret and the credential of an act.
    pub(super) async fn play(&self, act: &Act) -> IssuedKey {
        let issued = self.stage.issue(act.new_key());
        self.stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
        self.stage.declare(act.name, act.spec()).await;
        issued
    }

    /// The right to hold a Lease in this namespace, and the flags to use it.
    pub(super) async fn allow_leases(&self) -> [String; 2] {
        let (bed, namespace) = (&self.stage.bed, &self.stage.namespace);
        let role: Role = object(json!({
            "metadata": {"name": "leases"},
            "rules": [{"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "create", "update"]}],
        }));
        let account =
            json!({"kind": "ServiceAccount", "name": "connector-operator", "namespace": "connector-operator"});
        let binding: RoleBinding = object(json!({
            "metadata": {"name": "leases"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "leases"},
            "subjects": [account],
        }));
        bed.api(namespace).create(&PostParams::default(), &role).await.expect("the administrator may grant");
        bed.api(namespace).create(&PostParams::default(), &binding).await.expect("the administrator may grant");
        let right = ("coordination.k8s.io", "leases", "update");
        await_right(bed, "connector-operator:connector-operator", Some(namespace), right).await;
        ["--leader-elect".to_owned(), format!("--lease-namespace={namespace}")]
    }

    /// The revision of the cluster now.
    pub(super) async fn revision(&self) -> String {
        let list = self.stage.credentials().list(&Default::default()).await.expect("they can be listed");
        list.metadata.resource_version.expect("a list has a revision")
    }

    /// Every rule that a status broke on its way.
    pub(super) fn broken_rules(&self) -> Vec<String> {
        let written = self.proxy.seen().into_iter().filter_map(|seen| seen.written);
        written.flat_map(|object| broken(&object).into_iter().map(move |rule| format!("{rule}: {object}"))).collect()
    }

    /// Holds every status to the rules, and ends as any story does.
    pub(super) async fn finish(self) {
        assert_eq!(self.broken_rules(), Vec::<String>::new());
        assert!(self.proxy.seen().iter().any(|seen| seen.written.is_some()), "statuses pass the proxy");
        self.stage.finish().await;
    }
}

/// Calls to providers so far.
pub(super) fn calls(stage: &Stage) -> usize {
    stage.simulator.ledger(&LedgerFilter::default()).len()
}

/// Exchanges so far, of one key or of all.
pub(super) fn exchanges(stage: &Stage, key_hash: Option<&str>) -> usize {
    let filter = LedgerFilter { provider: Some(Provider::Aventri), key_hash: key_hash.map(str::to_owned), after: 0 };
    stage.simulator.ledger(&filter).iter().filter(|row| row.placement == Placement::Form).count()
}

/// Whether a request changes something of ours: Leases and Events are no news.
pub(super) fn is_write(seen: &Seen) -> bool {
    seen.asked.is_mutation() && !["leases", "events"].contains(&seen.asked.resource.as_str())
}

pub(super) fn object<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("a valid object")
}

/// Lets real time pass.
pub(super) async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// Waits until there was no write for so long.
pub(super) async fn quiet(proxy: &Proxy, still: Duration) {
    quiet_of(proxy, still, is_write).await;
}

/// Waits until there was no such request for so long.
pub(super) async fn quiet_of(proxy: &Proxy, still: Duration, counts: impl Fn(&Seen) -> bool) {
    let wait = async {
        loop {
            let mark = proxy.mark();
            tokio::time::sleep(still).await;
            if !proxy.since(mark).iter().any(&counts) {
                return;
            }
        }
    };
    tokio::time::timeout(2 * SOON, wait).await.expect("it comes to rest");
}
