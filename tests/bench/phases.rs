//! What is measured, one after the other: cold start, restart, idleness, reaction, neighbours.

use std::collections::BTreeMap;
use std::time::Duration;

use kube::Api;
use kube::api::ListParams;
use tokio::time::sleep;

use crate::audit::{Audit, Requests, STATUS_WRITE};
use crate::error::Error;
use crate::figures::{Cold, Idle, Restart};
use crate::ground::Ground;
use crate::load::Object;
use crate::operator::Operator;
use crate::simulator::Provider;

/// Nothing takes longer.
const PATIENCE: Duration = Duration::from_secs(600);
/// What was under way when an object became ready has come about by then: its Event, the watch's echo.
const SETTLING: Duration = Duration::from_secs(10);

/// Starts the operator on a cluster full of credentials that it has never seen.
pub(crate) async fn cold(ground: &Ground, size: usize) -> Result<(Cold, Operator), Error> {
    let mut audit = ground.audit()?;
    let calls = ground.simulator.calls();
    let mut operator = ground.program.start()?;
    let statuses = u64::try_from(size + exchanges(size)).unwrap_or(u64::MAX);
    let requests = await_statuses(&mut audit, &mut operator, statuses).await?;
    let last = requests.last_status.unwrap_or(operator.began);
    let seconds = last.duration_since(operator.began).as_secs_f64();
    operator.at_rest(PATIENCE).await?;
    sleep(SETTLING).await;
    let requests = audit.read().map_err(Error::io("read the audit log"))?.clone();
    let usage = operator.usage()?;
    let ready = ready_objects(ground).await?;
    let cold = Cold {
        objects: size,
        exchanges: exchanges(size),
        ready,
        seconds,
        cpu_seconds: usage.cpu.as_secs_f64(),
        settled_bytes: usage.resident,
        peak_bytes: usage.peak,
        calls: ground.simulator.calls() - calls,
        refused: requests.refused,
        requests: requests.by_kind,
    };
    Ok((cold, operator))
}

/// Credentials of the provider whose check is claimed by a write of its own.
fn exchanges(size: usize) -> usize {
    (0..size).filter(|nth| Object(*nth).provider() == Provider::Aventri).count()
}

async fn await_statuses(audit: &mut Audit, operator: &mut Operator, number: u64) -> Result<Requests, Error> {
    while operator.age() < PATIENCE {
        operator.lives()?;
        sleep(Duration::from_millis(200)).await;
        let requests = audit.read().map_err(Error::io("read the audit log"))?;
        if requests.of(STATUS_WRITE) >= number {
            return Ok(requests.clone());
        }
    }
    let seen = audit.read().map_err(Error::io("read the audit log"))?;
    Err(Error::Late(format!("{number} statuses are written; seen: {:?}", seen.by_kind)))
}

/// How many credentials say that they are ready.
async fn ready_objects(ground: &Ground) -> Result<usize, Error> {
    use connector_operator::api::{ConditionType, Conditions, ConnectorCredential};
    let api: Api<ConnectorCredential> = Api::all(ground.client.clone());
    let (mut ready, mut token) = (0, None);
    loop {
        let mut params = ListParams::default().limit(500);
        params.continue_token = token;
        let page = api.list(&params).await?;
        let is_ready = |object: &&ConnectorCredential| {
            object.status.as_ref().is_some_and(|status| status.conditions.is_true(ConditionType::Ready))
        };
        ready += page.items.iter().filter(is_ready).count();
        token = page.metadata.continue_.filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(ready);
        }
    }
}

/// Starts the operator where nothing has changed.
pub(crate) async fn restart(ground: &Ground) -> Result<(Restart, Operator), Error> {
    let mut audit = ground.audit()?;
    let calls = ground.simulator.calls();
    let mut operator = ground.program.start()?;
    let ready = operator.ready(PATIENCE).await?;
    let busy = operator.at_rest(PATIENCE).await?;
    sleep(SETTLING).await;
    let requests = audit.read().map_err(Error::io("read the audit log"))?;
    let usage = operator.usage()?;
    let restart = Restart {
        ready_seconds: ready.as_secs_f64(),
        busy_seconds: busy.as_secs_f64(),
        cpu_seconds: usage.cpu.as_secs_f64(),
        settled_bytes: usage.resident,
        peak_bytes: usage.peak,
        writes: requests.writes(),
        single_requests: requests.single(),
        requests: requests.all(),
        calls: ground.simulator.calls() - calls,
    };
    Ok((restart, operator))
}

/// Leaves the operator alone.
pub(crate) async fn idle(ground: &Ground, operator: &Operator, length: Duration) -> Result<Idle, Error> {
    let mut audit = ground.audit()?;
    let calls = ground.simulator.calls();
    let before = operator.usage()?.cpu;
    sleep(length).await;
    let used = operator.usage()?.cpu.saturating_sub(before);
    let requests: BTreeMap<_, _> = audit.read().map_err(Error::io("read the audit log"))?.by_kind.clone();
    Ok(Idle {
        seconds: length.as_secs_f64(),
        cpu_seconds: used.as_secs_f64(),
        requests,
        calls: ground.simulator.calls() - calls,
    })
}
