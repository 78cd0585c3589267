//! The positive control: a planted key is found in every form.

use super::*;
use k8s_openapi::ByteString;

const KEY: &str = "zenflow_live_EXAMPLEq7Rv/+mT2xKp9LwZ";

fn canary() -> Canary {
    Canary::new("erp", KEY).with_public_prefix("zenflow_live_")
}

fn forms_in(text: &str) -> Vec<Form> {
    let findings = find(text.as_bytes(), &[canary()]);
    findings.into_iter().map(|finding| finding.form).collect()
}

#[track_caller]
fn assert_found(form: Form, text: &str) {
    assert!(forms_in(text).contains(&form), "{form:?} not found in {text}");
}

fn base64(bytes: &[u8]) -> String {
    let value = serde_json::to_value(ByteString(bytes.to_vec()));
    let value = value.expect("bytes can be written as JSON");
    value.as_str().expect("as a string").to_owned()
}

fn each(text: &str, one: impl Fn(u8) -> String) -> String {
    text.bytes().map(one).collect()
}

#[test]
fn a01_each_plain_form_is_found() {
    assert_found(Form::Raw, &format!("key={KEY};"));
    assert_found(Form::Reversed, &KEY.chars().rev().collect::<String>());
    assert_found(Form::OtherCase, &KEY.to_lowercase());
    assert_found(Form::OtherCase, &KEY.to_uppercase());
}

#[test]
fn a01_base64_is_found_in_each_alignment_and_depth() {
    for before in ["", "x", "xx", "user:"] {
        let once = base64(format!("{before}{KEY}").as_bytes());
        assert_found(Form::Base64, &once);
        for before in ["", "x", "xx"] {
            let twice = base64(format!("{before}{once}").as_bytes());
            assert_found(Form::Base64Twice, &twice);
        }
    }
    let once = base64(KEY.as_bytes());
    let lines: Vec<&str> = once.split_inclusive(|at| "0123456789".contains(at)).collect();
    assert!(lines.len() > 3);
    assert_found(Form::Base64, &lines.join("\n  "));
}

#[test]
fn a01_base64_is_found_in_the_alphabet_for_addresses() {
    let key = "k??>>~~?>~?>>~k?";
    let url = base64(key.as_bytes()).replace('+', "-").replace('/', "_");
    assert!(url.contains(['-', '_']));
    let findings = find(url.as_bytes(), &[Canary::new("odd", key)]);
    assert!(findings.iter().any(|finding| finding.form == Form::Base64Url));
}

#[test]
fn a01_each_way_to_write_bytes_as_numbers_is_found() {
    assert_found(Form::DecimalBytes, &format!("{:?}", KEY.as_bytes()));
    assert_found(Form::DecimalBytes, &format!("{:#?}", ByteString(KEY.into())));
    assert_found(Form::DecimalBytes, &each(KEY, |byte| format!("{byte} ")));
    assert_found(Form::Hex, &each(KEY, |byte| format!("{byte:02x}")));
    assert_found(Form::Hex, &each(KEY, |byte| format!("{byte:02X}")));
    assert_found(Form::Hex, &each(KEY, |byte| format!("{byte:02x} ")));
    assert_found(Form::Hex, &each(KEY, |byte| format!("{byte:02x}:")));
    assert_found(Form::Hex, &each(KEY, |byte| format!("\\x{byte:02x}")));
    assert_found(Form::Hex, &format!("{:#x?}", KEY.as_bytes()));
    assert_found(Form::Hex, &format!("{:02x?}", KEY.as_bytes()));
}

#[test]
fn a01_each_escape_is_found() {
    assert_found(Form::Percent, &each(KEY, |byte| format!("%{byte:02x}")));
    assert_found(Form::Percent, &each(KEY, |byte| format!("%{byte:02X}")));
    assert_found(Form::Percent, "?q=q7Rv%2F%2BmT2xKp9");
    assert_found(Form::Escaped, &each(KEY, |byte| format!("\\u{byte:04x}")));
    assert_found(Form::Escaped, &each(KEY, |byte| format!("\\\\u{byte:04X}")));
    assert_found(Form::Escaped, &KEY.escape_unicode().to_string());
    assert_found(Form::Escaped, "q7Rv\\/+mT2xKp9");
}

#[test]
fn a01_any_eight_private_bytes_are_found_and_seven_are_not() {
    assert_found(Form::Raw, "..mT2xKp9L..");
    assert_found(Form::Base64, &base64(b"..mT2xKp9L.."));
    assert_eq!(forms_in("..mT2xKp9.."), []);
}

#[test]
fn what_is_public_is_no_finding() {
    assert_eq!(forms_in("a key begins with zenflow_live_, EXAMPLE or not"), []);
    assert_eq!(forms_in("zenflow_live_EXAMPLEq7Rv"), []);
    assert_eq!(forms_in(""), []);
}

#[test]
fn a_finding_says_whose_key_is_where() {
    let other = Canary::new("crm", "0123456789abcdef");
    let findings = Sweep::new(&[canary(), other]).find("log", b"- 89abcdef");
    let expected = Finding { place: "log".to_owned(), canary: "crm".to_owned(), form: Form::Raw, offset: 2 };
    assert_eq!(findings, [expected]);
}
