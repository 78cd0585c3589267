//! Are the generated files what the code says? `BLESS=1 cargo test --test suite drift` rewrites them.

use connector_operator::crd;
use std::path::Path;
use std::{env, fs};

/// Fails when the file differs from what is generated, or rewrites it.
pub(crate) fn hold(file: &str, generated: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if env::var_os("BLESS").is_some_and(|bless| !bless.is_empty()) {
        fs::create_dir_all(path.parent().expect("a file in the repository")).expect("the repository is writable");
        return fs::write(&path, generated).expect("the repository is writable");
    }
    let stored = fs::read_to_string(&path).unwrap_or_default();
    if let Some(line) = first_difference(&stored, generated) {
        panic!("{file} differs from the code at line {line}: run BLESS=1 cargo test --test suite drift");
    }
}

/// The number of the first line that differs; of the end, when one text goes on where the other ends.
fn first_difference(stored: &str, generated: &str) -> Option<usize> {
    let lines = || stored.split('\n').zip(generated.split('\n'));
    let shorter = stored.split('\n').count().min(generated.split('\n').count());
    (stored != generated).then(|| lines().position(|(left, right)| left != right).unwrap_or(shorter).saturating_add(1))
}

#[test]
fn the_crd_is_what_the_code_says() {
    hold("crds/connector-operator.io_connectorcredentials.yaml", &crd::yaml());
}

#[test]
fn one_altered_byte_is_drift() {
    assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
    assert_eq!(first_difference("a\nb\n", "a\nc\n"), Some(2));
    assert_eq!(first_difference("a\n", "a\nb\n"), Some(2));
    assert_eq!(first_difference("", "a\n"), Some(1));
}
