//! The contract: the `ConnectorCredential` of `connector-operator.io/v1alpha1` and the names around it.

mod condition;
mod duration;
mod reason;
mod spec;
mod status;

pub use condition::{ConditionType, Conditions, Finding, Status, merge};
pub(crate) use duration::DURATION_PATTERN;
pub use duration::parse_duration;
pub use reason::Reason;
pub use spec::{
    ConnectorCredential, ConnectorCredentialSpec, Format, KeySecretRef, Mode, Output, PublishPolicy, RejectionPolicy,
    Validation,
};
pub use status::{
    BindingStatus, ConnectorCredentialStatus, ExpirationStatus, KeyStatus, OutputStatus, SourceStatus, TokenStatus,
    ValidationStatus,
};

/// API group.
pub const GROUP: &str = "connector-operator.io";
/// API version.
pub const VERSION: &str = "v1alpha1";
/// Field manager of every write, and the value of `app.kubernetes.io/managed-by`.
pub const FIELD_MANAGER: &str = "connector-operator";
/// Annotation: a new value asks for a check now.
pub const RECONCILE_AT: &str = "connector-operator.io/reconcile-at";
/// Flux's annotation for the same.
pub const FLUX_REQUESTED_AT: &str = "reconcile.fluxcd.io/requestedAt";
/// Label of an output: the credential that it belongs to.
pub const CREDENTIAL_LABEL: &str = "connector-operator.io/credential";
/// Label of an output: who writes it.
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";
