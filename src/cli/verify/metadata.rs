//! Would the API server admit this object's metadata? Its rules for every kind, which the schema of a CRD leaves out.
//! Values are not quoted.

use super::yaml::Node;

/// What every object may have.
const FIELDS: [&str; 15] = [
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "managedFields",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];
/// Names and values of all annotations together.
const MOST_BYTES: usize = 256 << 10;

/// Lines, and what is wrong there.
pub(super) fn faults(object: &Node) -> Vec<(u32, String)> {
    let mut faults = Vec::new();
    let Some(meta) = object.get("metadata") else {
        return vec![(object.line_of("metadata"), "metadata.name: Required value: an object has a name".to_owned())];
    };
    if !meta.get("name").and_then(Node::text).is_some_and(is_subdomain) {
        let what = "metadata.name: Invalid value: must be a name of small letters, digits, '-' and '.', at most 253 characters";
        faults.push((object.line_of("metadata.name"), what.to_owned()));
    }
    let namespace = meta.get("namespace").filter(|node| !node.value().is_null());
    if namespace.is_some_and(|node| !node.text().is_some_and(|name| name.is_empty() || is_label(name))) {
        let what =
            "metadata.namespace: Invalid value: must be a name of small letters, digits and '-', at most 63 characters";
        faults.push((object.line_of("metadata.namespace"), what.to_owned()));
    }
    for (name, line, _) in meta.fields().filter(|(name, ..)| !FIELDS.contains(name)) {
        faults.push((line, format!("unknown field {:?}", format!("metadata.{name}"))));
    }
    for (field, node) in ["labels", "annotations"].into_iter().filter_map(|field| Some((field, meta.get(field)?))) {
        faults.extend(texts(field, node));
    }
    faults
}

/// What is wrong with labels or annotations.
fn texts(field: &str, node: &Node) -> Vec<(u32, String)> {
    let mut faults = Vec::new();
    let mut length = 0_usize;
    for (name, line, value) in node.fields() {
        if !is_qualified(name) {
            let what = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
            faults.push((line, format!("metadata.{field}: Invalid value: {what}")));
        }
        let Some(text) = value.text() else {
            faults.push((line, format!("metadata.{field}: Invalid value: must be text; put it in quotes")));
            continue;
        };
        length = length.saturating_add(name.len()).saturating_add(text.len());
        if field == "labels" && !text.is_empty() && !is_word(text) {
            let what = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character; at most 63 of them";
            faults.push((line, format!("metadata.labels: Invalid value: {what}")));
        }
    }
    if field == "annotations" && length > MOST_BYTES {
        faults.push((node.line, format!("metadata.annotations: Too long: may not be more than {MOST_BYTES} bytes")));
    }
    faults
}

/// `name`, or `domain/name`.
fn is_qualified(text: &str) -> bool {
    match text.split_once('/') {
        Some((domain, name)) => is_subdomain(domain) && is_word(name),
        None => is_word(text),
    }
}

fn is_word(text: &str) -> bool {
    let inner = |one: u8| one.is_ascii_alphanumeric() || matches!(one, b'-' | b'_' | b'.');
    text.len() <= 63 && text.bytes().all(inner) && has_ends(text, u8::is_ascii_alphanumeric)
}

fn is_label(text: &str) -> bool {
    text.len() <= 63 && is_part(text)
}

fn is_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_part)
}

fn is_part(text: &str) -> bool {
    let small = |one: &u8| one.is_ascii_lowercase() || one.is_ascii_digit();
    text.bytes().all(|one| small(&one) || one == b'-') && has_ends(text, small)
}

/// Whether the first and the last byte are such; there must be one.
fn has_ends(text: &str, fits: impl Fn(&u8) -> bool) -> bool {
    let bytes = text.as_bytes();
    bytes.first().is_some_and(&fits) && bytes.last().is_some_and(&fits)
}
