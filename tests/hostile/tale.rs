//! A credential's life, as the crash matrix plays it: created with a good key or a wrong one, given another, its format
//! changed, an output dropped whose name a stranger takes; its token is renewed, or its key refused; deleted.

use std::fmt;
use std::time::Duration;

use connector_operator::api::{CREDENTIAL_LABEL, ConditionType, ConnectorCredential, FIELD_MANAGER, MANAGED_BY_LABEL};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::crash::STILL;
use super::scene::{Scene, quiet_of};
use super::state::{Masks, State, end_state};
use crate::controller::cast::{self, Act};
use crate::simulator::IssuedKey;
use crate::support::await_object::{await_gone, await_object};
use crate::support::full_length;
use crate::support::stage::{SOON, is, is_current, value};

/// A claim that nobody took up is waited out: a minute, and a loaded machine.
const LIMIT: Duration = Duration::from_secs(6 * SOON.as_secs());
/// A Secret that looks like ours and has no owner.
const STRANGER: &str = "strangers";

/// What befalls it before it is deleted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Turn {
    Nothing,
    /// Its token is renewed.
    Renewed,
    /// The provider says that its key is expired: the output is withdrawn.
    Expired,
    /// The provider refuses its key twice: the output is withdrawn.
    Refused,
}

pub(super) struct Tale {
    act: Act,
    /// Calls of one check.
    course: usize,
    turn: Turn,
    /// Whether the operator holds a Lease.
    led: bool,
    /// Whether nobody issued the first key. In its place, for only two unscheduled checks may follow each other at once.
    mistaken: bool,
}

impl fmt::Display for Tale {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.act.name)
    }
}

impl Tale {
    /// All five providers: four asked once, one three times; one mints tokens.
    pub(super) fn all() -> [Self; 5] {
        let tale = |act, course, turn| Self { act, course, turn, led: false, mistaken: false };
        // Half a minute lies between two refusals.
        let refused = if full_length() { Turn::Refused } else { Turn::Nothing };
        [
            Self { led: true, ..tale(cast::inflow(), 1, Turn::Nothing) },
            Self { mistaken: true, ..tale(cast::flowlu(), 1, refused) },
            tale(cast::zenflow(), 3, Turn::Expired),
            Self { mistaken: true, ..tale(cast::flow(), 1, Turn::Nothing) },
            tale(cast::aventri(), 1, Turn::Renewed),
        ]
    }

    pub(super) fn mints(&self) -> bool {
        self.act.name == cast::aventri().name
    }

    pub(super) fn is_led(&self) -> bool {
        self.led
    }

    pub(super) fn course(&self) -> usize {
        self.course
    }

    fn withdraws(&self) -> bool {
        [Turn::Expired, Turn::Refused].contains(&self.turn)
    }

    fn spec(&self, more: Option<&str>) -> Value {
        let mut outputs = vec![json!({"secretName": self.act.output(), "format": "Binding"})];
        outputs.extend(more.map(|format| json!({"secretName": self.more(), "format": format})));
        let mut spec = self.act.spec_with("outputs", json!(outputs));
        if self.withdraws() {
            spec["rejectionPolicy"] = json!("Withdraw");
        }
        spec
    }

    fn more(&self) -> String {
        format!("{}-more", self.act.name)
    }

    /// Plays it. Gives the state before the deletion and after it, and which Secrets of strangers were touched.
    pub(super) async fn play(&self, scene: &Scene) -> (Masks, [State; 2], Vec<String>) {
        let (stage, act) = (&scene.stage, &self.act);
        let second = stage.issue(act.new_key());
        let first = if self.mistaken { stage.wrong_key(act.provider) } else { stage.issue(act.new_key()).key };
        let masks = [(&first, "KEY1"), (&second.key, "KEY2")];
        let masks = masks.map(|(key, mask)| (key.clone(), mask.to_owned())).to_vec();
        stage.put_secret(&act.source(), &[("api-key", &first)]).await;
        stage.declare(act.name, self.spec(Some("Env"))).await;
        let mut strangers = vec![self.stranger(scene, STRANGER).await];
        if self.mistaken {
            let refused = ("False", "KeyRejected");
            self.until_told(scene, |object| is(object, ConditionType::Authenticated, refused)).await;
            assert!(stage.secret(&act.output()).await.is_none(), "{self}: nothing unproved is published");
        } else {
            self.until_live(scene).await;
        }
        stage.put_secret(&act.source(), &[("api-key", &second.key)]).await;
        self.until_live(scene).await;
        stage.declare(act.name, self.spec(Some("HTTP"))).await;
        self.until_live(scene).await;
        stage.declare(act.name, self.spec(None)).await;
        await_gone(&stage.secrets(), &self.more(), LIMIT).await.expect("it is dropped");
        strangers.push(self.stranger(scene, &self.more()).await);
        self.until_live(scene).await;
        self.take_the_turn(scene, &second).await;
        let rest = end_state(&stage.bed, &stage.namespace, &masks).await;
        stage.credentials().delete(act.name, &DeleteParams::default()).await.expect("it is there");
        await_gone(&stage.secrets(), &act.output(), LIMIT).await.expect("it goes with its owner");
        let end = end_state(&stage.bed, &stage.namespace, &masks).await;
        let mut touched = Vec::new();
        for stranger in strangers {
            let name = stranger.metadata.name.clone().unwrap_or_default();
            let now = stage.secret(&name).await;
            if now.as_ref() != Some(&stranger) {
                touched.push(format!("the stranger's Secret {name} was touched"));
            }
        }
        (masks, [rest, end], touched)
    }

    /// A Secret with the labels of an output, that nobody declares.
    async fn stranger(&self, scene: &Scene, name: &str) -> Secret {
        let stage = &scene.stage;
        stage.put_secret(name, &[("password", "nobody's business")]).await;
        let labels = json!({
            MANAGED_BY_LABEL: FIELD_MANAGER,
            CREDENTIAL_LABEL: self.act.name,
        });
        let patch = Patch::Merge(json!({"metadata": {"labels": labels}}));
        let labelled = stage.secrets().patch(name, &PatchParams::default(), &patch).await;
        labelled.expect("the administrator may label")
    }

    async fn take_the_turn(&self, scene: &Scene, key: &IssuedKey) {
        let (stage, output) = (&scene.stage, self.act.output());
        let token = async || value(&stage.secret(&output).await?, "access-token");
        match self.turn {
            Turn::Nothing => {}
            Turn::Renewed => {
                let before = token().await;
                self.make_due(scene).await;
                let renewed = |secret: &Secret| value(secret, "access-token") != before;
                await_object(&stage.secrets(), &output, LIMIT, renewed).await.expect("it is renewed");
                self.until_live(scene).await;
            }
            Turn::Expired | Turn::Refused => {
                let simulator = &stage.simulator;
                let done = if self.turn == Turn::Expired {
                    simulator.expire_key(&key.id)
                } else {
                    simulator.revoke_key(&key.id)
                };
                assert!(done, "{self}: it is known");
                self.make_due(scene).await;
                let withdrawn =
                    |object: &ConnectorCredential| is(object, ConditionType::Published, ("False", "Withdrawn"));
                self.until_told(scene, withdrawn).await;
                await_gone(&stage.secrets(), &output, LIMIT).await.expect("it is withdrawn");
            }
        }
    }

    /// The next check is due now, and so is the renewal of a token. A status is no news to the operator, a spec is.
    async fn make_due(&self, scene: &Scene) {
        let due = (Timestamp::now() - SignedDuration::from_secs(1)).strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let mut status = json!({"validation": {"nextCheckTime": due}});
        if self.mints() {
            status["token"] = json!({"renewalTime": due});
        }
        let patch = Patch::Merge(json!({"status": status}));
        let patched = scene.stage.credentials().patch_status(self.act.name, &PatchParams::default(), &patch).await;
        patched.expect("the administrator may write statuses");
        let mut spec = self.spec(None);
        spec["description"] = json!("Look again");
        scene.stage.declare(self.act.name, spec).await;
    }

    /// Waits until what is declared is what is so, and everything is told.
    async fn until_live(&self, scene: &Scene) {
        self.until_told(scene, |object| is(object, ConditionType::Ready, ("True", "Ready"))).await;
    }

    /// Waits until this is told of what is declared now and of the key that is there now.
    async fn until_told(&self, scene: &Scene, told: impl Fn(&ConnectorCredential) -> bool) {
        let source = scene.stage.secret(&self.act.source()).await.expect("it is put");
        let version = source.metadata.resource_version.unwrap_or_default();
        let reached = |object: &ConnectorCredential| {
            let spoken = object.status.as_ref().and_then(|status| status.source.as_ref());
            is_current(object) && told(object) && spoken.is_some_and(|source| source.resource_version == version)
        };
        let waited = await_object(&scene.stage.credentials(), self.act.name, LIMIT, reached).await;
        waited.unwrap_or_else(|late| panic!("{self}: {late}\n{}", scene.stage.operator.log()));
        quiet_of(&scene.proxy, STILL, |seen| seen.asked.is_mutation() && seen.asked.resource != "leases").await;
    }
}
