//! What does a workload read? Variables become bytes, in one of seven shapes. Pure.

use crate::api::{Format, Output};
use crate::providers::{Variable, Variables};
use std::collections::BTreeMap;
use std::fmt;

/// What an output is made of.
#[derive(Debug)]
pub struct Material {
    /// `<namespace>/<name>` of the credential.
    pub title: String,
    /// `spec.description`.
    pub description: Option<String>,
    /// The provider's member name, in lower case.
    pub provider: &'static str,
    /// Values, with the key among them.
    pub variables: Variables,
    /// A URL that a client can try the output on, without the key.
    pub test_url: Option<String>,
}

/// The data of a derived Secret. Wiped when dropped, never printed.
pub struct Rendered {
    /// `type` of the Secret.
    pub secret_type: &'static str,
    /// `data` of the Secret.
    pub data: BTreeMap<String, zeroize::Zeroizing<Vec<u8>>>,
}

impl fmt::Debug for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rendered({} keys, redacted)", self.data.len())
    }
}

/// Why an output cannot be made from what there is. The message names the output and the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unrenderable {
    /// A template names a variable that does not exist at all, or not for this provider.
    #[error("the template of file {file} uses $({name}), which this provider does not have; it has: {known}")]
    UnknownVariable {
        /// The file of the template.
        file: String,
        /// What stands between the parentheses, at most 64 characters.
        name: String,
        /// The names that exist, joined by commas.
        known: String,
    },
    /// The format needs a variable that has no value.
    #[error("the format needs {}, which has no value here", .0.name())]
    MissingVariable(Variable),
    /// A value holds what the format cannot express.
    #[error("the value of {} holds a character that the format cannot hold", .0.name())]
    Inexpressible(Variable),
    /// The result is larger than a Secret may be.
    #[error("the output would be larger than 1 MiB")]
    TooLarge,
}
