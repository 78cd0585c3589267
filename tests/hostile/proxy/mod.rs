//! A hostile neighbour between the operator and the API server: passes requests on with whatever credentials they
//! carry, spoils those it was told to, and writes down every one.

mod faults;
mod flow;
mod request;
mod serve;
mod wire;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use jiff::Timestamp;
use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use faults::Faults;
pub(crate) use faults::{Fault, Refusal, Rule};
pub(crate) use flow::Flow;
use flow::Flows;
pub(crate) use request::Asked;
use wire::Answer;

use crate::simulator::{Certificate, tls};
use crate::support::bed::Bed;

/// A request that was seen.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) asked: Asked,
    /// Which of its kind it was, from 0.
    pub(crate) nth: usize,
    pub(crate) at: Timestamp,
    /// The API server's answer, whatever the operator was told; `None`: it was never asked.
    pub(crate) code: Option<u16>,
    /// What a status write left.
    pub(crate) written: Option<Value>,
}

#[derive(Default)]
struct State {
    faults: Faults,
    seen: Vec<Seen>,
    counts: BTreeMap<Asked, usize>,
    victim: Option<u32>,
    connects_hang: bool,
}

struct Shared {
    upstream: Client,
    tls: Option<TlsAcceptor>,
    flows: Flows,
    state: Mutex<State>,
    killed: Notify,
    news: Notify,
    released: Notify,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panicked here")
    }

    fn connects_hang(&self) -> bool {
        self.state().connects_hang
    }

    /// Writes the request down, and says what is due.
    fn meet(&self, asked: &Asked) -> (usize, Option<Fault>) {
        let mut state = self.state();
        let count = state.counts.entry(asked.clone()).or_default();
        let nth = *count;
        *count += 1;
        state.seen.push(Seen { asked: asked.clone(), nth, at: Timestamp::now(), code: None, written: None });
        (state.seen.len() - 1, state.faults.due(asked))
    }

    fn answered(&self, seq: usize, asked: &Asked, answer: &Answer) {
        let is_status = asked.is_mutation() && asked.resource == "connectorcredentials/status" && answer.code == 200;
        let written = is_status.then(|| serde_json::from_slice(&answer.body).unwrap_or_default());
        let mut state = self.state();
        state.seen[seq].code = Some(answer.code);
        state.seen[seq].written = written;
        drop(state);
        self.news.notify_waiters();
    }

    fn kill(&self) {
        let victim = self.state().victim.take();
        let pid = victim.and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        kill_process(pid.expect("somebody is to be killed"), Signal::KILL).expect("it runs");
        self.killed.notify_one();
    }
}

/// A running proxy; dropping it closes its connections.
pub(crate) struct Proxy {
    shared: Arc<Shared>,
    directory: tempfile::TempDir,
    accepting: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Proxy {
    /// Before the control plane of `bed`, for whoever uses `kubeconfig`; with TLS, or plain.
    pub(crate) async fn before(bed: &Bed, kubeconfig: &Path, encrypted: bool) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("loopback has free ports");
        let port = listener.local_addr().expect("it is bound").port();
        let tls = encrypted.then(|| tls::make(Certificate::Good).expect("a certificate can be made"));
        let directory = tempfile::tempdir().expect("there is a temporary directory");
        let server = match &tls {
            Some(_) => format!("https://localhost:{port}"),
            None => format!("http://127.0.0.1:{port}"),
        };
        let text = std::fs::read_to_string(kubeconfig).expect("the kubeconfig is there");
        let mut config: Value = serde_json::from_str(&text).expect("ours is JSON");
        config["clusters"][0]["cluster"] = match &tls {
            Some(tls) => serde_json::json!({
                "server": server,
                "certificate-authority-data": k8s_openapi::ByteString(tls.ca_pem.clone().into_bytes()),
            }),
            None => serde_json::json!({"server": server}),
        };
        std::fs::write(directory.path().join("kubeconfig"), config.to_string()).expect("it can be written to");
        let shared = Arc::new(Shared {
            upstream: upstream(bed).await,
            tls: tls.and_then(|tls| tls.acceptor),
            flows: Flows::default(),
            state: Mutex::default(),
            killed: Notify::new(),
            news: Notify::new(),
            released: Notify::new(),
        });
        let accepting = tokio::spawn(serve::accept(listener, Arc::clone(&shared)));
        Self { shared, directory, accepting }
    }

    /// Leads here.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.directory.path().join("kubeconfig")
    }

    pub(crate) fn add(&self, rule: Rule) {
        self.shared.state().faults.add(rule);
    }

    pub(crate) fn clear(&self) {
        self.shared.state().faults.clear();
    }

    /// From now on this happens to the events of a resource: `secrets`, or `team/secrets` in one namespace.
    pub(crate) fn set_flow(&self, resource: &str, flow: Flow) {
        self.shared.flows.set(resource, flow);
    }

    pub(crate) fn swallowed(&self) -> usize {
        self.shared.flows.swallowed()
    }

    /// New connections are accepted, and nothing more.
    pub(crate) fn hang_connects(&self, hang: bool) {
        self.shared.state().connects_hang = hang;
    }

    /// They go on after so long; those that hang then hang for ever.
    pub(crate) fn release_connects_after(&self, wait: std::time::Duration) {
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            shared.state().connects_hang = false;
        });
    }

    /// Passes on a request that is held, or the next that would be.
    pub(crate) fn release(&self) {
        self.shared.released.notify_one();
    }

    /// Kills the operator now.
    pub(crate) fn kill(&self) {
        self.shared.kill();
    }

    /// Whom `KillBefore` and `KillAfter` kill.
    pub(crate) fn set_victim(&self, id: u32) {
        self.shared.state().victim = Some(id);
    }

    /// Waits until it was killed.
    pub(crate) async fn killed(&self) {
        self.shared.killed.notified().await;
    }

    /// Every request so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.state().seen.clone()
    }

    /// How many so far: a mark for `since`.
    pub(crate) fn mark(&self) -> usize {
        self.shared.state().seen.len()
    }

    pub(crate) fn since(&self, mark: usize) -> Vec<Seen> {
        self.shared.state().seen[mark..].to_vec()
    }

    /// Waits until a request since `mark` is as described, whether it is answered or held.
    pub(crate) async fn until_met(&self, mark: usize, reached: impl Fn(&Seen) -> bool) {
        while !self.since(mark).iter().any(&reached) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }

    /// Waits until an answered request since `mark` is as described.
    pub(crate) async fn until(&self, mark: usize, reached: impl Fn(&Seen) -> bool) {
        loop {
            let news = self.shared.news.notified();
            let mut news = std::pin::pin!(news);
            news.as_mut().enable();
            if self.since(mark).iter().any(&reached) {
                return;
            }
            news.await;
        }
    }
}

/// A client with nobody's credentials: those of the requests are passed on.
async fn upstream(bed: &Bed) -> Client {
    let kubeconfig = Kubeconfig::read_from(bed.plane.kubeconfig()).expect("it is our own");
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    let mut config = config.expect("it is complete");
    config.auth_info = AuthInfo::default();
    config.default_retry = false;
    Client::try_from(config).expect("TLS is set up")
}
