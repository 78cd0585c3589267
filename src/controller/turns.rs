//! Whose turn is it? Names that wait, each once, fair by namespace: whoever is alone in a namespace waits for one visit
//! of each other namespace, however many wait there.
//!
//! No clock and no I/O: times count from a fixed point, and are passed in.

use super::name::Name;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Where a name stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In its namespace's lane.
    Waiting { since: Duration },
    /// Not before then, unless somebody asks for it.
    Asleep { until: Duration },
    /// Under way; it stands in line again afterwards if somebody has asked for it meanwhile.
    Visited { again: bool },
}

/// The names that wait, sleep, or are visited.
#[derive(Debug, Default)]
pub(super) struct Turns {
    places: HashMap<Arc<Name>, Place>,
    lanes: HashMap<String, VecDeque<Arc<Name>>>,
    /// Namespaces in which somebody waits; the next one first.
    round: VecDeque<String>,
    sleepers: BTreeSet<(Duration, Arc<Name>)>,
    waiting: usize,
}

impl Turns {
    /// Asks for a visit. False when one is asked for already.
    pub(super) fn ask(&mut self, name: Name, now: Duration) -> bool {
        let name = match self.places.get_key_value(&name) {
            None => Arc::new(name),
            Some((_, Place::Waiting { .. } | Place::Visited { again: true })) => return false,
            Some((known, Place::Visited { again: false })) => {
                self.places.insert(Arc::clone(known), Place::Visited { again: true });
                return true;
            }
            Some((known, Place::Asleep { until })) => {
                let sleeper = (*until, Arc::clone(known));
                self.sleepers.remove(&sleeper);
                sleeper.1
            }
        };
        self.stand_in_line(name, now);
        true
    }

    /// Has those stand in line whose time has come. Returns how many.
    pub(super) fn wake(&mut self, now: Duration) -> usize {
        let before = self.waiting;
        while self.next_wake().is_some_and(|until| until <= now) {
            let Some((until, name)) = self.sleepers.pop_first() else { break };
            self.stand_in_line(name, until);
        }
        self.waiting.saturating_sub(before)
    }

    /// The next to be visited, and how long it has waited. Its visit lasts until [`Turns::ended`].
    pub(super) fn next(&mut self, now: Duration) -> Option<(Arc<Name>, Duration)> {
        let namespace = self.round.pop_front()?;
        let lane = self.lanes.get_mut(&namespace)?;
        let name = lane.pop_front()?;
        if lane.is_empty() {
            self.lanes.remove(&namespace);
        } else {
            self.round.push_back(namespace);
        }
        self.waiting = self.waiting.saturating_sub(1);
        let before = self.places.insert(Arc::clone(&name), Place::Visited { again: false });
        let since = if let Some(Place::Waiting { since }) = before { since } else { now };
        Some((name, now.saturating_sub(since)))
    }

    /// A visit ended, and the next is due then: earlier if somebody has asked for it, never if nobody does.
    pub(super) fn ended(&mut self, name: Arc<Name>, next: Option<Duration>, now: Duration) {
        if self.places.get(&name) == Some(&Place::Visited { again: true }) {
            return self.stand_in_line(name, now);
        }
        match next {
            None => {
                self.places.remove(&name);
            }
            Some(until) => {
                self.places.insert(Arc::clone(&name), Place::Asleep { until });
                self.sleepers.insert((until, name));
            }
        }
    }

    /// When the next sleeper wakes.
    pub(super) fn next_wake(&self) -> Option<Duration> {
        self.sleepers.first().map(|(until, _)| *until)
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    fn stand_in_line(&mut self, name: Arc<Name>, since: Duration) {
        self.places.insert(Arc::clone(&name), Place::Waiting { since });
        self.waiting = self.waiting.saturating_add(1);
        if let Some(lane) = self.lanes.get_mut(&name.namespace) {
            return lane.push_back(name);
        }
        self.round.push_back(name.namespace.clone());
        self.lanes.insert(name.namespace.clone(), VecDeque::from([name]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn name(text: &str) -> Name {
        let (namespace, name) = text.split_once('/').unwrap();
        Name::new(namespace, name)
    }

    fn asked(names: &[&str]) -> Turns {
        let mut turns = Turns::default();
        for text in names {
            assert!(turns.ask(name(text), seconds(0)), "{text}");
        }
        turns
    }

    fn next(turns: &mut Turns, now: u64) -> Option<String> {
        turns.wake(seconds(now));
        turns.next(seconds(now)).map(|(name, _)| format!("{}/{}", name.namespace, name.name))
    }

    fn rest(turns: &mut Turns, now: u64) -> Vec<String> {
        std::iter::from_fn(|| next(turns, now)).collect()
    }

    #[test]
    fn namespaces_take_turns_and_within_one_the_first_comes_first() {
        let mut turns = asked(&["a/1", "a/2", "a/3", "b/1", "c/1", "c/2"]);
        assert_eq!(turns.waiting(), 6);
        assert_eq!(rest(&mut turns, 0), ["a/1", "b/1", "c/1", "a/2", "c/2", "a/3"]);
        assert_eq!(turns.waiting(), 0);
    }

    #[test]
    fn whoever_is_alone_passes_a_crowd() {
        let mut turns = Turns::default();
        for number in 0..10_000 {
            turns.ask(Name::new("crowd", &number.to_string()), seconds(0));
        }
        assert_eq!(next(&mut turns, 0).unwrap(), "crowd/0");
        turns.ask(name("alone/1"), seconds(1));
        assert_eq!((next(&mut turns, 1).unwrap(), next(&mut turns, 1).unwrap()), ("crowd/1".into(), "alone/1".into()));
    }

    #[test]
    fn nobody_waits_twice() {
        let mut turns = asked(&["a/1"]);
        assert!(!turns.ask(name("a/1"), seconds(1)));
        assert_eq!(rest(&mut turns, 1), ["a/1"]);
    }

    #[test]
    fn nobody_is_visited_twice_at_once_and_no_change_is_missed() {
        let mut turns = asked(&["a/1"]);
        let (visited, _) = turns.next(seconds(0)).unwrap();
        assert!(turns.ask(name("a/1"), seconds(1)));
        assert!(!turns.ask(name("a/1"), seconds(1)));
        assert_eq!(next(&mut turns, 1), None);
        turns.ended(visited, Some(seconds(100)), seconds(2));
        assert_eq!(turns.next(seconds(5)).map(|(_, waited)| waited), Some(seconds(3)));
    }

    #[test]
    fn sleepers_wake_in_time_or_when_asked_for() {
        let mut turns = asked(&["a/1", "a/2"]);
        for until in [20, 10] {
            let (visited, _) = turns.next(seconds(0)).unwrap();
            turns.ended(visited, Some(seconds(until)), seconds(0));
        }
        assert_eq!(turns.next_wake(), Some(seconds(10)));
        assert_eq!(next(&mut turns, 9), None);
        assert_eq!(turns.wake(seconds(12)), 1);
        assert_eq!(
            turns.next(seconds(12)).map(|(name, waited)| (name.name.clone(), waited)),
            Some(("2".into(), seconds(2)))
        );
        assert!(turns.ask(name("a/1"), seconds(12)));
        assert_eq!(next(&mut turns, 12).unwrap(), "a/1");
        assert_eq!(turns.next_wake(), None);
    }

    #[test]
    fn whoever_is_done_leaves_nothing_behind() {
        let mut turns = asked(&["a/1", "b/1"]);
        while let Some((visited, _)) = turns.next(seconds(0)) {
            turns.ended(visited, None, seconds(0));
        }
        assert!(
            turns.places.is_empty() && turns.lanes.is_empty() && turns.round.is_empty() && turns.sleepers.is_empty()
        );
    }

    proptest! {
        /// Whatever happens in whatever order: whoever was asked for is visited, and never by two.
        #[test]
        #[expect(clippy::arithmetic_side_effects, reason = "indices and times of a test")]
        fn whoever_is_asked_for_is_visited(moves in prop::collection::vec((0..4_u8, 0..6_usize, 0..5_u64), 1..200)) {
            let names = ["a/1", "a/2", "a/3", "b/1", "b/2", "c/1"];
            let (mut turns, mut now) = (Turns::default(), 0);
            let mut open: Vec<Arc<Name>> = vec![];
            let mut owed = BTreeSet::new();
            for (action, which, step) in moves {
                now += step;
                match action {
                    0 | 1 => {
                        turns.ask(name(names[which]), seconds(now));
                        owed.insert(name(names[which]));
                    }
                    2 if turns.wake(seconds(now)) > 6 => prop_assert!(false, "too many wake"),
                    2 => if let Some((visited, _)) = turns.next(seconds(now)) {
                        prop_assert!(!open.contains(&visited));
                        owed.remove(&*visited);
                        open.push(visited);
                    },
                    _ => if !open.is_empty() {
                        let visited = open.remove(which % open.len());
                        turns.ended(visited, (step > 0).then(|| seconds(now + step)), seconds(now));
                    },
                }
            }
            for visited in open.drain(..) {
                turns.ended(visited, None, seconds(now));
            }
            while let Some((visited, _)) = turns.next(seconds(now)) {
                owed.remove(&*visited);
                turns.ended(visited, None, seconds(now));
            }
            prop_assert!(owed.is_empty(), "{owed:?}");
            prop_assert_eq!(turns.waiting(), 0);
        }
    }
}
