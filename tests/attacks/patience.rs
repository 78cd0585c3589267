//! A provider that asks to be left alone: it is, by every check of the account's credential, also by a new process.

use super::{proved, shows};
use crate::controller::cast::{self, Act};
use crate::simulator::{ClockChange, Fault, Misbehaviour, RetryAfter};
use crate::verdicts::world::MINUTE;
use connector_operator::api::ConditionType;
use futures::future::join_all;
use std::time::Duration;

/// What is said, with a 429 and a 503 in turn, and how many seconds it keeps the operator away.
fn forms() -> [(RetryAfter, u64); 5] {
    [
        (RetryAfter::Seconds(900), 900),
        (RetryAfter::Date { date_in: 600 }, 600),
        (RetryAfter::Seconds(1_000_000_000_000), 3600),
        (RetryAfter::Seconds(3600), 3600),
        (RetryAfter::Date { date_in: 1_000_000 }, 3600),
    ]
}

async fn is_left_alone(act: Act) {
    let (mut world, issued) = proved(&act).await;
    // Its clock is a day and more off ours: dates are seen from its own.
    world.simulator.set_clock(&ClockChange { advance_seconds: -26 * 3600, ..ClockChange::default() });
    for (n, (form, seconds)) in forms().into_iter().enumerate() {
        let place = format!("{} {form:?}", act.name);
        let fault = match n % 2 {
            0 => Misbehaviour::RateLimit { retry_after: Some(form) },
            _ => Misbehaviour::Status { status: 503, retry_after: Some(form), bad_key_body: true },
        };
        let next = world.next_check(act.name).expect("a schedule");
        world.run_until(next - Duration::from_secs(1)).await;
        let before = world.calls();
        world.simulator.set_fault(Fault::of(fault));
        world.run_for(MINUTE * 2).await;
        assert_eq!(world.calls(), before + 1, "{place}: asked once");
        let until = next + Duration::from_secs(seconds);
        let stored = world.next_check(act.name).expect("a schedule");
        // Dates have whole seconds: one may pass between the two that a reply holds.
        let (earliest, latest) = (until - Duration::from_secs(1), until + Duration::from_secs(61));
        assert!(stored >= earliest && stored <= latest, "{place}: {stored} after {next}");
        // Everybody who could ask sooner: people, another version of the Secret, new processes.
        for attempt in 0..4 {
            world.ask_for(act.name, &format!("{place} {attempt}"));
            world.settle().await;
            if attempt % 2 == 0 {
                world.put_secret(&act.source(), &issued.key);
                world.restart();
            }
            world.run_for(MINUTE).await;
        }
        world.run_until(until - Duration::from_secs(2)).await;
        assert_eq!(world.calls(), before + 1, "{place}: left alone");
        world.simulator.clear_faults();
        world.run_until(stored + Duration::from_secs(62)).await;
        assert!(world.calls() > before + 1, "{place}: asked again when it may be");
        assert_eq!(shows(&world.status(act.name), ConditionType::Ready), "+Ready", "{place}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a17_a_provider_that_wants_to_be_left_alone_is_left_alone_whoever_asks_and_whatever_restarts() {
    join_all(cast::all().map(|act| tokio::spawn(is_left_alone(act)))).await.into_iter().for_each(|left| {
        left.expect("it is left alone");
    });
}
