//! What does a misbehaviour make of an answer: which bytes, and how are they delivered?

use std::sync::LazyLock;
use std::time::Duration;

use serde_json::json;

use super::answer::{normal, refusal};
use super::faults::{Echo, Misbehaviour, RetryAfter};
use super::reply::Reply;
use super::world::{Call, Refusal, World};

const JSON: &str = "application/json";
const HUGE: usize = 1024 * 1024;
const DEPTH: usize = 50_000;
/// At a byte a second longer than any deadline.
const SLOW_BODY: usize = 4096;
/// 258 bytes of zeros each: 32 MiB from about 200 KiB.
const BOMB_RUNS: usize = 130_000;

/// Made once, for it takes a while.
static BOMB: LazyLock<Vec<u8>> = LazyLock::new(gzip_bomb);

/// How an answer reaches the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    Whole,
    /// The end of the connection ends the body.
    Undeclared,
    /// So many bytes that are made on the way.
    Flood(u64),
    Hang,
    Reset,
    Truncated,
    Slow(Duration),
    /// Rubbish in place of TLS records, or of HTTP without TLS.
    Rubbish,
}

#[derive(Debug)]
pub(super) struct Planned {
    pub(super) delay: Duration,
    pub(super) delivery: Delivery,
    pub(super) reply: Reply,
}

impl Planned {
    pub(super) fn whole(reply: Reply) -> Self {
        Self { delay: Duration::ZERO, delivery: Delivery::Whole, reply }
    }

    /// The status the client gets to see.
    pub(super) fn status(&self) -> Option<u16> {
        match self.delivery {
            Delivery::Hang | Delivery::Reset | Delivery::Rubbish => None,
            Delivery::Whole | Delivery::Undeclared | Delivery::Flood(_) | Delivery::Truncated | Delivery::Slow(_) => {
                Some(self.reply.status)
            }
        }
    }
}

pub(super) fn misbehave(fault: &Misbehaviour, call: &Call, world: &mut World) -> Planned {
    let reply = reply(fault, call, world);
    let reply = match retry_after(fault) {
        Some(after) => reply.with("Retry-After", after.value(world.now())),
        None => reply,
    };
    Planned { delay: delay(fault), delivery: delivery(fault), reply }
}

fn delay(fault: &Misbehaviour) -> Duration {
    match fault {
        Misbehaviour::Latency { ms } => Duration::from_millis(*ms),
        _ => Duration::ZERO,
    }
}

fn delivery(fault: &Misbehaviour) -> Delivery {
    match fault {
        Misbehaviour::Hang | Misbehaviour::Deaf => Delivery::Hang,
        Misbehaviour::Reset => Delivery::Reset,
        Misbehaviour::Truncated => Delivery::Truncated,
        Misbehaviour::BadTls => Delivery::Rubbish,
        Misbehaviour::SlowBody { every_ms } => Delivery::Slow(Duration::from_millis(*every_ms)),
        Misbehaviour::Huge { declared: false } => Delivery::Undeclared,
        Misbehaviour::Flood { bytes } => Delivery::Flood(*bytes),
        _ => Delivery::Whole,
    }
}

fn retry_after(fault: &Misbehaviour) -> Option<&RetryAfter> {
    match fault {
        Misbehaviour::Status { retry_after, .. } | Misbehaviour::RateLimit { retry_after } => retry_after.as_ref(),
        _ => None,
    }
}

fn reply(fault: &Misbehaviour, call: &Call, world: &mut World) -> Reply {
    use Misbehaviour as M;
    match fault {
        M::Latency { .. } | M::Hang | M::Reset | M::BadTls => normal(call, world),
        M::Truncated | M::SlowBody { .. } => padded(normal(call, world)),
        M::Status { status, bad_key_body: true, .. } => refusal(call, Refusal::BadKey, world).under(*status),
        M::Status { status, .. } => Reply::json(*status, json!({"message": "Simulated failure"})),
        M::RateLimit { .. } => Reply::json(429, json!({"message": "Too many requests"})),
        M::Html { status, content_type } => page(*status, content_type.as_deref()),
        M::Empty | M::Deaf | M::Flood { .. } => Reply::typed(200, JSON, ""),
        M::BrokenJson => Reply::typed(200, JSON, "{\"success\":tru"),
        M::DeepJson => Reply::typed(200, JSON, "[".repeat(DEPTH) + &"]".repeat(DEPTH)),
        M::GzipBomb => Reply::typed(200, JSON, BOMB.clone()).with("Content-Encoding", "gzip"),
        M::Huge { .. } => Reply::typed(200, JSON, format!("[\"{}\"]", "x".repeat(HUGE))),
        M::WideHead { bytes } => wide(normal(call, world), *bytes),
        M::Redirect { status } => Reply::redirect(*status, &format!("{}/redirected", world.decoy)),
        M::RedirectHome { status } => Reply::redirect(*status, &format!("{}?redirected=1", call.request.path)),
        M::ErrorIn200 => refusal(call, Refusal::BadKey, world).under(200),
        M::Expired => refusal(call, Refusal::Expired, world),
        M::Revoked => refusal(call, Refusal::Revoked, world),
        M::ScopeMissing => refusal(call, Refusal::ScopeMissing, world),
        M::IpNotAllowed => refusal(call, Refusal::AddressNotAllowed, world),
        M::Denied => refusal(call, Refusal::Denied, world),
        M::Reply { status, body, content_type } => Reply::typed(*status, content_type, body.as_str()),
        M::EchoKey { at, status } => echo(*at, *status, call, world),
    }
}

fn page(status: u16, kind: Option<&str>) -> Reply {
    let page = Reply::page(status, "Attention required");
    match kind {
        Some(kind) => Reply::typed(status, kind, page.body),
        None => page,
    }
}

/// White space before JSON, so that there is a body to cut or to stretch.
fn padded(reply: Reply) -> Reply {
    let mut body = vec![b' '; SLOW_BODY];
    body.extend(reply.body);
    Reply { body, ..reply }
}

/// Long headers, and not many: clients bound their number too.
fn wide(reply: Reply, bytes: usize) -> Reply {
    const LINE: usize = 16 * 1024;
    (0..bytes.div_ceil(LINE)).fold(reply, |reply, _| reply.with("X-Padding", "x".repeat(LINE.min(bytes))))
}

fn echo(at: Echo, status: u16, call: &Call, world: &mut World) -> Reply {
    let key = call.shown.as_ref().map_or("", |shown| &shown.value);
    match at {
        Echo::Header => normal(call, world).with("X-Echo", key),
        Echo::Body => {
            let message = format!("The key {key} was not accepted");
            Reply::json(status, json!({"message": message, "error": message}))
        }
    }
}

/// A gzip member of zeros: one literal, then runs of 258 at distance 1, in fixed Huffman codes.
pub(super) fn gzip_bomb() -> Vec<u8> {
    let mut bits = Bits::default();
    bits.push("1"); // last block
    bits.push("10"); // fixed codes, least significant bit first
    bits.push("00110000"); // literal 0
    for _ in 0..BOMB_RUNS {
        bits.push("11000101"); // length 258
        bits.push("00000"); // distance 1
    }
    bits.push("0000000"); // end of block
    let size = BOMB_RUNS * 258 + 1;
    let mut member = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    member.extend(bits.bytes);
    member.extend(crc_of_zeros(size).to_le_bytes());
    member.extend(u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes());
    member
}

/// Bits filled into bytes from the least significant end.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    used: usize,
}

impl Bits {
    fn push(&mut self, bits: &str) {
        for bit in bits.bytes() {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= (bit - b'0') << (self.used % 8);
            }
            self.used += 1;
        }
    }
}

/// CRC-32 of so many zero bytes, squaring the step instead of walking all of them.
pub(super) fn crc_of_zeros(count: usize) -> u32 {
    let mut step: [u32; 32] = std::array::from_fn(|bit| one_zero_byte(1 << bit));
    let mut crc = u32::MAX;
    let mut left = count;
    while left > 0 {
        if left % 2 == 1 {
            crc = apply(&step, crc);
        }
        step = std::array::from_fn(|bit| apply(&step, step[bit]));
        left /= 2;
    }
    !crc
}

fn one_zero_byte(crc: u32) -> u32 {
    (0..8).fold(crc, |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 })
}

fn apply(step: &[u32; 32], crc: u32) -> u32 {
    (0..32).filter(|bit| crc >> bit & 1 == 1).fold(0, |sum, bit| sum ^ step[bit])
}
