//! Outputs that do not hold the key: Aventri's token alone, a template without the key. Whatever key is refused or
//! unknown, their bytes are no evidence that they were made of it.

use super::{shows, world};
use crate::controller::cast::{self, Act};
use crate::verdicts::api_server::secret_path;
use crate::verdicts::world::{HOUR, MINUTE, World};
use connector_operator::api::ConditionType;
use futures::future::join_all;
use serde_json::{Value, json};

/// The shapes of one output: every format, and templates that name the key or the token or neither.
fn shapes(act: &Act) -> Vec<Value> {
    let formats = ["Binding", "Env", "Dotenv", "HTTP", "Curl", "Nexla"].map(|format| json!({"format": format}));
    let template = |text: &str| json!({"format": "Template", "template": {"file": text}});
    let token = (act.name == cast::aventri().name).then(|| template("t=$(accessToken)"));
    let templates = [template("k=$(apiKey)"), template("at=$(baseURL)")];
    formats.into_iter().chain(templates).chain(token).collect()
}

fn spec(act: &Act, shape: &Value, policy: &str) -> Value {
    let mut spec = act.spec_with("rejectionPolicy", json!(policy));
    spec["outputs"] = json!([shape]);
    spec["outputs"][0]["secretName"] = json!(act.output());
    spec
}

fn data(world: &World, act: &Act) -> Option<Value> {
    world.server.get(&secret_path(&act.output())).map(|secret| secret["data"].clone())
}

/// Whether a new process needs no call to know that the key is still the one that was published, and its token: the
/// key is in the output, and so is the token, where it can be read.
fn needs_no_call(act: &Act, shape: &Value) -> bool {
    let aventri = act.name == cast::aventri().name;
    match shape["template"]["file"].as_str() {
        Some(text) => !aventri && text.contains("apiKey"),
        None => !aventri || ["Binding", "Env", "Dotenv"].iter().any(|format| shape["format"] == *format),
    }
}

async fn rotate_badly(act: &Act, shape: &Value, policy: &str) {
    let place = format!("{} {policy} {shape}", act.name);
    let mut world = world().await;
    let good = world.simulator.add_key(act.new_key());
    world.put_secret(&act.source(), &good.key);
    world.declare(act.name, &spec(act, shape, policy));
    world.run_for(MINUTE).await;
    let before = data(&world, act);
    assert!(before.is_some(), "{place}: it is published");
    world.put_secret(&act.source(), &format!("{}x", good.key));
    for hour in 0..3 {
        world.run_for(HOUR).await;
        assert_eq!(data(&world, act), before, "{place}: what was made of the accepted key stays, hour {hour}");
        assert_eq!(shows(&world.status(act.name), ConditionType::Authenticated), "-KeyRejected", "{place}");
        assert_eq!(shows(&world.status(act.name), ConditionType::Published), "+LastKnownGood", "{place}");
        world.restart();
    }
    world.put_secret(&act.source(), &good.key);
    world.run_for(HOUR).await;
    assert_eq!(shows(&world.status(act.name), ConditionType::Ready), "+Ready", "{place}");
    // The very key that it was made of.
    assert!(world.simulator.revoke_key(&good.id));
    world.run_for(3 * HOUR).await;
    let withdrawn = policy == "Withdraw";
    assert_eq!(data(&world, act).is_none(), withdrawn, "{place}: its own key was revoked");
    let published = shows(&world.status(act.name), ConditionType::Published);
    assert_eq!(published, if withdrawn { "-Withdrawn" } else { "+LastKnownGood" }, "{place}");
}

async fn every_shape(act: Act) {
    for shape in shapes(&act) {
        for policy in ["Keep", "Withdraw"] {
            rotate_badly(&act, &shape, policy).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a23_an_output_of_any_shape_stays_when_a_key_is_refused_that_it_was_not_made_of() {
    join_all(cast::all().map(|act| tokio::spawn(every_shape(act)))).await.into_iter().for_each(|rotated| {
        rotated.expect("every bad rotation is survived");
    });
}

/// Nobody leads while the key is exchanged for one that nobody issued.
async fn rotate_unseen(act: &Act, shape: &Value) {
    let place = format!("{} {shape}", act.name);
    let mut world = world().await;
    let good = world.simulator.add_key(act.new_key());
    world.put_secret(&act.source(), &good.key);
    world.declare(act.name, &spec(act, shape, "Withdraw"));
    world.run_for(MINUTE).await;
    let (before, calls) = (data(&world, act), world.calls());
    world.put_secret(&act.source(), &format!("{}x", good.key));
    world.restart();
    world.settle().await;
    assert!(
        !shows(&world.status(act.name), ConditionType::Authenticated).starts_with('+'),
        "{place}: it is not proved"
    );
    world.run_for(MINUTE).await;
    assert!(world.calls() > calls, "{place}: it is asked about");
    assert_eq!(shows(&world.status(act.name), ConditionType::Authenticated), "-KeyRejected", "{place}");
    assert_eq!(data(&world, act), before, "{place}: what was made of the accepted key stays");
    // The same key, written anew.
    world.put_secret(&act.source(), &good.key);
    world.run_for(HOUR).await;
    let calls = world.calls();
    world.put_secret(&act.source(), &good.key);
    world.restart();
    world.settle().await;
    assert_eq!(world.calls() == calls, needs_no_call(act, shape), "{place}: who cannot tell asks, nobody else");
    world.run_for(MINUTE).await;
    assert_eq!(shows(&world.status(act.name), ConditionType::Ready), "+Ready", "{place}");
}

async fn every_shape_unseen(act: Act) {
    for shape in shapes(&act) {
        rotate_unseen(&act, &shape).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a23_a_key_that_changed_while_nobody_led_is_proved_before_it_counts() {
    join_all(cast::all().map(|act| tokio::spawn(every_shape_unseen(act)))).await.into_iter().for_each(|rotated| {
        rotated.expect("no verdict is inherited");
    });
}
