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
use crate::simulator::{IssuedKey, NewKey, Provider};
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

/// Each kind of write that a credential's life has meets its trouble once; the status twice. What is not served is
/// never a resource of Kubernetes' own.
fn spoil(scene: &Scene, name: &str, fault: &Fault) {
    let rule = |verb, resource, name: &str| Rule::new(fault.clone()).on(verb, resource).named(name).times(1);
    if name != "unserved" {
        scene.proxy.add(rule("create", "secrets", &format!("{name}-auth")));
        scene.proxy.add(rule("update", "secrets", &format!("{name}-auth")));
        scene.proxy.add(rule("delete", "secrets", &format!("{name}-more")));
    }
    scene.proxy.add(rule("patch", STATUS, name));
    scene.proxy.add(rule("patch", STATUS, name).after(2));
    scene.proxy.add(rule("create", "events", name));
}

fn spec(number: usize, name: &str, outputs: &Value) -> Value {
    let settings = json!({"aventri": {"accountID": format!("{}", 8000 + number), "region": "NorthAmerica"}});
    json!({"provider": settings, "keySecretRef": {"name": format!("{name}-key")}, "outputs": outputs})
}

/// One credential's life: created with two outputs, rotated, one output dropped.
async fn live(scene: &Scene, number: usize, name: &str) -> [IssuedKey; 2] {
    let (stage, limit) = (&scene.stage, 4 * SOON);
    let issue = || stage.issue(NewKey::of(Provider::Aventri, &format!("{}@na", 8000 + number)));
    let (first, second) = (issue(), issue());
    let (auth, more) = (format!("{name}-auth"), format!("{name}-more"));
    stage.put_secret(&format!("{name}-key"), &[("api-key", &first.key)]).await;
    let outputs = json!([{"secretName": auth, "format": "Binding"}, {"secretName": more, "format": "Env"}]);
    stage.declare(name, spec(number, name, &outputs)).await;
    let ready =
        |object: &ConnectorCredential| is_current(object) && is(object, ConditionType::Ready, ("True", "Ready"));
    await_object(&stage.credentials(), name, limit, ready).await.expect("it is published");
    stage.put_secret(&format!("{name}-key"), &[("api-key", &second.key)]).await;
    let rotated = |secret: &Secret| value(secret, "api-key").as_deref() == Some(&*second.key);
    await_object(&stage.secrets(), &auth, limit, rotated).await.unwrap_or_else(|late| {
        panic!(
            "{late}: {:#?}",
            stage.operator.log().lines().filter(|line| line.contains(&format!("\"{name}\""))).collect::<Vec<_>>()
        )
    });
    await_object(&stage.credentials(), name, limit, ready).await.expect("it says so");
    stage.declare(name, spec(number, name, &json!([{"secretName": auth, "format": "Binding"}]))).await;
    await_gone(&stage.secrets(), &more, limit).await.expect("it is dropped");
    await_object(&stage.credentials(), name, limit, ready).await.expect("it says so");
    [first, second]
}

/// What is this credential's in the state, under a name that all share.
fn part(state: &State, name: &str, number: usize) -> State {
    let account = format!("{}", 8000 + number);
    let own = [format!("credential {name}"), format!("secret {name}-auth"), format!("secret {name}-key")];
    let shared = |text: &str| {
        let text = text.replace(&account, "ACCOUNT").replace(&format!("{name}-"), "NAME-");
        text.replace(&format!("\"{name}\""), "\"NAME\"")
    };
    own.iter().filter_map(|own| Some((shared(own).replace(name, "NAME"), shared(state.get(own)?)))).collect()
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
    let troubles = troubles();
    for (name, fault) in &troubles {
        if let Some(fault) = fault {
            spoil(&scene, name, fault);
        }
    }
    let lives = troubles.iter().enumerate().map(|(number, (name, _))| live(&scene, number, name));
    let keys = join_all(lives).await;
    super::scene::quiet(&scene.proxy, Duration::from_secs(4)).await;

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
    let masks = keys.iter().flat_map(|[first, second]| [(&first.key, "KEY1"), (&second.key, "KEY2")]);
    let masks = masks.map(|(key, mask)| (key.clone(), mask.to_owned())).collect();
    let state = end_state(&scene.stage.bed, &scene.stage.namespace, &masks).await;
    let plain = part(&state, "plain", 0);
    for (number, ((name, _), keys)) in troubles.iter().zip(&keys).enumerate() {
        for key in keys {
            assert_eq!(exchanges(&scene.stage, Some(&key.hash)), 1, "{name}: one need, one exchange");
        }
        assert_eq!(made[&format!("{name}-auth")], [1, 0], "{name}: made once");
        assert_eq!(made[&format!("{name}-more")], [1, 1], "{name}: made once, deleted once");
        assert_eq!(differences(&plain, &part(&state, name, number)), Vec::<String>::new(), "{name}");
        // There the proxy's answer is a lie.
        if *name != "conflict-done" {
            told(&scene, &format!("{name}-auth"));
            told(&scene, &format!("{name}-more"));
        }
    }
    scene.finish().await;
}
