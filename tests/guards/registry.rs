//! Does `docs/acceptance.md` name the tests that exist, and do those cover every promise and threat?

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// How many acceptance tests there are.
const SECTIONS: u32 = 41;

/// One numbered section of the document.
#[derive(Debug, Default)]
pub(super) struct Section {
    pub(super) ids: BTreeSet<String>,
    /// Test, control removed, how it failed.
    rows: Vec<[String; 3]>,
}

/// The document, read by its number.
fn sections(text: &str) -> BTreeMap<u32, Section> {
    let mut found = BTreeMap::new();
    for part in text.split("\n### A").skip(1) {
        let (heading, body) = part.split_once('\n').expect("a section has a body");
        let number = heading.split_once(' ').and_then(|(number, _)| number.parse().ok()).expect("A7 What it says");
        let body = body.split("\n## ").next().unwrap_or_default();
        let mut section = Section::default();
        for line in body.lines().map(str::trim) {
            match line.strip_prefix("| `") {
                Some(row) => section.rows.push(cells(row)),
                None if line.starts_with("Covers ") => section.ids = ids(line),
                None => {}
            }
        }
        assert!(found.insert(number, section).is_none(), "A{number} is there twice");
    }
    found
}

fn cells(row: &str) -> [String; 3] {
    let mut cells = row.trim_end_matches('|').split(" | ").map(|cell| cell.trim().trim_matches('`').to_owned());
    let mut next = || cells.next().unwrap_or_default();
    [next(), next(), next()]
}

/// P1 and T01 as they stand in a text.
pub(super) fn ids(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric());
    let is_id = |word: &&str| {
        let number = word.strip_prefix(['P', 'T']).unwrap_or_default();
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    };
    words.filter(is_id).map(str::to_owned).collect()
}

/// Names of acceptance tests in a source file, and the number that each carries.
fn tests(source: &str) -> Vec<(u32, String)> {
    let lines: Vec<_> = source.lines().map(str::trim).collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some((_, rest)) = line.split_once("fn a") else { continue };
        let name: String = rest.chars().take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '_').collect();
        let Some(number) = name.split_once('_').and_then(|(digits, _)| digits.parse().ok()) else { continue };
        let above = lines[..at].iter().rev().take_while(|line| line.starts_with('#') || line.starts_with("//"));
        if above.into_iter().any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test")) {
            found.push((number, format!("a{name}")));
        }
    }
    found
}

fn sources(directory: &Path, visit: &mut dyn FnMut(&str)) {
    for entry in fs::read_dir(directory).expect("sources are readable") {
        let path = entry.expect("sources are readable").path();
        if path.is_dir() {
            sources(&path, visit);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            visit(&fs::read_to_string(&path).expect("sources are text"));
        }
    }
}

/// What the tree and the document disagree on.
fn faults(sections: &BTreeMap<u32, Section>, tree: &BTreeSet<(u32, String)>) -> Vec<String> {
    let mut faults = Vec::new();
    for number in (1..=SECTIONS).filter(|number| !sections.contains_key(number)) {
        faults.push(format!("A{number} has no section"));
    }
    for (number, section) in sections {
        if section.rows.is_empty() {
            faults.push(format!("A{number} has no test"));
        }
        for [test, removed, failed] in &section.rows {
            if !tree.contains(&(*number, test.clone())) {
                faults.push(format!("A{number} names {test}, which is no test"));
            }
            if removed.is_empty() || failed.is_empty() {
                faults.push(format!("{test} does not say what was removed, and how it failed"));
            }
        }
    }
    for (number, test) in tree {
        let named = sections.get(number).is_some_and(|section| section.rows.iter().any(|row| row[0] == *test));
        if !named {
            faults.push(format!("{test} is not in A{number}"));
        }
    }
    let cited: BTreeSet<_> = sections.values().flat_map(|section| &section.ids).collect();
    let wanted = (1..=11).map(|number| format!("P{number}")).chain((1..=52).map(|number| format!("T{number:02}")));
    faults.extend(wanted.filter(|id| !cited.contains(id)).map(|id| format!("no section covers {id}")));
    faults
}

pub(super) fn document() -> BTreeMap<u32, Section> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/acceptance.md");
    sections(&fs::read_to_string(file).expect("docs/acceptance.md is readable"))
}

#[test]
fn every_acceptance_test_is_in_the_document_and_exists() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tree = BTreeSet::new();
    for directory in ["src", "tests"] {
        sources(&repository.join(directory), &mut |source| tree.extend(tests(source)));
    }
    let document = document();
    let found = faults(&document, &tree);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn the_registry_sees_each_kind_of_fault() {
    let section = |number: u32| {
        let row = match number {
            2 => "| `a02_gone` | a check | it failed |",
            3 => "| `a03_there` | a check | |",
            _ => "nothing",
        };
        format!("\n### A{number} Says\n\nCovers P{number} T{number:02}.\n\n{row}\n")
    };
    let text: String = (1..=SECTIONS).filter(|number| *number != 40).map(section).collect();
    let tree = tests("#[test]\nfn a03_there() {}\n#[tokio::test]\nasync fn a05_new() {}\nfn a06_no_test() {}\n");
    let found = faults(&sections(&text), &tree.into_iter().collect());
    let expected = [
        "A40 has no section",
        "A4 has no test",
        "A2 names a02_gone, which is no test",
        "a03_there does not say what was removed, and how it failed",
        "a05_new is not in A5",
        "no section covers T40",
        "no section covers T42",
    ];
    for fault in expected {
        assert!(found.iter().any(|found| found == fault), "{fault}: {found:#?}");
    }
    assert!(!found.iter().any(|fault| fault.contains("a06") || fault.contains("T05")), "{found:#?}");
}
