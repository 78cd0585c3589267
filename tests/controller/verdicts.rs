//! Errors in friendly clothes are no success, nobody follows a redirect, and an outage is no verdict.

use super::cast;
use crate::simulator::{Fault, LedgerFilter, Misbehaviour};
use crate::support::stage::{Stage, is};
use connector_operator::api::ConditionType;

#[tokio::test(flavor = "multi_thread")]
async fn a12_an_error_with_status_200_is_never_a_success() {
    let stage = Stage::set("error-200").await;
    for act in [cast::flowlu(), cast::aventri()] {
        let wrong = stage.wrong_key(act.provider);
        stage.put_secret(&act.source(), &[("api-key", &wrong)]).await;
        stage.declare(act.name, act.spec()).await;
        stage.until_is(act.name, ConditionType::Authenticated, ("False", "KeyRejected")).await;
        let rows = stage.simulator.ledger(&LedgerFilter { provider: Some(act.provider), ..LedgerFilter::default() });
        assert!(rows.iter().all(|row| row.status == Some(200)), "the simulator answered with 200: {rows:?}");
        assert!(stage.secret(&act.output()).await.is_none());
    }
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a03_no_redirect_is_followed_and_nothing_is_concluded_from_it() {
    let stage = Stage::set("redirect").await;
    let redirects = [Misbehaviour::Redirect { status: 307 }, Misbehaviour::RedirectHome { status: 308 }];
    let all = redirects.iter().flat_map(|fault| cast::all().map(|act| (act, fault.clone())));
    for (act, fault) in all {
        let fault = Fault { provider: Some(act.provider), ..Fault::of(fault) };
        let fault = stage.simulator.set_fault(fault);
        let issued = stage.issue(act.new_key());
        stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
        stage.declare(act.name, act.spec()).await;
        let told = stage.until_is(act.name, ConditionType::Authenticated, ("Unknown", "UnexpectedResponse")).await;
        assert!(is(&told, ConditionType::Reconciling, ("True", "UnexpectedResponse")));
        assert!(stage.secret(&act.output()).await.is_none(), "nothing unproved is published");
        assert!(stage.simulator.clear_fault(fault));
        let credential = stage.credentials();
        credential.delete(act.name, &Default::default()).await.expect("it is there");
        stage.until_gone(&act.output()).await;
    }
    let rows = stage.simulator.ledger(&LedgerFilter::default());
    let followed = rows.iter().filter(|row| row.query_names.iter().any(|name| name == "redirected")).count();
    assert_eq!(followed, 0, "nor to the very same host");
    assert_eq!(stage.simulator.decoy_hits(), 0, "nobody came where the redirects point");
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proved_key_stays_ready_when_its_provider_is_silent() {
    let stage = Stage::set("outage").await;
    let act = cast::zenflow();
    let issued = stage.issue(act.new_key());
    stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
    stage.declare(act.name, act.spec()).await;
    stage.until_ready(act.name).await;
    stage.simulator.set_fault(Fault::of(Misbehaviour::Reset));
    stage.annotate(act.name, "connector-operator.io/reconcile-at", "1").await;
    let silent = stage.until(act.name, |object| {
        let validation = object.status.as_ref().and_then(|status| status.validation.as_ref());
        validation.is_some_and(|validation| validation.outage_start_time.is_some())
    });
    let silent = silent.await;
    assert!(is(&silent, ConditionType::Ready, ("True", "Ready")));
    assert!(is(&silent, ConditionType::Published, ("True", "Published")));
    stage.simulator.clear_faults();
    let back = stage.until(act.name, |object| {
        let validation = object.status.as_ref().and_then(|status| status.validation.as_ref());
        validation.is_some_and(|validation| {
            validation.outage_start_time.is_none() && validation.consecutive_failures.is_none()
        })
    });
    assert!(is(&back.await, ConditionType::Ready, ("True", "Ready")));
    stage.finish().await;
}
