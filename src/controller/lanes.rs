//! Whose Event is next? A lane a namespace, served in turn; when all places are taken, the longest lane loses its last.

use std::collections::{HashMap, VecDeque};

/// What waits, by namespace.
#[derive(Debug)]
pub(super) struct Lanes<T> {
    by_namespace: HashMap<String, VecDeque<T>>,
    /// Namespaces of which something waits; the next one first.
    round: VecDeque<String>,
    waiting: usize,
    places: usize,
}

/// What became of something that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entered {
    /// It waits, and there is one more than before.
    Waits,
    /// It waits in place of another one.
    Displaced,
    /// It does not wait: its own lane is the longest.
    Dropped,
}

impl<T> Lanes<T> {
    /// Empty lanes with so many places altogether.
    pub(super) fn new(places: usize) -> Self {
        Self { by_namespace: HashMap::new(), round: VecDeque::new(), waiting: 0, places }
    }

    /// Something comes.
    pub(super) fn enter(&mut self, namespace: &str, what: T) -> Entered {
        let is_full = self.waiting >= self.places;
        if is_full {
            let own = self.by_namespace.get(namespace).map_or(0, VecDeque::len);
            let longest = self.by_namespace.values_mut().max_by_key(|lane| lane.len());
            let Some(longest) = longest.filter(|lane| lane.len() > own.saturating_add(1)) else {
                return Entered::Dropped;
            };
            longest.pop_back();
        } else {
            self.waiting = self.waiting.saturating_add(1);
        }
        if let Some(lane) = self.by_namespace.get_mut(namespace) {
            lane.push_back(what);
        } else {
            self.round.push_back(namespace.to_owned());
            self.by_namespace.insert(namespace.to_owned(), VecDeque::from([what]));
        }
        if is_full { Entered::Displaced } else { Entered::Waits }
    }

    /// The next.
    pub(super) fn next(&mut self) -> Option<T> {
        let namespace = self.round.pop_front()?;
        let lane = self.by_namespace.get_mut(&namespace)?;
        let what = lane.pop_front();
        if lane.is_empty() {
            self.by_namespace.remove(&namespace);
        } else {
            self.round.push_back(namespace);
        }
        self.waiting = self.waiting.saturating_sub(1);
        what
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a20_a_crowd_loses_its_last_event_to_whoever_comes() {
        let mut lanes = Lanes::new(4);
        for n in 0..4 {
            assert_eq!(lanes.enter("crowd", n), Entered::Waits);
        }
        assert_eq!(lanes.enter("crowd", 4), Entered::Dropped);
        assert_eq!((lanes.enter("few", 10), lanes.enter("few", 11)), (Entered::Displaced, Entered::Displaced));
        assert_eq!(lanes.enter("few", 12), Entered::Dropped, "an equal share each");
        let order: Vec<_> = std::iter::from_fn(|| lanes.next()).collect();
        assert_eq!(order, [0, 10, 1, 11]);
        assert_eq!(lanes.enter("few", 13), Entered::Waits);
    }
}
