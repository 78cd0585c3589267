//! How is an output written over, on which others have written more than is kept? It is read again with all of that, right
//! before; one in the process at a time, as each may be as large as the API server stores.

use super::A_SECOND;
use crate::error::{Failure, Verb};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use tokio::sync::{Semaphore, SemaphorePermit};

static ROOM: Semaphore = Semaphore::const_new(1);

/// The Secret as it is stored, if it still has the version that was looked at, and the room that it takes until it is
/// written. Nobody waits for it within a visit, whose slot others need.
///
/// # Errors
/// [`Failure`], when another one has the room, the API server could not be asked, or the Secret has changed.
pub(super) async fn reread(
    secrets: &Api<Secret>,
    seen: &Secret,
) -> Result<(Secret, SemaphorePermit<'static>), Failure> {
    let alone = ROOM.try_acquire().map_err(|_| Failure::paced(A_SECOND))?;
    let found = secrets.get_opt(seen.metadata.name.as_deref().unwrap_or_default()).await;
    let found = found.map_err(|error| Failure::new(Verb::Get, "secrets", &error))?;
    let version = |secret: &Secret| (secret.metadata.uid.clone(), secret.metadata.resource_version.clone());
    let mut secret = found.filter(|found| version(found) == version(seen)).ok_or(Failure::overtaken("secrets"))?;
    secret.metadata.managed_fields = None;
    Ok((secret, alone))
}
