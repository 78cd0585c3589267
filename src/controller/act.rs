//! Makes the moves that were decided, on Secrets of ours only. No choice is left here.

use super::name::{Name, Sight};
use super::reread::reread;
use super::{Context, kept};
use crate::api::{
    ConditionType, Conditions as _, ConnectorCredential, FIELD_MANAGER, GROUP, OutputStatus, Reason, VERSION,
};
use crate::error::{Class, Failure, Verb};
use crate::outputs::{Rendered, labels};
use crate::policy::{
    Acted, Decision, Done, Move, Observed, OutputPlan, OutputResult, Ownership, dropped_may_go, may_give_way, ownership,
};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::Api;
use kube::api::{DeleteParams, PostParams, Preconditions};
use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

#[cfg(test)]
mod tests;

/// Makes all moves, then deletes what is not declared any more, if every output stands, or only others' Secrets are in the
/// way and another credential waits for that name: two that change names wait for each other. The first failure is returned
/// beside the results; the other moves are made all the same.
pub(super) async fn act(ctx: &Context, seen: &Observed, decision: &mut Decision) -> (Acted, Option<Failure>) {
    let name = Name::of(&seen.object.metadata);
    let hand = Hand::new(ctx, seen, name.namespace.clone());
    let mut acted = Acted::default();
    let mut failure = None;
    for plan in decision.outputs.iter_mut().flatten() {
        let done = hand.make(plan).await.unwrap_or_else(|failed| {
            // That a repair waits hides nothing that is worse.
            if failure.as_ref().is_none_or(Failure::is_paced) {
                failure = Some(failed);
            }
            unmade(&failed)
        });
        acted.results.push(OutputResult { name: plan.name.clone(), format: plan.format, done });
    }
    let (may_go, gives_way) = (dropped_may_go(&acted.results), may_give_way(&acted.results));
    for dropped in &decision.dropped {
        let goes = may_go || (gives_way && ctx.index.is_declared_by_another(&name, dropped));
        let deleted = if goes { hand.let_go(dropped).await } else { Ok(false) };
        match deleted {
            Ok(true) => {}
            Ok(false) => acted.undeleted.push(dropped.clone()),
            Err(failed) => {
                acted.undeleted.push(dropped.clone());
                if failure.as_ref().is_none_or(Failure::is_paced) {
                    failure = Some(failed);
                }
            }
        }
    }
    (acted, failure)
}

/// What a failure says of the move: somebody was faster, or the API server refused.
fn unmade(failure: &Failure) -> Done {
    if failure.is_paced() {
        return Done::Overtaken;
    }
    match failure.class() {
        Class::Conflict | Class::NotFound | Class::AlreadyExists => Done::Overtaken,
        Class::Forbidden
        | Class::Unauthorized
        | Class::Invalid
        | Class::Throttled(_)
        | Class::Timeout
        | Class::Unavailable
        | Class::Gone
        | Class::Unexpected => Done::Failed,
    }
}

/// What every move needs.
struct Hand<'a> {
    ctx: &'a Context,
    seen: &'a Observed,
    secrets: Api<Secret>,
    namespace: String,
    /// Whether this visit may undo what others did; asked once, so that no output takes another's turn.
    turn: OnceLock<Result<(), Duration>>,
}

impl<'a> Hand<'a> {
    fn new(ctx: &'a Context, seen: &'a Observed, namespace: String) -> Self {
        Hand { ctx, seen, secrets: Api::namespaced(ctx.client.clone(), &namespace), namespace, turn: OnceLock::new() }
    }

    async fn make(&self, plan: &mut OutputPlan) -> Result<Done, Failure> {
        let existing = self.existing(&plan.name);
        let version = existing.and_then(|secret| secret.metadata.resource_version.clone());
        if self.undoes(plan, version.as_deref()) {
            self.take_turn()?;
        }
        // The rendered bytes are moved into the write.
        let done = match std::mem::replace(&mut plan.action, Move::Settled) {
            Move::Create(rendered) => self.create(&plan.name, rendered).await?,
            Move::Replace(rendered) => self.replace(&plan.name, rendered).await?,
            Move::TakeOver(rendered) => self.take_over(&plan.name, rendered).await?,
            Move::Recreate(rendered) => {
                self.delete(&plan.name).await?;
                self.create(&plan.name, rendered).await?
            }
            Move::Withdraw => {
                self.delete(&plan.name).await?;
                Done::Withdrawn
            }
            Move::Settled => Done::Unchanged(version),
            Move::Keep => Done::Kept(version),
            Move::Wait { lost } => Done::Waiting { lost },
            Move::Gone => Done::Withdrawn,
            Move::Blocked => Done::NotOwned,
        };
        if matches!(done, Done::Written(_)) {
            self.ctx.metrics.published(plan.format);
        }
        Ok(done)
    }

    fn object_name(&self) -> &str {
        self.seen.object.metadata.name.as_deref().unwrap_or_default()
    }

    fn existing(&self, name: &str) -> Option<&Secret> {
        let all = self.seen.targets.iter().chain(&self.seen.dropped);
        all.filter(|target| target.name == name).find_map(|target| target.secret.as_deref())
    }

    async fn create(&self, name: &str, rendered: Rendered) -> Result<Done, Failure> {
        if self.was_published(name) {
            // It is lost because somebody deleted it, or because its owner is gone.
            self.still_wanted().await?;
        }
        let secret = self.fresh(name, rendered);
        match self.send((Verb::Create, name), self.secrets.create(&params(), &secret).boxed()).await {
            Ok(written) => Ok(self.written(name, &written.metadata)),
            Err(failure) if failure.class() == Class::AlreadyExists => self.lost_the_race(name, failure).await,
            Err(failure) => Err(failure),
        }
    }

    /// Sends a write, unless somebody else has come to lead while it was prepared, and logs what came of it.
    async fn send<T>(
        &self,
        (verb, secret): (Verb, &str),
        request: BoxFuture<'_, kube::Result<T>>,
    ) -> Result<T, Failure> {
        self.ctx.must_lead()?;
        let mut fate = Fate { namespace: &self.namespace, name: self.object_name(), secret, verb, done: None };
        let answer = request.await.map_err(|error| Failure::new(verb, "secrets", &error));
        fate.done = match &answer {
            Ok(_) => Some(true),
            Err(failure) => failure.is_refusal().then_some(false),
        };
        answer
    }

    fn published(&self, name: &str) -> Option<&OutputStatus> {
        self.seen.object.status.as_ref()?.outputs.iter().find(|output| output.secret_name == name)
    }

    fn was_published(&self, name: &str) -> bool {
        self.published(name).is_some()
    }

    /// Whoever changes, deletes or makes an output as fast as it is put right gets no war of writes.
    fn take_turn(&self) -> Result<(), Failure> {
        let take = || self.ctx.memory.take_turn(self.seen.uid(), self.ctx.now());
        self.turn.get_or_init(take).map_err(Failure::paced)
    }

    /// Whether a move undoes what others did to the output, which has this version. One that was never written, the next
    /// key on what was written last, and a listed output that is withdrawn wait for nobody.
    fn undoes(&self, plan: &OutputPlan, version: Option<&str>) -> bool {
        let listed = self.published(&plan.name);
        match plan.action {
            // Somebody else's Secret in its place has it taken off the list.
            Move::Create(_) => listed.is_some() || self.somebody_was_in_the_way(),
            Move::Replace(_) => {
                listed.is_none_or(|output| version.is_none() || output.resource_version.as_deref() != version)
            }
            Move::TakeOver(_) | Move::Recreate(_) => true,
            Move::Withdraw => listed.is_none(),
            Move::Settled | Move::Keep | Move::Wait { .. } | Move::Gone | Move::Blocked => false,
        }
    }

    fn somebody_was_in_the_way(&self) -> bool {
        let status = self.seen.object.status.as_ref();
        status.and_then(|status| status.conditions.reason(ConditionType::Published)) == Some(Reason::TargetNotOwned)
    }

    /// Somebody created it first. Not ours: it stays. Ours: the next visit sees it.
    async fn lost_the_race(&self, name: &str, failure: Failure) -> Result<Done, Failure> {
        let found = self.secrets.get_metadata_opt(name).await;
        let found = found.map_err(|error| Failure::new(Verb::Get, "secrets", &error))?;
        let Some(found) = found else { return Err(failure) };
        self.ctx.index.wrote(&Name::new(&self.namespace, name), Sight::of(&found.metadata));
        match ownership(&kept::of_metadata(found.metadata), self.seen.uid()) {
            Ownership::Foreign => Ok(Done::NotOwned),
            Ownership::Ours => Err(failure),
        }
    }

    /// Replaces the data of the Secret just read; the API server refuses if it has changed since.
    async fn replace(&self, name: &str, rendered: Rendered) -> Result<Done, Failure> {
        let Some(existing) = self.existing(name) else { return self.create(name, rendered).await };
        let cut = self.seen.target(name).is_some_and(|target| target.cut);
        let (mut secret, _alone) = if cut {
            let (secret, alone) = reread(&self.secrets, existing).await?;
            (secret, Some(alone))
        } else {
            (existing.clone(), None)
        };
        secret.metadata.labels.get_or_insert_default().extend(labels(self.object_name()));
        secret.data = Some(data(rendered));
        self.overwrite(name, &secret).await
    }

    /// Replaces all but the Secret's name and uid: what somebody else put there may tell others to copy it.
    async fn take_over(&self, name: &str, rendered: Rendered) -> Result<Done, Failure> {
        let mut secret = self.fresh(name, rendered);
        if let Some(existing) = self.existing(name) {
            secret.metadata.uid.clone_from(&existing.metadata.uid);
            secret.metadata.resource_version.clone_from(&existing.metadata.resource_version);
        }
        self.overwrite(name, &secret).await
    }

    async fn overwrite(&self, name: &str, secret: &Secret) -> Result<Done, Failure> {
        self.still_wanted().await?;
        let written = self.send((Verb::Update, name), self.secrets.replace(name, &params(), secret).boxed()).await?;
        Ok(self.written(name, &written.metadata))
    }

    /// Deletes what is not declared any more. What no status lists was put there by somebody else, perhaps in the place of
    /// what had gone.
    async fn let_go(&self, name: &str) -> Result<bool, Failure> {
        if !self.was_published(name) {
            self.take_turn()?;
        }
        self.delete(name).await
    }

    /// Deletes a Secret of ours at the version that was read. Returns whether it is gone.
    async fn delete(&self, name: &str) -> Result<bool, Failure> {
        let Some(existing) = self.existing(name) else { return Ok(true) };
        if ownership(existing, self.seen.uid()) == Ownership::Foreign {
            return Ok(false);
        }
        self.still_wanted().await?;
        let preconditions = Preconditions {
            uid: existing.metadata.uid.clone(),
            resource_version: existing.metadata.resource_version.clone(),
        };
        let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::background() };
        match self.send((Verb::Delete, name), self.secrets.delete(name, &params).boxed()).await {
            Ok(_) => {
                self.ctx.index.wrote(&Name::new(&self.namespace, name), Sight::Absent);
                Ok(true)
            }
            Err(failure) if failure.class() == Class::NotFound => Ok(true),
            Err(failure) => Err(failure),
        }
    }

    /// Before anything is overwritten, deleted or made anew: is the credential still what was decided about?
    async fn still_wanted(&self) -> Result<(), Failure> {
        let api: Api<ConnectorCredential> = Api::namespaced(self.ctx.client.clone(), &self.namespace);
        let now = api.get_metadata_opt(self.object_name()).await;
        let now = now.map_err(|error| Failure::new(Verb::Get, "connectorcredentials", &error))?;
        let seen = &self.seen.object.metadata;
        let same = now.is_some_and(|now| {
            let meta = now.metadata;
            meta.uid == seen.uid && meta.generation == seen.generation && meta.deletion_timestamp.is_none()
        });
        if same { Ok(()) } else { Err(Failure::overtaken("connectorcredentials")) }
    }

    fn written(&self, name: &str, meta: &ObjectMeta) -> Done {
        self.ctx.index.wrote(&Name::new(&self.namespace, name), Sight::of(meta));
        Done::Written(meta.resource_version.clone())
    }

    fn fresh(&self, name: &str, rendered: Rendered) -> Secret {
        let secret_type = rendered.secret_type.to_owned();
        Secret {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                namespace: Some(self.namespace.clone()),
                labels: Some(labels(self.object_name())),
                owner_references: Some(vec![owner(&self.seen.object)]),
                ..ObjectMeta::default()
            },
            type_: Some(secret_type),
            data: Some(data(rendered)),
            ..Secret::default()
        }
    }
}

/// What became of a write: one line of the log, also when its answer is lost, or not waited for any more.
struct Fate<'a> {
    namespace: &'a str,
    name: &'a str,
    secret: &'a str,
    verb: Verb,
    /// `None`: nobody knows.
    done: Option<bool>,
}

impl Drop for Fate<'_> {
    fn drop(&mut self) {
        let Self { namespace, name, secret, verb, done } = *self;
        match (done, verb) {
            (Some(true), Verb::Delete) => tracing::info!(namespace, name, secret, "output deleted"),
            (Some(true), _) => tracing::info!(namespace, name, secret, "output written"),
            (Some(false), _) => {}
            (None, Verb::Delete) => tracing::warn!(namespace, name, secret, "output perhaps deleted: no answer tells"),
            (None, _) => tracing::warn!(namespace, name, secret, "output perhaps written: no answer tells"),
        }
    }
}

fn owner(object: &ConnectorCredential) -> OwnerReference {
    OwnerReference {
        api_version: format!("{GROUP}/{VERSION}"),
        kind: "ConnectorCredential".to_owned(),
        name: object.metadata.name.clone().unwrap_or_default(),
        uid: object.metadata.uid.clone().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: None,
    }
}

fn data(rendered: Rendered) -> BTreeMap<String, ByteString> {
    rendered.data.into_iter().map(|(name, value)| (name, ByteString(value.to_vec()))).collect()
}

fn params() -> PostParams {
    PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() }
}
