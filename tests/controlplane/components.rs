//! With which flags does each component run, and when is it ready?

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::thread;
use std::time::Instant;

use super::binaries::Binaries;
use super::error::Error;
use super::etcd;
use super::files::Files;
use super::process::{self, Guarded, POLL};
use super::{ControlPlane, READY};

const ETCD: &str = "etcd";
const API_SERVER: &str = "kube-apiserver";
const CONTROLLERS: &str = "kube-controller-manager";

/// What makes owner references, deletion, quotas, role aggregation and roll-outs real.
const ENABLED: &str = "clusterrole-aggregation-controller,deployment-controller,garbage-collector-controller,\
namespace-controller,replicaset-controller,resourcequota-controller,serviceaccount-controller,\
validatingadmissionpolicy-status-controller";

/// An object whose owner does not exist, so that the garbage collector deletes it.
const ORPHAN: &str = r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {
  "name": "orphan", "namespace": "default", "ownerReferences": [
    {"apiVersion": "v1", "kind": "ConfigMap", "name": "absent", "uid": "absent"}]}}"#;

/// The loopback ports of one control plane.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ports {
    pub(super) etcd: u16,
    pub(super) api_server: u16,
}

impl Ports {
    /// Two ports that are free now; another process may still take one.
    pub(super) fn free() -> io::Result<Self> {
        let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let (etcd, api_server) = (bind()?, bind()?);
        Ok(Self { etcd: etcd.local_addr()?.port(), api_server: api_server.local_addr()?.port() })
    }

    pub(super) fn etcd_url(self) -> String {
        format!("http://127.0.0.1:{}", self.etcd)
    }
}

/// Whether starting again on other ports may help.
pub(super) fn port_was_taken(error: &Error) -> bool {
    matches!(error, Error::Ended { tail, .. } if tail.contains("address already in use"))
}

/// Starts etcd and waits until it answers.
pub(super) fn start_etcd(binaries: &Binaries, files: &Files, ports: Ports) -> Result<Guarded, Error> {
    let url = ports.etcd_url();
    let flags = [
        format!("--name={}", files.name()),
        "--unsafe-no-fsync".to_owned(),
        "--log-level=warn".to_owned(),
        format!("--data-dir={}", files.etcd_data().display()),
        format!("--listen-client-urls={url}"),
        format!("--advertise-client-urls={url}"),
        "--listen-peer-urls=http://127.0.0.1:0".to_owned(),
    ];
    let mut etcd = spawn(ETCD, &binaries.etcd, &flags, files)?;
    await_ready(ETCD, &mut etcd, || {
        // By its name: whoever took our port may be another test's etcd.
        match etcd::members(ports.etcd) {
            Ok(members) if members.contains(&files.name()) => Ok(()),
            Ok(_) => Err("another etcd answers".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    })?;
    Ok(etcd)
}

impl ControlPlane {
    pub(super) fn spawn_api_server(&self) -> Result<Guarded, Error> {
        let mut flags = api_server_flags(&self.files, self.ports);
        if !self.options.service_account_admission {
            flags.push("--disable-admission-plugins=ServiceAccount".to_owned());
        }
        flags.extend(self.options.api_server_flags.iter().cloned());
        spawn(API_SERVER, &self.binaries.api_server, &flags, &self.files)
    }

    /// Ready means: it says so, the bootstrap roles included.
    pub(super) fn await_api_server(&self, server: &mut Guarded) -> Result<(), Error> {
        await_ready(API_SERVER, server, || {
            // The server makes its certificate before it answers at all.
            let (url, token) = (self.url(), &self.files.admin_token);
            let written = self.files.write_kubeconfig("admin", &url, token);
            written.map_err(|error| error.to_string())?;
            let readiness = self.kubectl(&["get", "--raw", "/readyz"]);
            match readiness {
                Ok(output) if output.status.success() => Ok(()),
                Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
                Err(error) => Err(error.to_string()),
            }
        })
    }

    pub(super) fn spawn_controllers(&self) -> Result<Guarded, Error> {
        // An orphan for the garbage collector to show that it works.
        self.must(&["create", "--filename=-"], ORPHAN)?;
        let flags = [
            format!("--kubeconfig={}", self.kubeconfig().display()),
            format!("--controllers={ENABLED}"),
            "--leader-elect=false".to_owned(),
            "--use-service-account-credentials=false".to_owned(),
            "--secure-port=0".to_owned(),
            // The default of 20 a second is what makes deletion slow.
            "--kube-api-qps=500".to_owned(),
            "--kube-api-burst=1000".to_owned(),
        ];
        let manager = &self.binaries.controller_manager;
        spawn(CONTROLLERS, manager, &flags, &self.files)
    }

    /// Ready means: an orphan was collected, and a namespace got its service account.
    pub(super) fn await_controllers(&self, manager: &mut Guarded) -> Result<(), Error> {
        await_ready(CONTROLLERS, manager, || {
            let prints = |arguments: &[&str]| match self.kubectl(arguments) {
                Ok(output) if output.status.success() => Ok(!output.stdout.is_empty()),
                Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
                Err(error) => Err(error.to_string()),
            };
            if prints(&["get", "configmap", "orphan", "--ignore-not-found"])? {
                return Err("an orphan is not collected".to_owned());
            }
            prints(&["get", "serviceaccount", "default"]).map(drop)
        })
    }
}

fn api_server_flags(files: &Files, ports: Ports) -> Vec<String> {
    let path = |flag: &str, path: &Path| format!("--{flag}={}", path.display());
    vec![
        format!("--etcd-servers={}", ports.etcd_url()),
        "--bind-address=127.0.0.1".to_owned(),
        "--advertise-address=127.0.0.1".to_owned(),
        format!("--secure-port={}", ports.api_server),
        path("cert-dir", &files.certificates()),
        // Nothing runs in this cluster that would look for the kubernetes Service.
        "--endpoint-reconciler-type=none".to_owned(),
        "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
        "--authorization-mode=RBAC".to_owned(),
        path("token-auth-file", &files.tokens()),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        path("service-account-signing-key-file", &files.signing_key()),
        path("service-account-key-file", &files.public_key()),
        path("audit-policy-file", &files.audit_policy()),
        path("audit-log-path", &files.audit_log()),
    ]
}

fn spawn(name: &'static str, program: &Path, flags: &[String], files: &Files) -> Result<Guarded, Error> {
    Guarded::spawn(program, flags, &[], &files.log(name)).map_err(Error::path("start", program))
}

/// Asks again and again until the answer is `Ok`, the component ends or time is up.
fn await_ready(
    name: &'static str,
    component: &mut Guarded,
    ready: impl Fn() -> Result<(), String>,
) -> Result<(), Error> {
    let deadline = Instant::now() + READY;
    loop {
        let ended = component.ended().map_err(Error::io("look at a component"))?;
        let tail = || process::tail(component.log());
        if let Some(status) = ended {
            let tail = tail();
            return Err(Error::Ended { name, status, tail });
        }
        let Err(last) = ready() else { return Ok(()) };
        if Instant::now() >= deadline {
            return Err(Error::NotReady { name, limit: READY, last, tail: tail() });
        }
        thread::sleep(POLL);
    }
}
