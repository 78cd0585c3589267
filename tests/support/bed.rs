//! The ground a test stands on: one control plane for the whole test process,
//! and a namespace of its own for each test.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client, Resource};

use crate::controlplane::{self, ControlPlane, Error, Options, progress};

/// The one control plane; a failure is kept, so that not every test tries again for minutes.
static SHARED: OnceLock<Result<ControlPlane, String>> = OnceLock::new();

/// How many namespaces this process has asked for.
static NAMESPACES: AtomicU32 = AtomicU32::new(0);

/// The shared control plane with the administrator's client for this test.
#[derive(Clone)]
pub(crate) struct Bed {
    pub(crate) plane: &'static ControlPlane,
    pub(crate) client: Client,
}

/// The bed, started by whichever test asks first.
///
/// # Panics
///
/// When there is no control plane: skipping is not passing.
pub(crate) async fn bed() -> Bed {
    // Blocking for seconds is all right on a thread for it, not on the test's own.
    let plane = tokio::task::spawn_blocking(|| SHARED.get_or_init(start))
        .await
        .expect("starting the control plane does not panic");
    let plane = match plane {
        Ok(plane) => plane,
        Err(message) => panic!("{message}"),
    };
    let client = plane.client().await.expect("the kubeconfig is our own");
    Bed { plane, client }
}

/// A bed of one's own, for tests that stop parts of it. It lives as long as the test process.
pub(crate) async fn private_bed() -> Bed {
    let plane = tokio::task::spawn_blocking(start).await.expect("starting the control plane does not panic");
    let plane: &'static ControlPlane = Box::leak(Box::new(plane.unwrap_or_else(|message| panic!("{message}"))));
    let client = plane.client().await.expect("the kubeconfig is our own");
    Bed { plane, client }
}

fn start() -> Result<ControlPlane, String> {
    let binaries = controlplane::find_or_build(progress::on_stderr());
    let options = Options { definitions: definitions(), ..Options::default() };
    binaries.and_then(|binaries| ControlPlane::start(&options, &binaries)).map_err(|error| format!("{error:?}"))
}

/// The project's own kinds, once they are there.
fn definitions() -> Vec<PathBuf> {
    let crds = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/crds"));
    if crds.is_dir() { vec![crds] } else { Vec::new() }
}

impl Bed {
    /// Creates a namespace no other test uses and returns its name.
    pub(crate) async fn namespace(&self, prefix: &str) -> String {
        self.namespace_with_labels(prefix, BTreeMap::new()).await
    }

    /// The same with labels, for instance a Pod Security level.
    pub(crate) async fn namespace_with_labels(&self, prefix: &str, labels: BTreeMap<String, String>) -> String {
        let number = NAMESPACES.fetch_add(1, Ordering::Relaxed);
        let name = format!("{prefix}-{}-{number}", std::process::id());
        let namespace = Namespace {
            metadata: ObjectMeta { name: Some(name.clone()), labels: Some(labels), ..ObjectMeta::default() },
            ..Namespace::default()
        };
        Api::all(self.client.clone())
            .create(&PostParams::default(), &namespace)
            .await
            .expect("the administrator may create namespaces");
        name
    }

    /// Creates a service account without rights and returns a kubeconfig that acts as it.
    pub(crate) async fn service_account(&self, namespace: &str, name: &str) -> Result<PathBuf, Error> {
        let account = ServiceAccount {
            metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
            ..ServiceAccount::default()
        };
        self.api(namespace).create(&PostParams::default(), &account).await?;
        self.plane.kubeconfig_for_service_account(namespace, name).await
    }

    /// The administrator's view of one kind in one namespace.
    pub(crate) fn api<K>(&self, namespace: &str) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), namespace)
    }
}
