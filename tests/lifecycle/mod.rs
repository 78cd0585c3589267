//! Does a key's life go as promised? Its expiry, its rotation, its tokens: on the real API server, in real time.

mod expiry;
mod rotation;
mod tokens;

use crate::support::stage::Stage;
use connector_operator::api::{ConnectorCredential, ValidationStatus};
use std::time::{Duration, Instant};

fn validation(object: &ConnectorCredential) -> ValidationStatus {
    object.status.as_ref().and_then(|status| status.validation.clone()).unwrap_or_default()
}

/// Lets real time pass.
async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Lets real time pass until so long after `start`.
async fn until(start: Instant, time: Duration) {
    tokio::time::sleep_until((start + time).into()).await;
}

/// How often a provider was asked in this story.
fn calls(stage: &Stage) -> usize {
    stage.simulator.ledger(&Default::default()).len()
}
