//! Killed at every write and every provider call of a credential's life, before and after: the same end.
//!
//! A reference run is recorded; each write and call in it is a point, each point two cells of the matrix. `cargo test`
//! plays every so-manieth cell, `FULL_LENGTH=1` all.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::{StreamExt as _, stream};

use super::proxy::{Asked, Fault, Rule, Seen};
use super::scene::{Scene, calls, exchanges};
use super::state::{State, differences};
use super::tale::Tale;
use crate::lifecycle::full_length;
use crate::simulator::{self, LedgerFilter, Misbehaviour};
use crate::support::stage::SOON;

/// Cells that are played at once, each with an operator of its own.
const AT_ONCE: usize = 12;
/// `cargo test` plays one cell of so many.
const EVERY: usize = 7;
/// Between two steps nothing is written for so long.
pub(super) const STILL: Duration = Duration::from_millis(400);

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
    rest: State,
    end: State,
    points: BTreeSet<Point>,
    /// What the API server said to each write.
    codes: Vec<(String, Option<u16>)>,
    created: usize,
    deleted: usize,
    calls: usize,
    exchanges: usize,
    broken: Vec<String>,
    leaks: usize,
}

fn points(seen: &[Seen], calls: usize) -> BTreeSet<Point> {
    let writes = seen.iter().filter(|seen| seen.asked.is_mutation());
    let writes = writes.map(|seen| Point::Write(seen.asked.clone(), seen.nth));
    writes.chain((0..calls).map(Point::Call)).collect()
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

async fn run(tale: &Tale, death: Option<(&Point, Side)>) -> Outcome {
    let scene = Scene::set_with("crash", &["--log-level=info"]).await;
    if let Some((point, side)) = death {
        arrange(&scene, point, side);
    }
    let mut successor = None;
    let mut died = death.is_none();
    let (masks, rest, end) = {
        let mut story = std::pin::pin!(tale.play(&scene));
        let mut told = None;
        let mortal = async {
            match death {
                Some((Point::Call(_), _)) => {
                    held(&scene).await;
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
        told.expect("it has ended")
    };
    let seen = scene.proxy.seen();
    let done = |verb: &str, code: u16| {
        let same =
            |seen: &&Seen| seen.asked.verb == verb && seen.asked.resource == "secrets" && seen.code == Some(code);
        seen.iter().filter(same).count()
    };
    let logs = scene.stage.operator.log()
        + &successor.as_ref().map(crate::support::operator::Operator::log).unwrap_or_default();
    Outcome {
        rest,
        end,
        points: points(&seen, calls(&scene.stage)),
        codes: seen
            .iter()
            .filter(|seen| seen.asked.is_mutation())
            .map(|seen| (seen.asked.to_string(), seen.code))
            .collect(),
        created: done("create", 201),
        deleted: done("delete", 200),
        calls: calls(&scene.stage),
        exchanges: exchanges(&scene.stage, None),
        broken: scene.broken_rules(),
        leaks: masks.iter().filter(|(key, _)| logs.contains(key)).count(),
    }
}

/// Everything that is wrong with a cell.
fn faults(tale: &Tale, reference: &Outcome, cell: &Outcome, (point, side): (&Point, Side)) -> Vec<String> {
    let mut faults = differences(&reference.rest, &cell.rest);
    faults.extend(differences(&reference.end, &cell.end));
    faults.extend(cell.broken.iter().cloned());
    let mut hold = |holds: bool, what: String| {
        if !holds {
            faults.push(what);
        }
    };
    hold(cell.created == reference.created, format!("{} Secrets created, not {}", cell.created, reference.created));
    hold(cell.deleted == reference.deleted, format!("{} Secrets deleted, not {}", cell.deleted, reference.deleted));
    hold(cell.leaks == 0, "a key is in the log".to_owned());
    let again = if tale.mints() {
        usize::from(Tale::loses_a_token(point_is(point), side == Side::Before))
    } else {
        tale.course()
    };
    let most = reference.calls + again;
    hold(cell.calls <= most, format!("{} calls, {most} at the most", cell.calls));
    let most = reference.exchanges + again;
    hold(!tale.mints() || cell.exchanges <= most, format!("{} exchanges, {most} at the most", cell.exchanges));
    faults.into_iter().map(|fault| format!("{tale}, {side:?} {point:?}: {fault}")).collect()
}

/// The write at a point and its number; `None` for a call.
fn point_is(point: &Point) -> Option<(&Asked, usize)> {
    match point {
        Point::Write(asked, nth) => Some((asked, *nth)),
        Point::Call(_) => None,
    }
}

/// What two runs in a row agree on; noise, such as a second look that came too early, is seen by one of them only.
async fn reference(tale: &Tale) -> Outcome {
    let mut last = run(tale, None).await;
    for _ in 0..3 {
        let again = run(tale, None).await;
        assert_eq!(differences(&last.rest, &again.rest), Vec::<String>::new(), "{tale}: two runs differ");
        assert_eq!(differences(&last.end, &again.end), Vec::<String>::new(), "{tale}: two runs differ");
        if last.points == again.points {
            return again;
        }
        let noise: Vec<_> = last.points.symmetric_difference(&again.points).collect();
        eprintln!("{tale}: noise: {noise:?}: {:?} {:?}", last.codes, again.codes);
        last = again;
    }
    panic!("{tale}: no two runs agree on what was written")
}

#[tokio::test(flavor = "multi_thread")]
async fn a24_killed_at_any_write_or_call_it_comes_to_the_same_end() {
    let every = if full_length() { 1 } else { EVERY };
    let tales = Tale::all();
    let references: Vec<_> = stream::iter(&tales).map(reference).buffered(tales.len()).collect().await;
    let mut cells = Vec::new();
    let mut recorded = 0;
    for (tale, reference) in tales.iter().zip(&references) {
        assert!(!reference.rest.is_empty() && reference.created >= 2 && reference.deleted >= 1, "{tale}");
        recorded += reference.points.len();
        let both = reference.points.iter().flat_map(|point| [(point, Side::Before), (point, Side::After)]);
        cells.extend(both.map(|death| (tale, reference, death)));
    }
    assert_eq!(cells.len(), 2 * recorded, "every write and every call, before and after");
    let offset = usize::try_from(std::process::id()).unwrap_or_default() % every;
    let chosen: Vec<_> = cells.iter().skip(offset).step_by(every).collect();
    let number = chosen.len();
    let played = stream::iter(chosen).map(|(tale, reference, (point, side))| async move {
        let cell = run(tale, Some((point, *side))).await;
        faults(tale, reference, &cell, (point, *side))
    });
    let played: Vec<Vec<String>> = played.buffer_unordered(AT_ONCE).collect().await;
    assert_eq!(played.len(), number);
    eprintln!("crash matrix: {number} of {} cells, {recorded} writes and calls", cells.len());
    let wrong: Vec<_> = played.concat();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
