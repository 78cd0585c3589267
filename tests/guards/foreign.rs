//! Does every parser of foreign input hold, whatever it is fed? Each target of `fuzz/`, with bytes at random and with
//! bytes that look right.
//!
//! `FULL_LENGTH=1` feeds a hundred times as many.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::support::full_length;

#[path = "../../fuzz/targets.rs"]
#[expect(unreachable_pub, reason = "a module of two programs")]
mod targets;

/// What inputs are made of: whatever the parsers treat specially, and what they are to accept.
const PIECES: [&str; 57] = [
    "zenflow_live_",
    "EXAMPLE",
    "mycompany",
    "\n",
    "\r\n",
    "\0",
    "\u{7f}",
    "é",
    " ",
    ".",
    "-",
    "--",
    "@",
    "/",
    "#",
    "?",
    "%2f",
    ":",
    "\\",
    "xn--",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\"success\":true",
    "{\"success\":true,\"data\":[]}",
    "[]",
    "{\"response\":{\"items\":[]}}",
    "{\"accesstoken\":\"EXAMPLEtoken\"}",
    "{\"error\":\"no\"}",
    "$(apiKey)",
    "$(",
    ")",
    "$$(",
    "120",
    "-1",
    "99999999999999999999",
    "Sun, 06 Nov 1994 08:49:37 GMT",
    "|",
    "2027-01-31T00:00:00Z",
    "providers:\n  ",
    "zenflow: {endpoint: 'https://api.example.com'}\n",
    "endpoint: ",
    "&a [*a, *a]\n",
    "{\"apiVersion\":\"connector-operator.io/v1alpha1\",\"kind\":\"ConnectorCredential\",\"metadata\":{\"name\":\"a\"},\"spec\":",
    "{\"provider\":{\"zenflow\":{}},\"keySecretRef\":{\"name\":\"a\"}}}",
    "null",
    "accesstoken=",
    "AVENTRI_ACCESS_TOKEN=",
    "url-query = \"accesstoken=",
    "{\"credentials\":{\"api.key.auth.key\":\"accesstoken\",\"api.key.auth.value\":\"EXAMPLE\"}}",
    "{\"metadata\":{\"name\":\"a\",\"annotations\":{\"a\":\"EXAMPLE\"},\"labels\":{}}}",
    "{\"status\":\"Failure\",\"message\":\"EXAMPLE\",\"code\":418,\"reason\":\"",
    "Forbidden",
    "\"}",
    "'",
];

/// Bytes at random, or pieces in a row with bytes between them.
fn inputs() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => proptest::sample::select(&PIECES[..]).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..12),
        1 => "[!-~]{0,40}".prop_map(String::into_bytes),
    ];
    prop_oneof![
        1 => proptest::collection::vec(any::<u8>(), 0..300),
        4 => proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat()),
    ]
}

#[test]
fn no_input_breaks_or_deceives_a_parser_or_is_repeated_by_it() {
    for (name, target) in targets::ALL {
        let cases = if full_length() { 200_000 } else { 2_000 };
        let config = Config { cases, failure_persistence: None, ..Config::default() };
        let outcome = TestRunner::new(config).run(&inputs(), |input| {
            target(&input);
            Ok(())
        });
        assert!(outcome.is_ok(), "{name}: {outcome:?}");
    }
}

/// What coverage starts from, and what each target is to take or to refuse.
#[test]
fn every_target_has_seeds_and_holds_for_them() {
    for (name, target) in targets::ALL {
        let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(name);
        let seeds: Vec<_> =
            fs::read_dir(seeds).expect("it has seeds").map(|file| file.expect("a file").path()).collect();
        assert!(!seeds.is_empty(), "{name}");
        for seed in seeds {
            target(&fs::read(seed).expect("a file"));
        }
    }
}

/// A target is fuzzed only if it has its program.
#[test]
fn every_target_has_its_program() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = fs::read_to_string(directory.join("Cargo.toml")).expect("there is a manifest");
    for (name, _) in targets::ALL {
        let program = fs::read_to_string(directory.join(format!("fuzz_targets/{name}.rs")));
        let program = program.unwrap_or_else(|_| panic!("fuzz_targets/{name}.rs is missing"));
        assert!(program.contains(&format!("fuzz_target!(|data: &[u8]| targets::{name}(data));")), "{program}");
        assert!(manifest.contains(&format!("name = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"")), "{name}");
    }
    let programs = fs::read_dir(directory.join("fuzz_targets")).expect("there are programs").count();
    assert_eq!(programs, targets::ALL.len());
}

/// What is fuzzed is what is shipped: after a change of Cargo.lock copy it to fuzz/, and build there.
#[test]
fn the_targets_are_built_of_the_versions_that_the_operator_is_built_of() {
    let locked = |path: &str| {
        let lock = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("it is locked");
        let packages = lock.split("[[package]]\n").skip(1);
        packages.map(|package| package.lines().take(2).collect::<Vec<_>>().join(" ")).collect::<BTreeSet<_>>()
    };
    let own = ["connector-operator-fuzz", "libfuzzer-sys", "arbitrary", "jobserver"];
    let (shipped, fuzzed) = (locked("Cargo.lock"), locked("fuzz/Cargo.lock"));
    let others = fuzzed.difference(&shipped).filter(|package| !own.iter().any(|name| package.contains(name)));
    assert_eq!(others.collect::<Vec<_>>(), Vec::<&String>::new());
    assert!(fuzzed.intersection(&shipped).count() > 100);
}
