//! Does `docs/threat-model.md` name what is there? Each threat's files, and the acceptance tests that say they cover it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::registry::{document, ids};

const THREATS: u32 = 52;

/// Where the control of a threat is: its id, files, and numbers of acceptance tests.
struct Control {
    id: String,
    files: Vec<String>,
    numbers: BTreeSet<u32>,
}

fn cells(row: &str) -> Vec<&str> {
    row.trim_matches('|').split(" | ").map(str::trim).collect()
}

/// The rows below this heading.
fn rows<'a>(page: &'a str, heading: &str) -> Vec<Vec<&'a str>> {
    let (_, below) = page.split_once(heading).unwrap_or_else(|| panic!("there is no {heading}"));
    let below = below.split("\n#").next().unwrap_or_default();
    below.lines().filter(|line| line.starts_with("| T")).map(cells).collect()
}

fn controls(page: &str) -> Vec<Control> {
    let control = |row: Vec<&str>| Control {
        id: row[0].to_owned(),
        files: row[1].split('`').skip(1).step_by(2).map(str::to_owned).collect(),
        numbers: row[2].split(", ").filter_map(|number| number.strip_prefix('A')?.parse().ok()).collect(),
    };
    rows(page, "### Where each control is").into_iter().map(control).collect()
}

fn page() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/threat-model.md");
    fs::read_to_string(file).expect("docs/threat-model.md is readable")
}

#[test]
fn every_threat_has_a_control_in_a_file_and_tests_that_cover_it() {
    let page = page();
    let listed: Vec<_> = rows(&page, "## Threats").into_iter().map(|row| row[0].to_owned()).collect();
    let wanted: Vec<_> = (1..=THREATS).map(|number| format!("T{number:02}")).collect();
    assert_eq!(listed, wanted);
    let controls = controls(&page);
    assert_eq!(controls.iter().map(|control| control.id.clone()).collect::<Vec<_>>(), wanted);
    let sections = document();
    for Control { id, files, numbers } in controls {
        assert!(!files.is_empty(), "{id} has no file");
        for file in files {
            assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(&file).exists(), "{id} names {file}");
        }
        let covering = sections.iter().filter(|(_, section)| section.ids.contains(&id)).map(|(number, _)| *number);
        assert_eq!(numbers, covering.collect(), "{id}");
    }
    assert!(!page.contains("planned"), "a control that is planned is none");
}

#[test]
fn ids_are_told_from_words() {
    let found: Vec<_> = ids("Covers P1, T01 and T49; TLS 1.3 and P are none.").into_iter().collect();
    assert_eq!(found, ["P1", "T01", "T49"]);
}
