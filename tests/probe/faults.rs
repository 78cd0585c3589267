//! Whatever a provider does instead of answering teaches nothing about the key, leaks nothing and stalls nobody.

use super::*;
use simulator::{Echo, Fault, Misbehaviour, RetryAfter};

async fn met(bed: &Bed, product: Product, fault: Misbehaviour) -> Arc<Checked> {
    let (key, settings) = bed.credential(product);
    bed.simulator.set_fault(Fault::of(fault));
    let checked = bed.checked(settings.as_ref(), &key.key).await;
    bed.simulator.clear_faults();
    checked
}

fn status(status: u16, bad_key_body: bool) -> Misbehaviour {
    Misbehaviour::Status { status, retry_after: None, bad_key_body }
}

fn html(status: u16, content_type: Option<&str>) -> Misbehaviour {
    Misbehaviour::Html { status, content_type: content_type.map(str::to_owned) }
}

fn faults() -> Vec<(Misbehaviour, &'static str)> {
    let (unavailable, unexpected) = ("inconclusive Unavailable", "inconclusive Unexpected");
    let mut faults = vec![
        (Misbehaviour::Latency { ms: 2000 }, unavailable),
        (Misbehaviour::Hang, unavailable),
        (Misbehaviour::SlowBody { every_ms: 50 }, unavailable),
        (Misbehaviour::SlowBody { every_ms: 5000 }, unavailable),
        (Misbehaviour::Reset, unavailable),
        (Misbehaviour::Truncated, unavailable),
        (Misbehaviour::BadTls, unavailable),
        (Misbehaviour::RateLimit { retry_after: None }, "inconclusive RateLimited"),
        (html(200, None), unexpected),
        (html(401, None), unexpected),
        (html(403, None), unexpected),
        (html(200, Some("application/json")), unexpected),
        (html(401, Some("text/plain")), unexpected),
        (Misbehaviour::Empty, unexpected),
        (Misbehaviour::BrokenJson, unexpected),
        (Misbehaviour::DeepJson, unexpected),
        (Misbehaviour::GzipBomb, unexpected),
        (Misbehaviour::Huge { declared: true }, unexpected),
        (Misbehaviour::Huge { declared: false }, unexpected),
    ];
    faults.extend([407, 408, 500, 502, 503, 504].map(|code| (status(code, false), unavailable)));
    faults.extend([500, 503].map(|code| (status(code, true), unavailable)));
    faults.extend([301, 302, 303, 307, 308].map(|status| (Misbehaviour::Redirect { status }, unexpected)));
    faults.extend([301, 302, 303, 307, 308].map(|status| (Misbehaviour::RedirectHome { status }, unexpected)));
    faults
}

async fn every_fault_is_inconclusive(product: Product) {
    let (patient, hurried) = (Bed::new().await, Bed::with(short()).await);
    let (hanging, others): (Vec<_>, Vec<_>) = faults().into_iter().partition(|(fault, _)| hangs(fault));
    for (bed, faults) in [(&hurried, hanging), (&patient, others)] {
        let number = faults.len();
        for (fault, expected) in faults {
            let label = format!("{product:?} {}", fault.name());
            let met = tokio::time::timeout(Duration::from_secs(30), met(bed, product, fault)).await;
            let checked = met.unwrap_or_else(|_| panic!("{label} is waited for beyond the deadlines"));
            assert_eq!(told(&checked.verdict), expected, "{label}");
            assert_eq!(checked.requests, 1, "nothing is sent again: {label}");
        }
        assert_eq!(bed.simulator.decoy_hits(), 0, "a redirect was followed");
        assert_eq!(bed.rows().len(), number);
    }
    let (key, settings) = patient.credential(product);
    patient.simulator.set_fault(Fault::of(Misbehaviour::Latency { ms: 100 }));
    assert!(patient.told(settings.as_ref(), &key.key).await.starts_with("accepted"));
}

/// Whether an answer ends by a deadline only.
fn hangs(fault: &Misbehaviour) -> bool {
    matches!(fault, Misbehaviour::Latency { .. } | Misbehaviour::Hang | Misbehaviour::SlowBody { .. })
}

#[tokio::test]
async fn a11_every_fault_of_inflow_is_inconclusive() {
    every_fault_is_inconclusive(Product::InFlow).await;
}

#[tokio::test]
async fn a11_every_fault_of_flowlu_is_inconclusive() {
    every_fault_is_inconclusive(Product::Flowlu).await;
}

#[tokio::test]
async fn a11_every_fault_of_zenflow_is_inconclusive() {
    every_fault_is_inconclusive(Product::ZenFlow).await;
}

#[tokio::test]
async fn a11_every_fault_of_flow_is_inconclusive() {
    every_fault_is_inconclusive(Product::Flow).await;
}

#[tokio::test]
async fn a11_every_fault_of_aventri_is_inconclusive() {
    every_fault_is_inconclusive(Product::Aventri).await;
}

#[tokio::test]
async fn a12_an_error_in_a_200_is_never_accepted() {
    let bed = Bed::new().await;
    for product in PRODUCTS {
        let said = told(&met(&bed, product, Misbehaviour::ErrorIn200).await.verdict);
        let configured = product == Product::Flow && said == "accepted Verified";
        assert!(configured || !said.starts_with("accepted"), "{product:?}: {said}");
    }
}

#[tokio::test]
async fn a17_every_retry_after_is_obeyed_and_clamped() {
    let bed = Bed::new().await;
    for product in PRODUCTS {
        for (retry_after, seconds) in [
            (None, None),
            (Some(RetryAfter::Seconds(90)), Some(90)),
            (Some(RetryAfter::Seconds(0)), None),
            (Some(RetryAfter::Seconds(-1)), None),
            (Some(RetryAfter::Seconds(1_000_000_000_000)), Some(3600)),
            (Some(RetryAfter::Text("banana".to_owned())), None),
            (Some(RetryAfter::Date { date_in: 90 }), Some(90)),
            (Some(RetryAfter::Date { date_in: -90 }), None),
            (Some(RetryAfter::Date { date_in: 1_000_000 }), Some(3600)),
        ] {
            for status in [429, 503] {
                let (key, settings) = bed.credential(product);
                bed.clock.advance(Duration::from_secs(7200));
                bed.simulator.set_fault(Fault::of(Misbehaviour::Status {
                    status,
                    retry_after: retry_after.clone(),
                    bad_key_body: false,
                }));
                let before = bed.clock.now();
                let checked = bed.checked(settings.as_ref(), &key.key).await;
                bed.simulator.clear_faults();
                assert!(matches!(checked.verdict, Verdict::Inconclusive(_)));
                let wait = checked.retry_at.map(|at| at.duration_since(before).as_secs() - 120);
                // The machine may have stood still meanwhile.
                let took = bed.clock.now().duration_since(before).as_secs() - 120;
                let close = match (wait, seconds) {
                    (Some(wait), Some(seconds)) => (seconds - 2..=seconds + took + 2).contains(&wait),
                    (wait, seconds) => wait.is_none() && seconds.is_none(),
                };
                assert!(close, "{product:?} {status} {retry_after:?}: {wait:?}");
                let Some(retry_at) = checked.retry_at else { continue };
                let asked = bed.rows().len();
                let again = bed.try_check(settings.as_ref(), &key.key, &bed.options()).await;
                let Outcome::Later { at, why } = again else { panic!("asked in spite of Retry-After: {again:?}") };
                assert!(at >= retry_at - Duration::from_millis(50) && why == Wait::Budget);
                assert_eq!(bed.rows().len(), asked);
            }
        }
    }
}

/// What was logged, at every level and of every target.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a01_an_echoed_key_appears_nowhere() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .finish();
    // With a single subscriber tracing lets whichever thread comes first say that nobody listens.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let _guard = tracing::subscriber::set_default(subscriber);
    let bed = Bed::with(short()).await;
    for product in PRODUCTS {
        let (key, settings) = bed.credential(product);
        let mut faults: Vec<_> =
            [200, 400, 401, 403, 404, 429, 500].map(|status| Misbehaviour::EchoKey { at: Echo::Body, status }).into();
        faults.extend([200, 401].map(|status| Misbehaviour::EchoKey { at: Echo::Header, status }));
        faults.extend([Misbehaviour::Reset, Misbehaviour::Hang, Misbehaviour::Redirect { status: 302 }]);
        for fault in faults {
            bed.simulator.set_fault(Fault::of(fault));
            let checked = bed.checked(settings.as_ref(), &key.key).await;
            bed.simulator.clear_faults();
            log.0.lock().unwrap().extend_from_slice(format!("{checked:?}").as_bytes());
        }
    }
    let text = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(text.contains("called a provider") && text.contains("provider=\"ZenFlow\""), "nothing was logged");
    let calls = text.matches("called a provider").count();
    assert_eq!(calls, bed.rows().len(), "one line for each call");
    for needle in ["EXAMPLE", "categories", "members?limit", "api_key", "Bearer", "127.0.0.1"] {
        let line = text.lines().find(|line| line.contains("connector_operator") && line.contains(needle));
        assert_eq!(line, None, "{needle}");
    }
    assert!(!text.lines().any(|line| line.contains("Checked {") && line.contains("EXAMPLE")));
}

#[tokio::test]
async fn a_check_that_is_dropped_leaves_nothing_behind() {
    let bed = Bed::with(Limits { slots: 1, ..limits() }).await;
    bed.simulator.set_switches(simulator::Switches { limits: false, ..simulator::Switches::default() });
    let (key, settings) = bed.credential(Product::Flowlu);
    for _ in 0..10 {
        bed.simulator.set_fault(Fault::of(Misbehaviour::Hang));
        let options = bed.options();
        let check = bed.try_check(settings.as_ref(), &key.key, &options);
        assert!(tokio::time::timeout(Duration::from_millis(50), check).await.is_err());
        bed.simulator.clear_faults();
        bed.clock.advance(Duration::from_secs(60));
    }
    assert_eq!(bed.told(settings.as_ref(), &key.key).await, "accepted Verified");
}
