//! Which credentials are too large to be kept? They are asked for when they are visited: few of the largest at once, and
//! one of a namespace; the others come back later.

use super::kept::made_of_templates;
use super::lanes::Lanes;
use super::objects::Held;
use super::wire::Delivered;
use super::{Context, Guarded, Name, Objects, WorkQueue};
use crate::error::{Class, Failure, Verb};
use kube::Api;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A text of so many bytes needs room.
const LARGE: usize = 128 << 10;
/// And so do templates that may become so many: more than a hundred values of the longest key. What people write does not
/// wait for those, who wait for a provider.
const LARGE_WHEN_MADE: usize = 512 << 10;
/// Whoever waits for room comes back then, should nobody ask for them.
const AT_THE_LATEST: Duration = Duration::from_secs(10);
/// After the API server did not give what was asked for.
const A_WHILE: Duration = Duration::from_secs(5);

/// Large visits at once.
const AT_ONCE: usize = 4;

/// Who makes a large visit, and who waits for one.
#[derive(Debug)]
struct Inner {
    /// Namespaces, as one of each is enough.
    inside: HashSet<String>,
    waiting: Lanes<Name>,
    known: HashSet<Name>,
}

/// Room for large visits.
#[derive(Debug)]
pub(super) struct Room(Mutex<Inner>);

/// A large visit that is under way. When this is dropped, the next is asked for.
pub(super) struct Stay {
    room: Arc<Room>,
    namespace: String,
    queue: Arc<WorkQueue>,
}

impl Default for Room {
    fn default() -> Self {
        let waiting = Lanes::new(usize::MAX);
        Self(Mutex::new(Inner { inside: HashSet::new(), waiting, known: HashSet::new() }))
    }
}

impl Room {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a large visit; while there is no room, whoever comes waits in line to be asked for.
    fn enter(self: &Arc<Self>, name: &Name, queue: &Arc<WorkQueue>) -> Option<Stay> {
        let mut inner = self.lock();
        let namespace = name.namespace.clone();
        if inner.inside.len() < AT_ONCE && inner.inside.insert(namespace.clone()) {
            return Some(Stay { room: Arc::clone(self), namespace, queue: Arc::clone(queue) });
        }
        if inner.known.insert(name.clone()) {
            let _waits = inner.waiting.enter(&namespace, name.clone());
        }
        None
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        let mut inner = self.room.lock();
        inner.inside.remove(&self.namespace);
        let next = inner.waiting.next();
        if let Some(next) = &next {
            inner.known.remove(next);
        }
        drop(inner);
        self.queue.ask(next);
    }
}

/// The credential that is to be visited, and its stay while it is large; `None` when it is gone.
///
/// # Errors
/// After how long to come back.
pub(super) async fn bring(
    ctx: &Context,
    name: &Name,
    (objects, queue): (&Objects, &Arc<WorkQueue>),
) -> Result<Option<(Guarded, Option<Stay>)>, Duration> {
    let enter = |is_large: bool| {
        let needed = is_large.then(|| objects.room().enter(name, queue).ok_or(AT_THE_LATEST));
        needed.transpose()
    };
    let (object, stay) = match objects.get(name) {
        None => return Ok(None),
        Some(Held::Here(object)) => (*object, None),
        Some(Held::Elsewhere(bytes)) => {
            let stay = enter(bytes > LARGE)?;
            (fetch(ctx, name).await?, stay)
        }
    };
    let made = object.0.as_ref().map_or(0, |object| made_of_templates(object.spec.outputs.as_deref()));
    let stay = if stay.is_some() { stay } else { enter(made > LARGE_WHEN_MADE)? };
    Ok(Some((object, stay)))
}

async fn fetch(ctx: &Context, name: &Name) -> Result<Guarded, Duration> {
    let api: Api<Delivered> = Api::namespaced(ctx.client.clone(), &name.namespace);
    match api.get(&name.name).await {
        Ok(Delivered(object)) => Ok(object),
        Err(error) => {
            let failure = Failure::new(Verb::Get, "connectorcredentials", &error);
            if failure.class() != Class::NotFound {
                tracing::warn!(namespace = name.namespace, name = name.name, %failure, "visit failed");
            }
            Err(A_WHILE)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::waiting;
    use super::*;

    #[test]
    fn one_of_a_namespace_few_altogether_and_the_next_is_asked_for() {
        let (room, queue) = (Arc::new(Room::default()), waiting());
        let enter = |namespace: &str, name: &str| room.enter(&Name::new(namespace, name), &queue);
        let first = enter("a", "1");
        assert!(first.is_some() && enter("a", "2").is_none() && enter("a", "2").is_none(), "one of a namespace");
        let others: Vec<_> = ["b", "c", "d"].into_iter().filter_map(|namespace| enter(namespace, "1")).collect();
        assert_eq!(others.len(), AT_ONCE - 1);
        assert!(enter("e", "1").is_none(), "few altogether");
        drop(first);
        assert_eq!(queue.next().as_deref(), Some(&Name::new("a", "2")));
        assert!(queue.next().is_none(), "asked for once");
        let second = enter("a", "2");
        assert!(second.is_some());
        drop(second);
        assert_eq!(queue.next().as_deref(), Some(&Name::new("e", "1")));
    }
}
