//! Do real programs read what we write, byte for byte? curl; and Python and Node.js, where they are installed.

use super::samples::{aventri_with, material, only, output, zenflow};
use crate::api::Format;
use crate::providers::Variable;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Command;

/// Keys and tokens: visible ASCII, of which readers make syntax.
const KEYS: [&str; 20] = [
    "EXAMPLE",
    "\"",
    "\\",
    "\\\"\\\\",
    "\\n\\t\\r\\v",
    "a\"b\\c\"d",
    "@/etc/passwd",
    "-K",
    "--next",
    "#comment",
    "a=b&c=d+e%2Bf",
    "%41%00%zz",
    "'quoted'",
    "$HOME`id`$(id)",
    "{1,2}[1-9]",
    ";:,.!?*",
    "<script>",
    "http://evil.example/",
    "~|^",
    "=\"x\"\\",
];

/// One request as it arrives: its target and its headers.
fn asked(listener: &TcpListener) -> (String, Vec<(String, String)>) {
    let (mut socket, _) = listener.accept().expect("somebody comes");
    let mut bytes = Vec::new();
    let mut one = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        socket.read_exact(&mut one).expect("a whole request");
        bytes.extend(one);
    }
    socket.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").expect("it is read");
    let text = String::from_utf8(bytes).expect("ASCII");
    let mut lines = text.lines();
    let target = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a request line").to_owned();
    (target, lines.filter_map(|line| line.split_once(": ")).map(|(name, text)| (name.into(), text.into())).collect())
}

#[test]
fn a35_real_curl_sends_what_its_configuration_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("curlrc");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let url = format!("http://{}/path", listener.local_addr().expect("it is bound"));
    for key in KEYS {
        std::fs::write(&file, only(&output(Format::Curl), &aventri_with(key))).expect("a file");
        let mut curl = Command::new("curl");
        curl.args(["--disable", "--silent", "--show-error", "--globoff", "--noproxy", "*", "--max-time", "20"]);
        let asking = curl.arg("--config").arg(&file).arg(&url).spawn().expect("curl is installed");
        let (target, headers) = asked(&listener);
        assert!(asking.wait_with_output().expect("it ends").status.success(), "{key}");
        let (path, query) = target.split_once('?').expect("a query");
        let pairs: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
        assert_eq!((path, pairs.as_slice()), ("/path", &[("accesstoken".into(), key.into())][..]), "{target}");
        for (name, text) in [("Authorization", format!("Bearer {key}")), ("Accept", "application/json".to_owned())] {
            let sent = headers.iter().filter(|(sent, _)| sent == name);
            assert_eq!(sent.map(|(_, text)| text).collect::<Vec<_>>(), [&text]);
        }
    }
}

/// What a program prints, which is JSON.
fn printed(mut command: Command) -> serde_json::Value {
    let ran = command.output().expect("it is installed");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    serde_json::from_slice(&ran.stdout).expect("JSON")
}

/// Whether dotenv libraries read a value as a shell does: python-dotenv takes a backslash in single quotes for an escape,
/// Node.js in double quotes for itself.
fn is_for_all(text: &str) -> bool {
    let is_escaped = text.contains('\'') && text.contains(['"', '$', '`']);
    !(is_escaped || text.contains('\\'))
}

fn python(script: &str, file: &Path) -> serde_json::Value {
    let mut command = Command::new("python3");
    command.args(["-c", script]).arg(file);
    printed(command)
}

const PYTHON_DOTENV: &str = "import dotenv, json, sys
print(json.dumps(dotenv.dotenv_values(sys.argv[1], interpolate=False)))";
const PYTHON_JSON: &str = "import json, sys
print(json.dumps(json.load(open(sys.argv[1], encoding='utf-8'))))";
const NODE: &str =
    "console.log(JSON.stringify({FLOW_API_KEY: process.env.FLOW_API_KEY, FLOW_REFERENCE: process.env.FLOW_REFERENCE}))";

#[test]
#[ignore = "needs Python with python-dotenv; .ci/run"]
fn a35_programs_in_other_languages_read_dotenv_and_json_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    let has_node = Command::new("node").arg("--version").output().is_ok_and(|ran| ran.status.success());
    let texts = [
        "it's plain # text",
        "  spaces  ",
        "Café – 日本 🔑",
        "a#b=c;d&e|f<g>h*?[]{}~",
        "\"quoted\"",
        "100 % + more",
        "${HOME} $(id) `id`",
    ];
    let keys = KEYS.into_iter().filter(|key| is_for_all(key));
    for (key, text) in keys.zip(texts.into_iter().cycle()) {
        let flow = material("flow", &[(Variable::ApiKey, key), (Variable::Reference, text)]);
        std::fs::write(&file, only(&output(Format::Dotenv), &flow)).expect("a file");
        let read = python(PYTHON_DOTENV, &file);
        assert_eq!((&read["FLOW_API_KEY"], &read["FLOW_REFERENCE"]), (&key.into(), &text.into()));
        if has_node {
            let mut node = Command::new("node");
            node.arg(format!("--env-file={}", file.display())).args(["-e", NODE]);
            let read = printed(node);
            assert_eq!((&read["FLOW_API_KEY"], &read["FLOW_REFERENCE"]), (&key.into(), &text.into()));
        }
        let mut zenflow = zenflow();
        zenflow.variables = zenflow.variables.with(Variable::HeaderValue, key);
        zenflow.description = Some(text.to_owned());
        std::fs::write(&file, only(&output(Format::Nexla), &zenflow)).expect("a file");
        let body = python(PYTHON_JSON, &file);
        assert_eq!((&body["description"], &body["credentials"]["api.key.auth.value"]), (&text.into(), &key.into()));
    }
}
