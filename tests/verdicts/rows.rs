//! What do providers reply, and what does it say about the key? Data only: the common rows, then each provider's own.
//! The simulator's faults where there is one, else the reply word for word.

use crate::simulator::{Echo, Misbehaviour, Provider as Product, RetryAfter};
use connector_operator::api::Reason;
use serde_json::{Value, json};

/// What a reply says about the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Says {
    /// Genuine, and allowed what is declared.
    Verified,
    /// Genuine; what it may do cannot be shown.
    NotVerifiable,
    /// Genuine, and not allowed.
    Denied(Reason),
    /// Not genuine.
    Rejected(Reason),
    /// Nothing.
    Doubt(Reason),
}

impl Says {
    pub(super) fn name(self) -> String {
        match self {
            Self::Verified => "accepted, `AccessVerified`".to_owned(),
            Self::NotVerifiable => "accepted, `NotVerifiable`".to_owned(),
            Self::Denied(reason) => format!("denied, `{}`", reason.name()),
            Self::Rejected(reason) => format!("rejected, `{}`", reason.name()),
            Self::Doubt(reason) => format!("inconclusive, `{}`", reason.name()),
        }
    }
}

/// One reply.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// For the document.
    pub(super) label: String,
    /// What the simulator does, and at which path; nothing: it answers as the provider does.
    pub(super) faults: Vec<(Misbehaviour, Option<&'static str>)>,
    pub(super) says: Says,
    /// Other settings of the provider than usual.
    pub(super) settings: Option<Value>,
    /// Seconds that the provider asks to be left alone for, as far as it is listened to.
    pub(super) waits: Option<i64>,
}

impl Row {
    fn of(label: impl Into<String>, fault: Misbehaviour, says: Says) -> Self {
        Self { label: label.into(), faults: vec![(fault, None)], says, settings: None, waits: None }
    }

    /// Whether the answer is waited for until a deadline.
    pub(super) fn hangs(&self) -> bool {
        let hanging = |fault: &Misbehaviour| {
            matches!(fault, Misbehaviour::Latency { ms: 1000.. } | Misbehaviour::Hang | Misbehaviour::SlowBody { .. })
        };
        self.faults.iter().any(|(fault, _)| hanging(fault))
    }

    fn normal(label: &str, says: Says) -> Self {
        Self { label: label.to_owned(), faults: Vec::new(), says, settings: None, waits: None }
    }

    /// A reply word for word; HTML by its first byte.
    fn said(status: u16, body: &str, says: Says) -> Self {
        let label = if body.is_empty() { format!("{status}, empty") } else { format!("{status} `{body}`") };
        let kind = if body.starts_with(['{', '[']) { "application/json" } else { "text/plain" };
        let fault = Misbehaviour::Reply { status, body: body.to_owned(), content_type: kind.to_owned() };
        Self::of(label, fault, says)
    }

    fn waiting(mut self, seconds: i64) -> Self {
        self.waits = Some(seconds);
        self
    }

    /// At one path only; elsewhere the provider answers as it does.
    fn at(mut self, path: &'static str, label: &str) -> Self {
        self.label = format!("{}, {label}", self.label);
        for fault in &mut self.faults {
            fault.1 = Some(path);
        }
        self
    }

    fn with(mut self, settings: Value, label: &str) -> Self {
        self.label = format!("{}, {label}", self.label);
        self.settings = Some(settings);
        self
    }
}

const UNAVAILABLE: Says = Says::Doubt(Reason::ProviderUnavailable);
const UNEXPECTED: Says = Says::Doubt(Reason::UnexpectedResponse);
const LIMITED: Says = Says::Doubt(Reason::RateLimited);
const REJECTED: Says = Says::Rejected(Reason::KeyRejected);
const DENIED: Says = Says::Denied(Reason::AccessDenied);

/// Rows 1 to 5 and 7, the same for all.
pub(super) fn common() -> Vec<Row> {
    let status = |status, bad_key_body| Misbehaviour::Status { status, retry_after: None, bad_key_body };
    let limit = |retry_after| Misbehaviour::RateLimit { retry_after };
    let wide = |bytes| Misbehaviour::WideHead { bytes };
    let html = |status, kind: Option<&str>| Misbehaviour::Html { status, content_type: kind.map(str::to_owned) };
    let mut rows = vec![
        Row::of("the answer comes after the deadline", Misbehaviour::Latency { ms: 5000 }, UNAVAILABLE),
        Row::of("no answer", Misbehaviour::Hang, UNAVAILABLE),
        Row::of("a byte now and then", Misbehaviour::SlowBody { every_ms: 50 }, UNAVAILABLE),
        Row::of("the connection is reset", Misbehaviour::Reset, UNAVAILABLE),
        Row::of("shorter than declared", Misbehaviour::Truncated, UNAVAILABLE),
        Row::of("rubbish instead of TLS or HTTP", Misbehaviour::BadTls, UNAVAILABLE),
        Row::of("429", limit(None), LIMITED),
        Row::of("429 with a rejected key's body", status(429, true), LIMITED),
        Row::of("500 with a rejected key's body", status(500, true), UNAVAILABLE),
        Row::of("503 with a rejected key's body", status(503, true), UNAVAILABLE),
        Row::said(304, "", UNEXPECTED),
        Row::of("200, HTML", html(200, None), UNEXPECTED),
        Row::of("401, HTML", html(401, None), UNEXPECTED),
        Row::of("403, HTML", html(403, None), UNEXPECTED),
        Row::of("200, HTML that says it is JSON", html(200, Some("application/json")), UNEXPECTED),
        Row::of("401, HTML that says it is text", html(401, Some("text/plain")), UNEXPECTED),
        Row::of("200, empty", Misbehaviour::Empty, UNEXPECTED),
        Row::of("200, half a JSON value", Misbehaviour::BrokenJson, UNEXPECTED),
        Row::of("200, JSON 50,000 levels deep", Misbehaviour::DeepJson, UNEXPECTED),
        Row::of("200, a gzip bomb", Misbehaviour::GzipBomb, UNEXPECTED),
        Row::of("200, 1 MiB", Misbehaviour::Huge { declared: true }, UNEXPECTED),
        Row::of("200, 1 MiB without a declared length", Misbehaviour::Huge { declared: false }, UNEXPECTED),
        Row::of("200, 32 MiB without an end", Misbehaviour::Flood { bytes: 32 << 20 }, UNEXPECTED),
        Row::of("the documented success behind 128 KiB of headers", wide(128 * 1024), UNEXPECTED),
        Row::of("the documented success behind 1 MiB of headers", wide(1024 * 1024), UNAVAILABLE),
        Row::of("400 with the key in it", Misbehaviour::EchoKey { at: Echo::Body, status: 400 }, UNEXPECTED),
        Row::of("500 with the key in it", Misbehaviour::EchoKey { at: Echo::Body, status: 500 }, UNAVAILABLE),
        Row::said(201, "{}", UNEXPECTED),
        Row::said(400, "{}", UNEXPECTED),
        Row::said(402, "{}", UNEXPECTED),
        Row::said(404, "{}", UNEXPECTED),
        Row::said(404, "", UNEXPECTED),
    ];
    rows.extend([407, 408, 500, 502, 503, 504].map(|code| Row::of(code.to_string(), status(code, false), UNAVAILABLE)));
    let redirect = |status| Row::of(format!("{status} elsewhere"), Misbehaviour::Redirect { status }, UNEXPECTED);
    rows.extend([301, 302, 303, 307, 308].map(redirect));
    rows.extend(retry_after());
    rows
}

/// Every form of Retry-After: obeyed, clamped to an hour, or ignored.
fn retry_after() -> Vec<Row> {
    let limited = |after| Misbehaviour::RateLimit { retry_after: Some(after) };
    let broken = |after| Misbehaviour::Status { status: 503, retry_after: Some(after), bad_key_body: false };
    let text = |text: &str| RetryAfter::Text(text.to_owned());
    let mut rows = vec![
        Row::of("429, Retry-After a date 90 s ahead", limited(RetryAfter::Date { date_in: 90 }), LIMITED).waiting(90),
        Row::of("429, Retry-After a date a day ahead", limited(RetryAfter::Date { date_in: 86_400 }), LIMITED)
            .waiting(3600),
        Row::of("429, Retry-After a date that is past", limited(RetryAfter::Date { date_in: -90 }), LIMITED),
        Row::of("503, Retry-After 90", broken(RetryAfter::Seconds(90)), UNAVAILABLE).waiting(90),
        Row::of("503, Retry-After banana", broken(text("banana")), UNAVAILABLE),
    ];
    rows.extend(
        [("30", Some(30)), ("90", Some(90)), ("1000000000000", Some(3600)), ("99999999999999999999", Some(3600))].map(
            |(value, waits)| Row {
                waits,
                ..Row::of(format!("429, Retry-After {value}"), limited(text(value)), LIMITED)
            },
        ),
    );
    let ignored = ["0", "-1", "1.5", "0x10", "banana", "Fri, 31 Feb 2034 00:00:00 GMT"];
    rows.extend(ignored.map(|value| Row::of(format!("429, Retry-After {value}"), limited(text(value)), LIMITED)));
    rows
}

/// The rows of a provider's own table, and what its documented errors are under other names.
pub(super) fn own(product: Product) -> Vec<Row> {
    let mut rows = match product {
        Product::InFlow => inflow(),
        Product::Flowlu => flowlu(),
        Product::ZenFlow => zenflow(),
        Product::Flow => flow(),
        Product::Aventri => aventri(),
    };
    let good = rows.first().expect("the documented success comes first").says;
    rows.push(Row::of("the documented success, a second late", Misbehaviour::Latency { ms: 100 }, good));
    rows.last_mut().expect("just pushed").label = "the documented success, late but in time".to_owned();
    rows.push(Row::of(
        "the documented success with the key in a header",
        Misbehaviour::EchoKey { at: Echo::Header, status: 200 },
        good,
    ));
    rows
}

fn inflow() -> Vec<Row> {
    vec![
        Row::normal("200 with a list", Says::Verified),
        Row::said(200, "[]", Says::Verified),
        Row::said(200, "{}", UNEXPECTED),
        Row::said(200, r#"{"message":"Invalid API key"}"#, UNEXPECTED),
        Row::of("200 with an error's body", Misbehaviour::ErrorIn200, UNEXPECTED),
        Row::said(401, "", REJECTED),
        Row::said(401, "Unauthorized", REJECTED),
        Row::of("401 with a message", Misbehaviour::Revoked, REJECTED),
        Row::of("401 with the key in it", Misbehaviour::EchoKey { at: Echo::Body, status: 401 }, REJECTED),
        Row::of("403 with a message", Misbehaviour::Denied, DENIED),
        Row::said(403, "Forbidden", UNEXPECTED),
        Row::said(403, "", UNEXPECTED),
        Row::said(400, r#"{"message":"The company ID is not a UUID"}"#, UNEXPECTED),
        Row::said(404, r#"{"message":"Not found"}"#, UNEXPECTED),
    ]
}

fn flowlu() -> Vec<Row> {
    const FIRST: &str = "core/user/list";
    let error = |status, code: &str, text: &str, says| {
        Row::said(status, &format!(r#"{{"error":{{"error_code":{code},"error_msg":"{text}"}}}}"#), says)
    };
    vec![
        Row::normal("200 with `response.items`", Says::Verified),
        Row::said(200, r#"{"response":{"items":[]}}"#, Says::Verified),
        Row::said(200, r#"{"response":{"items":[]},"error":{}}"#, UNEXPECTED),
        Row::said(200, "{}", UNEXPECTED),
        Row::said(200, r#"{"response":{}}"#, UNEXPECTED),
        Row::said(200, r#"{"error":"Request rate limit exceeded"}"#, LIMITED),
        Row::said(403, r#"{"error":"Request rate limit exceeded"}"#, LIMITED),
        Row::of("200, code 11", Misbehaviour::ErrorIn200, REJECTED),
        error(200, "\"11\"", "Authorization failed", REJECTED),
        error(401, "11", "Authorization failed", REJECTED),
        error(403, "11", "Authorization failed", REJECTED),
        Row::said(401, "", REJECTED),
        Row::said(401, "Unauthorized", REJECTED),
        error(200, "22", "Access denied", Says::NotVerifiable),
        error(200, "22", "Access denied", Says::Verified).at(FIRST, "and the second probe is accepted"),
        error(200, "30", "Access denied", Says::NotVerifiable),
        error(200, "30", "Unknown method", UNEXPECTED),
        error(403, "22", "Access denied", Says::NotVerifiable),
        Row::of("403 with any error", Misbehaviour::Denied, Says::NotVerifiable),
        Row::said(403, r#"{"error":"validation"}"#, Says::NotVerifiable),
        Row::said(403, "", UNEXPECTED),
        error(200, "10", "Unknown error", UNAVAILABLE),
        error(200, "13", "Server fault", UNAVAILABLE),
        error(200, "12", "Bad request", UNEXPECTED),
        error(200, "31", "Unknown module", UNEXPECTED),
    ]
}

fn zenflow() -> Vec<Row> {
    let error = |status, code: &str, says| {
        Row::said(status, &format!(r#"{{"success":false,"error":{{"code":"{code}"}}}}"#), says)
    };
    let (expired, revoked) = (Says::Rejected(Reason::KeyExpired), Says::Rejected(Reason::KeyRevoked));
    let (scope, address) = (Says::Denied(Reason::InsufficientScope), Says::Denied(Reason::IPNotAllowed));
    let two = json!({"zenflow": {"scopes": ["read:orders", "read:stock"]}});
    let writing = json!({"zenflow": {"scopes": ["write:orders"]}});
    let nothing = || json!({"zenflow": {}});
    vec![
        Row::normal("200, `success` is `true`", Says::Verified),
        Row::said(200, r#"{"success":true}"#, Says::Verified),
        Row::normal("200, `success` is `true`", Says::NotVerifiable).with(nothing(), "no scope declared"),
        Row::normal("200, `success` is `true`", Says::NotVerifiable).with(writing, "only a write scope declared"),
        Row::said(200, "{}", UNEXPECTED),
        Row::said(200, r#"{"success":"true"}"#, UNEXPECTED),
        Row::said(200, r#"{"success":true,"error":{"code":"invalid_api_key"}}"#, UNEXPECTED),
        Row::of("200, `invalid_api_key`", Misbehaviour::ErrorIn200, REJECTED),
        error(401, "invalid_api_key", REJECTED),
        error(403, "invalid_api_key", UNEXPECTED),
        error(200, "expired_api_key", expired),
        Row::of("401, `expired_api_key`", Misbehaviour::Expired, expired),
        error(403, "expired_api_key", expired),
        error(200, "revoked_api_key", revoked),
        Row::of("401, `revoked_api_key`", Misbehaviour::Revoked, revoked),
        error(403, "revoked_api_key", revoked),
        error(200, "insufficient_scope", scope),
        Row::of("403, `insufficient_scope`", Misbehaviour::ScopeMissing, scope),
        Row::of("403, `insufficient_scope`", Misbehaviour::ScopeMissing, scope)
            .at("stock", "one of two scopes")
            .with(two.clone(), "both declared"),
        error(403, "insufficient_scope", Says::NotVerifiable).with(nothing(), "no scope declared"),
        error(200, "ip_not_allowed", address),
        error(401, "ip_not_allowed", address),
        Row::of("403, `ip_not_allowed`", Misbehaviour::IpNotAllowed, address),
        error(401, "missing_api_key", UNEXPECTED),
        error(401, "unheard_of", UNEXPECTED),
        Row::said(401, "", UNEXPECTED),
        Row::of("429", Misbehaviour::RateLimit { retry_after: None }, LIMITED)
            .at("stock", "after one scope")
            .with(two, "two declared"),
    ]
}

fn flow() -> Vec<Row> {
    vec![
        Row::normal("a status in `accepted` with JSON", Says::Verified),
        Row::said(200, "fine", UNEXPECTED),
        Row::of("a status in `rejected`", Misbehaviour::Expired, REJECTED),
        Row::said(401, "", REJECTED),
        Row::said(401, "Unauthorized", REJECTED),
        Row::of("a status in `denied` with JSON", Misbehaviour::Denied, DENIED),
        Row::said(403, "Forbidden", UNEXPECTED),
        Row::said(204, "", UNEXPECTED),
    ]
    .into_iter()
    .map(|mut row| {
        if row.label == "204, empty" {
            row.label = "204, empty, where 204 is not in `accepted`".to_owned();
        }
        row
    })
    .collect()
}

fn aventri() -> Vec<Row> {
    let message =
        |status, text: &str, says| Row::said(status, &format!(r#"{{"status":"error","msg":"{text}"}}"#), says);
    vec![
        Row::normal("200 with `accesstoken`", Says::NotVerifiable),
        Row::said(200, r#"{"accesstoken":"EXAMPLE","expires_in":-5}"#, Says::NotVerifiable),
        Row::said(200, r#"{"accesstoken":"EXAMPLE","expires_in":1000000000000000000}"#, Says::NotVerifiable),
        Row::said(200, r#"{"accesstoken":"EXAMPLE","expires_in":"soon"}"#, Says::NotVerifiable),
        Row::said(200, "{}", UNEXPECTED),
        Row::said(200, r#"{"accesstoken":""}"#, UNEXPECTED),
        Row::said(200, r#"{"accesstoken":"a b"}"#, UNEXPECTED),
        Row::said(200, r#"{"accesstoken":"EXAMPLE","error":{"key":"invalid"}}"#, REJECTED),
        Row::said(201, r#"{"accesstoken":"EXAMPLE"}"#, UNEXPECTED),
        Row::of("200, an error about the key", Misbehaviour::ErrorIn200, REJECTED),
        Row::said(400, r#"{"error":{"key":"invalid"}}"#, REJECTED),
        Row::said(403, r#"{"error":{"account":"Not found"}}"#, REJECTED),
        Row::said(404, r#"{"error":{"account":"Not found"}}"#, UNEXPECTED),
        message(200, "Incorrect credentials", REJECTED),
        message(200, "Something failed", UNEXPECTED),
        Row::said(401, "{}", REJECTED),
        Row::said(401, "", UNEXPECTED),
        message(200, "Access suspended: request limit exceeded", LIMITED),
        message(403, "Too many calls", LIMITED),
        Row::said(200, r#"{"error":{"key":"Limit exceeded"}}"#, LIMITED),
        Row::of("403, access denied", Misbehaviour::Denied, UNEXPECTED),
    ]
}
