//! What may the operator do? What the install manifest grants, and nothing else:
//! in tests and in the demo it runs under its own service account.

use std::fs;
use std::path::PathBuf;

use super::ControlPlane;
use super::error::Error;

/// The manifest that users apply.
const MANIFEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/install.yaml");
/// The documents of it that grant rights; the rest runs the operator, which is done by hand here.
const KINDS: [&str; 6] = ["Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"];
/// Where the manifest puts the operator, and its account.
const OPERATOR: (&str, &str) = ("connector-operator", "connector-operator");

impl ControlPlane {
    /// Grants the operator's service account what the install manifest grants. May be repeated. Blocks.
    pub(crate) fn install_rights(&self) -> Result<(), Error> {
        let manifest = fs::read_to_string(MANIFEST).map_err(Error::io("read install.yaml"))?;
        let wanted = |document: &&str| {
            let kind = document.lines().find_map(|line| line.strip_prefix("kind: "));
            kind.is_some_and(|kind| KINDS.contains(&kind.trim()))
        };
        let documents: Vec<_> = manifest.split("\n---").filter(wanted).collect();
        self.must(&["apply", "--server-side", "--filename=-"], &documents.join("\n---\n"))
    }

    /// A kubeconfig that acts as the operator's service account.
    pub(crate) async fn operator_kubeconfig(&self) -> Result<PathBuf, Error> {
        self.kubeconfig_for_service_account(OPERATOR.0, OPERATOR.1).await
    }
}
