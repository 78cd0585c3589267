//! What does a container read from its environment? Each variable in capitals, as keys for `envFrom` or as one file.

use super::page::Page;
use super::variables::upper_snake;
use super::{Data, Material, Unrenderable, quote, value};
use crate::api::Output;
use crate::providers::Variable;

/// The one key of Dotenv.
pub(super) const FILE: &str = ".env";

/// The longest prefix; with a variable's name behind it, it is still a key of a Secret.
const MAX_PREFIX: usize = 200;

/// Env: a key for each variable that has a value.
pub(super) fn data(output: &Output, material: &Material) -> Result<Data, Unrenderable> {
    let prefix = prefix(output, material.provider)?;
    Ok(material.variables.iter().map(|(variable, text)| (name(&prefix, variable), value(text))).collect())
}

/// Dotenv: a line for each variable that has a value, which a POSIX shell reads back as it is.
pub(super) fn file(output: &Output, material: &Material) -> Result<Data, Unrenderable> {
    let prefix = prefix(output, material.provider)?;
    let mut page = Page::default();
    for (variable, text) in material.variables.iter() {
        // Quoted, a line break would do no harm in a shell; readers that go by lines would take what follows for a name.
        if text.chars().any(char::is_control) {
            return Err(Unrenderable::Inexpressible(variable));
        }
        page.push_all([&name(&prefix, variable), "="]);
        quote::dotenv(&mut page, text);
        page.push("\n");
    }
    Ok(Data::from([(FILE.to_owned(), page.finish())]))
}

/// The prefix, checked again: it becomes part of names, unquoted.
pub(super) fn prefix(output: &Output, provider: &str) -> Result<String, Unrenderable> {
    let Some(prefix) = &output.env_prefix else { return Ok(format!("{}_", provider.to_ascii_uppercase())) };
    let word = prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let digit_first = prefix.bytes().next().is_some_and(|byte| byte.is_ascii_digit());
    let sound = word && !digit_first && prefix.len() <= MAX_PREFIX;
    if sound { Ok(prefix.clone()) } else { Err(Unrenderable::BadField("envPrefix")) }
}

/// What one variable is called.
pub(super) fn name(prefix: &str, variable: Variable) -> String {
    format!("{prefix}{}", upper_snake(variable))
}
