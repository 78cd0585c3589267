//! Where a story is played: a namespace, a provider simulator, and the real operator under its own rights.
//!
//! `finish` ends the operator as the kubelet does, searches everything for the keys of the story, and refuses any denial
//! that the operator met.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use connector_operator::api::{ConditionType, Conditions, ConnectorCredential};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};

use super::audit;
use super::await_object::{await_gone, await_object};
use super::bed::{Bed, bed};
use super::canary::Canary;
use super::leavings::{Leavings, Search, assert_clean};
use super::operator::{Operator, OperatorOptions};
use super::rights::await_right;
use crate::simulator::{self, IssuedKey, NewKey, Provider, Simulator, Switches};

/// How long anything may take that is promised within five seconds: six times that.
pub(crate) const SOON: Duration = Duration::from_secs(30);
/// Keys that no provider issued hold this word, so that they are found when they leak.
const WRONG: &str = "wrongEXAMPLE";
/// The operator's own kubeconfig below the stage's directory.
pub(super) const KUBECONFIG: &str = "kubeconfig";

/// A namespace, a simulator and a running operator.
pub(crate) struct Stage {
    pub(crate) bed: Bed,
    pub(crate) namespace: String,
    pub(crate) simulator: Simulator,
    pub(crate) operator: Operator,
    pub(super) directory: tempfile::TempDir,
    pub(super) canaries: Mutex<Vec<Canary>>,
    /// What was put into Secrets, also into those that are gone by now.
    pub(super) put: Mutex<Vec<String>>,
    /// Where each operator of the story logs.
    pub(super) logs: Mutex<Vec<PathBuf>>,
    /// The namespaces in which the story plays.
    pub(super) places: Vec<String>,
    /// What is to be searched for keys, if it was not yet.
    pub(super) search: Search,
    denials_expected: AtomicBool,
}

impl Stage {
    /// Sets the stage; the operator watches this namespace only.
    pub(crate) async fn set(prefix: &str) -> Self {
        Self::set_with(prefix, &[]).await
    }

    /// The same with further flags for the operator.
    pub(crate) async fn set_with(prefix: &str, flags: &[&str]) -> Self {
        Self::set_on(bed().await, prefix, flags).await
    }

    /// The same on this control plane.
    pub(crate) async fn set_on(bed: Bed, prefix: &str, flags: &[&str]) -> Self {
        let namespace = bed.namespace(prefix).await;
        let simulator = Simulator::start(simulator::Options::default()).await.expect("loopback has free ports");
        simulator.set_switches(Switches { limits: false, ..Switches::default() });
        let directory = tempfile::tempdir().expect("there is a temporary directory");
        std::fs::write(directory.path().join("config.yaml"), simulator.config_yaml()).expect("it can be written to");
        let plane = bed.plane;
        tokio::task::spawn_blocking(|| plane.install_rights())
            .await
            .expect("no panic")
            .expect("the rights are granted");
        await_right(&bed, "connector-operator:connector-operator", None, ("", "secrets", "watch")).await;
        let operator = start(&bed, &namespace, (directory.path(), &[]), flags).await;
        let logs = Mutex::new(vec![operator.log_path().to_owned()]);
        let others = flags.iter().filter_map(|flag| flag.strip_prefix("--watch-namespace=")).map(str::to_owned);
        let places = others.chain([namespace.clone()]).collect();
        let (canaries, put, denials_expected) = (Mutex::default(), Mutex::default(), AtomicBool::default());
        let search = Search::from_now(&bed);
        Self { bed, namespace, simulator, operator, directory, canaries, put, logs, places, search, denials_expected }
    }

    /// Starts a second operator, or one anew, with further flags.
    pub(crate) async fn another_operator(&self, flags: &[&str]) -> Operator {
        self.another_operator_in(&[], flags).await
    }

    /// The same with variables in its environment.
    pub(crate) async fn another_operator_in(&self, environment: &[(&str, &str)], flags: &[&str]) -> Operator {
        let operator = start(&self.bed, &self.namespace, (self.directory.path(), environment), flags).await;
        self.adopt(&operator);
        operator
    }

    /// An operator that was not started here belongs to the story.
    pub(crate) fn adopt(&self, operator: &Operator) {
        self.logs.lock().expect("no test panicked here").push(operator.log_path().to_owned());
    }

    /// Where the story's files are.
    pub(crate) fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// Replaces the operator's configuration; the next operator reads it.
    pub(crate) fn configure(&self, config: &str) {
        std::fs::write(self.config(), config).expect("it can be written to");
    }

    /// The operator's configuration file.
    pub(crate) fn config(&self) -> PathBuf {
        self.directory.path().join("config.yaml")
    }

    /// This story takes rights away: the operator may meet denials.
    pub(crate) fn expect_denials(&self) {
        self.denials_expected.store(true, Ordering::Relaxed);
    }

    /// A new operator in place of the one that runs: ended as the kubelet does.
    pub(crate) async fn restart(&mut self) {
        let stopped = tokio::task::block_in_place(|| self.operator.stop(SOON));
        assert!(stopped.expect("it ends").success());
        self.operator = self.another_operator(&[]).await;
    }

    /// Events about this credential: reason and note.
    pub(crate) async fn events(&self, name: &str) -> Vec<(String, String)> {
        let api: Api<Event> = self.bed.api(&self.namespace);
        let all = api.list(&Default::default()).await.expect("the administrator may read Events");
        let about = |event: &Event| event.regarding.as_ref().and_then(|object| object.name.as_deref()) == Some(name);
        let told = all.items.into_iter().filter(about);
        told.map(|event| (event.reason.unwrap_or_default(), event.note.unwrap_or_default())).collect()
    }

    /// A key that the simulator knows.
    pub(crate) fn issue(&self, new: NewKey) -> IssuedKey {
        let issued = self.simulator.add_key(new);
        self.watch_for(&issued.key);
        issued
    }

    /// A key that nobody knows, of the form that this provider's have.
    pub(crate) fn wrong_key(&self, provider: Provider) -> String {
        let prefix = if matches!(provider, Provider::ZenFlow) { "zenflow_live_" } else { "" };
        let noise: [u8; 12] = ring::rand::generate(&ring::rand::SystemRandom::new()).expect("randomness").expose();
        let noise = simulator::letters(&simulator::key_hash(&String::from_utf8_lossy(&noise)));
        let key = format!("{prefix}{WRONG}{}", &noise[..24]);
        self.watch_for(&key);
        key
    }

    /// Looks for this value at the end of the story.
    pub(crate) fn watch_for(&self, key: &str) {
        let mut canaries = self.canaries.lock().expect("no test panicked here");
        let canary = Canary::of_key(&format!("key {}", canaries.len()), key);
        canaries.push(canary);
    }

    pub(crate) fn credentials(&self) -> Api<ConnectorCredential> {
        self.bed.api(&self.namespace)
    }

    pub(crate) fn secrets(&self) -> Api<Secret> {
        self.bed.api(&self.namespace)
    }

    /// Creates or replaces a Secret.
    pub(crate) async fn put_secret(&self, name: &str, data: &[(&str, &str)]) -> Secret {
        let values = data.iter().map(|(_, value)| (*value).to_owned());
        self.put.lock().expect("no test panicked here").extend(values);
        let data: serde_json::Map<String, Value> =
            data.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
        let body = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data});
        let params = PatchParams::apply("user").force();
        self.secrets().patch(name, &params, &Patch::Apply(body)).await.expect("the administrator may write Secrets")
    }

    /// Applies a credential with this spec.
    pub(crate) async fn declare(&self, name: &str, spec: Value) -> ConnectorCredential {
        let applied = self.try_declare(name, &spec).await.expect("the spec is admitted");
        applied.try_parse().expect("it is a credential")
    }

    /// The same with a spec that may be refused, or that no credential of ours has.
    pub(crate) async fn try_declare(&self, name: &str, spec: &Value) -> kube::Result<DynamicObject> {
        let body = json!({
            "apiVersion": "connector-operator.io/v1alpha1", "kind": "ConnectorCredential",
            "metadata": {"name": name}, "spec": spec,
        });
        self.untyped().patch(name, &PatchParams::apply("user").force(), &Patch::Apply(body)).await
    }

    /// Credentials as they are stored, whether they fit the schema or not.
    pub(crate) fn untyped(&self) -> Api<DynamicObject> {
        let kind = ApiResource::erase::<ConnectorCredential>(&());
        Api::namespaced_with(self.bed.client.clone(), &self.namespace, &kind)
    }

    /// Waits until a credential is as described.
    pub(crate) async fn until(
        &self,
        name: &str,
        reached: impl Fn(&ConnectorCredential) -> bool,
    ) -> ConnectorCredential {
        let waited = await_object(&self.credentials(), name, SOON, reached).await;
        waited.unwrap_or_else(|late| panic!("{late}\n{}", self.last_log_lines()))
    }

    /// Waits until this condition has this status and reason, at the present generation.
    pub(crate) async fn until_is(
        &self,
        name: &str,
        condition: ConditionType,
        expected: (&str, &str),
    ) -> ConnectorCredential {
        self.until(name, |object| is_current(object) && is(object, condition, expected)).await
    }

    /// Waits until a credential is ready.
    pub(crate) async fn until_ready(&self, name: &str) -> ConnectorCredential {
        self.until_is(name, ConditionType::Ready, ("True", "Ready")).await
    }

    /// Waits until a Secret is as described.
    pub(crate) async fn until_secret(&self, name: &str, reached: impl Fn(&Secret) -> bool) -> Secret {
        let waited = await_object(&self.secrets(), name, SOON, reached).await;
        waited.unwrap_or_else(|late| panic!("{late}\n{}", self.last_log_lines()))
    }

    /// Waits until a Secret is gone.
    pub(crate) async fn until_gone(&self, name: &str) {
        await_gone(&self.secrets(), name, SOON).await.expect("it goes");
    }

    /// Whether there is such a Secret now.
    pub(crate) async fn secret(&self, name: &str) -> Option<Secret> {
        self.secrets().get_opt(name).await.expect("the administrator may read Secrets")
    }

    /// Deletes a Secret.
    pub(crate) async fn delete_secret(&self, name: &str) {
        self.secrets().delete(name, &DeleteParams::default()).await.expect("it is there");
    }

    /// Sets an annotation on a credential.
    pub(crate) async fn annotate(&self, name: &str, annotation: &str, value: &str) {
        let patch = json!({"metadata": {"annotations": {annotation: value}}});
        let patched = self.credentials().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await;
        patched.expect("the administrator may annotate");
    }

    fn last_log_lines(&self) -> String {
        let log = self.operator.log();
        let lines: Vec<_> = log.lines().collect();
        lines.iter().rev().take(20).rev().copied().collect::<Vec<_>>().join("\n")
    }

    /// Ends the operator as the kubelet does, then looks for the story's keys where they must not be.
    pub(crate) async fn finish(mut self) {
        let metrics = self.end().await;
        let mut left = self.leavings().await;
        left.add("metrics", metrics);
        let canaries = self.canaries.lock().expect("no test panicked here").clone();
        self.assert_each_was_in_a_secret(&canaries, &left);
        assert_clean(&left, &self.sought(&left));
        self.search.done = true;
        self.assert_well_behaved();
    }

    /// The same for one of very many stories: what all of them leave in the same places is searched at their end, for
    /// what this gives; the rest when this is dropped.
    pub(crate) async fn finish_alone(mut self) -> Vec<Canary> {
        let mut left = Leavings::default();
        left.add("metrics", self.end().await);
        let canaries = self.sought(&left);
        assert_clean(&left, &canaries);
        self.assert_well_behaved();
        canaries
    }

    /// Ends the operator. Gives its last metrics.
    async fn end(&mut self) -> String {
        // Some stories have ended it themselves.
        if self.operator.ended().expect("it can be asked").is_some() {
            return String::new();
        }
        let metrics = self.metrics().await;
        let status = tokio::task::block_in_place(|| self.operator.stop(SOON)).expect("it ends when told to");
        assert!(status.success(), "a clean stop ends with 0: {status}");
        metrics
    }

    /// No key went where no provider is, and nothing was asked for that is not granted.
    fn assert_well_behaved(&self) {
        let strays = self.simulator.ledger(&Default::default());
        let strays: Vec<_> = strays.iter().filter(|row| row.known_key && row.provider.is_none()).collect();
        assert!(strays.is_empty(), "keys went where no provider is: {strays:?}");
        let denied = audit::denials(&self.bed.plane.audit_log(), &self.namespace);
        let expected = self.denials_expected.load(Ordering::Relaxed);
        assert!(expected || denied.is_empty(), "the operator asked for more than it may: {}", denied[0]);
    }

    /// What the operator exposes as metrics.
    pub(crate) async fn metrics(&self) -> String {
        let listens = async {
            loop {
                if let Some(address) = listening(&self.operator, "metrics listening") {
                    return address;
                }
                tokio::task::yield_now().await;
            }
        };
        let address = tokio::time::timeout(SOON, listens).await.expect("it listens");
        get(&format!("http://{address}/metrics")).await
    }
}

async fn start(
    bed: &Bed,
    namespace: &str,
    (directory, environment): (&std::path::Path, &[(&str, &str)]),
    flags: &[&str],
) -> Operator {
    let shared = bed.plane.operator_kubeconfig().await.expect("the account exists");
    let kubeconfig = directory.join(KUBECONFIG);
    std::fs::copy(shared, &kubeconfig).expect("it can be written to");
    let config = directory.join("config.yaml");
    let mut args: Vec<String> = ["--metrics-address=127.0.0.1:0", "--health-address=127.0.0.1:0", "--log-format=json"]
        .map(str::to_owned)
        .to_vec();
    if !flags.iter().any(|flag| flag.starts_with("--log-level")) {
        args.push("--log-level=trace".to_owned());
    }
    if !flags.iter().any(|flag| flag.starts_with("--kubeconfig")) {
        args.push(format!("--kubeconfig={}", kubeconfig.display()));
    }
    args.push(format!("--config={}", config.display()));
    args.push(format!("--watch-namespace={namespace}"));
    args.extend(flags.iter().map(|flag| (*flag).to_owned()));
    // What it writes to temporary files is found with the rest of the directory.
    let mut environment: Vec<_> =
        environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    environment.push(("TMPDIR".to_owned(), directory.display().to_string()));
    Operator::spawn(bed, &OperatorOptions { args, environment }).expect("the binary was built")
}

/// Whether this operator holds the Lease.
pub(crate) async fn leads(operator: &Operator) -> bool {
    let Some(address) = listening(operator, "metrics listening") else { return false };
    let series = "leader_election_master_status{name=\"connector-operator\"} 1";
    get(&format!("http://{address}/metrics")).await.contains(series)
}

/// The address in a log line with this message.
pub(crate) fn listening(operator: &Operator, message: &str) -> Option<String> {
    let log = operator.log();
    let line = log.lines().find(|line| line.contains(message))?;
    let line: Value = serde_json::from_str(line).ok()?;
    line.pointer("/address").or_else(|| line.pointer("/fields/address"))?.as_str().map(str::to_owned)
}

/// The body behind a URL on loopback.
pub(crate) async fn get(url: &str) -> String {
    let answer = reqwest::Client::builder().build().expect("plain http needs no settings").get(url).send().await;
    let mut answer = answer.expect("it answers");
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.expect("the body arrives") {
        body.extend_from_slice(&chunk);
    }
    String::from_utf8(body).expect("text")
}

/// Whether the status speaks of the present generation.
pub(crate) fn is_current(object: &ConnectorCredential) -> bool {
    object.status.as_ref().is_some_and(|status| status.observed_generation == object.metadata.generation)
}

/// Whether a condition has this status and reason.
pub(crate) fn is(object: &ConnectorCredential, condition: ConditionType, (status, reason): (&str, &str)) -> bool {
    let conditions = object.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    conditions.of(condition).is_some_and(|stored| stored.status == status && stored.reason == reason)
}

/// A value of a Secret, as text.
pub(crate) fn value(secret: &Secret, key: &str) -> Option<String> {
    let data = secret.data.as_ref()?.get(key)?;
    String::from_utf8(data.0.clone()).ok()
}

/// The keys of a Secret, in order.
pub(crate) fn keys(secret: &Secret) -> Vec<&str> {
    secret.data.as_ref().map(|data| data.keys().map(String::as_str).collect()).unwrap_or_default()
}
