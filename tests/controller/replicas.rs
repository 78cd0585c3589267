//! Two replicas with the times that users get: a leader that dies is followed, and one that was paused does nothing more.

#![allow(clippy::print_stderr, reason = "what was measured is shown")]

use super::cast::{self, Act};
use crate::simulator::{LedgerFilter, Placement, Provider};
use crate::support::audit::{self, Request};
use crate::support::await_object::await_object;
use crate::support::operator::Operator;
use crate::support::stage::{SOON, Stage, is, leads};
use connector_operator::api::{ConditionType, ConnectorCredential};
use rustix::process::Signal;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// From the end of a leader to the first credential that its successor has served: 20 seconds are promised, and the machine
/// may stand still for some more.
const TAKEOVER: Duration = Duration::from_secs(27);
/// A Lease lasts 15 seconds from its last renewal, which is 2 seconds old at the most, and some more on a loaded machine.
const SOONEST: Duration = Duration::from_secs(11);

/// A leader and a standby with a Lease of their own, five credentials at rest, and what was done for them.
struct Pair {
    stage: Stage,
    standby: Operator,
    flags: [String; 2],
    calls: usize,
    events: BTreeMap<&'static str, Vec<(String, String)>>,
}

impl Pair {
    async fn set(prefix: &str) -> Self {
        let mut stage = Stage::set(prefix).await;
        stage.operator.kill().expect("it can be killed");
        let flags = ["--leader-elect".to_owned(), format!("--lease-namespace={}", stage.lease_namespace().await)];
        stage.operator = stage.another_operator(&borrowed(&flags)).await;
        for act in cast::all() {
            publish(&stage, &act).await;
        }
        let standby = stage.another_operator(&borrowed(&flags)).await;
        until(|| async { standby.log().contains("another replica leads") }).await;
        let mut pair = Self { stage, standby, flags, calls: 0, events: BTreeMap::new() };
        pair.calls = pair.stage.simulator.ledger(&LedgerFilter::default()).len();
        pair.events = pair.told().await;
        pair
    }

    async fn told(&self) -> BTreeMap<&'static str, Vec<(String, String)>> {
        let mut told = BTreeMap::new();
        for act in cast::all() {
            told.insert(act.name, self.stage.events(act.name).await);
        }
        told
    }

    /// What the five hold: nobody has reason to touch it before its time.
    async fn statuses(&self) -> BTreeMap<String, Option<String>> {
        let all = self.stage.credentials().list(&Default::default()).await.expect("they can be listed");
        let five = |object: &ConnectorCredential| {
            cast::all().iter().any(|act| object.metadata.name.as_deref() == Some(act.name))
        };
        let five = all.items.into_iter().filter(five).map(|object| object.metadata);
        five.map(|meta| (meta.name.unwrap_or_default(), meta.resource_version)).collect()
    }

    /// Nobody was asked but about `newcomers`, no status or token is newer, nothing was told again.
    async fn nothing_was_done_twice(&self, statuses: &BTreeMap<String, Option<String>>, newcomers: usize) {
        let calls = self.stage.simulator.ledger(&LedgerFilter::default()).len();
        assert_eq!(calls, self.calls + newcomers, "a credential was checked before its time");
        let filter = LedgerFilter { provider: Some(Provider::Aventri), ..LedgerFilter::default() };
        let exchanges = self.stage.simulator.ledger(&filter).into_iter().filter(|row| row.placement == Placement::Form);
        assert_eq!(exchanges.count(), 1, "one need, one exchange");
        assert_eq!(&self.statuses().await, statuses, "a status was written for no reason");
        assert_eq!(self.told().await, self.events, "an Event was told again");
        let newcomer = self.stage.events("newcomer").await;
        let once: BTreeSet<_> = newcomer.iter().collect();
        assert!(!once.is_empty() && once.len() == newcomer.len(), "{newcomer:?}");
    }
}

fn borrowed(flags: &[String; 2]) -> [&str; 2] {
    [&flags[0], &flags[1]]
}

async fn until<F: Future<Output = bool>>(holds: impl Fn() -> F) {
    let wait = async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, wait).await.expect("it comes to be");
}

async fn publish(stage: &Stage, act: &Act) {
    let issued = stage.issue(act.new_key());
    stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
    stage.declare(act.name, act.spec()).await;
    let ready = |object: &ConnectorCredential| is(object, ConditionType::Ready, ("True", "Ready"));
    await_object(&stage.credentials(), act.name, 2 * SOON, ready).await.expect("it becomes ready");
}

/// One scope, one request.
fn newcomer(name: &'static str) -> Act {
    Act { name, settings: json!({"zenflow": {"scopes": ["read:orders"]}}), ..cast::zenflow() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_leader_is_followed_within_twenty_seconds_and_nothing_is_done_twice() {
    let mut pair = Pair::set("killed-leader").await;
    let statuses = pair.statuses().await;
    let died = Instant::now();
    pair.stage.operator.kill().expect("it runs");
    publish(&pair.stage, &newcomer("newcomer")).await;
    let took = died.elapsed();
    eprintln!("a successor had served a new credential {:.1} s after its leader was killed", took.as_secs_f64());
    assert!(took > SOONEST, "nobody may follow before the Lease is over: {took:?}");
    assert!(took < TAKEOVER, "the successor came after {took:?}");
    // The next in line, so that the successor ends in its turn.
    std::mem::swap(&mut pair.stage.operator, &mut pair.standby);
    pair.standby = pair.stage.another_operator(&borrowed(&pair.flags)).await;
    let stopped = tokio::task::block_in_place(|| pair.stage.operator.stop(SOON));
    assert!(stopped.expect("it ends").success());
    std::mem::swap(&mut pair.stage.operator, &mut pair.standby);
    until(|| leads(&pair.stage.operator)).await;
    publish(&pair.stage, &newcomer("latecomer")).await;
    pair.nothing_was_done_twice(&statuses, 2).await;
    pair.stage.finish().await;
}

/// Requests of one process: each has a token of its own.
fn asked_by(stage: &Stage, token: &str) -> Vec<Request> {
    let all =
        audit::requests(&stage.bed.plane.audit_log(), &[token], |account| account.ends_with(":connector-operator"));
    all.into_iter().filter(|request| request.token == token).collect()
}

fn is_write(request: &Request) -> bool {
    !matches!(request.verb.as_str(), "get" | "list" | "watch")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_was_paused_comes_back_writes_nothing_calls_nobody_and_ends() {
    let mut pair = Pair::set("paused-leader").await;
    let statuses = pair.statuses().await;
    let lease = pair.flags[1].split_once('=').expect("a namespace").1.to_owned();
    let wrote = |request: &Request| request.namespace.as_ref() == Some(&pair.stage.namespace) && is_write(request);
    let log = pair.stage.bed.plane.audit_log();
    let before = audit::requests(&log, &[&pair.stage.namespace], |account| account.ends_with(":connector-operator"));
    let token = before.iter().rfind(|request| wrote(request)).expect("the leader wrote").token.clone();
    pair.stage.operator.signal(Signal::STOP).expect("it runs");
    publish(&pair.stage, &newcomer("newcomer")).await;
    let (said, done) = (pair.stage.operator.log().len(), asked_by(&pair.stage, &token).len());
    // It wakes with news that it has not seen, and more to come.
    let issued = pair.stage.issue(newcomer("newcomer").new_key());
    let put = pair.stage.put_secret("newcomer-key", &[("api-key", &issued.key)]).await.metadata.resource_version;
    pair.stage.operator.signal(Signal::CONT).expect("it is there");
    let woke = Instant::now();
    publish(&pair.stage, &newcomer("latecomer")).await;
    let ended = tokio::task::block_in_place(|| pair.stage.operator.wait(SOON)).expect("it can be waited for");
    eprintln!("a leader that was paused ended {:.1} s after it woke", woke.elapsed().as_secs_f64());
    assert_eq!(ended.expect("it ends").code(), Some(1));
    let woken = pair.stage.operator.log().split_off(said);
    assert!(!woken.contains("called a provider") && woken.contains("leadership was lost"), "{woken}");
    let since = asked_by(&pair.stage, &token).split_off(done);
    // A renewal that was on its way meets the successor's version of the Lease.
    let refused = |request: &&Request| request.namespace.as_ref() == Some(&lease) && request.code == 409;
    let written: Vec<_> =
        since.iter().filter(|request| is_write(request)).filter(|request| !refused(request)).collect();
    assert!(written.is_empty(), "it wrote: {written:?}");
    std::mem::swap(&mut pair.stage.operator, &mut pair.standby);
    let seen = |object: &ConnectorCredential| {
        let source = object.status.as_ref().and_then(|status| status.source.as_ref());
        source.map(|source| &source.resource_version) == put.as_ref()
    };
    pair.stage.until("newcomer", seen).await;
    pair.nothing_was_done_twice(&statuses, 3).await;
    pair.stage.finish().await;
}
