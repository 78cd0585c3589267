//! What the tables of all providers share.

use super::*;
use std::fmt::Write;

pub(super) const EXAMPLE_UUID: &str = "00000000-0000-4000-8000-000000000000";

pub(super) fn site() -> Site {
    Site::default()
}

pub(super) fn key(text: &str) -> Key {
    Key::parse(text.as_bytes()).unwrap()
}

pub(super) fn reply(status: u16, body: &str) -> Reply {
    Reply::new(status, body.as_bytes())
}

fn step(provider: &dyn Provider, site: &Site, depth: Depth, heard: &[Reply]) -> String {
    let key = key("zenflow_live_EXAMPLE");
    match provider.next(&Given { key: &key, site, depth }, heard) {
        Step::Ask(_) => "asks again".to_owned(),
        Step::Done(verdict) => told(&verdict),
    }
}

/// A verdict in words; `asks again` when there is none yet.
pub(super) fn verdict_at(provider: &dyn Provider, site: &Site, heard: &[Reply]) -> String {
    step(provider, site, Depth::Declared, heard)
}

pub(super) fn verdict(provider: &dyn Provider, heard: &[Reply]) -> String {
    verdict_at(provider, &site(), heard)
}

pub(super) fn verdict_deep(provider: &dyn Provider, heard: &[Reply]) -> String {
    step(provider, &site(), Depth::LeastPrivilege, heard)
}

#[expect(clippy::use_debug, reason = "names of enum members in words for assertions")]
fn told(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Rejected(rejection) => format!("rejected {rejection:?}"),
        Verdict::Inconclusive(doubt) => format!("inconclusive {doubt:?}"),
        Verdict::Accepted(proof) => {
            let mut text = format!("accepted {:?}", proof.access);
            if proof.token.is_some() {
                text.push_str(" token");
            }
            if !proof.unverifiable.is_empty() {
                write!(text, " unverifiable={:?}", proof.unverifiable).unwrap();
            }
            if let Some(undeclared) = &proof.undeclared {
                write!(text, " undeclared={undeclared:?}").unwrap();
            }
            text
        }
    }
}

/// The next question in words: method, path, `Accept`, and the names of what carries values.
pub(super) fn asked_at(provider: &dyn Provider, site: &Site, heard: &[Reply]) -> String {
    let key = key("zenflow_live_EXAMPLE");
    let Step::Ask(ask) = provider.next(&Given { key: &key, site, depth: Depth::Declared }, heard) else {
        return "nothing".to_owned();
    };
    assert!(!format!("{ask:?}").contains("EXAMPLE"), "a question shows the key");
    let mut text = format!("{:?} {} accept={}", ask.method(), ask.path(), ask.accepts());
    for (name, _) in ask.secret_headers() {
        write!(text, " header {name}").unwrap();
    }
    for (name, _) in ask.secret_query() {
        write!(text, " query {name}").unwrap();
    }
    for (name, _) in ask.fields() {
        write!(text, " form {name}").unwrap();
    }
    text
}

pub(super) fn asked(provider: &dyn Provider, heard: &[Reply]) -> String {
    asked_at(provider, &site(), heard)
}

/// Every row: status, body, what it means as the first reply. Then garbage at every status.
pub(super) fn assert_table_at(provider: &dyn Provider, site: &Site, rows: &[(u16, &str, &str)]) {
    for (status, body, expected) in rows {
        assert_eq!(verdict_at(provider, site, &[reply(*status, body)]), *expected, "{status} {body}");
    }
    for status in 200..500 {
        for garbage in ["\u{0}\u{1}", "{", "ok", "\"ok\" x", "{\"ok\":true", "[1,", "}{"] {
            let read = verdict_at(provider, site, &[reply(status, garbage)]);
            assert!(!read.starts_with("accepted") && read != "asks again", "{status} {garbage}: {read}");
        }
        let deep = "[".repeat(100_000);
        assert!(!verdict_at(provider, site, &[reply(200, &deep)]).starts_with("accepted"));
    }
}

pub(super) fn assert_table(provider: &dyn Provider, member: &str, rows: &[(u16, &str, &str)]) {
    assert_eq!(provider.profile().member, member);
    assert_table_at(provider, &site(), rows);
}

pub(super) fn pairs(variables: &Variables) -> Vec<String> {
    variables.iter().map(|(variable, value)| format!("{}={value}", variable.name())).collect()
}

#[test]
fn every_profile_is_complete() {
    for kind in ProviderKind::ALL {
        let profile = kind.profile();
        assert_eq!((profile.kind, profile.member), (*kind, kind.member()));
        assert!(profile.documents.starts_with("https://"));
        assert!((1..=8).contains(&profile.longest) && profile.longest <= profile.budget.burst);
        for sentence in [profile.when_rejected, profile.when_denied, profile.when_unexpected] {
            assert!(
                sentence.ends_with('.') && sentence.len() < 400 && !sentence.contains("  "),
                "{kind:?}: {sentence}"
            );
        }
    }
}

#[test]
fn a12_no_text_is_accepted_but_the_documented_one() {
    use proptest::prelude::*;
    let providers: Vec<Box<dyn Provider>> = vec![
        Box::new(InFlow { company_id: EXAMPLE_UUID.to_owned(), api_version: None }),
        Box::new(Flowlu { account: "mycompany".to_owned() }),
        Box::new(ZenFlow::default()),
        Box::new(Aventri { account_id: "1".to_owned(), region: Region::APAC, token_lifetime: None }),
    ];
    let shapes = "\\PC{0,30}|\\{\"(success|response|accesstoken|error)\":(true|\"x\"|\\{\\}|\\[\\]|null|\\{\"items\":\\[\\]\\})\\}";
    // Half of all with 200: nothing else could be accepted.
    proptest!(|(status in prop_oneof![Just(200_u16), 200_u16..500], body in shapes)| {
        for provider in &providers {
            let read = verdict(provider.as_ref(), &[reply(status, &body)]);
            let documented = match provider.profile().kind {
                ProviderKind::InFlow => status == 200 && body.trim().starts_with('['),
                ProviderKind::Flowlu => status == 200 && body.contains("\"items\":[]"),
                ProviderKind::ZenFlow => status == 200 && body.contains("\"success\":true"),
                ProviderKind::Aventri => status == 200 && body.contains("\"accesstoken\":\"x\""),
                ProviderKind::Flow => false,
            };
            let denied = status == 403 && matches!(provider.profile().kind, ProviderKind::InFlow);
            prop_assert!(documented || denied || !read.starts_with("accepted"), "{status} {body}: {read}");
        }
    });
}
