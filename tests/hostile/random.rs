//! Whatever happened on the way, the same declarations end in the same state: random sequences against a fresh start.
//!
//! `cargo test` plays 60, in namespaces side by side; `SEQUENCES=2000` plays so many, `SEED` other ones.

use std::time::{Duration, Instant};

use futures::future::join_all;
use k8s_openapi::api::core::v1::Secret;
use kube::api::ListParams;
use proptest::strategy::{Strategy as _, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::Value;

use super::arena::{Arena, Ground, owned, pause};
use super::sequence::{CREDENTIALS, Model, Move, OUTPUTS, Weather, sequence};
use super::state::{State, differences, end_state};
use crate::support::operator::Operator;
use crate::support::stage::SOON;

/// Sequences that are played side by side, beside other tests.
const AT_ONCE: usize = 30;
/// And in a long run, which has the machine to itself.
const AT_ONCE_ALONE: usize = 60;
/// A rejection needs two refusals half a minute apart, an empty bucket half a minute, a right that came back another.
const LIMIT: Duration = Duration::from_secs(150);
/// Nothing is written for so long at the end, in milliseconds.
const STILL: u64 = 2500;
/// Failing sequences are made shorter for so long; the others are shown as they are.
const SHRINKING: Duration = Duration::from_secs(300);
/// So much of the operator's log is shown with a difference.
const LINES: usize = 30;
/// After so many differences no more are looked for.
const ENOUGH: usize = 5;
/// A failing sequence is tried shorter so many times.
const SHORTER: usize = 24;

/// What is left of a sequence, with its oracle.
struct Played {
    ground: Ground,
    fresh: Ground,
    operator: Operator,
    model: Model,
}

/// Makes the moves.
async fn play(arena: &Arena, moves: &[Move]) -> (Ground, Operator) {
    let ground = arena.ground("sequence").await;
    let kubeconfig = arena.account(&ground).await;
    let namespaces = [ground.namespace.clone()];
    let mut operator = arena.operator(&kubeconfig, &namespaces);
    let (mut weather, mut denied) = (Vec::new(), false);
    for one in moves {
        match one {
            Move::Declare(who, what) => arena.declare(&ground, *who, what).await,
            Move::Undeclare(who) => arena.undeclare(&ground, *who).await,
            Move::Put(source, content) => arena.put(&ground, *source, *content).await,
            Move::Tamper(output) => arena.tamper(&ground, *output).await,
            Move::Delete(output) => arena.delete(&ground, *output).await,
            Move::Squat(output) => arena.squat(&ground, OUTPUTS[*output]).await,
            Move::Weather(now) => arena.set_weather(&ground, *now, &mut weather),
            Move::Rights(allowed) => {
                denied |= !allowed;
                arena.allow(&ground, *allowed).await;
            }
            Move::Restart { kindly } => {
                tokio::task::block_in_place(|| {
                    if *kindly { operator.stop(SOON).map(drop) } else { operator.kill().map(drop) }
                })
                .expect("it ends");
                operator = arena.operator(&kubeconfig, &namespaces);
            }
            Move::Pause(milliseconds) => pause(*milliseconds).await,
        }
    }
    arena.set_weather(&ground, Weather::Fair, &mut weather);
    arena.allow(&ground, true).await;
    if denied {
        // A right that came back is found within five minutes; asking is faster.
        arena.until_allowed(&ground).await;
        for who in 0..CREDENTIALS.len() {
            arena.request(&ground, who).await;
        }
    }
    (ground, operator)
}

/// Declares in a fresh namespace what holds at the end: strangers' Secrets, keys, credentials in the order of their age.
async fn declare_afresh(arena: &Arena, ground: &Ground, model: &Model, fresh: &Ground) {
    let secrets = arena.secrets(ground).list(&ListParams::default()).await.expect("they can be listed");
    for stranger in secrets.items.iter().filter(|secret| is_strange(secret)) {
        arena.squat(fresh, stranger.metadata.name.as_deref().unwrap_or_default()).await;
    }
    for (source, content) in model.contents.iter().enumerate() {
        arena.put(fresh, source, *content).await;
    }
    let ages = arena.ages(ground).await;
    let order = if ages[1] < ages[0] { [1, 0] } else { [0, 1] };
    for who in order {
        if let Some(declared) = &model.declared[who] {
            arena.declare(fresh, who, declared).await;
            if order == [1, 0] {
                pause(1100).await;
            }
        }
    }
}

fn is_strange(secret: &Secret) -> bool {
    !owned(secret) && secret.metadata.name.as_deref().is_some_and(|name| OUTPUTS.contains(&name))
}

/// Plays sequences side by side; a fresh operator is the oracle for all. Gives what is wrong with each.
async fn trial(arena: &Arena, all: &[Vec<Move>]) -> Vec<Vec<String>> {
    let played = join_all(all.iter().map(|moves| async move {
        let (ground, operator) = play(arena, moves).await;
        let fresh = ground.elsewhere(arena.bed.namespace("fresh").await);
        let model = Model::after(moves);
        declare_afresh(arena, &ground, &model, &fresh).await;
        Played { ground, fresh, operator, model }
    }))
    .await;
    let kubeconfig = arena.bed.plane.operator_kubeconfig().await.expect("the account exists");
    let namespaces: Vec<_> = played.iter().map(|played| played.fresh.namespace.clone()).collect();
    let oracle = arena.operator(&kubeconfig, &namespaces);
    let verdicts = join_all(played.iter().map(|played| judge(arena, played))).await;
    drop(oracle);
    for namespace in played.iter().flat_map(|played| [&played.ground.namespace, &played.fresh.namespace]) {
        arena.abandon(namespace).await;
    }
    verdicts
}

/// Waits until both are equal, and stay so without a write.
async fn judge(arena: &Arena, played: &Played) -> Vec<String> {
    let rest = async {
        loop {
            let before = (versions(arena, &played.ground).await, versions(arena, &played.fresh).await);
            pause(STILL).await;
            let after = (versions(arena, &played.ground).await, versions(arena, &played.fresh).await);
            if before == after && compare(arena, played).await.is_empty() {
                return;
            }
        }
    };
    let mut wrong = Vec::new();
    if tokio::time::timeout(LIMIT, rest).await.is_err() {
        wrong = compare(arena, played).await;
        if wrong.is_empty() {
            wrong.push("it does not come to rest".to_owned());
        }
    }
    let log = played.operator.log();
    let leaked = played.ground.masks().into_iter().filter(|(key, _)| log.contains(key));
    let leaked: Vec<_> = leaked.map(|(_, whose)| format!("{whose} is in the log")).collect();
    if !wrong.is_empty() && leaked.is_empty() {
        let lines: Vec<_> = log.lines().collect();
        wrong.extend(lines[lines.len().saturating_sub(LINES)..].iter().map(|line| (*line).to_owned()));
    }
    wrong.extend(leaked);
    wrong
}

async fn versions(arena: &Arena, ground: &Ground) -> Vec<String> {
    let secrets = arena.secrets(ground).list(&ListParams::default()).await.expect("they can be listed").items;
    let versions = secrets.into_iter().filter_map(|secret| secret.metadata.resource_version);
    versions.chain(arena.credential_versions(ground).await).collect()
}

async fn compare(arena: &Arena, played: &Played) -> Vec<String> {
    let masks = played.ground.masks();
    let mut ours = end_state(&arena.bed, &played.ground.namespace, &masks).await;
    let mut fresh = end_state(&arena.bed, &played.fresh.namespace, &masks).await;
    let mut wrong = Vec::new();
    let published = CREDENTIALS.map(|name| {
        let text = fresh.get(&format!("credential {name}"));
        text.and_then(|text| reason(text, "Published")).as_deref() == Some("Published")
    });
    let disputed = played.model.is_disputed(published);
    for (who, credential) in CREDENTIALS.into_iter().enumerate() {
        let name = format!("credential {credential}");
        let Some(expected) = fresh.get(&name).map(|text| reason(text, "Ready")) else { continue };
        if expected.as_deref() == Some("Ready") && !disputed && !played.model.is_unpublished(who) {
            continue;
        }
        // What cannot or shall not be published leaves what was published before.
        wrong.extend(unproved(&ours, who, &played.model));
        for state in [&mut ours, &mut fresh] {
            let owner = format!("\"{credential}\"");
            state.retain(|name, text| !name.starts_with("secret out-") || !text.contains(&owner));
            let said = state.get(&name).and_then(|text| reason(text, "Ready")).unwrap_or("nothing yet".to_owned());
            let said = if disputed { String::new() } else { said };
            state.insert(name.clone(), said);
        }
        if expected.is_none() {
            wrong.push(format!("nothing is said of {name} yet"));
        }
    }
    wrong.extend(differences(&fresh, &ours));
    wrong
}

/// The reason of a condition, say why a credential is ready or is not.
fn reason(text: &str, condition: &str) -> Option<String> {
    let object: Value = serde_json::from_str(text).ok()?;
    let conditions = object["status"]["conditions"].as_array()?;
    let found = conditions.iter().find(|one| one["type"] == condition)?;
    Some(found["reason"].as_str()?.to_owned())
}

/// No output holds a key that the provider refuses, unless it was once to be published unproved.
fn unproved(state: &State, who: usize, model: &Model) -> Vec<String> {
    let owner = format!("\"{}\"", CREDENTIALS[who]);
    let outputs = state.iter().filter(|(name, text)| name.starts_with("secret out-") && text.contains(&owner));
    let held = outputs.filter(|(_, text)| text.contains("WRONG-") && !model.ever_unproved[who]);
    held.map(|(name, _)| format!("{name} holds a key that was refused")).collect()
}

fn runner() -> TestRunner {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse::<u64>().ok()).unwrap_or(1);
    let mut bytes = [0_u8; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config { failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

/// The shortest sequence found that still goes wrong.
async fn shortest(
    arena: &Arena,
    tree: &mut impl ValueTree<Value = Vec<Move>>,
    wrong: Vec<String>,
) -> (Vec<Move>, Vec<String>) {
    let mut best = (tree.current(), wrong);
    for _ in 0..SHORTER {
        if !tree.simplify() {
            break;
        }
        let now = trial(arena, &[tree.current()]).await.remove(0);
        if now.is_empty() {
            if !tree.complicate() {
                break;
            }
        } else {
            best = (tree.current(), now);
        }
    }
    best
}

#[tokio::test(flavor = "multi_thread")]
async fn a26_whatever_happened_the_same_declarations_end_in_the_same_state() {
    let wanted = std::env::var("SEQUENCES").ok().and_then(|number| number.parse().ok()).unwrap_or(60);
    let (arena, mut runner, mut played) = (Arena::open().await, runner(), 0);
    let mut failures = Vec::new();
    let at_once = if wanted > AT_ONCE_ALONE { AT_ONCE_ALONE } else { AT_ONCE };
    while played < wanted {
        let number = at_once.min(wanted - played);
        let draw = |_| sequence().new_tree(&mut runner).expect("a sequence can be drawn");
        let mut trees: Vec<_> = (0..number).map(draw).collect();
        let moves: Vec<_> = trees.iter().map(ValueTree::current).collect();
        let started = Instant::now();
        for (tree, wrong) in trees.iter_mut().zip(trial(&arena, &moves).await) {
            if !wrong.is_empty() {
                eprintln!("{:?}\n{wrong:#?}", tree.current());
                failures.push(if started.elapsed() < SHRINKING {
                    shortest(&arena, tree, wrong).await
                } else {
                    (tree.current(), wrong)
                });
            }
        }
        played += number;
        eprintln!("random sequences: {played} of {wanted}, {} differ", failures.len());
        for (moves, wrong) in &failures {
            eprintln!("{moves:#?}\n{wrong:#?}");
        }
        assert!(failures.len() < ENOUGH, "of {played} sequences {} ended otherwise", failures.len());
    }
    assert!(failures.is_empty(), "of {played} sequences {} ended otherwise", failures.len());
}
