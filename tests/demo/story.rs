//! How is the story told? Commands are run as shown, states are awaited with a limit, and the table stands below.
//!
//! Knows nothing of what the story is about: `chapters.rs` does.

use std::fmt::Debug;
use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use connector_operator::api::{ConditionType, Conditions as _, ConnectorCredential, RECONCILE_AT};
use futures::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::NamespaceResourceScope;
use kube::api::{Patch, PatchParams};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::wait::await_condition;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::time::{interval, sleep, timeout};

use crate::error::Error;
use crate::pictures::Album;
use crate::screen::{Colour, Screen};
use crate::stage::{NAMESPACE, ROOT, Stage};
use crate::table::{self, Row};
use crate::typeset::{WIDTH, continued, in_shell, wrap};

/// How long a state may take to come true: far longer than it takes, for loaded machines.
const LIMIT: Duration = Duration::from_secs(60);
/// How often the page is brought up to date.
const FRAME: Duration = Duration::from_millis(100);
/// How often it is looked whether a state has come true.
const GLANCE: Duration = Duration::from_millis(20);
/// How long a person is given to read the end of a chapter.
const PAUSE: Duration = Duration::from_secs(3);

/// The teller.
pub(crate) struct Story<'a> {
    pub(crate) stage: Stage<'a>,
    pub(crate) screen: &'a mut Screen,
    credentials: Store<ConnectorCredential>,
    told: Vec<Row>,
    chapter: u32,
    album: Option<Album>,
}

impl<'a> Story<'a> {
    /// Follows all credentials of the demo from now on.
    pub(crate) fn new(stage: Stage<'a>, screen: &'a mut Screen, album: Option<Album>) -> Self {
        let (credentials, writer) = reflector::store();
        let api: Api<ConnectorCredential> = Api::namespaced(stage.client.clone(), NAMESPACE);
        let watch = watcher(api, watcher::Config::default()).default_backoff().reflect(writer);
        tokio::spawn(watch.for_each(|_| std::future::ready(())));
        Self { stage, screen, credentials, told: Vec::new(), chapter: 0, album }
    }

    /// The demo's objects of one kind.
    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.stage.client.clone(), NAMESPACE)
    }

    /// A new chapter.
    pub(crate) fn chapter(&mut self, title: &str) {
        self.chapter += 1;
        let title = self.screen.paint(Colour::Bold, &format!("{}  {title}", self.chapter));
        self.screen.line("");
        self.screen.line(&title);
        self.screen.line("");
    }

    /// A sentence, broken into lines.
    pub(crate) fn say(&mut self, text: &str) {
        self.wrapped(text, Colour::Plain, "  ");
    }

    /// What an object says about itself.
    pub(crate) fn quote(&mut self, text: &str) {
        self.wrapped(text, Colour::Dim, "    | ");
    }

    /// Something that came true.
    pub(crate) fn good(&mut self, text: &str) {
        let mark = self.screen.paint(Colour::Green, "✓");
        for (number, line) in wrap(text, WIDTH - 4).iter().enumerate() {
            let margin = if number == 0 { &mark } else { " " };
            self.screen.line(&format!("  {margin} {line}"));
        }
    }

    fn wrapped(&mut self, text: &str, colour: Colour, margin: &str) {
        for line in wrap(text, WIDTH - margin.len()) {
            let line = self.screen.paint(colour, &format!("{margin}{line}"));
            self.screen.line(&line);
        }
    }

    /// Runs kubectl in the repository, after showing the command; `key` is not shown.
    pub(crate) fn kubectl(&mut self, arguments: &[&str], key: Option<&str>) -> Result<(), Error> {
        let shown = key.map_or_else(|| in_shell(arguments), |key| in_shell(arguments).replace(key, "…"));
        for line in continued(&shown) {
            let line = self.screen.paint(Colour::Bold, &line);
            self.screen.line(&line);
        }
        let mut command = self.stage.plane.kubectl_command(&self.stage.plane.kubeconfig());
        command.current_dir(Path::new(ROOT)).args(arguments).stdin(Stdio::null());
        let output = command.output().map_err(Error::io("run kubectl"))?;
        if output.status.success() {
            return Ok(());
        }
        Err(Error::Command {
            command: continued(&shown).join("\n"),
            message: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Waits until `reached` holds of a credential, with the table below; an error when it takes too long.
    ///
    /// Looks at what the table is drawn from, so that both agree.
    pub(crate) async fn until(
        &mut self,
        name: &str,
        expected: &str,
        reached: impl Fn(&ConnectorCredential) -> bool,
    ) -> Result<Arc<ConnectorCredential>, Error> {
        let credentials = self.credentials.clone();
        let key = ObjectRef::new(name).within(NAMESPACE);
        let becoming = async {
            loop {
                match credentials.get(&key).filter(|credential| reached(credential)) {
                    Some(credential) => return credential,
                    None => sleep(GLANCE).await,
                }
            }
        };
        let became = self.meanwhile(timeout(LIMIT, becoming)).await?;
        became.map_err(|_| self.unmet(&format!("{name}: {expected}"), &self.state_of(name)))
    }

    /// The object once `reached` holds of it; `None` when it takes too long.
    pub(crate) async fn awaited<K>(&mut self, name: &str, reached: impl Fn(&K) -> bool) -> Result<Option<K>, Error>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + DeserializeOwned
            + Clone
            + Debug
            + Send
            + 'static,
    {
        let api: Api<K> = self.api();
        let condition = |object: Option<&K>| object.is_some_and(&reached);
        let becoming = async {
            loop {
                // A watch that fails begins anew.
                match await_condition(api.clone(), name, condition).await {
                    Ok(Some(object)) => return object,
                    Ok(None) | Err(_) => sleep(FRAME).await,
                }
            }
        };
        let becoming = timeout(LIMIT, becoming);
        Ok(self.meanwhile(becoming).await?.ok())
    }

    /// Keeps the table up to date while something else goes on.
    async fn meanwhile<T>(&mut self, other: impl Future<Output = T>) -> Result<T, Error> {
        let mut other = pin!(other);
        let mut frames = interval(FRAME);
        loop {
            tokio::select! {
                value = &mut other => {
                    self.draw();
                    return Ok(value);
                }
                _ = frames.tick() => {
                    self.draw();
                    self.stage.check_operator()?;
                }
            }
        }
    }

    fn draw(&mut self) {
        let rows = self.rows();
        if self.screen.is_terminal() {
            let mut block = table::lines(&rows, self.screen);
            block.insert(0, String::new());
            self.screen.live(block);
            return;
        }
        for row in &rows {
            let before = self.told.iter().find(|told| told.name() == row.name());
            if row.is_known() && !before.is_some_and(|before| before.tells_the_same_as(row)) {
                let line = row.line(self.screen);
                self.screen.line(&line);
            }
        }
        self.told = rows;
    }

    fn rows(&self) -> Vec<Row> {
        table::rows(&self.credentials.state(), Timestamp::now())
    }

    /// Pictures of what is to be seen now, when they are wanted. A while goes by before the dashboard's, in which all
    /// credentials are checked out of turn, so that its panels have something to show.
    pub(crate) async fn pictures(&mut self) -> Result<(), Error> {
        let Some(album) = self.album.take() else { return Ok(()) };
        album.table(&table::lines(&self.rows(), &Screen::coloured()))?;
        album.page("list", &self.stage, &["list"])?;
        album.page("status", &self.stage, &["status", "crm"])?;
        for round in 0..6 {
            let asked = json!({"metadata": {"annotations": {RECONCILE_AT: format!("picture {round}")}}});
            for credential in self.credentials.state() {
                let name = credential.metadata.name.clone().unwrap_or_default();
                let api: Api<ConnectorCredential> = self.api();
                api.patch(&name, &PatchParams::default(), &Patch::Merge(&asked)).await?;
            }
            self.meanwhile(sleep(Duration::from_secs(12))).await?;
        }
        album.dashboard().await
    }

    /// Leaves the table on the page, and time to look at it.
    pub(crate) async fn rest(&mut self) -> Result<(), Error> {
        if self.screen.is_terminal() {
            self.meanwhile(sleep(PAUSE)).await?;
            self.screen.settle();
            return Ok(());
        }
        self.screen.line("");
        for line in table::lines(&self.rows(), self.screen) {
            self.screen.line(&line);
        }
        Ok(())
    }

    /// Keeps the table up to date for good.
    pub(crate) async fn stay(&mut self) -> Result<(), Error> {
        self.meanwhile(std::future::pending()).await
    }

    /// The story did not go on as told.
    pub(crate) fn unmet(&self, expected: &str, seen: &str) -> Error {
        Error::Unmet {
            expected: expected.to_owned(),
            seen: seen.to_owned(),
            log: self.stage.log().display().to_string(),
        }
    }

    /// All conditions of a credential as last seen.
    pub(crate) fn state_of(&self, name: &str) -> String {
        let credential = self.credentials.state().into_iter().find(|it| it.metadata.name.as_deref() == Some(name));
        credential.map_or_else(|| format!("no {name}"), |credential| state(&credential))
    }
}

/// All conditions, without their messages but Ready's.
fn state(credential: &Arc<ConnectorCredential>) -> String {
    let conditions = credential.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let all: Vec<_> = conditions.iter().map(|it| format!("{}={} {}", it.type_, it.status, it.reason)).collect();
    let message = conditions.of(ConditionType::Ready).map(|ready| ready.message.clone()).unwrap_or_default();
    format!("{}\n            {message}", all.join(", "))
}
