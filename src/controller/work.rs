//! Who is visited, how many at once, and what if a visit fails, hangs or panics? The loop around `reconcile`.

use super::status::apply_malformed;
use super::{Context, Guarded, Name, Pulse, reconcile, retry_after};
use crate::api::{ConditionType, Conditions, ConnectorCredential};
use crate::error::{Class, Failure, Verb};
use crate::metrics::Ended;
use futures::channel::mpsc::Receiver;
use futures::{FutureExt, Stream, StreamExt, stream};
use jiff::Timestamp;
use kube::runtime::controller::{Action, Config, Controller};
use kube::runtime::reflector::{ObjectRef, Store};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
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

/// Visits whoever is named, at most as many at once as the context permits, until `stop`; then ends what is under way.
pub async fn work(
    ctx: Arc<Context>,
    name: String,
    (keys, store): (Receiver<ObjectRef<Guarded>>, Store<Guarded>),
    (pulse, stop): (Arc<Pulse>, CancellationToken),
) {
    let concurrency = ctx.concurrency;
    let controller = Controller::for_stream(stream::pending(), store)
        .with_config(Config::default().concurrency(concurrency))
        .reconcile_on(keys)
        .graceful_shutdown_on(stop.cancelled_owned())
        .run(visit, |_, failure, _| Action::requeue(failure.wait), ctx);
    drive(controller, &pulse, &name).await;
}

async fn drive(visits: impl Stream, pulse: &Pulse, name: &str) {
    let mut visits = std::pin::pin!(visits);
    pulse.synced(name);
    loop {
        match tokio::time::timeout(BEAT, visits.next()).await {
            Ok(None) => return pulse.forget(name),
            Ok(Some(_)) | Err(_) => pulse.beat(name),
        }
    }
}

/// A visit that came to nothing, and when it is tried again.
#[derive(Debug, thiserror::Error)]
#[error("visit again in {wait:?}")]
struct Again {
    wait: Duration,
}

async fn visit(object: Arc<Guarded>, ctx: Arc<Context>) -> Result<Action, Again> {
    let meta = match &object.0 {
        Ok(object) => &object.metadata,
        Err(invalid) => &invalid.metadata,
    };
    let (name, uid) = (Name::of(meta), meta.uid.clone().unwrap_or_default());
    if meta.deletion_timestamp.is_some() || !ctx.fence.holds() {
        return Ok(Action::await_change());
    }
    // Controllers of several namespaces share what may run at once.
    let Ok(_permit) = ctx.permits.acquire().await else { return Ok(Action::await_change()) };
    let span = tracing::info_span!("visit", namespace = name.namespace, name = name.name);
    let work = ctx.metrics.work();
    let visited = AssertUnwindSafe(timed(&ctx, &object)).catch_unwind().instrument(span.clone()).await;
    let _entered = span.entered();
    let Ok(result) = visited else {
        drop(work);
        tracing::error!("the visit panicked");
        return Err(Again { wait: AFTER_PANIC });
    };
    match result {
        Ok(next) => {
            ctx.memory.succeeded(&uid);
            work.end(if next.is_some() { Ended::RequeueAfter } else { Ended::Success });
            Ok(action(&ctx, next))
        }
        // The object is gone, or somebody was faster: no failure, and nothing to tell.
        Err(failure) if failure.class() == Class::NotFound && failure.resource.starts_with(CREDENTIALS) => {
            work.end(Ended::Success);
            Ok(Action::await_change())
        }
        Err(failure) => {
            let wait = retry_after(&ctx, &uid, &failure);
            if failure.class() == Class::Conflict {
                tracing::debug!(%failure, "looking again");
            } else {
                tracing::warn!(%failure, wait = wait.as_secs_f64(), "visit failed");
            }
            work.end(Ended::Error);
            ctx.metrics.retried();
            Err(Again { wait })
        }
    }
}

async fn timed(ctx: &Context, object: &Guarded) -> Result<Option<Timestamp>, Failure> {
    let visit = async {
        match &object.0 {
            Ok(watched) => {
                let object = ctx.memory.newer(watched).unwrap_or_else(|| Arc::new(watched.clone()));
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

fn action(ctx: &Context, next: Option<Timestamp>) -> Action {
    let Some(next) = next else { return Action::await_change() };
    let wait = next.duration_since(ctx.clock.now());
    Action::requeue(Duration::try_from(wait).unwrap_or_default().clamp(Duration::from_millis(10), LONGEST_SLEEP))
}

/// Nobody sleeps longer, whatever was computed.
const LONGEST_SLEEP: Duration = Duration::from_secs(24 * 3600);

/// How long a due check has waited: not counted are credentials that are suspended or cannot be acted on, and the time
/// before this process led.
pub(super) fn overdue(object: &ConnectorCredential, leading_since: Timestamp, now: Timestamp) -> Duration {
    let validation = object.status.as_ref().and_then(|status| status.validation.as_ref());
    let next = validation.and_then(|validation| validation.next_check_time.as_ref()).map(|next| next.0);
    let accepted = object.status.as_ref().is_some_and(|status| status.conditions.is_true(ConditionType::Accepted));
    match next.filter(|_| accepted && object.spec.suspend != Some(true)) {
        Some(next) => Duration::try_from(now.duration_since(next.max(leading_since))).unwrap_or_default(),
        None => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::Health as _;
    use crate::clock::Clock;

    #[derive(Debug)]
    struct Paused(tokio::time::Instant);

    impl Clock for Paused {
        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }

        fn monotonic(&self) -> Duration {
            self.0.elapsed()
        }
    }

    /// An empty bucket, a closed account: visits end at once and come back later, or there are none at all.
    #[expect(clippy::disallowed_methods, reason = "the runtime's paused time is this test's clock")]
    #[tokio::test(start_paused = true)]
    async fn a33_an_hour_in_which_nobody_may_be_asked_is_no_dead_loop() {
        let start = tokio::time::Instant::now();
        let pulse = Pulse::new(Arc::new(Paused(start)));
        let mut visits = 0_u32;
        let waiting = stream::unfold((), |()| async {
            tokio::time::timeout(Duration::from_secs(600), std::future::pending::<()>()).await.ok();
            Some(((), ()))
        });
        let waiting = waiting.inspect(|()| visits += 1);
        let driven = drive(waiting, &pulse, "controller/*");
        let watched = async {
            while start.elapsed() < Duration::from_secs(3600) {
                tokio::time::timeout(Duration::from_secs(10), std::future::pending::<()>()).await.ok();
                assert_eq!(pulse.alive(), Ok(()), "after {:?}", start.elapsed());
            }
        };
        tokio::select! {
            () = driven => panic!("visits ended"),
            () = watched => {}
        }
        assert_eq!(visits, 5);
    }
}
