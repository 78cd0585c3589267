//! Who is visited, how many at once, and what if a visit fails, hangs or panics? The loop around `reconcile`.

use super::large::bring;
use super::status::apply_malformed;
use super::{Context, Guarded, Name, Objects, Pulse, WorkQueue, reconcile, retry_after};
use crate::error::{Class, Failure, Verb};
use crate::metrics::{Ended, Work};
use futures::FutureExt;
use jiff::Timestamp;
use kube::Resource;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// A visit that takes longer is given up and tried again.
const VISIT: Duration = Duration::from_secs(60);
/// How often the loop shows that it moves.
const BEAT: Duration = Duration::from_secs(30);
/// The resource without which there is nothing to visit.
const CREDENTIALS: &str = "connectorcredentials";
/// A visit that panicked is tried again after so long.
const AFTER_PANIC: Duration = Duration::from_secs(300);
/// Nobody sleeps longer, whatever was computed.
const LONGEST_SLEEP: Duration = Duration::from_secs(24 * 3600);
/// What the loop is called in probes.
const LOOP: &str = "controller";

/// Visits whoever is next, at most as many at once as the context permits, until `stop`; then ends what is under way.
pub async fn work(
    ctx: Arc<Context>,
    (queue, objects): (Arc<WorkQueue>, Arc<Objects>),
    (pulse, stop): (Arc<Pulse>, CancellationToken),
) {
    let slots = usize::from(ctx.concurrency);
    let mut visits = JoinSet::new();
    pulse.synced(LOOP);
    while !stop.is_cancelled() {
        while visits.len() < slots
            && let Some(name) = queue.next()
        {
            visits.spawn(turn(Arc::clone(&ctx), (Arc::clone(&queue), name), Arc::clone(&objects)));
        }
        let free = visits.len() < slots;
        tokio::select! {
            () = stop.cancelled() => {}
            Some(_ended) = visits.join_next() => {}
            () = queue.news(BEAT), if free => {}
            () = a_beat() => {}
        }
        pulse.beat(LOOP);
    }
    while visits.join_next().await.is_some() {}
    pulse.forget(LOOP);
}

async fn a_beat() {
    let _elapsed = tokio::time::timeout(BEAT, std::future::pending::<()>()).await;
}

/// One visit, whatever comes of it.
async fn turn(ctx: Arc<Context>, (queue, name): (Arc<WorkQueue>, Arc<Name>), objects: Arc<Objects>) {
    let mut turn = Turn { queue, name, wait: Some(AFTER_PANIC) };
    let name = &*turn.name;
    let wait = match bring(&ctx, name, (&objects, &turn.queue)).await {
        Ok(Some((object, _stay))) => {
            let uid = object.meta().uid.clone().unwrap_or_default();
            let wait = visit(&ctx, (name, &objects), object).await;
            // The watch may have been faster than the answer to what was written.
            if let Some(version) = objects.version(name) {
                ctx.memory.delivered(&uid, &version);
            }
            wait
        }
        Ok(None) => None,
        Err(later) => Some(later),
    };
    turn.wait = wait;
}

/// Somebody's turn: it ends however the visit does.
struct Turn {
    queue: Arc<WorkQueue>,
    name: Arc<Name>,
    wait: Option<Duration>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.queue.ended(Arc::clone(&self.name), self.wait);
    }
}

/// Returns after how long to look again; `None`: when somebody asks.
async fn visit(ctx: &Context, (name, objects): (&Name, &Objects), object: Guarded) -> Option<Duration> {
    let (meta, uid) = (object.meta(), object.meta().uid.clone().unwrap_or_default());
    if meta.deletion_timestamp.is_some() || !ctx.fence.holds() {
        return None;
    }
    let span = tracing::info_span!("visit", namespace = name.namespace, name = name.name);
    let work = ctx.metrics.work();
    let visited = AssertUnwindSafe(timed(ctx, object)).catch_unwind().instrument(span.clone()).await;
    let _entered = span.entered();
    let Ok(result) = visited else {
        work.end(Ended::Panic);
        tracing::error!("the visit panicked");
        return Some(AFTER_PANIC);
    };
    if result.as_ref().is_err_and(is_gone) && objects.get(name).is_none() {
        // No failure, and nothing to tell.
        work.end(Ended::Success);
        return None;
    }
    conclude(ctx, &uid, work, result)
}

/// Whether the API server does not know the object. One that starts says so of all.
fn is_gone(failure: &Failure) -> bool {
    failure.class() == Class::NotFound && failure.resource.starts_with(CREDENTIALS)
}

/// Counts how a visit ended, and says after how long to look again.
fn conclude(ctx: &Context, uid: &str, work: Work, result: Result<Option<Timestamp>, Failure>) -> Option<Duration> {
    match result {
        Ok(next) => {
            ctx.memory.succeeded(uid);
            work.end(if next.is_some() { Ended::RequeueAfter } else { Ended::Success });
            next.map(|next| until(ctx, next))
        }
        Err(failure) => {
            let wait = retry_after(ctx, uid, &failure);
            if failure.class() == Class::Conflict || failure.is_paced() {
                tracing::debug!(%failure, "looking again");
            } else {
                tracing::warn!(%failure, wait = wait.as_secs_f64(), "visit failed");
            }
            work.end(Ended::Error);
            ctx.metrics.retried();
            Some(wait)
        }
    }
}

async fn timed(ctx: &Context, object: Guarded) -> Result<Option<Timestamp>, Failure> {
    let visit = async {
        match object.0 {
            Ok(watched) => {
                let object = ctx.memory.newer(&watched).unwrap_or_else(|| Arc::new(watched));
                reconcile(ctx, object).await
            }
            Err(invalid) => apply_malformed(ctx, &invalid.metadata).await.map(|()| None),
        }
    };
    match tokio::time::timeout(VISIT, visit).await {
        Ok(result) => result,
        Err(_) => Err(Failure::timeout(Verb::Get, "secrets")),
    }
}

fn until(ctx: &Context, next: Timestamp) -> Duration {
    let wait = next.duration_since(ctx.clock.now());
    Duration::try_from(wait).unwrap_or_default().clamp(Duration::from_millis(10), LONGEST_SLEEP)
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{client, context, declaring, name, silence, waiting};
    use super::*;
    use crate::metrics::Exposition;
    use http::Response;
    use kube::client::Body;
    use serde_json::json;

    /// One credential whose turn has begun.
    struct Begun {
        ctx: Arc<Context>,
        queue: Arc<WorkQueue>,
        name: Arc<Name>,
        objects: Arc<Objects>,
    }

    impl Begun {
        fn before(server: kube::Client) -> Self {
            let (ctx, queue, objects) = (Arc::new(context(server)), waiting(), Arc::new(Objects::default()));
            let object = declaring("erp", 0, &["out"]);
            let _visits = ctx.index.note(&object);
            objects.put(kube::core::DeserializeGuard(Ok(object)));
            queue.ask([name("erp")]);
            let name = queue.next().expect("it waits");
            Self { ctx, queue, name, objects }
        }

        async fn turn(&self) {
            let next = (Arc::clone(&self.queue), Arc::clone(&self.name));
            turn(Arc::clone(&self.ctx), next, Arc::clone(&self.objects)).await;
        }
    }

    /// Whether it is visited when somebody asks.
    fn may_be_visited(queue: &WorkQueue) -> bool {
        queue.ask([name("erp")]);
        queue.next().is_some()
    }

    #[tokio::test]
    async fn a_visit_that_panics_is_counted_and_leaves_nothing_under_way() {
        let server = client(|| async { panic!("a test's panic") });
        let begun = Begun::before(server);
        begun.turn().await;
        let text = begun.ctx.metrics.expose(Exposition::Prometheus);
        for (series, labels) in [
            ("controller_runtime_reconcile_panics_total", ""),
            ("controller_runtime_reconcile_errors_total", ""),
            ("controller_runtime_reconcile_total", ",result=\"error\""),
        ] {
            let line = format!("{series}{{controller=\"connectorcredential\"{labels}}} 1\n");
            assert!(text.contains(&line), "{line} is not in {text}");
        }
        assert!(text.contains("controller_runtime_active_workers{controller=\"connectorcredential\"} 0\n"), "{text}");
        assert!(may_be_visited(&begun.queue));
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_that_is_dropped_under_way_leaves_nothing_under_way() {
        let begun = Begun::before(silence());
        let dropped = tokio::time::timeout(Duration::from_secs(1), begun.turn()).await;
        assert!(dropped.is_err(), "it is under way");
        assert!(may_be_visited(&begun.queue));
    }

    /// What an API server says that starts, or that does not serve our resource for a moment.
    fn unknown() -> Response<Body> {
        let status = json!({"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404});
        Response::builder().status(404).body(Body::from(status.to_string().into_bytes())).expect("an answer")
    }

    async fn is_visited_again(queue: &WorkQueue) -> bool {
        let due = async {
            while queue.next().is_none() {
                queue.news(AFTER_PANIC).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(2), due).await.is_ok()
    }

    #[tokio::test]
    async fn an_api_server_that_knows_no_credentials_puts_none_to_sleep() {
        let begun = Begun::before(client(|| async { unknown() }));
        begun.turn().await;
        assert!(is_visited_again(&begun.queue).await, "the watch says that it is there");
    }

    #[tokio::test]
    async fn a_credential_that_is_gone_is_not_visited_again() {
        let slot: Arc<std::sync::OnceLock<Arc<Objects>>> = Arc::default();
        let objects = Arc::clone(&slot);
        let server = client(move || {
            objects.get().expect("it is known").remove(&name("erp"));
            async { unknown() }
        });
        let begun = Begun::before(server);
        slot.set(Arc::clone(&begun.objects)).expect("it is set once");
        begun.turn().await;
        let failed = "controller_runtime_reconcile_errors_total{controller=\"connectorcredential\"} 0\n";
        assert!(begun.ctx.metrics.expose(Exposition::Prometheus).contains(failed), "that is no failure");
        assert!(!is_visited_again(&begun.queue).await);
    }

    #[tokio::test]
    async fn a_panic_outside_of_the_visit_leaves_nothing_under_way() {
        let Begun { queue, name, .. } = Begun::before(silence());
        let ended = std::panic::catch_unwind(AssertUnwindSafe(|| {
            let _turn = Turn { queue: Arc::clone(&queue), name, wait: None };
            panic!("a test's panic");
        }));
        assert!(ended.is_err());
        assert!(may_be_visited(&queue));
    }
}
