//! Which misbehaviour is due for a request? The first fault that matches, until it is used up.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::clock::http_date;
use super::provider::Provider;
use super::world::Call;

/// A misbehaviour and whom it meets; a filter left out meets everyone.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Fault {
    pub fault: Misbehaviour,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
    /// As in the ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_hash: Option<String>,
    /// The end of the request's path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Lets so many that it would meet pass first.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skip: u32,
    /// How often; absent means until cleared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
}

impl Fault {
    /// A fault for every request, for struct update syntax.
    pub fn of(fault: Misbehaviour) -> Self {
        Self { fault, provider: None, account: None, key_hash: None, path: None, skip: 0, times: None }
    }

    fn is_for_all(&self) -> bool {
        self.provider.is_none() && self.account.is_none() && self.key_hash.is_none() && self.path.is_none()
    }

    fn meets(&self, call: &Call) -> bool {
        let place = &call.place;
        let hash = call.shown.as_ref().map(|shown| &shown.hash);
        self.provider.is_none_or(|provider| provider == place.provider)
            && self.account.as_ref().is_none_or(|account| *account == place.account)
            && (self.key_hash.is_none() || self.key_hash.as_ref() == hash)
            && self.path.as_ref().is_none_or(|path| call.request.path.ends_with(path.as_str()))
    }
}

/// In JSON `"hang"`, or with members `{"latency": {"ms": 100}}`.
///
/// The request is processed before `latency`, `hang`, `slowBody`, `reset`, `truncated`, `badTLS`,
/// `wideHead` and `echoKey` in a header; the others replace the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Misbehaviour {
    /// The normal answer, later.
    Latency {
        ms: u64,
    },
    /// No answer, and the connection stays open.
    Hang,
    /// The same, and the request is not processed either.
    Deaf,
    /// The head at once, then a byte at a time of a long body.
    SlowBody {
        every_ms: u64,
    },
    /// RST instead of an answer.
    Reset,
    /// A body shorter than declared.
    Truncated,
    /// Without filters: no ServerHello but rubbish. With filters, or on an open connection: rubbish
    /// instead of the answer's TLS records.
    #[serde(rename = "badTLS")]
    BadTls,
    Status {
        status: u16,
        #[serde(default)]
        retry_after: Option<RetryAfter>,
        /// With the body of a rejected key.
        #[serde(default)]
        bad_key_body: bool,
    },
    /// 429.
    RateLimit {
        #[serde(default)]
        retry_after: Option<RetryAfter>,
    },
    Html {
        #[serde(default = "ok")]
        status: u16,
        /// Another type than `text/html`.
        #[serde(default)]
        content_type: Option<String>,
    },
    /// 200 without a body.
    Empty,
    #[serde(rename = "brokenJSON")]
    BrokenJson,
    #[serde(rename = "deepJSON")]
    DeepJson,
    GzipBomb,
    /// A MiB of JSON; not `declared`, it has no `Content-Length`.
    Huge {
        #[serde(default = "yes")]
        declared: bool,
    },
    /// JSON without an end, or after so many bytes; no `Content-Length`.
    Flood {
        bytes: u64,
    },
    /// The normal answer behind so many bytes of headers.
    WideHead {
        bytes: usize,
    },
    /// To the decoy, with this status.
    Redirect {
        status: u16,
    },
    /// To the very same host.
    RedirectHome {
        status: u16,
    },
    /// The body of a rejected key, with status 200.
    ErrorIn200,
    Expired,
    Revoked,
    ScopeMissing,
    IpNotAllowed,
    Denied,
    /// This answer, word for word.
    Reply {
        status: u16,
        body: String,
        #[serde(default = "json")]
        content_type: String,
    },
    /// The key in an error's body with this status, or in a header of the normal answer.
    EchoKey {
        at: Echo,
        #[serde(default = "bad_request")]
        status: u16,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Echo {
    Body,
    Header,
}

/// A number of seconds, a text as it stands, or `{"dateIn": seconds}` as HTTP date.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RetryAfter {
    Seconds(i64),
    Text(String),
    #[serde(rename_all = "camelCase")]
    Date {
        date_in: i64,
    },
}

impl RetryAfter {
    pub(super) fn value(&self, now: Timestamp) -> String {
        match self {
            Self::Seconds(seconds) => seconds.to_string(),
            Self::Text(text) => text.clone(),
            Self::Date { date_in } => http_date(now.saturating_add(SignedDuration::from_secs(*date_in)).unwrap_or(now)),
        }
    }
}

impl Misbehaviour {
    /// The name in the ledger and in `PUT /faults`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Latency { .. } => "latency",
            Self::Hang => "hang",
            Self::Deaf => "deaf",
            Self::SlowBody { .. } => "slowBody",
            Self::Reset => "reset",
            Self::Truncated => "truncated",
            Self::BadTls => "badTLS",
            Self::Status { .. } => "status",
            Self::RateLimit { .. } => "rateLimit",
            Self::Html { .. } => "html",
            Self::Empty => "empty",
            Self::BrokenJson => "brokenJSON",
            Self::DeepJson => "deepJSON",
            Self::GzipBomb => "gzipBomb",
            Self::Huge { .. } => "huge",
            Self::Flood { .. } => "flood",
            Self::WideHead { .. } => "wideHead",
            Self::Redirect { .. } => "redirect",
            Self::RedirectHome { .. } => "redirectHome",
            Self::ErrorIn200 => "errorIn200",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::ScopeMissing => "scopeMissing",
            Self::IpNotAllowed => "ipNotAllowed",
            Self::Denied => "denied",
            Self::Reply { .. } => "reply",
            Self::EchoKey { .. } => "echoKey",
        }
    }
}

/// A fault with its number; `times` counts down.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Active {
    pub(super) id: u64,
    #[serde(flatten)]
    pub(super) fault: Fault,
}

#[derive(Default)]
pub(super) struct Faults {
    active: Vec<Active>,
    last: u64,
}

impl Faults {
    pub(super) fn set(&mut self, fault: Fault) -> u64 {
        self.last += 1;
        let id = self.last;
        if fault.times != Some(0) {
            self.active.push(Active { id, fault });
        }
        id
    }

    pub(super) fn all(&self) -> &[Active] {
        &self.active
    }

    pub(super) fn clear(&mut self) {
        self.active.clear();
    }

    /// False if it was used up or never set.
    pub(super) fn clear_one(&mut self, id: u64) -> bool {
        let before = self.active.len();
        self.active.retain(|active| active.id != id);
        self.active.len() < before
    }

    pub(super) fn due(&mut self, call: &Call) -> Option<Misbehaviour> {
        let at = self.active.iter().position(|active| active.fault.meets(call))?;
        let fault = &mut self.active[at].fault;
        if fault.skip > 0 {
            fault.skip -= 1;
            return None;
        }
        Some(self.spend(at))
    }

    /// Whether the next TLS handshake is to be spoilt.
    pub(super) fn due_at_handshake(&mut self) -> Option<Misbehaviour> {
        let at = self
            .active
            .iter()
            .position(|active| active.fault.fault == Misbehaviour::BadTls && active.fault.is_for_all())?;
        Some(self.spend(at))
    }

    fn spend(&mut self, at: usize) -> Misbehaviour {
        let fault = &mut self.active[at].fault;
        let due = fault.fault.clone();
        fault.times = fault.times.map(|times| times - 1);
        if fault.times == Some(0) {
            self.active.remove(at);
        }
        due
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

fn ok() -> u16 {
    200
}

fn json() -> String {
    "application/json".to_owned()
}

fn bad_request() -> u16 {
    400
}

fn yes() -> bool {
    true
}
