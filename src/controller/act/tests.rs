//! What is sent when another process comes to lead, or the visit ends, in the middle of a move?

mod others;

use super::super::fixtures::{context, declaring, recording, refusal, silence};
use super::*;
use crate::api::Format;
use crate::policy::{Source, Target, Traits};
use http::{Method, Request, Response};
use kube::client::Body;
use serde_json::json;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

const OUTPUT: &str = "out";

/// The output `out`, as we wrote it, of a credential whose status tells of it.
fn seen(ctx: &Context) -> Observed {
    let mut object = declaring("erp", 0, &[OUTPUT]);
    let output = json!({"secretName": OUTPUT, "format": "Env", "resourceVersion": "5"});
    object.status = serde_json::from_value(json!({"outputs": [output]})).unwrap();
    let secret = Secret {
        metadata: ObjectMeta {
            name: Some(OUTPUT.to_owned()),
            namespace: Some("data".to_owned()),
            uid: Some("s".to_owned()),
            resource_version: Some("5".to_owned()),
            owner_references: Some(vec![owner(&object)]),
            ..ObjectMeta::default()
        },
        ..Secret::default()
    };
    Observed {
        object: Arc::new(object),
        source: Source::Missing,
        targets: vec![Target { name: OUTPUT.to_owned(), secret: Some(Box::new(secret)), cut: false }],
        dropped: Vec::new(),
        claimed: std::collections::BTreeSet::new(),
        site: ctx.sites.site(crate::providers::ProviderKind::ZenFlow).clone(),
        traits: Traits::default(),
    }
}

fn hand<'a>(ctx: &'a Context, seen: &'a Observed) -> Hand<'a> {
    let namespace = "data".to_owned();
    Hand::new(ctx, seen, namespace)
}

fn rendered() -> Rendered {
    Rendered { secret_type: "Opaque", data: BTreeMap::new() }
}

/// An API server that tells of the credential, and at that moment somebody else comes to lead.
fn usurped(ctx: Arc<OnceLock<Context>>, writes: Arc<Mutex<Vec<Method>>>) -> kube::Client {
    let service = tower::service_fn(move |request: Request<Body>| {
        if request.method() == Method::GET {
            ctx.get().expect("it is set").fence.lose();
        } else {
            writes.lock().unwrap().push(request.method().clone());
        }
        let object = json!({
            "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
            "metadata": {"name": "erp", "namespace": "data", "uid": "erp", "generation": 1},
        });
        let answer = Response::new(Body::from(object.to_string().into_bytes()));
        std::future::ready(Ok::<_, Infallible>(answer))
    });
    kube::Client::new(service, "data")
}

#[tokio::test]
async fn whoever_ceases_to_lead_in_the_middle_of_a_move_writes_and_deletes_nothing() {
    type Make = fn() -> Move;
    let moves: [Make; 4] =
        [|| Move::Create(rendered()), || Move::Replace(rendered()), || Move::Recreate(rendered()), || Move::Withdraw];
    for make in moves {
        let (slot, writes) = (Arc::new(OnceLock::new()), Arc::default());
        assert!(slot.set(context(usurped(Arc::clone(&slot), Arc::clone(&writes)))).is_ok());
        let ctx = slot.get().expect("it was set");
        let seen = seen(ctx);
        let mut plan = OutputPlan { name: OUTPUT.to_owned(), format: Format::Env, action: make() };
        let failure = hand(ctx, &seen).make(&mut plan).await.expect_err("it was overtaken");
        assert_eq!((failure.resource, writes.lock().unwrap().as_slice()), ("leases", &[][..]));
    }
    let (slot, writes) = (Arc::new(OnceLock::new()), Arc::default());
    assert!(slot.set(context(usurped(Arc::clone(&slot), Arc::clone(&writes)))).is_ok());
    let ctx = slot.get().expect("it was set");
    let mut seen = seen(ctx);
    seen.dropped = std::mem::take(&mut seen.targets);
    assert!(hand(ctx, &seen).delete(OUTPUT).await.is_err(), "one that is not declared any more stays, too");
    assert!(writes.lock().unwrap().is_empty());
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_nobody_waits_for_any_more_is_one_line_too() {
    let log = Log::default();
    let writer = log.clone();
    let lines = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let _guard = tracing::subscriber::set_default(lines);
    let ctx = context(silence());
    let mut seen = seen(&ctx);
    seen.object = Arc::new(declaring("erp", 0, &[OUTPUT]));
    let hand = hand(&ctx, &seen);
    let given_up = tokio::time::timeout(Duration::from_secs(60), hand.create(OUTPUT, rendered())).await;
    assert!(given_up.is_err(), "there is no answer");
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert_eq!(text.lines().filter(|line| line.contains("output perhaps written")).count(), 1, "{text}");
}

/// An output that others changed, with no turn left; and a new one.
fn worn_out(ctx: &Context) -> Observed {
    let mut seen = seen(ctx);
    let changed = seen.targets[0].secret.as_mut().expect("it is there");
    changed.metadata.resource_version = Some("6".to_owned());
    seen.targets.push(Target { name: "new".to_owned(), secret: None, cut: false });
    no_turn_is_left(ctx);
    seen
}

/// Taken ahead of time, none comes back while the test runs.
fn no_turn_is_left(ctx: &Context) {
    let ahead = crate::policy::after(ctx.now(), Duration::from_secs(10));
    while ctx.memory.take_turn("erp", ahead).is_ok() {}
}

fn writing(outputs: &[&str]) -> Decision {
    let plan = |name: &&str| {
        let action = if *name == OUTPUT { Move::Replace(rendered()) } else { Move::Create(rendered()) };
        OutputPlan { name: (*name).to_owned(), format: Format::Env, action }
    };
    Decision {
        findings: Vec::new(),
        advisories: Vec::new(),
        outputs: Some(outputs.iter().map(plan).collect()),
        dropped: Vec::new(),
        status: crate::api::ConnectorCredentialStatus::default(),
        notices: Vec::new(),
        next: None,
        same_key: true,
        suspended: false,
    }
}

#[tokio::test]
async fn a_write_that_failed_is_told_of_although_another_output_only_waits() {
    for (outputs, told) in [
        (&[OUTPUT, "new"][..], (Verb::Create, false)),
        (&["new", OUTPUT], (Verb::Create, false)),
        (&[OUTPUT], (Verb::Update, true)),
    ] {
        let ctx = context(recording(|_| refusal(403, "Forbidden")).0);
        let (acted, failure) = act(&ctx, &worn_out(&ctx), &mut writing(outputs)).await;
        let failure = failure.expect("nothing was written");
        assert_eq!((failure.verb, failure.is_paced()), told, "{outputs:?}");
        let done: Vec<_> = acted.results.into_iter().map(|result| (result.name, result.done)).collect();
        let expected = |name: &&str| ((*name).to_owned(), if *name == OUTPUT { Done::Overtaken } else { Done::Failed });
        assert_eq!(done, outputs.iter().map(expected).collect::<Vec<_>>());
    }
}
