use super::*;
use crate::api::{ConditionType, Status};
use crate::clock::SystemClock;
use crate::providers::{Doubt, Rejection};

pub(super) fn metrics() -> Metrics {
    Metrics::new(Arc::new(SystemClock::new()), 64)
}

struct One;

impl ObjectSeries for One {
    fn objects(&self) -> Vec<ObjectSample> {
        vec![ObjectSample {
            namespace: "team".to_owned(),
            name: "erp".to_owned(),
            provider: Some(ProviderKind::ZenFlow),
            conditions: vec![
                (ConditionType::Ready, Status::False),
                (ConditionType::Stalled, Status::True),
                (ConditionType::Expiring, Status::False),
            ],
            expiration: Some(1_900_000_000.0),
            next_check: None,
            last_success: Some(1_800_000_000.5),
        }]
    }

    fn oldest_overdue(&self) -> Duration {
        Duration::from_millis(1500)
    }
}

#[test]
fn names_are_those_of_the_manual() {
    let metrics = metrics();
    let rejected = Verdict::Rejected(Rejection::Key);
    let took = Duration::from_millis(300);
    let (provider, reason) = (ProviderKind::ZenFlow, Reason::KeyRejected);
    metrics.checked(&Checked { provider, verdict: &rejected, reason, took });
    let doubtful = Verdict::Inconclusive(Doubt::RateLimited);
    let (provider, reason) = (ProviderKind::InFlow, Reason::RateLimited);
    metrics.checked(&Checked { provider, verdict: &doubtful, reason, took });
    metrics.published(Format::HTTP);
    let text = metrics.expose(Exposition::Prometheus);
    for line in [
        "connector_operator_checks_total{provider=\"zenflow\",verdict=\"rejected\",reason=\"KeyRejected\"} 1\n",
        "connector_operator_checks_total{provider=\"inflow\",verdict=\"inconclusive\",reason=\"RateLimited\"} 1\n",
        "connector_operator_check_duration_seconds_bucket{le=\"0.5\",provider=\"zenflow\"} 1\n",
        "connector_operator_published_total{format=\"HTTP\"} 1\n",
        "connector_operator_published_total{format=\"Env\"} 0\n",
        "connector_operator_build_info{version=\"0.1.0\",revision=\"unknown\"} 1\n",
        "leader_election_master_status{name=\"connector-operator\"} 0\n",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
    assert!(!text.contains("_total_total"), "{text}");
}

#[test]
fn a34_only_the_leader_exposes_objects() {
    let metrics = metrics();
    metrics.observe(Arc::new(One));
    assert!(!metrics.expose(Exposition::Prometheus).contains("connectorcredential_"), "one that waits has none");
    metrics.lead(true);
    let text = metrics.expose(Exposition::Prometheus);
    let object = "namespace=\"team\",name=\"erp\",provider=\"zenflow\"";
    for line in [
        format!("connectorcredential_condition{{{object},type=\"Ready\",status=\"True\"}} 0\n"),
        format!("connectorcredential_condition{{{object},type=\"Ready\",status=\"False\"}} 1\n"),
        format!("connectorcredential_condition{{{object},type=\"Ready\",status=\"Unknown\"}} 0\n"),
        format!("connectorcredential_condition{{{object},type=\"Stalled\",status=\"True\"}} 1\n"),
        format!("connectorcredential_expiration_timestamp_seconds{{{object}}} 1900000000.0\n"),
        format!("connectorcredential_last_success_timestamp_seconds{{{object}}} 1800000000.5\n"),
        "connector_operator_oldest_overdue_check_seconds 1.5\n".to_owned(),
    ] {
        assert!(text.contains(&line), "{line} is not in {text}");
    }
    assert!(!text.contains("type=\"Expiring\""), "one that is present only when True has no other series");
    assert!(!text.contains("connectorcredential_next_check_timestamp_seconds{"), "an absent time has no series");
    assert_eq!(text.matches("type=\"Stalled\"").count(), 1);
    metrics.lead(false);
    assert!(!metrics.expose(Exposition::Prometheus).contains("connectorcredential_"), "nor one that leads no more");
}
