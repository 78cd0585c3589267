//! Why? The closed list of reasons, shared by conditions, Events and metrics.

use std::fmt;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// Why a condition has its status. The name is the API.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason { $($(#[$doc])* $name,)+ }

        impl Reason {
            /// Every reason there is.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The reason as it stands in a condition.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }

            /// The reason of a stored condition; `None` for a text that this version does not write.
            #[must_use]
            pub fn read(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|reason| reason.name() == text)
            }
        }
    };
}

reasons! {
    /// The spec is complete and consistent.
    Accepted,
    /// The spec cannot be acted on.
    InvalidSpec,
    /// An older credential declares the same output.
    OutputConflict,
    /// The source Secret holds a usable key.
    SecretResolved,
    /// The source Secret does not exist.
    SecretNotFound,
    /// It has no such key.
    SecretKeyNotFound,
    /// RBAC refuses the operator the Secret.
    SecretAccessDenied,
    /// A Secret of this type is never read.
    SecretTypeNotAllowed,
    /// What it holds cannot be a key.
    KeyMalformed,
    /// Nobody has looked yet.
    NotChecked,
    /// The provider accepted the key.
    KeyAccepted,
    /// The provider refused the key.
    KeyRejected,
    /// The key's lifetime is over.
    KeyExpired,
    /// The key was withdrawn.
    KeyRevoked,
    /// Only local checks were asked for.
    LocalOnly,
    /// The administrator has configured no endpoint.
    EndpointNotConfigured,
    /// No answer, or the provider's own failure.
    ProviderUnavailable,
    /// Too many requests.
    RateLimited,
    /// An answer that is not in the provider's documentation.
    UnexpectedResponse,
    /// The key may do what is declared.
    AccessVerified,
    /// Declared scopes are missing.
    InsufficientScope,
    /// The account, plan or module does not allow it.
    AccessDenied,
    /// The operator's address is not on the key's allow-list.
    IPNotAllowed,
    /// No read-only request can show it.
    NotVerifiable,
    /// All outputs carry the proved key.
    Published,
    /// Outputs carry the key that was proved last.
    LastKnownGood,
    /// Outputs wait for a proof.
    WaitingForVerification,
    /// A Secret that is not ours is in the way.
    TargetNotOwned,
    /// The API server refused a write.
    WriteFailed,
    /// Outputs were deleted because their key was refused.
    Withdrawn,
    /// The key expires soon.
    ExpiringSoon,
    /// The declared expiry has passed.
    Expired,
    /// The key is older than `maxAge`.
    KeyTooOld,
    /// The key can do more than is declared.
    UndeclaredScope,
    /// All is well.
    Ready,
    /// The credential is suspended.
    Suspended,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
