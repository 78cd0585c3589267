//! Is what the administrator says about FLOW's API enough to prove a key, and safe?

use super::file;
use crate::providers::{Authentication, FlowProbe, FlowSite, Purpose};

/// A field below `providers.flow`, and what is wrong with it.
pub(super) type Wrong = (String, &'static str);

/// Headers that the operator or HTTP itself sets.
const RESERVED_HEADERS: &[&str] = &[
    "accept",
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "date",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "origin",
    "range",
    "referer",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
];
const LONGEST_NAME: usize = 64;
const LONGEST_PATH: usize = 1024;

/// Reads everything about FLOW but its endpoint.
pub(super) fn site(flow: &file::Flow) -> Result<Option<FlowSite>, Wrong> {
    let wrong = |field: &str, what| Err((field.to_owned(), what));
    let parts = (&flow.endpoint, &flow.authentication, &flow.probe);
    let (authentication, probe) = match parts {
        (None, None, None) if flow.probes_by_purpose.is_none() => return Ok(None),
        (Some(_), Some(authentication), Some(probe)) => (&authentication.value, &probe.value),
        (None, ..) => return wrong("endpoint", "is missing; set it together with authentication and probe"),
        (_, None, _) => return wrong("authentication", "is missing; set header or query"),
        (_, _, None) => return wrong("probe", "is missing; set path and accepted"),
    };
    let authentication = check_authentication(authentication)?;
    let probe = check_probe("probe", probe)?;
    let mut site = FlowSite { authentication, probe, probes_by_purpose: std::collections::BTreeMap::new() };
    for (purpose, probe) in flow.probes_by_purpose.iter().flatten() {
        if !Purpose::ALL.iter().any(|known| known.name() == purpose) {
            const WHAT: &str =
                "has an unknown purpose; use ImportMembers, InnovatiseBridge, CourseProIntegration or FLOWAPI";
            return wrong("probesByPurpose", WHAT);
        }
        let probe = check_probe(&format!("probesByPurpose.{purpose}"), &probe.value)?;
        site.probes_by_purpose.insert(purpose.clone(), probe);
    }
    Ok(Some(site))
}

fn check_authentication(given: &file::Authentication) -> Result<Authentication, Wrong> {
    let wrong = |field: &str, what| Err((format!("authentication{field}"), what));
    match (&given.header, &given.query, &given.scheme) {
        (Some(name), None, _) if !is_token(name) => {
            wrong(".header", "is not a header name; use letters, digits and hyphens")
        }
        (Some(name), None, _) if is_reserved(name) => wrong(
            ".header",
            "is a header that the operator sets itself; use another, such as Authorization or X-API-Key",
        ),
        (Some(_), None, Some(scheme)) if !is_token(scheme) => {
            wrong(".scheme", "is not one word; write the scheme only, such as Bearer")
        }
        (Some(name), None, scheme) => Ok(Authentication::Header { name: name.clone(), scheme: scheme.clone() }),
        (None, Some(_), Some(_)) => wrong(".scheme", "belongs to header; remove it"),
        (None, Some(name), None) if !is_parameter(name) => {
            wrong(".query", "is not a parameter name; use letters, digits, hyphens, dots and underscores")
        }
        (None, Some(name), None) => Ok(Authentication::Query { name: name.clone() }),
        (Some(_), Some(_), _) => wrong("", "has both header and query; keep one"),
        (None, None, _) => wrong("", "has neither header nor query; set one"),
    }
}

fn check_probe(field: &str, given: &file::Probe) -> Result<FlowProbe, Wrong> {
    let wrong = |below: &str, what| Err((format!("{field}.{below}"), what));
    let success = |status: &u16| (200..300).contains(status);
    let conclusive =
        |status: &u16| success(status) || ((400..500).contains(status) && ![407, 408, 429].contains(status));
    if !is_path(&given.path) {
        return wrong(
            "path",
            "is not a plain path; start it with one /, without dots as segments, fragment or backslash",
        );
    }
    if given.accepted.is_empty() || !given.accepted.iter().all(success) {
        return wrong("accepted", "must list status codes from 200 to 299");
    }
    for (name, list) in [("rejected", &given.rejected), ("denied", &given.denied)] {
        if !list.iter().all(conclusive) {
            return wrong(name, "may list 2xx and 4xx codes without 407, 408 and 429: others say nothing about a key");
        }
    }
    let mut all = [given.accepted.as_slice(), &given.rejected, &given.denied].concat();
    let listed = all.len();
    all.sort_unstable();
    all.dedup();
    if all.len() != listed {
        return Err((field.to_owned(), "lists a status code twice; let each stand in one list, once"));
    }
    let file::Probe { path, accepted, rejected, denied } = given;
    Ok(FlowProbe { path: path.clone(), accepted: accepted.clone(), rejected: rejected.clone(), denied: denied.clone() })
}

fn is_token(name: &str) -> bool {
    let symbols = b"!#$%&'*+-.^_`|~";
    (1..=LONGEST_NAME).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || symbols.contains(&byte))
}

fn is_reserved(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    RESERVED_HEADERS.contains(&name.as_str())
        || ["proxy-", "sec-", "x-forwarded-"].iter().any(|start| name.starts_with(start))
}

fn is_parameter(name: &str) -> bool {
    (1..=LONGEST_NAME).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

fn is_path(path: &str) -> bool {
    let (below, _) = path.split_once('?').unwrap_or((path, ""));
    path.len() <= LONGEST_PATH
        && path.starts_with('/')
        && path.bytes().all(|byte| byte.is_ascii_graphic() && !br#"\#{}"<>`^|"#.contains(&byte))
        && !below.contains("//")
        && !below.contains('%')
        && below.split('/').all(|segment| segment != "." && segment != "..")
}
