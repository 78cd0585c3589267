//! Do the statuses that the running operator writes keep the rules? Every version of every object in a story.

use std::sync::{Arc, Mutex};

use connector_operator::api::{ConditionType, ConnectorCredential};
use futures::TryStreamExt as _;
use kube::Api;
use kube::api::{WatchEvent, WatchParams};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::argo::HealthCheck;
use super::kstatus::{Kstatus, kstatus};
use super::rules::broken;
use crate::simulator::{NewKey, Provider};
use crate::support::stage::Stage;

const ACCOUNT: &str = "mycompany";

/// Every version of every credential of a namespace, as the API server tells it.
struct Recording {
    versions: Arc<Mutex<Vec<Value>>>,
    task: JoinHandle<()>,
}

impl Recording {
    fn start(api: Api<ConnectorCredential>) -> Self {
        let versions = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&versions);
        let task = tokio::spawn(async move {
            let mut events = Box::pin(api.watch(&WatchParams::default(), "0").await.expect("a watch"));
            while let Some(event) = events.try_next().await.expect("the watch goes on") {
                if let WatchEvent::Added(object) | WatchEvent::Modified(object) = event {
                    kept.lock().expect("no panic").push(serde_json::to_value(object).expect("JSON"));
                }
            }
        });
        Self { versions, task }
    }

    fn stop(self) -> Vec<Value> {
        self.task.abort();
        self.versions.lock().expect("no panic").clone()
    }
}

fn spec(secret: &str) -> Value {
    json!({"provider": {"flowlu": {"account": ACCOUNT}}, "keySecretRef": {"name": secret}})
}

fn with(mut spec: Value, name: &str, value: Value) -> Value {
    spec[name] = value;
    spec
}

#[tokio::test(flavor = "multi_thread")]
async fn a32_every_status_of_a_credentials_life_keeps_the_rules() {
    let stage = Stage::set("gitops").await;
    let recording = Recording::start(stage.credentials());
    let ready = ("True", "Ready");
    // Declared before its Secret, as a GitOps tool does.
    stage.declare("crm", spec("crm-key")).await;
    stage.until_is("crm", ConditionType::Reconciling, ("True", "SecretNotFound")).await;
    let issued = stage.issue(NewKey::of(Provider::Flowlu, ACCOUNT));
    stage.put_secret("crm-key", &[("api-key", &issued.key)]).await;
    stage.until_ready("crm").await;
    // Paused, changed while paused, resumed.
    stage.declare("crm", with(spec("crm-key"), "suspend", json!(true))).await;
    stage.until_is("crm", ConditionType::Ready, ("True", "Suspended")).await;
    stage.declare("crm", with(spec("crm-key"), "description", json!("resumed"))).await;
    stage.until_is("crm", ConditionType::Ready, ready).await;
    // Suspended from the start.
    stage.declare("later", with(spec("crm-key"), "suspend", json!(true))).await;
    stage.until_is("later", ConditionType::Ready, ("Unknown", "Suspended")).await;
    // A wrong key.
    let wrong = stage.wrong_key(Provider::Flowlu);
    stage.put_secret("wrong-key", &[("api-key", &wrong)]).await;
    stage.declare("wrong", spec("wrong-key")).await;
    stage.until_is("wrong", ConditionType::Stalled, ("True", "KeyRejected")).await;
    // Proved by nobody, by choice; and expiring.
    let in_a_week = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(7 * 24);
    let local = with(spec("crm-key"), "validation", json!({"mode": "Local"}));
    stage.declare("local", with(local, "expiresAt", json!(in_a_week.to_string()))).await;
    stage.until_is("local", ConditionType::Ready, ("True", "LocalOnly")).await;
    stage.until_is("local", ConditionType::Expiring, ("True", "ExpiringSoon")).await;
    // Somebody else's Secret in the way.
    stage.put_secret("taken", &[("mine", "EXAMPLE")]).await;
    let outputs = json!([{"secretName": "taken", "format": "Env"}]);
    stage.declare("blocked", with(spec("crm-key"), "outputs", outputs)).await;
    stage.until_is("blocked", ConditionType::Stalled, ("True", "TargetNotOwned")).await;
    let after = stage.credentials().get("crm").await.expect("it is there");
    // Three times by the test; had the operator written the spec, it would be more.
    assert_eq!(after.metadata.generation, Some(3));
    let versions = recording.stop();
    stage.finish().await;

    let check = HealthCheck::load();
    let mut reached = Vec::new();
    for object in &versions {
        assert_eq!(broken(object), Vec::<String>::new(), "{object:#}");
        let (says, health) = (kstatus(object), check.of(object));
        let agreed = match says {
            Kstatus::Current => ["Healthy", "Suspended"].as_slice(),
            Kstatus::Failed => &["Degraded", "Suspended"],
            Kstatus::InProgress => &["Progressing", "Suspended"],
            Kstatus::Terminating => continue,
        };
        assert!(agreed.contains(&health.status.as_str()), "{says:?} {health:?}: {object:#}");
        reached.push(health.status);
    }
    for status in ["Healthy", "Degraded", "Progressing", "Suspended"] {
        assert!(reached.iter().any(|seen| seen == status), "{status} was not reached in {} versions", versions.len());
    }
}
