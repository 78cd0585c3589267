//! Tenant values that try to reach another host or path, or to smuggle a header: none gets in.

use super::{Row, base, refused, with};
use serde_json::json;

/// What a Flowlu account may not be.
const ACCOUNTS: [&str; 42] = [
    "",
    "-",
    "-a",
    "a-",
    "a.b",
    ".",
    "..",
    "a.",
    ".a",
    "evil.example#",
    "evil.example/",
    "evil.example?",
    "a/b",
    "a\\b",
    "a#b",
    "a?b",
    "a&b",
    "a=b",
    "a@b",
    "user:pw@evil",
    "a:443",
    "a b",
    " a",
    "a ",
    "a\n",
    "\na",
    "a\r\nHost: evil",
    "a\tb",
    "a\0b",
    "a%2eb",
    "%61",
    "a_b",
    "A",
    "ä",
    "xn--é",
    "аpple",
    "a\u{200b}b",
    "a\u{3002}b",
    "a／b",
    "${account}",
    "{account}",
    "127.0.0.1",
];

/// What an inFlow Company ID may not be.
const COMPANIES: [&str; 12] = [
    "..",
    "../..",
    "/",
    "3f0c8a52-7d1e-4b96-9a43-5e2f6c7d8b9\n",
    "3f0c8a52-7d1e-4b96-9a43-5e2f6c7d8b9/",
    "3f0c8a52-7d1e-4b96-9a43-5e2f6c7d8b9?",
    "3f0c8a52-7d1e-4b96-9a43-5e2f6c7d8b9#",
    "3f0c8a52-7d1e-4b96-9a43-5e2f6c7d8b9٠",
    "%2e%2e%2f",
    "3f0c8a52-7d1e-4b96-9a43",
    "{companyID}",
    "@evil.example/3f0c8a52-7d1e-4b96-9a4",
];

/// What an Aventri account may not be.
const IDS: [&str; 8] = ["", "1&key=x", "1 2", "1\n2", "-1", "0x1f", "١٢٣", "1.5"];

pub(super) fn rows() -> Vec<Row> {
    let table =
        [("flowlu", "account", &ACCOUNTS[..]), ("inflow", "companyID", &COMPANIES), ("aventri", "accountID", &IDS)];
    let mut rows = Vec::new();
    for (provider, field, values) in table {
        let path = format!("spec.provider.{provider}.{field}");
        for value in values {
            let object = with(base(provider), &path, json!(value));
            rows.push(refused(&format!("the {field} {value:?}"), object, &[&path, "should match"]));
        }
    }
    rows
}
