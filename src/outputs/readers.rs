//! Do others read what we write? Parsers of the formats' own rules, written apart from the encoders, and a real shell.

use super::Unrenderable;
use super::samples::{aventri_with, material, only, output, rendered, template, zenflow};
use crate::api::{Format, Output};
use crate::providers::Variable;
use proptest::prelude::*;
use std::process::Command;

const NASTY: [&str; 16] = [
    "'",
    "''\"\"",
    "it's $HOME `id` $(id) \\ \" !",
    "\\",
    "\\\\'",
    "\\n'\\t",
    "a'",
    "$(apiKey)",
    "${PATH}'",
    "# no comment",
    "a#b=c;d&e|f<g>h*?[]{}~",
    "  spaces at both ends  ",
    "%41%zz+",
    "Café – Ünïcode 日本 🔑",
    "'Café' 日本\"",
    "-n",
];

/// Lines of `NAME=word`, where a word is quoted pieces as POSIX has them. Panics on what a shell would expand.
fn shell(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut input = text.chars().peekable();
    while input.peek().is_some() {
        let name: String = input.by_ref().take_while(|one| *one != '=').collect();
        let mut word = String::new();
        loop {
            match input.next() {
                Some('\n') | None => break,
                Some('\'') => word.extend(input.by_ref().take_while(|one| *one != '\'')),
                Some('"') => loop {
                    match input.next().expect("a closing quote") {
                        '"' => break,
                        '\\' => match input.next().expect("a character after a backslash") {
                            special @ ('$' | '`' | '"' | '\\') => word.push(special),
                            other => word.extend(['\\', other]),
                        },
                        expanded @ ('$' | '`') => panic!("a shell would expand {expanded}"),
                        other => word.push(other),
                    }
                },
                Some(bare) => panic!("{bare} stands outside quotes"),
            }
        }
        found.push((name, word));
    }
    found
}

/// `option = "parameter"` lines, by the rules of curl's manual, `-K`.
fn curlrc(text: &str) -> Vec<(String, String)> {
    let line = |line: &str| {
        let (option, rest) = line.split_once(" = \"").expect("an option and a quoted parameter");
        let mut parameter = String::new();
        let mut input = rest.chars();
        loop {
            match input.next().expect("a closing quote") {
                '"' => break,
                '\\' => parameter.push(match input.next().expect("a character after a backslash") {
                    't' => '\t',
                    'n' => '\n',
                    'r' => '\r',
                    'v' => '\u{b}',
                    other => other,
                }),
                other => parameter.push(other),
            }
        }
        assert_eq!(input.next(), None, "nothing stands behind the parameter");
        (option.to_owned(), parameter)
    };
    text.lines().map(line).collect()
}

#[test]
fn a35_a_real_shell_reads_a_dotenv_file_back() {
    let folder = tempfile::tempdir().expect("a folder");
    for (number, text) in NASTY.into_iter().enumerate() {
        let material = material("flow", &[(Variable::ApiKey, "flow-EXAMPLE'$x"), (Variable::Reference, text)]);
        let file = folder.path().join(number.to_string());
        std::fs::write(&file, only(&output(Format::Dotenv), &material)).expect("a file");
        let script = "set -a; . \"$1\"; printenv FLOW_REFERENCE FLOW_API_KEY";
        let ran = Command::new("sh").args(["-c", script, "sh"]).arg(&file).output().expect("a shell");
        assert_eq!(String::from_utf8_lossy(&ran.stdout), format!("{text}\nflow-EXAMPLE'$x\n"));
        assert!(ran.status.success() && ran.stderr.is_empty(), "{text}");
    }
}

#[test]
fn a35_values_that_a_format_cannot_hold_are_refused() {
    let refused = |format, variable, text: &str| {
        let mut material = aventri_with("EXAMPLE");
        material.variables = material.variables.with(variable, text);
        rendered(&output(format), &material).err() == Some(Unrenderable::Inexpressible(variable))
    };
    for text in ["a\nEVIL=1", "a\r", "a\0", "a\u{85}b"] {
        assert!(refused(Format::Dotenv, Variable::Reference, text), "{text:?}");
    }
    for format in [Format::HTTP, Format::Curl, Format::Nexla] {
        for text in ["", " a", "a ", "a\r\nEvil: 1", "é", "a\tb"] {
            assert!(refused(format, Variable::HeaderValue, text), "{text:?}");
            assert!(refused(format, Variable::Accept, text), "{text:?}");
        }
        for text in ["", "@file", "a b", "a:", "é"] {
            assert!(refused(format, Variable::HeaderName, text), "{text:?}");
        }
    }
    for format in [Format::Curl, Format::Nexla] {
        assert!(refused(format, Variable::QueryValue, "%FF"));
    }
    assert!(refused(Format::Nexla, Variable::Accept, "a,b"));
    assert!(refused(Format::Nexla, Variable::HeaderValue, "Bearer a,b"), "it is among the headers here");
    let mut alone = zenflow();
    alone.variables = alone.variables.with(Variable::HeaderValue, "a,b");
    assert!(rendered(&output(Format::Nexla), &alone).is_ok(), "a key in a member of its own may hold a comma");
}

#[test]
fn a_prefix_is_part_of_a_name_and_nothing_else() {
    for format in [Format::Env, Format::Dotenv] {
        let with =
            |prefix: &str| rendered(&Output { env_prefix: Some(prefix.to_owned()), ..output(format) }, &zenflow());
        for prefix in ["1A_", "A-", "A B", "A=", "A\n", "$(x)", "É_", &"A".repeat(201)] {
            assert_eq!(with(prefix).err(), Some(Unrenderable::BadField("envPrefix")), "{prefix}");
        }
        assert!(with("").is_ok());
        let files = with("ERP_").expect("renders");
        let text = format!("{files:?}");
        assert!(text.contains("ERP_BASE_URL") && !text.contains("ZENFLOW_"), "{text}");
    }
}

#[test]
fn an_output_larger_than_a_secret_is_refused() {
    let mut material = zenflow();
    material.variables = material.variables.with(Variable::ApiKey, "x".repeat(4096));
    let room = (1 << 20) - (16 << 10) - "file".len();
    assert_eq!(only(&template(&"x".repeat(room)), &material).len(), room);
    for text in ["x".repeat(room + 1), "$(apiKey)".repeat(256), "$(apiKey)".repeat(100_000)] {
        assert_eq!(rendered(&template(&text), &material), Err(Unrenderable::TooLarge));
    }
    material.variables = material.variables.with(Variable::Reference, "x".repeat(1 << 20));
    assert_eq!(rendered(&output(Format::Binding), &material), Err(Unrenderable::TooLarge));
}

/// Values without a pattern, the same each time: what quoting trips over, and plain letters.
fn values(many: usize) -> impl Iterator<Item = (String, String)> {
    const SPECIAL: [char; 32] = [
        '\'', '"', '\\', '$', '(', ')', '{', '}', '`', '#', '=', ';', '&', '|', '<', '>', '%', '+', ':', '/', '?', '*',
        '!', '~', '-', '_', '.', ',', '@', '^', '[', ']',
    ];
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap()
    };
    let printable: Vec<char> = ('!'..='~').collect();
    let mut visible = move || -> String {
        let length = random().checked_rem(12).unwrap();
        let mut one = || {
            let number = random();
            let letters = if number.is_multiple_of(2) { printable.as_slice() } else { &SPECIAL[..] };
            letters[(number >> 1).checked_rem(letters.len()).unwrap()]
        };
        (0..=length).map(|_| one()).collect()
    };
    (0..many).map(move |number| {
        let key = visible();
        let text = if number.is_multiple_of(4) { format!(" {key} é {key}🔑 ") } else { visible() };
        (key, text)
    })
}

/// In each format: other readers find what was written, byte for byte. `FULL_LENGTH=1` writes all of them.
#[test]
#[expect(clippy::disallowed_methods, reason = "how long a test takes")]
fn a35_a_hundred_thousand_values_are_read_back_in_each_format() {
    let many = if std::env::var_os("FULL_LENGTH").is_some_and(|full| !full.is_empty()) { 100_000 } else { 20_000 };
    for (key, text) in values(many) {
        let flow = material("flow", &[(Variable::ApiKey, &key), (Variable::Reference, &text)]);
        let found = shell(&only(&output(Format::Dotenv), &flow));
        assert_eq!(found[1..], [("FLOW_API_KEY".to_owned(), key.clone()), ("FLOW_REFERENCE".to_owned(), text.clone())]);
        for (format, name) in [(Format::Env, "FLOW_REFERENCE"), (Format::Binding, "reference")] {
            assert_eq!(rendered(&output(format), &flow).expect("renders")[name], text);
        }
        assert_eq!(only(&template("a=$(apiKey) $$(x) $(reference)"), &flow), format!("a={key} $(x) {text}"));
        let aventri = aventri_with(&key);
        let found = curlrc(&only(&output(Format::Curl), &aventri));
        assert_eq!(
            (&found[0].1, &found[1].1),
            (&format!("accesstoken={key}"), &format!("Authorization: Bearer {key}"))
        );
        let files = rendered(&output(Format::HTTP), &aventri).expect("renders");
        assert_eq!(files["headers"].lines().next(), Some(format!("Authorization: Bearer {key}").as_str()));
        let pairs: Vec<_> = url::form_urlencoded::parse(files["query"].as_bytes()).collect();
        assert_eq!(pairs, [("accesstoken".into(), key.as_str().into())]);
        let mut zenflow = zenflow();
        zenflow.variables = zenflow.variables.with(Variable::HeaderValue, key.as_str());
        zenflow.description = Some(text.clone());
        let body: serde_json::Value = serde_json::from_str(&only(&output(Format::Nexla), &zenflow)).expect("is JSON");
        assert_eq!((&body["description"], &body["credentials"]["api.key.auth.value"]), (&text.into(), &key.into()));
    }
}

proptest! {
    #[test]
    fn a35_dotenv_is_read_back(key in "[!-~]{1,64}", text in "\\PC{0,64}") {
        let material = material("flow", &[(Variable::ApiKey, &key), (Variable::Reference, &text)]);
        let found = shell(&only(&output(Format::Dotenv), &material));
        let expected = [("FLOW_PROVIDER", "flow"), ("FLOW_API_KEY", &key), ("FLOW_REFERENCE", &text)];
        prop_assert_eq!(found, expected.map(|(name, text)| (name.to_owned(), text.to_owned())));
    }

    #[test]
    fn a35_requests_are_read_back(token in "[!-~]{1,64}") {
        let material = aventri_with(&token);
        let bearer = format!("Authorization: Bearer {token}");
        let found = curlrc(&only(&output(Format::Curl), &material));
        let expected = [
            ("url-query", format!("accesstoken={token}")),
            ("header", bearer.clone()),
            ("header", "Accept: application/json".to_owned()),
        ];
        prop_assert_eq!(found, expected.map(|(option, parameter)| (option.to_owned(), parameter)));

        let files = rendered(&output(Format::HTTP), &material).expect("renders");
        prop_assert_eq!(files["headers"].lines().next(), Some(bearer.as_str()));
        let pairs: Vec<_> = url::form_urlencoded::parse(files["query"].as_bytes()).collect();
        prop_assert_eq!(pairs, [("accesstoken".into(), token.as_str().into())]);
    }

    #[test]
    fn a35_nexla_is_read_back(key in "[!-~]{1,64}", text in "(?s:.{0,64})") {
        let mut material = zenflow();
        material.variables = material.variables.with(Variable::HeaderValue, key.as_str());
        material.description = Some(text.clone());
        let body: serde_json::Value = serde_json::from_str(&only(&output(Format::Nexla), &material)).expect("is JSON");
        prop_assert_eq!(&body["description"], &text);
        prop_assert_eq!(&body["credentials"]["api.key.auth.value"], &key);
    }
}
