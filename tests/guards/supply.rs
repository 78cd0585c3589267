//! Is nothing built in that must not be? The lock file against the floors, the bans, and the features; the lints.
//!
//! `cargo deny` says the same of the whole graph in CI; this says it wherever `cargo test` runs, and that the gate is
//! there.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Below these versions are flaws that matter here.
const FLOORS: [(&str, &[u64]); 14] = [
    ("rustls", &[0, 23, 45]),
    ("rustls-webpki", &[0, 103, 13]),
    ("aws-lc-sys", &[0, 39]),
    ("ring", &[0, 17, 12]),
    ("h2", &[0, 4, 16]),
    ("idna", &[1, 0, 3]),
    ("url", &[2, 5, 4]),
    ("tracing-subscriber", &[0, 3, 20]),
    ("bytes", &[1, 11, 1]),
    ("time", &[0, 3, 47]),
    ("tokio", &[1, 44, 2]),
    // A floor for each line of releases.
    ("rand", &[0, 8, 6]),
    ("rand", &[0, 9, 3]),
    ("rand", &[0, 10, 1]),
];

/// Unmaintained, unsafe, or a second one of what we have.
const BANNED: [&str; 9] =
    ["openssl", "native-tls", "backoff", "instant", "rustls-pemfile", "serde_yaml", "serde_yml", "paste", "derivative"];

/// Versions by crate.
fn locked(lock: &str) -> BTreeMap<String, Vec<Vec<u64>>> {
    let mut found: BTreeMap<String, Vec<Vec<u64>>> = BTreeMap::new();
    for package in lock.split("[[package]]\n").skip(1) {
        let field =
            |name: &str| package.lines().find_map(|line| line.strip_prefix(&format!("{name} = \""))?.strip_suffix('"'));
        let (name, version) = (field("name").expect("a name"), field("version").expect("a version"));
        let numbers = version.split(['.', '-', '+']).map_while(|part| part.parse().ok()).collect();
        found.entry(name.to_owned()).or_default().push(numbers);
    }
    found
}

/// What is wrong with what is locked.
fn faults(lock: &str) -> Vec<String> {
    let locked = locked(lock);
    let versions = |name: &str| locked.get(name).map(Vec::as_slice).unwrap_or_default();
    let mut faults = Vec::new();
    for (name, floor) in FLOORS {
        for version in versions(name) {
            // `rand` has floors by release line; the others have one.
            let same_line = name != "rand" || version[..2] == floor[..2];
            if same_line && version.as_slice() < floor {
                faults.push(format!("{name} {version:?} is below {floor:?}"));
            }
        }
    }
    faults.extend(BANNED.iter().filter(|name| !versions(name).is_empty()).map(|name| format!("{name} is banned")));
    for name in ["reqwest", "rustls", "kube"] {
        if versions(name).len() != 1 {
            faults.push(format!("{name} is there {} times", versions(name).len()));
        }
    }
    for line in lock.lines().filter_map(|line| line.strip_prefix("source = ")) {
        if line != "\"registry+https://github.com/rust-lang/crates.io-index\"" {
            faults.push(format!("{line} is no registry of ours"));
        }
    }
    faults
}

fn text(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("it is in the repository")
}

#[test]
fn a41_nothing_is_locked_that_is_banned_or_below_its_floor() {
    let lock = text("Cargo.lock");
    assert_eq!(faults(&lock), Vec::<String>::new());
    // And the check sees each kind of fault.
    let worse = lock
        .replace("name = \"base64\"", "name = \"openssl\"")
        .replace("name = \"ring\"\nversion = \"0.17", "name = \"ring\"\nversion = \"0.16");
    let worse = worse + "\n[[package]]\nname = \"kube\"\nversion = \"4.0.0\"\nsource = \"git+https://example.com\"\n";
    let found = faults(&worse).join("\n");
    for fault in ["openssl is banned", "ring [0, 16", "kube is there 2 times", "git+https://example.com"] {
        assert!(found.contains(fault), "{fault}: {found}");
    }
}

#[test]
fn a41_the_gate_in_ci_has_the_same_floors_bans_and_features() {
    let deny = text("deny.toml");
    for (name, floor) in FLOORS.iter().filter(|(name, _)| *name != "aws-lc-sys") {
        let version = floor.iter().map(u64::to_string).collect::<Vec<_>>().join(".");
        let wanted = format!("<{version}\"");
        let line = deny.lines().find(|line| line.contains(&format!("\"{name}@")) && line.contains(&wanted));
        assert!(line.is_some(), "{name} has no floor {version}");
    }
    for name in BANNED.iter().chain(&["aws-lc-sys"]) {
        assert!(deny.contains(&format!("crate = \"{name}\"")), "{name} is not banned");
    }
    let features = ["http2", "gzip", "brotli", "zstd", "deflate", "cookies", "charset", "system-proxy", "ws", "oauth"];
    for feature in features.iter().chain(&["unbounded_depth"]) {
        assert!(deny.contains(&format!("\"{feature}\"")), "the feature {feature} is not banned");
    }
    for rule in ["yanked = \"deny\"", "unknown-registry = \"deny\"", "unknown-git = \"deny\""] {
        assert!(deny.contains(rule), "{rule}");
    }
    assert!(text(".ci/run").contains("cargo deny --locked check"), "CI runs the gate");
    let nightly = text(".github/workflows/advisories.yaml");
    for part in ["\n  schedule:\n", "check advisories bans licenses sources", "git describe --tags"] {
        assert!(
            nightly.contains(part),
            "what becomes known is asked for every night, also of the last release: {part}"
        );
    }
}

/// Lints are no tests; but somebody might take them out.
#[test]
fn a41_the_lints_and_the_profile_are_those_of_the_design() {
    let manifest = text("Cargo.toml");
    for line in ["unsafe_code = \"forbid\"", "overflow-checks = true", "panic = \"unwind\""] {
        assert!(manifest.contains(line), "{line}");
    }
    for lint in [
        "unwrap_used",
        "expect_used",
        "panic",
        "todo",
        "unimplemented",
        "unreachable",
        "indexing_slicing",
        "string_slice",
        "arithmetic_side_effects",
        "as_conversions",
        "dbg_macro",
        "print_stdout",
        "print_stderr",
        "exit",
        "mem_forget",
        "await_holding_lock",
        "let_underscore_must_use",
        "large_futures",
        "use_debug",
        "wildcard_enum_match_arm",
    ] {
        assert!(manifest.contains(&format!("\n{lint} = \"warn\"")), "the lint {lint} is off");
    }
    assert!(text(".ci/run").contains("clippy --locked --all-targets -- -D warnings"), "and a warning fails CI");
}
