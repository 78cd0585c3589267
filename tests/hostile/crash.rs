//! Killed at every write and every provider call of a credential's life, before and after: the same end.
//!
//! A reference run is recorded; each write and call in it is a point, each point two cells of the matrix. That none is
//! missing is seen by the API server's audit log and by the operator's own lines. `cargo test` plays every so-manieth
//! cell, `FULL_LENGTH=1` all.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures::{StreamExt as _, stream};
use jiff::Timestamp;

use super::proxy::{Asked, Fault, Rule, Seen};
use super::scene::{STATUS, Scene, calls, exchanges};
use super::state::{State, differences};
use super::tale::Tale;
use crate::simulator::{self, LedgerFilter, Misbehaviour, Placement};
use crate::support::audit;
use crate::support::bed::bed;
use crate::support::canary::Canary;
use crate::support::full_length;
use crate::support::leavings::{Leavings, assert_clean};
use crate::support::operator::Operator;
use crate::support::stage::SOON;

/// Cells that are played at once, each with an operator of its own.
const AT_ONCE: usize = 24;
/// `cargo test` plays one cell of so many.
const EVERY: usize = 12;
/// Between two steps nothing is written for so long.
pub(super) const STILL: Duration = Duration::from_millis(400);

/// What a tale gives.
type Told = (super::state::Masks, [State; 2], Vec<String>);

/// Where the operator is killed.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Point {
    /// At the n-th write of its kind.
    Write(Asked, usize),
    /// At the n-th call to the provider.
    Call(usize),
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Side {
    Before,
    After,
}

/// What a run came to.
struct Outcome {
    states: [State; 2],
    points: BTreeSet<Point>,
    /// Writes after which an exchange is made anew, if the operator dies before them or after.
    losses: BTreeSet<(Point, Side)>,
    /// Writes after which an output that was withdrawn is made once more, until the check that is due: its refusal was
    /// not told yet.
    untold: BTreeSet<(Point, Side)>,
    /// What the API server said to each write.
    codes: Vec<(String, Option<u16>)>,
    created: usize,
    deleted: usize,
    calls: usize,
    exchanges: usize,
    broken: Vec<String>,
    log: String,
    /// The story's keys, for the search of what all stories share.
    canaries: Vec<Canary>,
    ledgers: Ledgers,
}

/// What others have written down of a run, beside the proxy and the simulator.
struct Ledgers {
    /// Writes by kind, as the proxy saw them, and as the API server's audit log has them.
    passed: BTreeMap<String, usize>,
    audited: BTreeMap<String, usize>,
    /// Calls that the operator logged.
    logged: usize,
}

fn writes(seen: &[Seen]) -> impl Iterator<Item = &Seen> {
    seen.iter().filter(|seen| seen.asked.is_mutation())
}

/// Without those that the API server refused: of an object, say, that was just deleted.
fn done(seen: &[Seen]) -> impl Iterator<Item = &Seen> {
    writes(seen).filter(|seen| seen.code < Some(400))
}

fn points(seen: &[Seen], calls: usize) -> BTreeSet<Point> {
    let writes = done(seen).map(|seen| Point::Write(seen.asked.clone(), seen.nth));
    writes.chain((0..calls).map(Point::Call)).collect()
}

fn is_lease(point: &Point) -> bool {
    matches!(point, Point::Write(asked, _) if asked.resource == "leases")
}

/// A need is made anew from the exchange to the status that says when its token ends.
fn losses(seen: &[Seen], exchanges: &[Timestamp]) -> BTreeSet<(Point, Side)> {
    let mut losses = BTreeSet::new();
    for write in writes(seen) {
        let last = exchanges.iter().rfind(|exchange| **exchange <= write.at);
        let is_told = |last: &Timestamp| {
            let between = |one: &Seen| *last < one.at && one.at < write.at;
            seen.iter().any(|one| one.asked.resource == STATUS && between(one))
        };
        let Some(_open) = last.filter(|last| !is_told(last)) else { continue };
        let point = Point::Write(write.asked.clone(), write.nth);
        losses.insert((point.clone(), Side::Before));
        if write.asked.resource != STATUS {
            losses.insert((point, Side::After));
        }
    }
    losses
}

fn untold(seen: &[Seen]) -> BTreeSet<(Point, Side)> {
    let point = |write: &Seen| Point::Write(write.asked.clone(), write.nth);
    let withdrawn = |write: &Seen| write.asked.verb == "delete" && write.asked.name.ends_with("-auth");
    let mut untold = BTreeSet::new();
    for (at, write) in seen.iter().enumerate().filter(|(_, write)| withdrawn(write)) {
        untold.insert((point(write), Side::After));
        let told = seen[at..].iter().find(|later| later.asked.resource == STATUS);
        untold.extend(told.map(|told| (point(told), Side::Before)));
    }
    untold
}

fn by_kind<'a>(kinds: impl Iterator<Item = (&'a str, &'a str)>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for (verb, resource) in kinds {
        *counts.entry(format!("{verb} {resource}")).or_default() += 1;
    }
    counts
}

/// Arranges for the death of the operator.
fn arrange(scene: &Scene, point: &Point, side: Side) {
    match (point, side) {
        (Point::Write(asked, nth), _) => {
            let fault = if side == Side::Before { Fault::KillBefore } else { Fault::KillAfter };
            scene.proxy.add(Rule::new(fault).to(asked).after(*nth).times(1));
        }
        (Point::Call(nth), _) => {
            let held = if side == Side::Before { Misbehaviour::Deaf } else { Misbehaviour::Hang };
            let skip = u32::try_from(*nth).expect("a small number");
            scene.stage.simulator.set_fault(simulator::Fault { skip, times: Some(1), ..simulator::Fault::of(held) });
        }
    }
}

/// Waits until the provider holds a call.
async fn held(scene: &Scene) {
    let is_held = |row: &simulator::Row| row.fault.as_deref().is_some_and(|fault| ["deaf", "hang"].contains(&fault));
    while !scene.stage.simulator.ledger(&LedgerFilter::default()).iter().any(is_held) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A scene whose operator is to die, in time for its first write.
async fn set(tale: &Tale, death: Option<(&Point, Side)>) -> Scene {
    let mut scene = Scene::set_with("crash", &["--log-level=info"]).await;
    if let Some((point, side)) = death {
        arrange(&scene, point, side);
    }
    if tale.is_led() {
        let flags = scene.allow_leases().await;
        scene.lead(&flags.each_ref().map(String::as_str)).await;
    }
    scene
}

/// Plays the tale, with another operator once the first has died.
async fn live(scene: &Scene, tale: &Tale, death: Option<(&Point, Side)>) -> (Told, Option<Operator>) {
    let mut successor = None;
    let mut died = death.is_none();
    let mut story = std::pin::pin!(tale.play(scene));
    let mut told = None;
    let mortal = async {
        match death {
            Some((Point::Call(_), _)) => {
                held(scene).await;
                scene.proxy.kill();
                scene.proxy.killed().await;
            }
            Some((Point::Write(..), _)) => scene.proxy.killed().await,
            None => std::future::pending().await,
        }
    };
    let mut mortal = std::pin::pin!(mortal);
    // The last write may be after the story's end.
    let patience = async { tokio::time::timeout(10 * SOON, std::future::pending::<()>()).await };
    let mut patience = std::pin::pin!(patience);
    while told.is_none() || !died {
        tokio::select! {
            end = &mut story, if told.is_none() => told = Some(end),
            () = &mut mortal, if !died => {
                died = true;
                let revived = scene.another_operator(&[]).await;
                scene.proxy.set_victim(revived.id());
                successor = Some(revived);
            }
            _ = &mut patience => panic!("{tale}, {death:?}: not reached, or no end: {}", scene.stage.operator.log()),
        }
    }
    (told.expect("it has ended"), successor)
}

async fn run(tale: &Tale, death: Option<(&Point, Side)>) -> Outcome {
    let mut scene = set(tale, death).await;
    let ((_, states, mut broken), successor) = live(&scene, tale, death).await;
    let seen = scene.proxy.seen();
    broken.extend(scene.broken_rules());
    let count = |verb: &str, code: u16| {
        let same =
            |seen: &&Seen| seen.asked.verb == verb && seen.asked.resource == "secrets" && seen.code == Some(code);
        seen.iter().filter(same).count()
    };
    let rows = scene.stage.simulator.ledger(&LedgerFilter::default());
    let asked: Vec<_> = rows.iter().filter(|row| row.placement == Placement::Form).map(|row| row.time).collect();
    let mut outcome = Outcome {
        states,
        points: points(&seen, rows.len()),
        losses: losses(&seen, &asked),
        untold: untold(&seen),
        codes: writes(&seen).map(|seen| (seen.asked.to_string(), seen.code)).collect(),
        created: count("create", 201),
        deleted: count("delete", 200),
        calls: calls(&scene.stage),
        exchanges: exchanges(&scene.stage, None),
        broken,
        log: scene.stage.operator.log(),
        canaries: Vec::new(),
        ledgers: Ledgers { passed: BTreeMap::new(), audited: BTreeMap::new(), logged: 0 },
    };
    if let Some(successor) = successor {
        scene.stage.operator = successor;
    }
    let log = scene.stage.operator.log_path().to_owned();
    let (audit_log, namespace) = (scene.stage.bed.plane.audit_log(), scene.stage.namespace.clone());
    let Scene { stage, proxy, .. } = scene;
    outcome.canaries = stage.finish_alone().await;
    if death.is_none() {
        let passed = proxy.seen();
        outcome.ledgers = Ledgers {
            passed: by_kind(done(&passed).map(|seen| (seen.asked.verb, seen.asked.resource.as_str()))),
            audited: audited(&audit_log, &namespace),
            logged: std::fs::read_to_string(log).expect("a log").matches("called a provider").count(),
        };
    }
    outcome
}

/// What the operator wrote in this namespace, by the API server's own account.
fn audited(log: &std::path::Path, namespace: &str) -> BTreeMap<String, usize> {
    let ours = |account: &str| account == "system:serviceaccount:connector-operator:connector-operator";
    let requests = audit::requests(log, &[namespace], ours);
    let here = requests.iter().filter(|one| one.namespace.as_deref() == Some(namespace));
    let writes = here.filter(|one| !["get", "list", "watch"].contains(&one.verb.as_str()) && one.code < 400);
    by_kind(writes.map(|one| (one.verb.as_str(), one.resource.as_str())))
}

/// Everything that is wrong with a cell.
fn faults(tale: &Tale, reference: &Outcome, cell: &Outcome, (point, side): (&Point, Side)) -> Vec<String> {
    let pairs = reference.states.iter().zip(&cell.states);
    let mut faults: Vec<_> = pairs.flat_map(|(reference, cell)| differences(reference, cell)).collect();
    faults.extend(cell.broken.iter().cloned());
    let mut hold = |holds: bool, what: String| {
        if !holds {
            faults.push(what);
        }
    };
    let twice = usize::from(reference.untold.contains(&(point.clone(), side)));
    let (created, deleted) = (cell.created.abs_diff(reference.created), cell.deleted.abs_diff(reference.deleted));
    hold(created == deleted && created <= twice, format!("{created} Secrets created and {deleted} deleted too many"));
    let is_lost = matches!(point, Point::Call(_)) || reference.losses.contains(&(point.clone(), side));
    let again = if tale.mints() { usize::from(is_lost) } else { tale.course() };
    let most = reference.calls + again;
    hold(cell.calls <= most, format!("{} calls, {most} at the most", cell.calls));
    let most = reference.exchanges + again;
    hold(!tale.mints() || cell.exchanges <= most, format!("{} exchanges, {most} at the most", cell.exchanges));
    faults.into_iter().map(|fault| format!("{tale}, {side:?} {point:?}: {fault}")).collect()
}

/// What two runs agree on; noise, such as a second look that came too early, is seen by some of them only. How often a
/// Lease is renewed is a matter of time: what both renewed counts.
async fn reference(tale: &Tale) -> Outcome {
    let (first, mut again) = tokio::join!(run(tale, None), run(tale, None));
    let mut runs = vec![first];
    for _ in 0..4 {
        for known in &runs {
            for (known, again) in known.states.iter().zip(&again.states) {
                assert_eq!(differences(known, again), Vec::<String>::new(), "{tale}: two runs differ");
            }
            let noise: Vec<_> = known.points.symmetric_difference(&again.points).filter(|one| !is_lease(one)).collect();
            if noise.is_empty() {
                again.points.retain(|point| known.points.contains(point));
                return again;
            }
            eprintln!("{tale}: noise: {noise:?}: {:?} {:?}\n{}\n{}", known.codes, again.codes, known.log, again.log);
        }
        let next = run(tale, None).await;
        runs.push(std::mem::replace(&mut again, next));
    }
    panic!("{tale}: no two runs agree on what was written")
}

/// How many writes and calls there were, by those that did not record the points.
fn counted(tale: &Tale, reference: &Outcome) -> usize {
    assert_eq!(reference.broken, Vec::<String>::new(), "{tale}");
    let Ledgers { passed, audited, logged } = &reference.ledgers;
    assert_eq!(passed, audited, "{tale}: what passed the proxy is what the API server was asked for");
    let kinds = ["create secrets", "update secrets", "delete secrets", "patch connectorcredentials/status"];
    for kind in kinds.into_iter().chain(["create events"]) {
        assert!(audited.contains_key(kind), "{tale}: no {kind}");
    }
    assert!(reference.states.iter().all(|state| !state.is_empty()), "{tale}");
    let leases = reference.points.iter().filter(|point| is_lease(point)).count();
    assert_eq!(leases >= 2, tale.is_led(), "{tale}: {leases} writes of the Lease");
    let others = audited.iter().filter(|(kind, _)| !kind.ends_with(" leases")).map(|(_, number)| number);
    others.sum::<usize>() + leases + logged
}

/// Searches what all stories share for the keys of all.
async fn search_what_is_shared(canaries: &[Canary]) {
    assert!(!canaries.is_empty());
    assert_clean(&Leavings::of(&bed().await, 0).await, canaries);
}

#[tokio::test(flavor = "multi_thread")]
async fn a24_killed_at_any_write_or_call_it_comes_to_the_same_end() {
    let (start, every) = (Instant::now(), if full_length() { 1 } else { EVERY });
    let tales = Tale::all();
    let references: Vec<_> = stream::iter(&tales).map(reference).buffered(tales.len()).collect().await;
    let (mut cells, mut recorded) = (Vec::new(), 0);
    let mut canaries = Vec::new();
    for (tale, reference) in tales.iter().zip(&references) {
        recorded += counted(tale, reference);
        canaries.extend(reference.canaries.iter().cloned());
        let both = reference.points.iter().flat_map(|point| [(point, Side::Before), (point, Side::After)]);
        cells.extend(both.map(|death| (tale, reference, death)));
    }
    assert_eq!(cells.len(), 2 * recorded, "every write and every call, before and after");
    let offset = usize::try_from(std::process::id()).unwrap_or_default() % every;
    let chosen: Vec<_> = cells.iter().skip(offset).step_by(every).collect();
    let number = chosen.len();
    let played = stream::iter(chosen).map(|(tale, reference, (point, side))| async move {
        let cell = run(tale, Some((point, *side))).await;
        (faults(tale, reference, &cell, (point, *side)), cell.canaries)
    });
    let played: Vec<(Vec<String>, Vec<Canary>)> = played.buffer_unordered(AT_ONCE).collect().await;
    assert_eq!(played.len(), number);
    let took = start.elapsed().as_secs();
    eprintln!("crash matrix: {number} of {} cells, {recorded} writes and calls, {took} s", cells.len());
    let (wrong, more): (Vec<_>, Vec<_>) = played.into_iter().unzip();
    let wrong = wrong.concat();
    assert!(wrong.is_empty(), "{wrong:#?}");
    canaries.extend(more.concat());
    search_what_is_shared(&canaries).await;
}
