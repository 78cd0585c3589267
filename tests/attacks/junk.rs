//! Junk under somebody's account: a hundred keys that nobody issued cost the provider little, and their neighbour nothing.

use super::{proved, shows, world};
use crate::controller::cast::{self, Act};
use crate::simulator::{Fault, IssuedKey, LedgerFilter, Misbehaviour, RetryAfter};
use crate::verdicts::world::{MINUTE, World};
use connector_operator::api::ConditionType;
use futures::future::join_all;
use serde_json::json;
use std::time::Duration;

const JUNK: usize = 100;

fn put_junk(world: &World, n: usize, round: usize) {
    world.put_secret(&format!("junk-{n}"), &format!("junk-EXAMPLE-{n}-{round}"));
}

/// What the provider says of junk.
#[derive(Clone, Copy, Debug)]
enum Said {
    /// That nobody issued the key.
    Refused,
    /// Nothing but that it wants to be left alone for an hour.
    LeaveMeAlone,
}

impl Said {
    /// Has it said of every key but these.
    fn of_all_but(self, genuine: &[&IssuedKey], world: &World) {
        let Self::LeaveMeAlone = self else { return };
        world.simulator.clear_faults();
        for key in genuine {
            let as_ever = Fault::of(Misbehaviour::Latency { ms: 0 });
            world.simulator.set_fault(Fault { key_hash: Some(key.hash.clone()), ..as_ever });
        }
        let retry_after = Some(RetryAfter::Seconds(3600));
        world.simulator.set_fault(Fault::of(Misbehaviour::RateLimit { retry_after }));
    }
}

async fn is_on_time((act, said): (Act, Said)) {
    let (mut world, issued) = proved(&act).await;
    said.of_all_but(&[&issued], &world);
    for n in 0..JUNK {
        put_junk(&world, n, 0);
        let mut spec = act.spec();
        spec["keySecretRef"] = json!({"name": format!("junk-{n}")});
        world.declare(&format!("junk-{n}"), &spec);
    }
    let mut late = Vec::new();
    let last = |world: &World| {
        let validation = world.status(act.name).validation.expect("it was checked");
        validation.last_check_time.expect("it was checked").0
    };
    for round in 1..=14 {
        let end = world.now() + MINUTE * 10;
        // New junk as fast as they can write it.
        for n in 0..JUNK {
            put_junk(&world, n, round);
        }
        if round == 7 {
            world.restart();
        }
        while world.now() < end {
            let (due, before) = (world.next_check(act.name).expect("a schedule"), last(&world));
            world.run_for(MINUTE).await;
            if last(&world) > before {
                late.push(last(&world).duration_since(due).as_secs());
            }
        }
        assert_eq!(shows(&world.status(act.name), ConditionType::Ready), "+Ready", "{}", act.name);
    }
    assert!(late.len() >= 2, "{}: checked only {} times", act.name, late.len());
    assert!(late.iter().all(|late| (0..=62).contains(late)), "{}: late by {late:?} s", act.name);
    // The victim's next key is not at the end of a queue of junk.
    let new = world.simulator.add_key(act.new_key());
    said.of_all_but(&[&issued, &new], &world);
    world.put_secret(&act.source(), &new.key);
    let since = world.now();
    while world.published(&act.output()).as_deref() != Some(new.key.as_str()) {
        assert!(world.now() < since + MINUTE * 2, "{}: a rotation beside junk takes too long", act.name);
        world.run_for(Duration::from_secs(1)).await;
    }
    assert_ne!(issued.key, new.key);
    let ready = shows(&world.status("junk-0"), ConditionType::Ready);
    assert!(!ready.starts_with('+'), "{}: {ready}", act.name);
}

#[tokio::test(flavor = "multi_thread")]
async fn a20_a_hundred_junk_keys_on_an_account_delay_no_check_of_their_neighbour() {
    everybody_is_on_time(Said::Refused).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a20_what_a_provider_says_of_junk_keeps_nobody_from_their_account() {
    everybody_is_on_time(Said::LeaveMeAlone).await;
}

async fn everybody_is_on_time(said: Said) {
    let acts = [cast::inflow(), cast::flowlu(), cast::aventri()];
    join_all(acts.map(|act| tokio::spawn(is_on_time((act, said))))).await.into_iter().for_each(|victim| {
        victim.expect("the victim is on time");
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a20_junk_costs_the_provider_no_more_than_the_account_s_tenth() {
    let act = cast::flowlu();
    let mut world = world().await;
    for n in 0..JUNK {
        put_junk(&world, n, 0);
        let mut spec = act.spec();
        spec["keySecretRef"] = json!({"name": format!("junk-{n}")});
        world.declare(&format!("junk-{n}"), &spec);
    }
    let mut hours = Vec::new();
    for hour in 1..=2 {
        let before = world.calls();
        // Twenty new keys a minute: far more than may be asked about.
        for minute in 0..60 {
            for n in (0..JUNK).filter(|n| n % 5 == minute % 5) {
                put_junk(&world, n, hour * 60 + minute);
            }
            world.run_for(MINUTE).await;
        }
        hours.push(world.calls() - before);
    }
    // Six a minute; half of them are kept for keys that are known to work.
    assert!(hours.iter().all(|calls| *calls <= 6 * 60 + 4), "{hours:?}");
    assert!(hours.iter().all(|calls| *calls > 60), "junk is asked about: {hours:?}");
}

/// ZenFlow's account is the key itself: each junk key has a budget of its own, and the host sees one address.
#[tokio::test(flavor = "multi_thread")]
async fn a20_a_thousand_refused_keys_without_an_account_in_common_cost_the_provider_little_and_their_neighbour_nothing()
{
    const MANY: usize = 1000;
    let act = cast::zenflow();
    let (mut world, issued) = proved(&act).await;
    world.declare(act.name, &act.spec_with("validation", json!({"interval": "10m"})));
    world.settle().await;
    let put = |world: &World, n: usize, hour: usize| {
        world.put_secret(&format!("junk-{n}"), &format!("zenflow_live_junk_EXAMPLE_{n}_{hour}"));
    };
    let refused = |world: &World| {
        world.simulator.ledger(&LedgerFilter::default()).into_iter().filter(|row| !row.known_key).count()
    };
    let mut hours = Vec::new();
    for hour in 0..2 {
        let before = refused(&world);
        for n in 0..MANY {
            put(&world, n, hour);
            if hour == 0 {
                let mut spec = act.spec();
                spec["keySecretRef"] = json!({"name": format!("junk-{n}")});
                world.declare(&format!("junk-{n}"), &spec);
            }
        }
        let end = world.now() + MINUTE * 60;
        while world.now() < end {
            let due = world.next_check(act.name).expect("a schedule");
            assert!(due + Duration::from_secs(62) > world.now(), "the neighbour is late");
            world.run_for(MINUTE).await;
        }
        hours.push(refused(&world) - before);
    }
    // Thirty at once, and two a minute.
    assert!(hours[0] <= 30 + 120 && hours[1] <= 121 && hours[1] >= 60, "{hours:?}");
    let new = world.simulator.add_key(act.new_key());
    world.put_secret(&act.source(), &new.key);
    world.run_for(MINUTE).await;
    assert_eq!(world.published(&act.output()).as_deref(), Some(new.key.as_str()), "a rotation waits for junk");
    assert_ne!(issued.key, new.key);
}
