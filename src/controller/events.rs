//! Who is told? Events (events.k8s.io/v1) from a bounded queue, a few at a time: a slow API server costs Events, not
//! visits, and first those of the namespace that has the most of them.

use super::lanes::{Entered, Lanes};
use crate::api::{ConnectorCredential, FIELD_MANAGER, GROUP, VERSION};
use crate::clock::Clock;
use crate::error::{Failure, Verb};
use crate::policy::{Notice, Severity};
use futures::{FutureExt, StreamExt, stream};
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;

/// Events that may wait at the most; more are dropped.
const QUEUE: usize = 1024;
/// Events that are written at a time: as many as visits bring forth, whatever the API server's pace.
const AT_ONCE: usize = 32;
/// A write that takes longer is given up: no Event holds up those behind it.
const WRITE: Duration = Duration::from_secs(30);
const LONGEST_NOTE: usize = 1024;
const LONGEST_NAME: usize = 200;

/// An Event about a credential.
#[derive(Debug)]
pub struct Tidings {
    regarding: ObjectReference,
    source: Option<String>,
    notice: Notice,
}

impl Tidings {
    /// An Event about this object, related to its source Secret.
    #[must_use]
    pub fn about(object: &ConnectorCredential, notice: Notice) -> Self {
        let source = Some(object.spec.key_secret_ref.name.clone());
        Self { source, ..Self::about_malformed(&object.metadata, notice) }
    }

    /// An Event about an object of which only the metadata can be read.
    #[must_use]
    pub fn about_malformed(meta: &ObjectMeta, notice: Notice) -> Self {
        let regarding = ObjectReference {
            api_version: Some(format!("{GROUP}/{VERSION}")),
            kind: Some("ConnectorCredential".to_owned()),
            name: meta.name.clone(),
            namespace: meta.namespace.clone(),
            uid: meta.uid.clone(),
            ..ObjectReference::default()
        };
        Self { regarding, source: None, notice }
    }
}

/// The near end of the queue.
#[derive(Debug, Clone)]
pub struct Teller(mpsc::Sender<()>, Waiting);

type Waiting = Arc<Mutex<Lanes<Tidings>>>;

fn lock(waiting: &Waiting) -> MutexGuard<'_, Lanes<Tidings>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Teller {
    /// Queues an Event; when the queue is full one is dropped, of the namespace that has the most.
    pub fn tell(&self, tidings: Tidings) {
        let namespace = tidings.regarding.namespace.clone().unwrap_or_default();
        let entered = lock(&self.1).enter(&namespace, tidings);
        // For each that waits the far end is told once.
        if entered != Entered::Waits || self.0.try_send(()).is_err() {
            tracing::warn!("event dropped: the queue is full");
        }
    }
}

/// The far end of the queue.
#[derive(Debug)]
pub struct Queue(mpsc::Receiver<()>, Waiting);

impl Queue {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Tidings>> {
        self.0.poll_recv(context).map(|told| told.and_then(|()| lock(&self.1).next()))
    }
}

/// A queue for Events.
#[must_use]
pub fn queue() -> (Teller, Queue) {
    let (near, far) = mpsc::channel(QUEUE);
    let waiting = Arc::new(Mutex::new(Lanes::new(QUEUE)));
    (Teller(near, Arc::clone(&waiting)), Queue(far, waiting))
}

/// Sends what is queued until every near end is gone.
pub async fn send(client: Client, mut queue: Queue, clock: Arc<dyn Clock>, instance: String) {
    let events = stream::poll_fn(|context| queue.poll_next(context)).zip(stream::iter(1..));
    let (client, clock, instance) = (&client, &*clock, &*instance);
    events
        .for_each_concurrent(AT_ONCE, |(tidings, count)| async move {
            let told = async { write(client, event(tidings, clock.now(), count, instance)).await };
            // One that breaks the code costs itself: nobody restarts this task.
            if AssertUnwindSafe(told).catch_unwind().await.is_err() {
                tracing::error!("event not written: writing it panicked");
            }
        })
        .await;
}

async fn write(client: &Client, event: Event) {
    let namespace = event.metadata.namespace.clone().unwrap_or_default();
    let api: Api<Event> = Api::namespaced(client.clone(), &namespace);
    let failure = match tokio::time::timeout(WRITE, api.create(&PostParams::default(), &event)).await {
        Ok(Ok(_)) => return,
        Ok(Err(error)) => Failure::new(Verb::Create, "events", &error),
        Err(_) => Failure::timeout(Verb::Create, "events"),
    };
    tracing::warn!(namespace, %failure, "event not written");
}

fn event(tidings: Tidings, now: jiff::Timestamp, count: u64, instance: &str) -> Event {
    let Tidings { regarding, source, notice } = tidings;
    let subject: String = regarding.name.clone().unwrap_or_default().chars().take(LONGEST_NAME).collect();
    let stamp = now.as_nanosecond().unsigned_abs().wrapping_add(u128::from(count));
    Event {
        metadata: ObjectMeta {
            name: Some(format!("{}.{stamp:x}", subject.trim_end_matches(['.', '-']))),
            namespace: regarding.namespace.clone(),
            ..ObjectMeta::default()
        },
        action: Some(notice.action.to_owned()),
        event_time: Some(MicroTime(now)),
        note: Some(notice.note.chars().take(LONGEST_NOTE).collect()),
        reason: Some(notice.reason.name().to_owned()),
        related: source.map(|source| ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Secret".to_owned()),
            name: Some(source),
            namespace: regarding.namespace.clone(),
            ..ObjectReference::default()
        }),
        regarding: Some(regarding),
        reporting_controller: Some(format!("{GROUP}/{FIELD_MANAGER}")),
        reporting_instance: Some(instance.chars().take(128).collect()),
        type_: Some(match notice.severity {
            Severity::Normal => "Normal".to_owned(),
            Severity::Warning => "Warning".to_owned(),
        }),
        ..Event::default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{client, context, silence};
    use super::*;
    use crate::api::Reason;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn tidings() -> Tidings {
        Tidings::about_malformed(&ObjectMeta::default(), Notice::warning(Reason::InvalidSpec, "Check", "a note"))
    }

    #[tokio::test(start_paused = true)]
    async fn writes_that_hang_hold_nobody_up_for_longer_than_half_a_minute() {
        let asked: Arc<AtomicUsize> = Arc::default();
        let counted = Arc::clone(&asked);
        let stalled = client(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            std::future::pending()
        });
        let (teller, far) = queue();
        (0..=AT_ONCE).for_each(|_| teller.tell(tidings()));
        drop(teller);
        let clock = context(silence()).clock;
        let sent = send(stalled, far, clock, "test".to_owned());
        tokio::time::timeout(3 * WRITE, sent).await.expect("each is given up");
        assert_eq!(asked.load(Ordering::Relaxed), AT_ONCE + 1);
    }
}
