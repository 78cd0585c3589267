//! Was it done or not? Every kind of write answered wrongly, late or not at all: nothing happens twice, nothing flips.

use std::collections::BTreeMap;
use std::time::Duration;

use connector_operator::api::ConnectorCredential;
use futures::future::join_all;
use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};

use super::proxy::{Fault, Refusal, Rule, Seen};
use super::scene::{STATUS, Scene, exchanges, is_write};
use super::state::{State, differences, end_state};
use crate::simulator::{IssuedKey, LedgerFilter, NewKey, Provider};
use crate::support::await_object::{await_gone, await_object};
use crate::support::full_length;
use crate::support::stage::{SOON, is, is_current, value};
use connector_operator::api::ConditionType;

/// Whatever may become of a write. Nothing befalls the first.
fn troubles() -> Vec<(&'static str, Option<Fault>)> {
    use Fault as F;
    let mut all = vec![
        ("plain", None),
        ("conflict", Some(F::Refuse(Refusal::conflict()))),
        ("conflict-done", Some(F::CommitThen(Refusal::conflict()))),
        ("internal", Some(F::Refuse(Refusal::internal()))),
        ("internal-done", Some(F::CommitThen(Refusal::internal()))),
        ("timeout-done", Some(F::CommitThen(Refusal::timeout()))),
        ("unserved", Some(F::Refuse(Refusal::unknown()))),
        ("throttled-0", Some(F::Refuse(Refusal::too_many("0")))),
        ("throttled-2", Some(F::Refuse(Refusal::too_many("2")))),
        ("throttled-rubbish", Some(F::Refuse(Refusal::too_many("banana")))),
        ("denied", Some(F::Refuse(Refusal::denied("no")))),
        ("lost", Some(F::Reset)),
        ("lost-done", Some(F::CommitThenReset)),
        ("cut", Some(F::Truncate)),
        ("garbled", Some(F::Garble)),
        ("late", Some(F::SlowHeaders(Duration::from_secs(2)))),
        ("dripping", Some(F::Drip(Duration::from_millis(1)))),
    ];
    if full_length() {
        all.push(("hanging", Some(F::Hang)));
        all.push(("throttled-long", Some(F::Refuse(Refusal::too_many("86400")))));
    }
    all
}

/// A credential, and what becomes of its writes.
struct Life {
    name: String,
    /// One that mints tokens, or one whose key is published as it is.
    provider: Provider,
    account: String,
    fault: Option<Fault>,
}

impl Life {
    fn all() -> Vec<Self> {
        let with = |provider: Provider, number: usize, (name, fault): (&str, Option<Fault>)| {
            let mints = provider == Provider::Aventri;
            let account = if mints { format!("{}", 8000 + number) } else { String::new() };
            Self { name: format!("{}-{name}", provider.name()), provider, account, fault }
        };
        let of = |provider| troubles().into_iter().enumerate().map(move |(n, trouble)| with(provider, n, trouble));
        [Provider::Aventri, Provider::ZenFlow].into_iter().flat_map(of).collect()
    }

    fn mints(&self) -> bool {
        self.provider == Provider::Aventri
    }

    fn is(&self, trouble: &str) -> bool {
        self.name == format!("{}-{trouble}", self.provider.name())
    }

    fn output(&self, suffix: &str) -> String {
        format!("{}-{suffix}", self.name)
    }

    /// Each kind of write that it has meets its trouble once; the status twice. What is not served is never a resource of
    /// Kubernetes' own.
    fn spoil(&self, scene: &Scene) {
        let Some(fault) = &self.fault else { return };
        let rule = |verb, resource, name: &str| Rule::new(fault.clone()).on(verb, resource).named(name).times(1);
        if !self.is("unserved") {
            scene.proxy.add(rule("create", "secrets", &self.output("auth")));
            scene.proxy.add(rule("update", "secrets", &self.output("auth")));
            scene.proxy.add(rule("delete", "secrets", &self.output("more")));
        }
        scene.proxy.add(rule("patch", STATUS, &self.name));
        scene.proxy.add(rule("patch", STATUS, &self.name).after(2));
        scene.proxy.add(rule("create", "events", &self.name));
    }

    async fn declare(&self, scene: &Scene, outputs: Value) {
        let settings = if self.mints() {
            json!({"aventri": {"accountID": self.account, "region": "NorthAmerica"}})
        } else {
            json!({"zenflow": {}})
        };
        let key = json!({"name": self.output("key")});
        let spec = json!({"provider": settings, "keySecretRef": key, "outputs": outputs});
        scene.stage.declare(&self.name, spec).await;
    }

    /// Created with two outputs, rotated, one output dropped.
    async fn play(&self, scene: &Scene) -> [IssuedKey; 2] {
        let (stage, name, limit) = (&scene.stage, &self.name, 4 * SOON);
        let account = if self.mints() { format!("{}@na", self.account) } else { String::new() };
        let issue = || stage.issue(NewKey::of(self.provider, &account));
        let (first, second) = (issue(), issue());
        let (key, auth, more) = (self.output("key"), self.output("auth"), self.output("more"));
        stage.put_secret(&key, &[("api-key", &first.key)]).await;
        let binding = json!({"secretName": auth, "format": "Binding"});
        self.declare(scene, json!([binding, {"secretName": more, "format": "Env"}])).await;
        let ready =
            |object: &ConnectorCredential| is_current(object) && is(object, ConditionType::Ready, ("True", "Ready"));
        await_object(&stage.credentials(), name, limit, ready).await.expect("it is published");
        stage.put_secret(&key, &[("api-key", &second.key)]).await;
        let rotated = |secret: &Secret| value(secret, "api-key").as_deref() == Some(&*second.key);
        await_object(&stage.secrets(), &auth, limit, rotated).await.unwrap_or_else(|late| {
            panic!(
                "{late}: {:#?}",
                stage.operator.log().lines().filter(|line| line.contains(&format!("\"{name}\""))).collect::<Vec<_>>()
            )
        });
        await_object(&stage.credentials(), name, limit, ready).await.expect("it says so");
        self.declare(scene, json!([binding])).await;
        await_gone(&stage.secrets(), &more, limit).await.expect("it is dropped");
        await_object(&stage.credentials(), name, limit, ready).await.expect("it says so");
        [first, second]
    }

    /// What is its own in the state, under a name that all share.
    fn part(&self, state: &State) -> State {
        let name = &self.name;
        let own = [format!("credential {name}"), format!("secret {name}-auth"), format!("secret {name}-key")];
        let shared = |text: &str| {
            let text = text.replace(&format!("{name}-"), "NAME-").replace(&format!("\"{name}\""), "\"NAME\"");
            if self.mints() { text.replace(&self.account, "ACCOUNT") } else { text }
        };
        own.iter().filter_map(|own| Some((shared(own).replace(name, "NAME"), shared(state.get(own)?)))).collect()
    }
}

/// How often a key was shown to its provider.
fn asked(scene: &Scene, key: &IssuedKey) -> usize {
    scene.stage.simulator.ledger(&LedgerFilter { key_hash: Some(key.hash.clone()), ..LedgerFilter::default() }).len()
}

/// How often each Secret was made and deleted. In no status that was written is a key refused.
fn made(scene: &Scene) -> BTreeMap<String, [usize; 2]> {
    let mut made: BTreeMap<String, [usize; 2]> = BTreeMap::new();
    for seen in scene.proxy.seen() {
        let counts = made.entry(seen.asked.name.clone()).or_default();
        match (seen.asked.verb, seen.asked.resource.as_str(), seen.code) {
            ("create", "secrets", Some(201)) => counts[0] += 1,
            ("delete", "secrets", Some(200)) => counts[1] += 1,
            _ => {}
        }
        let conditions = seen.written.iter().filter_map(|object| object["status"]["conditions"].as_array()).flatten();
        let refused = conditions.filter(|one| one["type"] == "Authenticated" && one["status"] == "False").count();
        assert_eq!(refused, 0, "{}: no key was refused", seen.asked.name);
    }
    made
}

/// Each write of this Secret is a line of the log; where its fate is not known, one that says so.
fn told(scene: &Scene, secret: &str) {
    let made = |seen: &&Seen| {
        is_write(seen) && seen.asked.resource == "secrets" && seen.asked.name == secret && seen.code < Some(300)
    };
    let made = scene.proxy.seen().iter().filter(made).filter(|seen| seen.code.is_some()).count();
    let log = scene.stage.operator.log();
    let about = || log.lines().filter(|line| line.contains(&format!("\"{secret}\"")));
    let sure = about().filter(|line| line.contains("output written") || line.contains("output deleted")).count();
    let unsure = about().filter(|line| line.contains("output perhaps")).count();
    assert!(sure <= made && made <= sure + unsure, "{secret}: {made} writes, {sure} lines, {unsure} in doubt");
}

#[tokio::test(flavor = "multi_thread")]
async fn a25_a_write_whose_fate_is_unknown_is_neither_repeated_wrongly_nor_forgotten() {
    let scene = Scene::set_with("ambiguous", &["--log-level=debug"]).await;
    let lives = Life::all();
    for life in &lives {
        life.spoil(&scene);
    }
    let keys = join_all(lives.iter().map(|life| life.play(&scene))).await;
    super::scene::quiet(&scene.proxy, Duration::from_secs(4)).await;

    let made = made(&scene);
    let masks = keys.iter().flat_map(|[first, second]| [(&first.key, "KEY1"), (&second.key, "KEY2")]);
    let masks = masks.map(|(key, mask)| (key.clone(), mask.to_owned())).collect();
    let state = end_state(&scene.stage.bed, &scene.stage.namespace, &masks).await;
    let mut plain = State::default();
    for (life, keys) in lives.iter().zip(&keys) {
        let name = &life.name;
        // It comes before the others of its provider.
        if life.fault.is_none() {
            plain = life.part(&state);
        }
        if life.mints() {
            for key in keys {
                assert_eq!(exchanges(&scene.stage, Some(&key.hash)), 1, "{name}: one need, one exchange");
            }
        }
        // Also Aventri's: the exchange is its check.
        assert_eq!(keys.each_ref().map(|key| asked(&scene, key)), [1, 1], "{name}: nobody is asked twice about a key");
        assert_eq!(made[&life.output("auth")], [1, 0], "{name}: made once");
        assert_eq!(made[&life.output("more")], [1, 1], "{name}: made once, deleted once");
        assert_eq!(differences(&plain, &life.part(&state)), Vec::<String>::new(), "{name}");
        // There the proxy's answer is a lie.
        if !life.is("conflict-done") {
            told(&scene, &life.output("auth"));
            told(&scene, &life.output("more"));
        }
    }
    scene.finish().await;
}
