//! A credential's life, as the crash matrix plays it: created, rotated, its format changed, an output dropped, deleted.

use std::fmt;
use std::time::Duration;

use connector_operator::api::{ConditionType, ConnectorCredential};
use kube::api::DeleteParams;
use serde_json::{Value, json};

use super::crash::STILL;
use super::proxy::Asked;
use super::scene::{Scene, quiet_of};
use super::state::{Masks, State, end_state};
use crate::controller::cast::{self, Act};
use crate::support::await_object::{await_gone, await_object};
use crate::support::stage::{SOON, is, is_current};

/// A claim that nobody took up is waited out: a minute, and a loaded machine.
const LIMIT: Duration = Duration::from_secs(6 * SOON.as_secs());

pub(super) struct Tale {
    act: Act,
    /// Calls of one check.
    course: usize,
}

impl fmt::Display for Tale {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.act.name)
    }
}

impl Tale {
    /// One provider asked once, one asked three times, one that mints tokens.
    pub(super) fn all() -> [Self; 3] {
        let tale = |act, course| Self { act, course };
        [tale(cast::inflow(), 1), tale(cast::zenflow(), 3), tale(cast::aventri(), 1)]
    }

    pub(super) fn mints(&self) -> bool {
        self.act.name == cast::aventri().name
    }

    pub(super) fn course(&self) -> usize {
        self.course
    }

    /// Whether a need is made anew here: the call itself is repeated, or a token that was answered is not stored yet.
    /// It is once the status says when it ends: after the claim (0, 2) and both outputs, with the second write (1, 3).
    pub(super) fn loses_a_token(write: Option<(&Asked, usize)>, before: bool) -> bool {
        let Some((asked, nth)) = write else { return true };
        match (asked.verb, asked.resource.as_str()) {
            ("create" | "update", "secrets") => nth == 0,
            ("patch", _) => before && [1, 3].contains(&nth),
            _ => false,
        }
    }

    fn spec(&self, more: Option<&str>) -> Value {
        let mut outputs = vec![json!({"secretName": self.act.output(), "format": "Binding"})];
        outputs.extend(more.map(|format| json!({"secretName": self.more(), "format": format})));
        self.act.spec_with("outputs", json!(outputs))
    }

    fn more(&self) -> String {
        format!("{}-more", self.act.name)
    }

    /// Plays it. Gives the state before the deletion and after it.
    pub(super) async fn play(&self, scene: &Scene) -> (Masks, State, State) {
        let (stage, act) = (&scene.stage, &self.act);
        let (first, second) = (stage.issue(act.new_key()), stage.issue(act.new_key()));
        let masks = vec![(first.key.clone(), "KEY1".to_owned()), (second.key.clone(), "KEY2".to_owned())];
        stage.put_secret(&act.source(), &[("api-key", &first.key)]).await;
        stage.declare(act.name, self.spec(Some("Env"))).await;
        self.until_live(scene).await;
        stage.put_secret(&act.source(), &[("api-key", &second.key)]).await;
        self.until_live(scene).await;
        stage.declare(act.name, self.spec(Some("HTTP"))).await;
        self.until_live(scene).await;
        stage.declare(act.name, self.spec(None)).await;
        await_gone(&stage.secrets(), &self.more(), LIMIT).await.expect("it is dropped");
        self.until_live(scene).await;
        let rest = end_state(&stage.bed, &stage.namespace, &masks).await;
        stage.credentials().delete(act.name, &DeleteParams::default()).await.expect("it is there");
        await_gone(&stage.secrets(), &act.output(), LIMIT).await.expect("it goes with its owner");
        let end = end_state(&stage.bed, &stage.namespace, &masks).await;
        (masks, rest, end)
    }

    /// Waits until what is declared is what is so, and everything is told.
    async fn until_live(&self, scene: &Scene) {
        let source = scene.stage.secret(&self.act.source()).await.expect("it is put");
        let version = source.metadata.resource_version.unwrap_or_default();
        let live = |object: &ConnectorCredential| {
            let spoken = object.status.as_ref().and_then(|status| status.source.as_ref());
            is_current(object)
                && is(object, ConditionType::Ready, ("True", "Ready"))
                && spoken.is_some_and(|source| source.resource_version == version)
        };
        let waited = await_object(&scene.stage.credentials(), self.act.name, LIMIT, live).await;
        waited.unwrap_or_else(|late| panic!("{self}: {late}\n{}", scene.stage.operator.log()));
        quiet_of(&scene.proxy, STILL, |seen| seen.asked.is_mutation()).await;
    }
}
