//! What is a derived Secret called, and how is it marked? Nothing but the credential's name goes into either.

use crate::api::{CREDENTIAL_LABEL, FIELD_MANAGER, Format, MANAGED_BY_LABEL, Output};
use ring::digest::{SHA256, digest};
use std::collections::BTreeMap;

/// The longest value of a label.
const MAX_LABEL: usize = 63;

/// What is published when a credential names no outputs.
#[must_use]
pub fn default_output(credential_name: &str) -> Output {
    let secret_name = format!("{credential_name}-auth");
    Output { secret_name, format: Some(Format::Binding), env_prefix: None, template: None }
}

/// All labels of an output.
#[must_use]
pub fn labels(credential_name: &str) -> BTreeMap<String, String> {
    [(MANAGED_BY_LABEL, FIELD_MANAGER.to_owned()), (CREDENTIAL_LABEL, label(credential_name))]
        .map(|(key, value)| (key.to_owned(), value))
        .into()
}

/// The name, or its first 54 characters and 8 hexadecimal digits of its SHA-256, which also end it as a label must.
fn label(name: &str) -> String {
    if name.len() <= MAX_LABEL {
        return name.to_owned();
    }
    let mut label: String = name.chars().take(54).collect();
    label.push('-');
    let sum = digest(&SHA256, name.as_bytes());
    let nibbles = sum.as_ref().iter().take(4).flat_map(|byte| [byte >> 4, byte & 0xF]);
    label.extend(nibbles.filter_map(|nibble| char::from_digit(nibble.into(), 16)));
    label
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_output_is_a_binding() {
        let output = default_output("erp");
        assert_eq!((output.secret_name.as_str(), output.format), ("erp-auth", Some(Format::Binding)));
    }

    #[test]
    fn a08_labels_are_two_constants_and_the_name() {
        let labels = labels("erp");
        let labels: Vec<_> = labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(
            labels,
            [("app.kubernetes.io/managed-by", "connector-operator"), ("connector-operator.io/credential", "erp")]
        );
    }

    #[test]
    fn a38_long_names_are_cut_and_hashed_into_valid_labels() {
        assert_eq!(label(&"a".repeat(63)), "a".repeat(63));
        // printf 'a%.0s' $(seq 64) | sha256sum
        assert_eq!(label(&"a".repeat(64)), format!("{}-ffe054fe", "a".repeat(54)));
        for cut in ['.', '-', 'b'] {
            let label = label(&format!("{}{cut}{}", "a".repeat(53), "c".repeat(199)));
            assert_eq!(label.len(), MAX_LABEL);
            assert!(label.ends_with(|last: char| last.is_ascii_alphanumeric()), "{label}");
        }
    }
}
