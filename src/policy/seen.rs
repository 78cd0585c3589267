//! What was seen? Everything that a decision may rest on, collected before it.

use super::schedule;
use crate::api::{ConnectorCredential, Output};
use crate::credential::AccessToken;
use crate::outputs::default_output;
use crate::providers::{Provider, Site, Verdict};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Everything that a decision about one credential may rest on. Holds Secret bytes: never printed.
pub struct Observed {
    /// The credential, as the watch delivered it or as it was written last.
    pub object: Arc<ConnectorCredential>,
    /// The source Secret.
    pub source: Source,
    /// A Secret, or its absence, under each declared output's name, in the order of the spec. Empty when nobody could
    /// look: then nothing is known to be lost.
    pub targets: Vec<Target>,
    /// Secrets of ours that are not declared any more.
    pub dropped: Vec<Target>,
    /// Output names that an older credential of the namespace declares too.
    pub claimed: BTreeSet<String>,
    /// The administrator's settings for the provider.
    pub site: Site,
    /// What is only known to this process.
    pub traits: Traits,
}

/// What is only known to this process; lost with it, and then done without.
#[derive(Default)]
pub struct Traits {
    /// Whether the source holds the same key bytes as when the status was written. `None`: not remembered.
    pub same_key: Option<bool>,
    /// The access token that was minted last.
    pub token: Option<Arc<AccessToken>>,
    /// When the next unscheduled check may start.
    pub unscheduled_at: Timestamp,
    /// When this process began to lead.
    pub leading_since: Timestamp,
}

/// The source Secret, as the API server answered.
pub enum Source {
    /// There is none of that name.
    Missing,
    /// RBAC refuses it.
    Denied,
    /// Here it is.
    Found(Box<Secret>),
}

/// What stands under an output's name.
pub struct Target {
    /// The Secret's name.
    pub name: String,
    /// The Secret; `None` when there is none.
    pub secret: Option<Box<Secret>>,
    /// Whether labels, annotations, finalizers and owners other than our own are missing here: they were too much.
    pub cut: bool,
}

/// What the provider said, when, and how long it wants to be left alone.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The verdict.
    pub verdict: &'a Verdict,
    /// When the request that it rests on was sent.
    pub at: Timestamp,
    /// No sooner than this again, from Retry-After.
    pub retry_at: Option<Timestamp>,
}

impl Observed {
    /// The provider; `None` when the spec names none or several.
    #[must_use]
    pub fn provider(&self) -> Option<&dyn Provider> {
        self.object.spec.provider.chosen()
    }

    /// The declared outputs, or the default one.
    #[must_use]
    pub fn outputs(&self) -> Vec<Output> {
        declared_outputs(&self.object)
    }

    /// The credential's uid: what spreads are made of.
    #[must_use]
    pub fn uid(&self) -> &str {
        self.object.metadata.uid.as_deref().unwrap_or_default()
    }

    /// What spreads of the schedule are made of: the source's uid, so that all who reference it are due together and
    /// share one answer, also after a restart; without one the credential's own.
    #[must_use]
    pub fn spread(&self) -> &str {
        match &self.source {
            Source::Found(secret) => secret.metadata.uid.as_deref().unwrap_or_default(),
            Source::Missing | Source::Denied => self.uid(),
        }
    }

    /// The declared interval between checks, within the bounds of the schema, and stretched to what the account's budget
    /// can bear for good: a bucket is lost with its process, the schedule is stored.
    #[must_use]
    pub fn interval(&self) -> Duration {
        let declared = self.object.spec.validation.as_ref().and_then(|validation| validation.interval.as_deref());
        let declared = declared.and_then(crate::api::parse_duration).unwrap_or(DEFAULT_INTERVAL);
        let bearable = self.provider().map(|provider| provider.profile().budget.pace(provider.requests()));
        let bearable = bearable.map(schedule::at_the_shortest).unwrap_or_default();
        declared.clamp(INTERVALS.0, INTERVALS.1).max(bearable)
    }

    /// What stands under this output's name; `None` when nobody could look.
    #[must_use]
    pub fn target(&self, name: &str) -> Option<&Target> {
        self.targets.iter().find(|target| target.name == name)
    }
}

/// `spec.validation.interval` when it is not set.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(3600);
/// The shortest and the longest interval that can be declared.
const INTERVALS: (Duration, Duration) = (Duration::from_secs(300), Duration::from_secs(24 * 3600));

/// The outputs that a credential declares, or the default one.
#[must_use]
pub fn declared_outputs(object: &ConnectorCredential) -> Vec<Output> {
    match &object.spec.outputs {
        Some(outputs) => outputs.clone(),
        None => vec![default_output(object.metadata.name.as_deref().unwrap_or_default())],
    }
}
