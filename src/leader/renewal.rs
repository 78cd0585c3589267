//! How is the Lease kept, and given back?

use super::election::{Election, Moment};
use super::{Candidate, Fence, RESOURCE, Rest, is_lost_race, rest};
use crate::error::{Class, Failure, Verb};
use k8s_openapi::api::coordination::v1::Lease;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// To give the Lease back at the end.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(3);

/// Renews until the Lease is lost or given back.
pub(super) async fn renew(candidate: Arc<Candidate>, mut held: Lease, fence: Fence, stop: CancellationToken) {
    let leads = fence.ends_with_this();
    let election = candidate.election();
    loop {
        let pause = candidate.timing.retry.min(fence.left());
        if rest(pause, &stop).await == Rest::Stopped {
            break;
        }
        let asked = candidate.now();
        let left = fence.left();
        if left.is_zero() {
            return tracing::error!(reason = "not renewed in time", "leadership lost");
        }
        let renewal = tokio::select! {
            () = stop.cancelled() => break,
            renewal = tokio::time::timeout(left, once(&candidate, &election, &held, asked)) => renewal,
        };
        match renewal {
            Ok(Ok(Some(lease))) => {
                held = lease;
                fence.extend(asked.monotonic.saturating_add(candidate.timing.renew_deadline));
            }
            Ok(Ok(None)) => {
                return tracing::error!(reason = "the Lease is not ours any more", "leadership lost");
            }
            Ok(Err(failure)) => tracing::warn!(%failure, "cannot renew leadership"),
            Err(_) => tracing::warn!(failure = "no answer in time", "cannot renew leadership"),
        }
    }
    // No fence is open any more when another may follow.
    drop(leads);
    release(&candidate, &election, &held).await;
}

/// One renewal. After a conflict, one more over what is there, if it still names us. `None`: somebody else has it, or it
/// was deleted, so that others may work.
async fn once(candidate: &Candidate, election: &Election, held: &Lease, at: Moment) -> Result<Option<Lease>, Failure> {
    match candidate.replace(&election.renewed(held, at)).await {
        Ok(lease) => return Ok(Some(lease)),
        Err(failure) if is_lost_race(failure.class()) => {}
        Err(failure) => return Err(failure),
    }
    match candidate.read().await? {
        Some(lease) if election.is_ours(&lease) && lease.metadata.uid == held.metadata.uid => {
            candidate.replace(&election.renewed(&lease, at)).await.map(Some)
        }
        Some(_) | None => Ok(None),
    }
}

/// Clears the holder, so that another need not wait. Best effort.
async fn release(candidate: &Candidate, election: &Election, held: &Lease) {
    let clear = async {
        match candidate.replace(&Election::released(held, candidate.now())).await {
            Err(failure) if failure.class() == Class::Conflict => match candidate.read().await? {
                Some(lease) if election.is_ours(&lease) => {
                    candidate.replace(&Election::released(&lease, candidate.now())).await.map(|_| ())
                }
                Some(_) | None => Ok(()),
            },
            other => other.map(|_| ()),
        }
    };
    let timed = tokio::time::timeout(RELEASE_TIMEOUT, clear).await;
    match timed.unwrap_or(Err(Failure::timeout(Verb::Update, RESOURCE))) {
        Ok(()) => tracing::info!("leadership released"),
        Err(failure) => tracing::warn!(%failure, "cannot release leadership"),
    }
}
