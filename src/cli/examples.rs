//! What does a person type? The examples that stand under the help of each command.

pub(super) const VERIFY: &str = "\
Examples:
  connectorctl verify -f credentials/
      Manifests and Secrets of a directory and those below it.
  kustomize build . | connectorctl verify -f -
      Whatever prints manifests.
  connectorctl verify -f erp.yaml --key-from-env erp=ERP_KEY -o github
      In a pull request: the key is in a variable, problems appear beside the lines.

Exit status: 0 all keys are good, 1 some are not, 2 usage.";

pub(super) const STATUS: &str = "\
Examples:
  connectorctl status erp -n data
  connectorctl status erp -o yaml

Exit status: 0 the credential is ready, 1 it is not, 2 usage.";

pub(super) const LIST: &str = "\
Examples:
  connectorctl list -A
  connectorctl list -n data -l team=erp -o wide
  connectorctl list -n data --field-selector status.provider=ZenFlow -o name";

pub(super) const TREE: &str = "\
Example:
  connectorctl tree erp -n data";

pub(super) const RENDER: &str = "\
Examples:
  connectorctl render erp -n data
      Needs no right to read Secrets: keys are redacted.
  connectorctl render erp -n data --show-secrets --config operator.yaml";

pub(super) const RECONCILE: &str = "\
Examples:
  connectorctl reconcile erp -n data --wait
  connectorctl reconcile -l team=erp
  connectorctl reconcile --all

Exit status: 0 done, with --wait also ready; 1 failed or not ready, 2 usage.";

pub(super) const SUSPEND: &str = "\
Examples:
  connectorctl suspend erp -n data
  connectorctl suspend --all -n data";

pub(super) const RESUME: &str = "\
Examples:
  connectorctl resume erp -n data
  connectorctl resume -l team=erp -n data";

pub(super) const CHECK: &str = "\
Examples:
  connectorctl check --pre
      Before the installation: version and rights.
  connectorctl check --wait --timeout 5m
      After it: until the operator works.

Exit status: 0 all is good, 1 something is not, 2 usage.";

pub(super) const REPORT: &str = "\
Examples:
  connectorctl report -n data > report.yaml
  connectorctl report erp crm -n data > report.yaml";

pub(super) const CRD: &str = "\
Example:
  connectorctl crd | kubectl apply --server-side -f -";

pub(super) const COMPLETION: &str = "\
Examples:
  source <(connectorctl completion bash)
  source <(connectorctl completion zsh)
  connectorctl completion fish | source";

pub(super) const MAN: &str = "\
Example:
  connectorctl man ./man";

pub(super) const VERSION: &str = "\
Example:
  connectorctl version";
