//! What does a workload read? Variables become bytes, in one of seven shapes. Pure.

mod binding;
mod curl;
mod env;
mod http;
mod names;
mod nexla;
mod page;
mod quote;
mod template;
mod token;
mod variables;

#[cfg(test)]
mod examples;
#[cfg(test)]
mod programs;
#[cfg(test)]
mod readers;
#[cfg(test)]
mod samples;

pub use names::{default_output, labels};
pub use token::token_in;

use crate::api::{Format, Output};
use crate::providers::{Variable, Variables};
use std::collections::BTreeMap;
use std::fmt;
use zeroize::Zeroizing;

/// `data` of a Secret, at the most: the API server's 1 MiB, less some room for metadata.
const MAX_BYTES: usize = (1 << 20) - (16 << 10);

/// `data` of a Secret. Ordered, each value wiped when dropped.
type Data = BTreeMap<String, Zeroizing<Vec<u8>>>;

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
    pub data: BTreeMap<String, Zeroizing<Vec<u8>>>,
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
    #[error(
        "the template of file {file} uses $({name}), which this provider does not have; it has: {known}; for a literal $( write $$("
    )]
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
    /// This field of the output is not what the schema admits.
    #[error("{0} of the output is not of the documented form")]
    BadField(&'static str),
    /// The result is larger than a Secret may be.
    #[error("the output would be larger than 1 MiB")]
    TooLarge,
}

/// The Secret of one output.
///
/// # Errors
/// [`Unrenderable`], when a needed variable has no value, a value does not fit the format, or the whole is too large.
pub fn render(output: &Output, material: &Material) -> Result<Rendered, Unrenderable> {
    let format = output.format.unwrap_or_default();
    let data = match format {
        Format::Binding => binding::data(material),
        Format::Env => env::data(output, material)?,
        Format::Dotenv => env::file(output, material)?,
        Format::HTTP => http::data(material)?,
        Format::Curl => curl::data(material)?,
        Format::Nexla => nexla::data(material)?,
        Format::Template => template::data(output, material)?,
    };
    let bytes =
        data.iter().fold(0_usize, |sum, (key, value)| sum.saturating_add(key.len()).saturating_add(value.len()));
    if bytes > MAX_BYTES {
        Err(Unrenderable::TooLarge)
    } else {
        Ok(Rendered { secret_type: secret_type(format), data })
    }
}

/// What no output holds more of, names of values included, unless it is made of a template: it is made of one key, one
/// token and what the schema admits.
const MOST_OF_OTHERS: usize = 64 << 10;

/// No Secret that is rendered of this output holds more, whatever its key and token.
#[must_use]
pub fn largest(output: &Output) -> usize {
    match output.format.unwrap_or_default() {
        Format::Template => template::largest(output).min(MAX_BYTES),
        Format::Binding | Format::Env | Format::Dotenv | Format::HTTP | Format::Curl | Format::Nexla => MOST_OF_OTHERS,
    }
}

/// `type` of the Secret that a format is written to. There are two, and nothing that a user writes changes them.
#[must_use]
pub const fn secret_type(format: Format) -> &'static str {
    match format {
        Format::Binding => "servicebinding.io/connector",
        Format::Env | Format::Dotenv | Format::HTTP | Format::Curl | Format::Nexla | Format::Template => "Opaque",
    }
}

/// A value as it is.
fn value(text: &str) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(text.as_bytes().to_vec())
}
