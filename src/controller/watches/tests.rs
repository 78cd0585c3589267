//! Whom do the watches wake, and how long does one wait that fails?

use super::super::fixtures::{declaring, name, silence, waiting};
use super::*;
use crate::clock::SystemClock;

fn seen(queue: &WorkQueue) -> Vec<String> {
    let next = || {
        let next = queue.next()?;
        queue.ended(Arc::clone(&next), None);
        Some(next.name.clone())
    };
    let mut seen: Vec<_> = std::iter::from_fn(next).collect();
    seen.sort();
    seen
}

/// Watches of all namespaces, by which nobody is known yet.
fn watches(queue: &Arc<WorkQueue>) -> Watches {
    Watches {
        client: silence(),
        namespace: None,
        index: Arc::default(),
        gate: Gate::before(queue),
        pulse: Arc::new(Pulse::new(Arc::new(SystemClock::new()))),
        known: Known::default(),
        objects: Arc::default(),
        memory: Arc::new(Memory::new().unwrap()),
    }
}

#[tokio::test]
async fn when_the_right_to_watch_secrets_is_lost_everybody_is_woken_once() {
    let queue = waiting();
    let index: Arc<Index> = Arc::default();
    let gate = Gate::before(&queue);
    let watches = Watches { index: Arc::clone(&index), gate: gate.clone(), ..watches(&queue) };
    for (age, name) in [(0, "one"), (1, "two")] {
        let _visits = index.note(&declaring(name, age, &[]));
    }
    let _visits = watches.saw(Event::InitDone, &mut HashMap::new(), "secrets");
    gate.open(HashSet::new);
    assert!(index.is_watched("data"));
    for woken in [&["one", "two"][..], &[]] {
        watches.forbidden("secrets");
        assert!(!index.is_watched("data"));
        assert_eq!(seen(&queue), woken);
    }
    let _visits = watches.saw(Event::InitDone, &mut HashMap::new(), "secrets");
    watches.forbidden("connectorcredentials");
    assert!(index.is_watched("data") && seen(&queue).is_empty(), "that is another right");
}

#[test]
fn whoever_is_noted_while_the_gate_opens_is_visited() {
    let queue = waiting();
    let gate = Gate::before(&queue);
    gate.visit(vec![name("early")]);
    assert!(seen(&queue).is_empty(), "it is closed");
    gate.open(|| {
        // Too late for the snapshot.
        gate.visit(vec![name("meanwhile")]);
        HashSet::from([name("known")])
    });
    assert_eq!(seen(&queue), ["known", "meanwhile"]);
}

/// What a watch says next.
#[derive(Clone)]
enum Says {
    Failure,
    /// Nothing, for so many seconds.
    Nothing(u64),
    Event(fn() -> Event<SecretMeta>),
}

async fn pass(time: Duration) {
    let _elapsed = tokio::time::timeout(time, std::future::pending::<()>()).await;
}

/// How long it is left alone after each failure, if something follows.
#[expect(clippy::disallowed_methods, reason = "how long a test waits, on paused time")]
async fn waits_after(said: Vec<Says>) -> Vec<Duration> {
    let waits = std::cell::RefCell::new(Vec::new());
    let stream = futures::stream::unfold((said.into_iter(), None), async |(mut said, failed)| {
        waits.borrow_mut().extend(failed.map(|at: tokio::time::Instant| at.elapsed()));
        loop {
            match said.next()? {
                Says::Nothing(seconds) => pass(Duration::from_secs(seconds)).await,
                Says::Event(event) => return Some((Ok(event()), (said, None))),
                Says::Failure => {
                    let error = Err(watcher::Error::NoResourceVersion);
                    return Some((error, (said, Some(tokio::time::Instant::now()))));
                }
            }
        }
    });
    let (watches, mut patience) = (watches(&waiting()), Patience::default());
    let mut stream = std::pin::pin!(stream);
    while watches.next(("secrets/*", "secrets"), &mut patience, &mut stream).await.is_some() {}
    waits.take()
}

/// Whether each is what it is after so many failures in a row: half of it by chance.
fn assert_in_a_row(waits: &[Duration], expected: &[u32]) {
    let fits = |(wait, number): (&Duration, &u32)| {
        let most = u128::min(500 << number, 30_000);
        // Paused time goes by whole milliseconds.
        (most.div_ceil(2)..=most.saturating_add(2)).contains(&wait.as_millis())
    };
    assert!(waits.len() == expected.len() && waits.iter().zip(expected).all(fits), "{waits:?} are not {expected:?}");
}

fn secret() -> SecretMeta {
    serde_json::from_value(serde_json::json!({"metadata": {"name": "key", "namespace": "data"}})).unwrap()
}

#[tokio::test(start_paused = true)]
async fn lists_that_fail_follow_each_other_ever_more_slowly_however_far_they_came() {
    let mut said = vec![Says::Failure; 4];
    said.extend([
        Says::Event(|| Event::Init),
        Says::Failure,
        Says::Event(|| Event::InitApply(secret())),
        Says::Failure,
    ]);
    said.extend([Says::Nothing(5), Says::Failure, Says::Failure, Says::Nothing(0)]);
    assert_in_a_row(&waits_after(said).await, &[1, 2, 3, 4, 5, 6, 7, 8]);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_has_gone_on_for_a_while_is_asked_again_soon() {
    let signs: [fn() -> Event<SecretMeta>; 3] =
        [|| Event::InitDone, || Event::Apply(secret()), || Event::Delete(secret())];
    for sign in signs.map(Says::Event).into_iter().chain([Says::Nothing(BEAT.as_secs().saturating_add(1))]) {
        let mut said = vec![Says::Failure; 5];
        said.extend([sign, Says::Failure, Says::Failure, Says::Nothing(0)]);
        assert_in_a_row(&waits_after(said).await, &[1, 2, 3, 4, 5, 1, 2]);
    }
}
