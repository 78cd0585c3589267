//! What did a provider say about a key? Three outcomes, never mixed.

use crate::credential::AccessToken;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The outcome of one check. Only the provider's documented proof makes it anything but [`Verdict::Inconclusive`].
#[derive(Debug)]
pub enum Verdict {
    /// The key is genuine; [`Proof`] says what it may do.
    Accepted(Proof),
    /// The provider refused the key itself.
    Rejected(Rejection),
    /// Nothing was learned about the key.
    Inconclusive(Doubt),
}

/// How a provider refused a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// Unknown, wrong or for another account.
    Key,
    /// Its lifetime is over.
    Expired,
    /// Withdrawn by a person.
    Revoked,
}

/// Why nothing was learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// No answer, or the provider's own failure.
    Unavailable,
    /// Too many requests.
    RateLimited,
    /// An answer that is not in the provider's documentation.
    Unexpected,
}

/// What an accepted key was seen to be able to do.
#[derive(Debug)]
pub struct Proof {
    /// Access to what the credential declares.
    pub access: Access,
    /// The token that the exchange minted, where the exchange is the proof.
    pub token: Option<AccessToken>,
    /// Scopes that the key has and the credential does not declare. `None`: not looked for.
    pub undeclared: Option<Vec<Scope>>,
    /// Declared scopes that no read-only request can prove.
    pub unverifiable: Vec<Scope>,
}

impl Proof {
    /// A proof of `access` alone.
    #[must_use]
    pub fn of(access: Access) -> Self {
        Self { access, token: None, undeclared: None, unverifiable: Vec::new() }
    }
}

/// Is an accepted key allowed to do what the credential declares?
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Shown by a successful request for everything that can be shown.
    Verified,
    /// The provider offers no way to show it.
    NotVerifiable,
    /// These declared scopes were refused.
    MissingScopes(Vec<Scope>),
    /// The account, plan or module does not allow it.
    Denied,
    /// The operator's address is not on the key's allow-list.
    IpNotAllowed,
}

/// A documented ZenFlow scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Scope {
    /// Read orders.
    #[serde(rename = "read:orders")]
    ReadOrders,
    /// Create and update orders.
    #[serde(rename = "write:orders")]
    WriteOrders,
    /// Read inventory levels.
    #[serde(rename = "read:stock")]
    ReadStock,
    /// Update inventory levels.
    #[serde(rename = "write:stock")]
    WriteStock,
    /// Read the catalogue.
    #[serde(rename = "read:products")]
    ReadProducts,
    /// Create and update the catalogue.
    #[serde(rename = "write:products")]
    WriteProducts,
    /// View webhook settings.
    #[serde(rename = "read:webhooks")]
    ReadWebhooks,
    /// Manage webhook settings.
    #[serde(rename = "write:webhooks")]
    WriteWebhooks,
    /// Everything.
    #[serde(rename = "admin")]
    Admin,
}

impl Scope {
    /// The scope as the provider writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReadOrders => "read:orders",
            Self::WriteOrders => "write:orders",
            Self::ReadStock => "read:stock",
            Self::WriteStock => "write:stock",
            Self::ReadProducts => "read:products",
            Self::WriteProducts => "write:products",
            Self::ReadWebhooks => "read:webhooks",
            Self::WriteWebhooks => "write:webhooks",
            Self::Admin => "admin",
        }
    }
}
