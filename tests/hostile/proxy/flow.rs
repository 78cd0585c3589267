//! What happens to the events of a watch on their way? Nothing, or they are held, lost, doubled or cut.

use std::collections::BTreeMap;
use std::sync::Mutex;

use tokio::sync::Notify;

/// What happens to a resource's events.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Flow {
    Open,
    /// Nothing passes, not even the end.
    Frozen,
    /// The same, for the watches that are open now; new ones work.
    Stuck,
    /// Events vanish.
    Swallowed,
    /// Each arrives twice.
    Doubled,
    /// The next is cut in its middle, with the connection.
    Cut,
    /// The next is said to be too old to be told, with the connection.
    Gone,
    NoBookmarks,
}

#[derive(Default)]
struct Inner {
    flows: BTreeMap<String, (Flow, u64)>,
    /// How many watches were ever opened.
    opened: u64,
    swallowed: usize,
}

/// A watch that is open.
pub(super) struct Watch {
    resource: String,
    /// The resource in its namespace: `team/secrets`.
    place: String,
    number: u64,
}

/// The flow of every resource, or of those in one namespace.
#[derive(Default)]
pub(super) struct Flows {
    inner: Mutex<Inner>,
    changed: Notify,
}

impl Flows {
    fn locked(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().expect("no test panicked here")
    }

    pub(super) fn set(&self, resource: &str, flow: Flow) {
        let mut inner = self.locked();
        let opened = inner.opened;
        inner.flows.insert(resource.to_owned(), (flow, opened));
        drop(inner);
        self.changed.notify_waiters();
    }

    /// A new watch.
    pub(super) fn opened(&self, resource: &str, namespace: &str) -> Watch {
        let mut inner = self.locked();
        inner.opened += 1;
        Watch { resource: resource.to_owned(), place: format!("{namespace}/{resource}"), number: inner.opened }
    }

    fn now(&self, Watch { resource, place, number }: &Watch) -> Flow {
        let inner = self.locked();
        match inner.flows.get(place).or_else(|| inner.flows.get(resource)) {
            Some((Flow::Stuck, opened)) if number > opened => Flow::Open,
            Some((flow, _)) => *flow,
            None => Flow::Open,
        }
    }

    /// What is to be done with the next event of this watch; waits while it is held.
    pub(super) async fn next(&self, watch: &Watch) -> Flow {
        loop {
            let changed = self.changed.notified();
            let mut changed = std::pin::pin!(changed);
            changed.as_mut().enable();
            match self.now(watch) {
                Flow::Frozen | Flow::Stuck => changed.await,
                flow @ (Flow::Cut | Flow::Gone) => {
                    self.set(&watch.resource, Flow::Open);
                    return flow;
                }
                flow => return flow,
            }
        }
    }

    pub(super) fn count_swallowed(&self) {
        self.locked().swallowed += 1;
    }

    /// How many events were lost on purpose.
    pub(super) fn swallowed(&self) -> usize {
        self.locked().swallowed
    }
}
