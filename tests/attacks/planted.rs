//! A Secret that says that a credential owns it, put there by somebody who may create Secrets and not read them: it
//! carries no key anywhere with what he wrote on it. Nor is it deleted, written over or made as often as he likes.

use super::{proved, shows, world};
use crate::controller::cast::{self, Act};
use crate::simulator::{Fault, Misbehaviour};
use crate::verdicts::api_server::{credential_path, secret_path};
use crate::verdicts::world::{HOUR, MINUTE, World};
use connector_operator::api::ConditionType;
use serde_json::{Value, json};
use std::time::Duration;

/// What tells others to copy a Secret, keeps it, or has it deleted with something else.
fn marks() -> [(&'static str, Value); 4] {
    let stranger = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "a"});
    [
        ("annotations", json!({"reflector.v1.k8s.emberstack.com/reflection-auto-enabled": "true"})),
        ("labels", json!({"replicate": "everywhere"})),
        ("finalizers", json!(["example.com/stays"])),
        ("ownerReferences", json!([stranger])),
    ]
}

fn plant(world: &World, act: &Act, (member, value): &(&str, Value)) {
    let uid = format!("uid-of-{}", act.name);
    let owner = json!({"apiVersion": "connector-operator.io/v1alpha1", "kind": "ConnectorCredential",
        "name": act.name, "uid": uid, "controller": true});
    let mut meta = json!({"name": act.output(), "ownerReferences": [owner]});
    match (meta[member].as_array_mut(), value.as_array()) {
        (Some(all), Some(more)) => all.extend(more.iter().cloned()),
        _ => meta[member] = value.clone(),
    }
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": "servicebinding.io/connector",
        "data": {"api-key": "cGxhbnRlZA=="}});
    world.server.put(&secret_path(&act.output()), secret);
}

/// The Secret's metadata, but for what the API server writes.
fn metadata(world: &World, act: &Act) -> Value {
    let mut meta = world.server.get(&secret_path(&act.output())).expect("it is there")["metadata"].clone();
    let all = meta.as_object_mut().expect("metadata");
    all.remove("resourceVersion");
    all.remove("uid");
    meta
}

#[tokio::test(flavor = "multi_thread")]
async fn a07_a_planted_secret_is_never_published_with_what_its_planter_wrote_on_it() {
    for act in [cast::inflow(), cast::aventri()] {
        let bare = metadata(&proved(&act).await.0, &act);
        for mark in &marks() {
            let place = format!("{} {}", act.name, mark.0);
            let mut world = world().await;
            let issued = world.simulator.add_key(act.new_key());
            let silent = Fault { key_hash: Some(issued.hash.clone()), ..Fault::of(Misbehaviour::Reset) };
            let silent = world.simulator.set_fault(silent);
            plant(&world, &act, mark);
            world.put_secret(&act.source(), &issued.key);
            world.declare(act.name, &act.spec());
            world.run_for(MINUTE).await;
            let status = world.status(act.name);
            assert_eq!(shows(&status, ConditionType::Published), "-WaitingForVerification", "{place}: it is no output");
            assert!(status.outputs.is_empty() && status.binding.is_none(), "{place}: nor named as one");
            world.simulator.clear_fault(silent);
            world.run_for(HOUR).await;
            assert_eq!(shows(&world.status(act.name), ConditionType::Ready), "+Ready", "{place}");
            assert_eq!(world.published(&act.output()).as_deref(), Some(issued.key.as_str()), "{place}");
            assert_eq!(metadata(&world, &act), bare, "{place}: nothing of the planter's stays");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a07_an_output_whose_creation_was_not_told_is_found_again_and_not_written() {
    for act in [cast::inflow(), cast::aventri()] {
        let (mut world, _) = proved(&act).await;
        let before = world.server.get(&secret_path(&act.output()));
        world.put_status(act.name, "outputs", json!([]));
        world.put_status(act.name, "binding", Value::Null);
        world.restart();
        world.settle().await;
        assert!(world.server.get(&credential_path(act.name)).is_some());
        assert_eq!(world.server.get(&secret_path(&act.output())), before, "{}: it is as it was made", act.name);
        assert_eq!(world.status(act.name).outputs.len(), 1, "{}: and named again", act.name);
    }
}

/// Somebody makes this Secret fifty times a second for ten seconds. Returns how often Secrets were written for it.
async fn make_again(world: &mut World, name: &str, secret: &Value) -> usize {
    let before = world.server.counts().secrets;
    for _ in 0..500 {
        world.server.put(&secret_path(name), secret.clone());
        world.run_for(Duration::from_millis(20)).await;
    }
    let written = world.server.counts().secrets - before;
    world.run_for(Duration::from_secs(2)).await;
    assert!(world.server.get(&secret_path(name)).is_none(), "once he leaves off, it is gone");
    written
}

#[tokio::test(flavor = "multi_thread")]
async fn a28_what_somebody_makes_fifty_times_a_second_is_deleted_once_a_second() {
    let act = cast::inflow();
    let mut deleted = Vec::new();
    // An output that was withdrawn, with the refused key in it.
    let (mut world, issued) = proved(&act).await;
    world.declare(act.name, &act.spec_with("rejectionPolicy", json!("Withdraw")));
    world.settle().await;
    let output = world.server.get(&secret_path(&act.output())).expect("it is published");
    assert!(world.simulator.revoke_key(&issued.id));
    world.run_for(3 * HOUR).await;
    assert_eq!(shows(&world.status(act.name), ConditionType::Published), "-Withdrawn");
    deleted.push(make_again(&mut world, &act.output(), &output).await);
    // One that is not declared any more.
    let (mut world, _) = proved(&act).await;
    let output = world.server.get(&secret_path(&act.output())).expect("it is published");
    world.declare(act.name, &act.spec_with("outputs", json!([{"secretName": "other"}])));
    world.run_for(MINUTE).await;
    assert!(world.server.get(&secret_path(&act.output())).is_none(), "it is not declared any more");
    deleted.push(make_again(&mut world, &act.output(), &output).await);
    assert_eq!(world.status(act.name).outputs.len(), 1, "the other stands");
    assert!(deleted.iter().all(|count| (10..=21).contains(count)), "ten at once, then one a second: {deleted:?}");
}

/// What is done to an output: it has no owner any more, or has its owner again and something beside it, or goes.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Disown,
    /// With these members instead of its own.
    Return(&'static [(&'static str, &'static str)]),
    Delete,
}

impl Deed {
    fn on(self, world: &World, name: &str, output: &Value) {
        let mut secret = output.clone();
        match self {
            Self::Disown => secret["metadata"]["ownerReferences"] = json!([]),
            Self::Return(changes) => {
                for (pointer, value) in changes {
                    let (parent, member) = pointer.rsplit_once('/').expect("a pointer");
                    let value: Value = serde_json::from_str(value).expect("JSON");
                    secret.pointer_mut(parent).expect("it is there")[member] = value;
                }
            }
            Self::Delete => return world.server.delete(&secret_path(name)),
        }
        world.server.put(&secret_path(name), secret);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a28_an_output_that_is_disowned_fifty_times_a_second_is_put_right_once_a_second() {
    let act = cast::inflow();
    let marked = Deed::Return(&[("/metadata/annotations", r#"{"theirs": "x"}"#)]);
    let spoilt = Deed::Return(&[("/data", r#"{"api-key": "dGhlaXJz"}"#)]);
    let typed = Deed::Return(&[("/type", r#""Opaque""#)]);
    for second in [marked, spoilt, typed, Deed::Delete] {
        let (mut world, issued) = proved(&act).await;
        let output = world.server.get(&secret_path(&act.output())).expect("it is published");
        let before = world.server.counts();
        for number in 0..500 {
            let deed = if number % 2 == 0 { Deed::Disown } else { second };
            deed.on(&world, &act.output(), &output);
            world.run_for(Duration::from_millis(20)).await;
        }
        let after = world.server.counts();
        let (secrets, statuses) = (after.secrets - before.secrets, after.statuses - before.statuses);
        // What is made anew in place of another type is two writes.
        assert!((10..=42).contains(&secrets), "{second:?}: ten at once, then one a second: {secrets}");
        assert!(statuses <= 50, "{second:?}: the status is written when an output is: {statuses}");
        world.run_for(Duration::from_secs(2)).await;
        assert_eq!(world.published(&act.output()).as_deref(), Some(issued.key.as_str()), "{second:?}: he leaves off");
        assert_eq!(shows(&world.status(act.name), ConditionType::Ready), "+Ready", "{second:?}");
        assert_eq!(world.status(act.name).outputs.len(), 1, "{second:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_users_wrote_on_an_output_stays_when_its_data_is_put_right_however_much_it_is() {
    let act = cast::inflow();
    let (mut world, issued) = proved(&act).await;
    let path = secret_path(&act.output());
    let mut output = world.server.get(&path).expect("it is published");
    output["metadata"]["annotations"] = json!({"theirs": "x".repeat(200_000)});
    output["metadata"]["labels"]["team"] = json!("data");
    output["data"] = json!({"api-key": "dGhlaXJz"});
    let before = world.server.counts().secrets;
    world.server.put(&path, output.clone());
    world.run_for(MINUTE).await;
    assert_eq!(world.published(&act.output()).as_deref(), Some(issued.key.as_str()));
    let now = world.server.get(&path).expect("it stands");
    for written in ["annotations", "labels", "uid", "ownerReferences"] {
        assert!(now["metadata"][written] == output["metadata"][written], "{written} stay");
    }
    world.run_for(HOUR).await;
    assert_eq!(world.server.counts().secrets, before + 1, "it is written once");
}
