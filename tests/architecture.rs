//! Does the code keep its shape? Which module may use which, what pure modules never touch, and how long a file may
//! be. The checker itself is shown to fail on a sketch that breaks every rule.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Modules that a module may use; whoever is not listed wires things together and may use all.
const MAY_USE: &[(&str, &[&str])] = &[
    ("credential", &[]),
    ("clock", &[]),
    ("error", &[]),
    ("telemetry", &[]),
    ("providers", &["credential"]),
    ("api", &["providers"]),
    ("crd", &["api"]),
    ("outputs", &["api", "providers", "credential"]),
    ("policy", &["api", "providers", "outputs", "credential"]),
    ("config", &["providers", "credential"]),
    ("probe", &["providers", "config", "credential", "clock"]),
    ("metrics", &["api", "providers", "clock"]),
    ("admin", &["metrics"]),
    ("kubernetes", &["error", "metrics"]),
    ("leader", &["clock", "error"]),
    ("args", &["telemetry"]),
    (
        "controller",
        &[
            "admin",
            "api",
            "args",
            "clock",
            "config",
            "credential",
            "error",
            "leader",
            "metrics",
            "outputs",
            "policy",
            "probe",
            "providers",
        ],
    ),
];

/// Crates that a module never uses, because it is pure or because another does that.
const NEVER: &[(&str, &[&str])] = &[
    ("providers", &["tokio", "reqwest", "kube", "tracing"]),
    ("outputs", &["tokio", "reqwest", "kube", "tracing"]),
    ("policy", &["tokio", "reqwest", "kube", "tracing"]),
    ("probe", &["kube", "k8s_openapi"]),
    ("controller", &["reqwest"]),
    ("cli", &["reqwest"]),
];

/// Who reveals a key or a token, and how often.
const REVEALS: &[(&str, usize)] = &[
    ("controller/consult.rs", 1),
    ("controller/memory.rs", 2),
    ("probe/conversation.rs", 2),
    ("providers/aventri.rs", 1),
    ("providers/flow.rs", 3),
    ("providers/flowlu.rs", 1),
    ("providers/inflow.rs", 1),
    ("providers/talk.rs", 3),
    ("providers/variables.rs", 1),
    ("providers/zenflow.rs", 2),
];

/// Lines that a file may have at the most, without its tests.
const LONGEST: usize = 400;

/// What is wrong with one file of the module.
fn faults(module: &str, name: &str, text: &str) -> Vec<String> {
    let production = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let code: Vec<_> = production.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let mut faults = Vec::new();
    if let Some((_, allowed)) = MAY_USE.iter().find(|(owner, _)| *owner == module) {
        let used = code.iter().flat_map(|line| ours(line)).filter(|used| used != module);
        faults.extend(used.filter(|used| !allowed.contains(&used.as_str())).map(|used| format!("{name} uses {used}")));
    }
    if let Some((_, forbidden)) = NEVER.iter().find(|(owner, _)| *owner == module) {
        let uses = |krate: &&&str| code.iter().any(|line| line.contains(&format!("{krate}::")));
        faults.extend(forbidden.iter().filter(uses).map(|krate| format!("{name} uses the crate {krate}")));
    }
    if production.lines().count() > LONGEST {
        faults.push(format!("{name} has more than {LONGEST} lines"));
    }
    if !text.starts_with("//!") {
        faults.push(format!("{name} does not open with what it answers"));
    }
    faults
}

/// Our modules that a line of code names.
fn ours(line: &str) -> BTreeSet<String> {
    let ends =
        |rest: &str| rest.find(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_')).unwrap_or(rest.len());
    let direct = line.match_indices("crate::").map(|(at, found)| &line[at + found.len()..]);
    let group = line.split_once("use crate::{").map(|(_, list)| list.split(',').map(str::trim)).into_iter().flatten();
    direct.chain(group).map(|rest| rest[..ends(rest)].to_owned()).filter(|name| !name.is_empty()).collect()
}

fn walk(directory: &Path, visit: &mut dyn FnMut(&Path)) {
    let entries = fs::read_dir(directory).expect("sources are readable");
    for entry in entries.map(|entry| entry.expect("sources are readable").path()) {
        if entry.is_dir() {
            walk(&entry, visit);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            visit(&entry);
        }
    }
}

/// The names and texts of all files that are not tests.
fn sources() -> Vec<(String, String)> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&sources, &mut |file| {
        let name = file.strip_prefix(&sources).expect("below src").display().to_string();
        if !(name.contains("/tests") || name.contains("/fixtures") || name.ends_with("tests.rs")) {
            found.push((name, fs::read_to_string(file).expect("text")));
        }
    });
    found.sort();
    found
}

#[test]
fn every_module_keeps_to_its_place() {
    let mut found = Vec::new();
    for (name, text) in sources() {
        let module = name.split(['/', '.']).next().unwrap_or_default();
        found.extend(faults(module, &name, &text));
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// How often a file's code, without its tests, takes the bytes of a key or a token.
fn reveals(text: &str) -> usize {
    let production = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let code = production.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.map(|line| line.matches(".reveal()").count() + line.matches("::reveal)").count()).sum()
}

#[test]
fn key_bytes_are_taken_where_they_are_needed_and_nowhere_else() {
    let counted = sources().into_iter().map(|(name, text)| (name, reveals(&text)));
    let found: Vec<_> = counted.filter(|(_, count)| *count > 0).collect();
    let expected: Vec<_> = REVEALS.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
    assert_eq!(found, expected, "who needs the bytes of a key is listed here, for those who review it");
    assert_eq!(reveals("key.reveal();\n// x.reveal()\ntoken.map(AccessToken::reveal)\n"), 2);
}

#[test]
fn the_checker_sees_each_kind_of_fault() {
    let sketch = "use crate::probe::Prober;\nuse kube::Client;\n".to_owned() + &"\n".repeat(LONGEST);
    let found = faults("policy", "policy/sketch.rs", &sketch);
    let expected = ["uses probe", "uses the crate kube", "more than", "does not open"];
    for fault in expected {
        assert!(found.iter().any(|found| found.contains(fault)), "{fault}: {found:?}");
    }
    assert_eq!(faults("policy", "policy/good.rs", "//! Good.\nuse crate::api::Reason;\n"), Vec::<String>::new());
}
