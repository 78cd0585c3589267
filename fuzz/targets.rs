//! What must hold for any bytes at all? One function for each parser of foreign input; it panics when something does not.
//!
//! `cargo test` feeds them at random, `cargo fuzz` by coverage. None may panic, none accepts but what is documented, and
//! none repeats what it read: each says only what stands here.

use connector_operator::api::{Format, Output};
use connector_operator::config::Settings;
use connector_operator::controller::{Guarded, SecretMeta};
use connector_operator::credential::{AccessToken, Key, MAX_BYTES};
use connector_operator::error::{Failure, Verb};
use connector_operator::outputs::{Material, Unrenderable, render, token_in};
use connector_operator::probe::{wanted_pause, wanted_wait};
use connector_operator::providers::{
    Aventri, BaseUrl, Depth, Flow, Flowlu, Given, InFlow, Label, Provider, Purpose, Region, Reply, Site, Step, Verdict,
    ZenFlow,
};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// A target's name, and the target.
pub type Target = (&'static str, fn(&[u8]));

/// Every target; `fuzz_targets/` has a file for each.
pub const ALL: [Target; 12] = [
    ("key", key),
    ("label", label),
    ("reply", reply),
    ("retry_after", retry_after),
    ("expiry", expiry),
    ("template", template),
    ("config", config),
    ("credential", credential),
    ("yaml", yaml),
    ("token", token),
    ("secret", secret),
    ("status", status),
];

fn visible(bytes: &[u8]) -> bool {
    (1..=MAX_BYTES).contains(&bytes.len()) && bytes.iter().all(|byte| (0x21..=0x7e).contains(byte))
}

/// A source's value, and a token.
pub fn key(data: &[u8]) {
    let trimmed = data.strip_suffix(b"\r\n").or_else(|| data.strip_suffix(b"\n")).unwrap_or(data);
    let parsed = Key::parse(data);
    assert_eq!(parsed.is_ok(), visible(trimmed));
    // Why it is malformed cannot repeat it: the reasons hold nothing.
    if let Ok(key) = parsed {
        assert_eq!(format!("{key:?}"), "Key(redacted)");
        assert_eq!(key.reveal().as_bytes(), trimmed);
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let token = AccessToken::parse(text);
        assert_eq!(token.is_ok(), visible(data));
        assert!(token.is_err() || format!("{token:?}") == "Ok(AccessToken(redacted))");
    }
}

/// A value of a credential that becomes a part of a URL.
pub fn label(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for (endpoint, path) in [
        ("https://{account}.flowlu.com", "/api/v1/module"),
        ("https://api.example.com/p/{account}", ""),
        ("http://127.0.0.1:8080/{account}", "/x"),
    ] {
        let built = BaseUrl::build(endpoint, &Label { placeholder: "{account}", value: &text, field: "account" }, path);
        let Ok(base) = built else { continue };
        let plain = text.len() <= 63 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        assert!(plain, "{text} was accepted");
        let wanted = endpoint.replace("{account}", &text);
        let wanted = url::Url::parse(&wanted).expect("a plain label makes a URL");
        assert_eq!(base.url().host_str(), wanted.host_str());
        assert_eq!(base.url().port_or_known_default(), wanted.port_or_known_default());
        assert!(base.url().path().starts_with(wanted.path().trim_end_matches('/')));
    }
}

fn providers() -> [Box<dyn Provider>; 5] {
    [
        Box::new(InFlow { company_id: "3f0c8a52-7d1e-4b96-9a43-5e2f6c7d8b90".to_owned(), api_version: None }),
        Box::new(Flowlu { account: "mycompany".to_owned() }),
        Box::new(ZenFlow::default()),
        Box::new(Flow { reference: None, purpose: Purpose::ImportMembers, checkout_theme: None }),
        Box::new(Aventri { account_id: "12345".to_owned(), region: Region::NorthAmerica, token_lifetime: None }),
    ]
}

/// No answer of FLOW's is read until an administrator says how.
static SETTINGS: LazyLock<Settings> = LazyLock::new(|| Settings::parse(FLOW).expect("a configuration"));
const FLOW: &str = "providers:
  flow:
    endpoint: https://flow.example.com
    authentication: {header: X-API-Key}
    probe: {path: /status, accepted: [200, 204], rejected: [401], denied: [403]}
";

/// All that a verdict is shown with; no scope is declared here.
const WORDS: [&str; 23] = [
    "",
    "Accepted",
    "Proof",
    "access",
    "Verified",
    "NotVerifiable",
    "Denied",
    "IpNotAllowed",
    "token",
    "None",
    "Some",
    "AccessToken",
    "redacted",
    "undeclared",
    "unverifiable",
    "Rejected",
    "Key",
    "Expired",
    "Revoked",
    "Inconclusive",
    "Unavailable",
    "RateLimited",
    "Unexpected",
];

/// What a provider answers: two bytes of status, then the body; the same to every question, or after a byte that no
/// text has another answer.
pub fn reply(data: &[u8]) {
    let replies: Vec<_> = data.split(|byte| *byte == 0xff).filter_map(<[u8]>::split_first_chunk::<2>).collect();
    let Some(last) = replies.last() else { return };
    let key = Key::parse(b"zenflow_live_EXAMPLE0123456789").expect("a key");
    for provider in providers() {
        let profile = provider.profile();
        let given = Given { key: &key, site: SETTINGS.site(profile.kind), depth: Depth::LeastPrivilege };
        let denied = Reply::new(403, br#"{"error":{"error_code":22}}"#);
        let asked = format!("{:?} {:?}", provider.next(&given, &[]), provider.next(&given, &[denied]));
        let mut heard = Vec::new();
        let mut answers = replies.iter().chain(std::iter::repeat(last));
        let verdict = loop {
            match provider.next(&given, &heard) {
                Step::Done(verdict) => break verdict,
                Step::Ask(ask) => assert!(asked.contains(&format!("{ask:?}")), "{ask:?} depends on an answer"),
            }
            heard.extend(answers.next().map(|(status, body)| answered(**status, body)));
            assert!(heard.len() <= 2, "{} asks for ever", profile.member);
        };
        let shown = format!("{verdict:?}");
        let foreign = shown.split(|c: char| !c.is_alphanumeric()).find(|word| !WORDS.contains(word));
        assert_eq!(foreign, None, "{shown}");
        if let Verdict::Accepted(proof) = verdict {
            let reply = heard.last().expect("nothing is accepted unheard");
            let status = reply.status();
            assert!(matches!(status, 200..=299 | 401 | 403), "{status} is accepted");
            let is_read = reply.json().is_some() || status == 403 || (status == 204 && reply.is_empty());
            assert!(is_read, "what is no JSON is accepted: {:?}", proof.access);
        }
    }
}

fn answered(status: [u8; 2], body: &[u8]) -> Reply {
    Reply::new(200 + u16::from_be_bytes(status) % 300, body)
}

/// `Retry-After`, the dates of HTTP, and ZenFlow's three headers.
pub fn retry_after(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (first, rest) = text.split_once('|').unwrap_or((&text, ""));
    let now = jiff::Timestamp::UNIX_EPOCH;
    let (second, third) = rest.split_once('|').unwrap_or((rest, first));
    for wait in [wanted_wait(first, Some(rest), now), wanted_pause(first, second, third, now)] {
        assert!(wait.is_none_or(|wait| !wait.is_zero() && wait.as_secs() <= 3600), "{wait:?}");
    }
}

/// When a key expires, as its Secret says.
pub fn expiry(data: &[u8]) {
    if let Some(time) = connector_operator::policy::source::read_time(data) {
        let text = std::str::from_utf8(data).expect("it was read as text").trim_end();
        assert!(text.len() >= 10 && text.as_bytes()[0].is_ascii_digit() | matches!(text.as_bytes()[0], b'+' | b'-'));
        assert!(time.to_string().len() >= 20);
    }
}

/// A user's own template.
pub fn template(data: &[u8]) {
    let text = String::from_utf8_lossy(data).into_owned();
    let key = Key::parse(b"zenflow_live_$(apiKey)EXAMPLE").expect("a key");
    let material = Material {
        title: "data/erp".to_owned(),
        description: None,
        provider: "zenflow",
        variables: ZenFlow::default().variables(&key, &Site::default(), None),
        test_url: None,
    };
    let output = Output {
        secret_name: "erp".to_owned(),
        format: Some(Format::Template),
        env_prefix: None,
        template: Some(BTreeMap::from([("file".to_owned(), text.clone())])),
    };
    match render(&output, &material) {
        Ok(rendered) => {
            assert!(!format!("{rendered:?}").contains("EXAMPLE"));
            if !text.contains("$(") {
                assert_eq!(rendered.data["file"].as_slice(), text.as_bytes());
            }
        }
        Err(refused) => {
            assert!(!refused.to_string().contains("EXAMPLE") || text.contains("EXAMPLE"));
            if let Unrenderable::UnknownVariable { name, .. } = refused {
                assert!(name.chars().count() <= 64 && !name.contains(char::is_control));
            }
        }
    }
}

/// The administrator's configuration.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Settings::parse(text) {
        Ok(settings) => {
            for site in settings.sites.values() {
                let endpoint = site.endpoint.as_deref().unwrap_or("https://");
                assert!(endpoint.starts_with("https://") || endpoint.starts_with("http://"), "{endpoint}");
                assert!(!endpoint.contains(['@', '?', '#', ' ']), "{endpoint}");
            }
        }
        // Nothing is said but what stands in the code, and the name of a field that is not known.
        Err(refused) => {
            let said = refused.to_string();
            let words = said.split(|letter: char| !letter.is_alphanumeric());
            let is_ours = |word: &str| word.parse::<u64>().is_ok() || CODE.iter().any(|code| code.contains(word));
            let foreign: Vec<_> = words.filter(|word| !is_ours(word)).collect();
            let is_name = |word: &&str| word.len() <= 32 && word.bytes().all(|byte| byte.is_ascii_alphabetic());
            let is_unknown = foreign.len() == 1 && foreign.iter().all(is_name) && said.contains("is not known here");
            assert!(foreign.is_empty() || is_unknown, "{said}");
        }
    }
}

/// What is said of a configuration stands there.
const CODE: [&str; 4] = [
    include_str!("../src/config/endpoint.rs"),
    include_str!("../src/config/file.rs"),
    include_str!("../src/config/flow.rs"),
    include_str!("../src/config/mod.rs"),
];

/// An object as the API server sends it, whatever an older schema let in.
pub fn credential(data: &[u8]) {
    // Of an object that cannot be read the operator says so, and not why.
    let Ok(object) = serde_json::from_slice::<Guarded>(data) else { return };
    let Ok(object) = object.0 else { return };
    let _chosen = object.spec.provider.chosen();
    let again = serde_json::to_vec(&object).expect("what was read can be written");
    assert!(serde_json::from_slice::<Guarded>(&again).is_ok_and(|again| again.0.is_ok()));
}

/// A manifest that connectorctl reads.
pub fn yaml(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Err(refused) = connector_operator::cli::documents(text) {
        let (line, what) = refused.split_once(": ").expect("a line and a sentence");
        assert!(line.parse::<u32>().is_ok_and(|line| line <= 1 + u32::try_from(text.len()).expect("small")), "{line}");
        assert!(UNREADABLE.contains(&what), "{refused}");
    }
}

/// All that is said of a manifest that cannot be read.
const UNREADABLE: [&str; 3] = [
    "a field stands twice; remove one",
    "too large: more values, aliases or levels than any manifest has; split the file",
    "not YAML; correct it (templates must be rendered first)",
];

/// An output of our own that is read back, whatever somebody has written over it.
pub fn token(data: &[u8]) {
    let formats = [Format::Binding, Format::Env, Format::Dotenv, Format::HTTP, Format::Curl, Format::Nexla];
    for format in formats {
        let output = Output { secret_name: "crm".to_owned(), format: Some(format), env_prefix: None, template: None };
        let Some(token) = token_in(&output, |_| Some(data)) else { continue };
        assert!(visible(token.reveal().as_bytes()), "{format:?} gives what is no token");
        assert_eq!(format!("{token:?}"), "AccessToken(redacted)");
        // Each format's quoting makes it longer, or leaves it as it is.
        assert!(token.reveal().len() <= data.len(), "{format:?} gives more than it holds");
    }
}

/// A Secret's metadata as the watch delivers it.
pub fn secret(data: &[u8]) {
    use kube::Resource as _;
    let Ok(read) = serde_json::from_slice::<SecretMeta>(data) else { return };
    let meta = read.meta();
    assert!(meta.annotations.is_none() && meta.labels.is_none() && meta.managed_fields.is_none(), "{meta:?}");
}

/// What the API server says when it refuses.
pub fn status(data: &[u8]) {
    let Ok(status) = serde_json::from_slice::<kube::core::Status>(data) else { return };
    let failure = Failure::new(Verb::Get, "secrets", &kube::Error::Api(Box::new(status)));
    let said = failure.to_string();
    let cause = said.strip_prefix("cannot get secrets: ").expect("what was asked for");
    let (class, code) = cause.split_once(" (").unwrap_or((cause, "0)"));
    assert!(CAUSES.contains(&class), "{said}");
    assert!(code.strip_suffix(')').is_some_and(|code| code.parse::<u16>().is_ok()), "{said}");
}

/// All that is said of an answer of the API server.
const CAUSES: [&str; 11] = [
    "not found",
    "forbidden",
    "not authenticated",
    "changed by somebody else meanwhile",
    "it exists already",
    "refused as invalid",
    "too many requests",
    "no answer in time",
    "the API server is unavailable",
    "the resource version is too old",
    "an unexpected answer",
];
