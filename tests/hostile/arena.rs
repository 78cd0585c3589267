//! Where sequences are played: one simulator for all, a namespace and an operator with its own rights for each.

use std::path::PathBuf;
use std::time::Duration;

use connector_operator::api::ConnectorCredential;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::Api;
use kube::api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::scene::object;
use super::sequence::{CREDENTIALS, Content, Declared, OUTPUTS, SOURCES, Weather};
use super::state::Masks;
use crate::simulator::{
    self, Fault, IssuedKey, Misbehaviour, NewKey, Provider, RetryAfter, Simulator, Switches, letters,
};
use crate::support::bed::{Bed, bed};
use crate::support::operator::{Operator, OperatorOptions};
use crate::support::rights::await_right;

const ACCOUNT: &str = "operator";

pub(super) struct Arena {
    pub(super) bed: Bed,
    simulator: Simulator,
    directory: tempfile::TempDir,
}

/// A namespace with keys of its own.
#[derive(Clone)]
pub(super) struct Ground {
    pub(super) namespace: String,
    keys: [[IssuedKey; 2]; SOURCES.len()],
    wrong: [String; SOURCES.len()],
    /// Its company at inFlow.
    company: String,
    /// Its account at Flowlu.
    account: String,
}

impl Arena {
    pub(super) async fn open() -> Self {
        let bed = bed().await;
        let simulator = Simulator::start(simulator::Options::default()).await.expect("loopback has free ports");
        simulator.set_switches(Switches { limits: false, ..Switches::default() });
        let directory = tempfile::tempdir().expect("there is a temporary directory");
        std::fs::write(directory.path().join("config.yaml"), simulator.config_yaml()).expect("it can be written to");
        let plane = bed.plane;
        tokio::task::spawn_blocking(|| plane.install_rights()).await.expect("no panic").expect("granted");
        Self { bed, simulator, directory }
    }

    pub(super) fn operator(&self, kubeconfig: &std::path::Path, namespaces: &[String]) -> Operator {
        let mut args: Vec<String> =
            ["--metrics-address=0", "--health-address=127.0.0.1:0", "--log-format=json", "--log-level=debug"]
                .map(str::to_owned)
                .to_vec();
        args.push(format!("--kubeconfig={}", kubeconfig.display()));
        args.push(format!("--config={}", self.directory.path().join("config.yaml").display()));
        args.extend(namespaces.iter().map(|namespace| format!("--watch-namespace={namespace}")));
        Operator::spawn(&self.bed, &OperatorOptions { args, environment: Vec::new() }).expect("the binary was built")
    }

    /// A new namespace, with keys that no other has.
    pub(super) async fn ground(&self, prefix: &str) -> Ground {
        let namespace = self.bed.namespace(prefix).await;
        let zenflow = || NewKey { scopes: vec!["read:orders".to_owned()], ..NewKey::of(Provider::ZenFlow, "") };
        let aventri = || NewKey::of(Provider::Aventri, "12345@na");
        let two = |new: &dyn Fn() -> NewKey| [self.simulator.add_key(new()), self.simulator.add_key(new())];
        let noise = |n: usize| letters(&simulator::key_hash(&format!("{namespace}{n}")))[..24].to_owned();
        let digits = simulator::key_hash(&namespace);
        let company = format!("{}-7d1e-4b96-9a43-{}", &digits[..8], &digits[8..20]);
        let account = noise(5);
        let inflow = || NewKey::of(Provider::InFlow, &company);
        let flowlu = || NewKey::of(Provider::Flowlu, &account);
        let keys = [two(&zenflow), two(&zenflow), two(&aventri), two(&inflow), two(&flowlu)];
        let zenflow = |n| format!("zenflow_live_{}", noise(n));
        let wrong = [zenflow(0), zenflow(1), noise(2), noise(3), noise(4)];
        Ground { namespace, keys, wrong, company, account }
    }

    /// An account of the namespace's own, with the rights of the manifest in it.
    pub(super) async fn account(&self, ground: &Ground) -> PathBuf {
        let path = self.bed.service_account(&ground.namespace, ACCOUNT).await.expect("it is made");
        let ours = "connector-operator.io";
        let secrets = json!([rule("", "secrets", &["get", "list", "watch", "create", "update", "delete"])]);
        let rest = json!([
            rule(ours, "connectorcredentials", &["get", "list", "watch"]),
            rule(ours, "connectorcredentials/status", &["get", "patch"]),
            rule("events.k8s.io", "events", &["create", "patch"]),
        ]);
        for (name, rules) in [("secrets", secrets), ("rest", rest)] {
            let role: Role = object(json!({"metadata": {"name": name}, "rules": rules}));
            self.bed.api(&ground.namespace).create(&PostParams::default(), &role).await.expect("it is made");
            self.bind(ground, name).await;
        }
        path
    }

    async fn bind(&self, ground: &Ground, role: &str) {
        let binding: RoleBinding = object(json!({
            "metadata": {"name": role},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": ground.namespace}],
        }));
        // Bound already: then it stays.
        let _bound = self.bed.api(&ground.namespace).create(&PostParams::default(), &binding).await;
    }

    /// Gives or takes the right to Secrets.
    pub(super) async fn allow(&self, ground: &Ground, allowed: bool) {
        if allowed {
            return self.bind(ground, "secrets").await;
        }
        let bindings: Api<RoleBinding> = self.bed.api(&ground.namespace);
        let _gone_already = bindings.delete("secrets", &DeleteParams::default()).await;
    }

    /// Waits until the API server knows of the right.
    pub(super) async fn until_allowed(&self, ground: &Ground) {
        let account = format!("{}:{ACCOUNT}", ground.namespace);
        await_right(&self.bed, &account, Some(&ground.namespace), ("", "secrets", "get")).await;
    }

    fn credentials(&self, ground: &Ground) -> Api<DynamicObject> {
        let kind = ApiResource::erase::<ConnectorCredential>(&());
        Api::namespaced_with(self.bed.client.clone(), &ground.namespace, &kind)
    }

    pub(super) fn secrets(&self, ground: &Ground) -> Api<Secret> {
        self.bed.api(&ground.namespace)
    }

    pub(super) async fn declare(&self, ground: &Ground, who: usize, what: &Declared) {
        let body = json!({
            "apiVersion": "connector-operator.io/v1alpha1", "kind": "ConnectorCredential",
            "metadata": {"name": CREDENTIALS[who]}, "spec": what.spec(&ground.company, &ground.account),
        });
        let params = PatchParams::apply("user").force();
        let applied = self.credentials(ground).patch(CREDENTIALS[who], &params, &Patch::Apply(body)).await;
        applied.unwrap_or_else(|error| panic!("the spec is admitted: {error}"));
    }

    pub(super) async fn undeclare(&self, ground: &Ground, who: usize) {
        let _gone_already = self.credentials(ground).delete(CREDENTIALS[who], &DeleteParams::default()).await;
    }

    /// Asks for a check now.
    pub(super) async fn request(&self, ground: &Ground, who: usize) {
        let patch = json!({"metadata": {"annotations": {"connector-operator.io/reconcile-at": "end"}}});
        let _gone =
            self.credentials(ground).patch(CREDENTIALS[who], &PatchParams::default(), &Patch::Merge(patch)).await;
    }

    /// When each credential was created, if it is there.
    pub(super) async fn ages(&self, ground: &Ground) -> [Option<i64>; 2] {
        let mut ages = [None, None];
        for (who, name) in CREDENTIALS.into_iter().enumerate() {
            let found = self.credentials(ground).get_opt(name).await.expect("it can be read");
            ages[who] = found.and_then(|object| Some(object.metadata.creation_timestamp?.0.as_second()));
        }
        ages
    }

    pub(super) async fn credential_versions(&self, ground: &Ground) -> Vec<String> {
        let all = self.credentials(ground).list(&Default::default()).await.expect("they can be listed").items;
        all.into_iter().filter_map(|object| object.metadata.resource_version).collect()
    }

    /// The namespace goes, when the cluster finds the time.
    pub(super) async fn abandon(&self, namespace: &str) {
        let namespaces: Api<Namespace> = Api::all(self.bed.client.clone());
        let _gone_already = namespaces.delete(namespace, &DeleteParams::default()).await;
    }

    pub(super) async fn put(&self, ground: &Ground, source: usize, content: Content) {
        let secrets = self.secrets(ground);
        let key = match content {
            Content::Good(number) => ground.keys[source][number].key.as_str(),
            Content::Wrong => ground.wrong[source].as_str(),
            Content::Malformed => "two words",
            Content::Absent => {
                let _gone_already = secrets.delete(SOURCES[source], &DeleteParams::default()).await;
                return;
            }
        };
        self.write(ground, SOURCES[source], ("api-key", key)).await;
    }

    /// Writes a Secret, whoever's it is.
    async fn write(&self, ground: &Ground, name: &str, (key, value): (&str, &str)) {
        let body =
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {key: value}});
        let params = PatchParams::apply("user").force();
        let put = self.secrets(ground).patch(name, &params, &Patch::Apply(body)).await;
        put.unwrap_or_else(|error| panic!("the administrator may write: {error}"));
    }

    /// Changes an output of ours; there may be none.
    pub(super) async fn tamper(&self, ground: &Ground, output: usize) {
        let patch = Patch::Merge(json!({"stringData": {"api-key": "tampered", "more": "bytes"}}));
        let secrets = self.secrets(ground);
        if secrets.get_opt(OUTPUTS[output]).await.is_ok_and(|found| found.is_some_and(|secret| owned(&secret))) {
            let _gone = secrets.patch(OUTPUTS[output], &PatchParams::default(), &patch).await;
        }
    }

    pub(super) async fn delete(&self, ground: &Ground, output: usize) {
        let _absent = self.secrets(ground).delete(OUTPUTS[output], &DeleteParams::default()).await;
    }

    /// A stranger's Secret, if the name is free.
    pub(super) async fn squat(&self, ground: &Ground, output: &str) {
        let secret: Secret = object(json!({"metadata": {"name": output}, "stringData": {"password": "a stranger's"}}));
        let _taken = self.secrets(ground).create(&PostParams::default(), &secret).await;
    }

    /// How the providers answer to this ground's keys.
    pub(super) fn set_weather(&self, ground: &Ground, weather: Weather, standing: &mut Vec<u64>) {
        for fault in standing.drain(..) {
            self.simulator.clear_fault(fault);
        }
        let misbehaviour = match weather {
            Weather::Fair => return,
            Weather::Down => Misbehaviour::Status { status: 503, retry_after: None, bad_key_body: false },
            Weather::Throttling => Misbehaviour::RateLimit { retry_after: Some(RetryAfter::Seconds(2)) },
            Weather::Resetting => Misbehaviour::Reset,
        };
        let wrong = ground.wrong.iter().map(|key| simulator::key_hash(key));
        for hash in ground.keys.iter().flatten().map(|key| key.hash.clone()).chain(wrong) {
            let fault = Fault { key_hash: Some(hash), ..Fault::of(misbehaviour.clone()) };
            standing.push(self.simulator.set_fault(fault));
        }
    }
}

impl Ground {
    /// The same keys in another namespace.
    pub(super) fn elsewhere(&self, namespace: String) -> Self {
        Self { namespace, ..self.clone() }
    }

    /// What stands in place of its keys.
    pub(super) fn masks(&self) -> Masks {
        let good = self.keys.iter().enumerate().flat_map(|(source, keys)| {
            keys.iter().enumerate().map(move |(n, key)| (key.key.clone(), format!("GOOD-{source}-{n}")))
        });
        good.chain(self.wrong.iter().enumerate().map(|(n, key)| (key.clone(), format!("WRONG-{n}")))).collect()
    }
}

pub(super) fn owned(secret: &Secret) -> bool {
    secret.metadata.owner_references.as_ref().is_some_and(|owners| !owners.is_empty())
}

fn rule(group: &str, resource: &str, verbs: &[&str]) -> Value {
    json!({"apiGroups": [group], "resources": [resource], "verbs": verbs})
}

pub(super) async fn pause(milliseconds: u64) {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}
