//! Aventri: account ID and key are exchanged for a token that opens the rest for a few minutes.
//! A key's account is `accountID@region`; a token outlives its key.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::keys::{Standing, key_hash, letters, random};
use super::limits::Window;
use super::reply::Reply;
use super::switches::{LimitReply, Switches};
use super::world::{Call, Refusal, World};

pub(super) const AUTHORIZE: &str = "/global/authorize.json";
const EVENTS: &str = "/global/listEvents.json";
const WINDOWS: [Window; 1] = [Window { seconds: 60, most: 400 }];

struct Token {
    account: String,
    ends: Timestamp,
}

/// Tokens by their hash.
#[derive(Default)]
pub(super) struct Tokens {
    by_hash: BTreeMap<String, Token>,
    /// Their texts, for whoever looks where they went.
    minted: Vec<String>,
}

impl Tokens {
    pub(super) fn knows(&self, hash: &str) -> bool {
        self.by_hash.contains_key(hash)
    }

    /// The account of a token, also of an expired one.
    pub(super) fn account(&self, hash: &str) -> Option<&str> {
        self.by_hash.get(hash).map(|token| token.account.as_str())
    }

    pub(super) fn minted(&self) -> &[String] {
        &self.minted
    }

    /// Makes a token with the characters that need encoding in a query.
    fn mint(&mut self, account: &str, now: Timestamp, switches: &Switches) -> String {
        let switches = &switches.aventri;
        if switches.old_token_ends {
            for token in self.by_hash.values_mut().filter(|token| token.account == account) {
                token.ends = token.ends.min(now);
            }
        }
        let text = format!("EXAMPLE+{}/{}==", letters(&random()), letters(&random()));
        let life = SignedDuration::from_secs(switches.token_life_seconds);
        let token = Token { account: account.to_owned(), ends: now.checked_add(life).unwrap_or(Timestamp::MAX) };
        self.by_hash.insert(key_hash(&text), token);
        self.minted.push(text.clone());
        text
    }

    fn is_good(&self, hash: &str, account: &str, now: Timestamp) -> bool {
        self.by_hash.get(hash).is_some_and(|token| token.account == account && token.ends > now)
    }
}

pub(super) fn answer(call: &Call, world: &mut World) -> Reply {
    let account = &call.place.account;
    if world.take(call, account, &WINDOWS).over.is_some() {
        return over_limit(&world.switches);
    }
    match call.place.path.as_str() {
        AUTHORIZE => authorize(call, world),
        EVENTS if call.is_get() => events(call, world),
        _ => Reply::page(404, "Not Found"),
    }
}

fn authorize(call: &Call, world: &mut World) -> Reply {
    let account = &call.place.account;
    match world.standing(call) {
        Standing::Good(key) if key.account == *account => {
            let now = world.now();
            let token = world.tokens.mint(account, now, &world.switches);
            Reply::json(200, json!({"accesstoken": token}))
        }
        Standing::Good(_) | Standing::Missing | Standing::Unknown | Standing::Revoked | Standing::Expired => {
            refusal(Refusal::BadKey, &world.switches)
        }
    }
}

fn events(call: &Call, world: &World) -> Reply {
    let hash = call.key_hash().unwrap_or_default();
    if world.tokens.is_good(hash, &call.place.account, world.now()) {
        Reply::json(200, json!([{"eventid": "1001", "name": "Example event"}]))
    } else {
        refusal(Refusal::BadKey, &world.switches)
    }
}

pub(super) fn refusal(why: Refusal, switches: &Switches) -> Reply {
    let status = switches.aventri.error_status;
    match why {
        Refusal::NoKey | Refusal::BadKey | Refusal::Expired | Refusal::Revoked => {
            if switches.aventri.error_as_message {
                let body = json!({"status": "error", "msg": "Invalid account or key"});
                return Reply::json(status, body);
            }
            Reply::json(status, json!({"error": {"key": "invalid"}}))
        }
        Refusal::ScopeMissing | Refusal::AddressNotAllowed | Refusal::Denied => {
            Reply::json(403, json!({"status": "error", "msg": "Access denied"}))
        }
    }
}

fn over_limit(switches: &Switches) -> Reply {
    match switches.aventri.limit_reply {
        LimitReply::TooManyRequests => {
            let body = json!({"status": "error", "msg": "Too many requests"});
            Reply::json(429, body)
        }
        LimitReply::Page => Reply::page(403, "Forbidden"),
        LimitReply::Suspension => {
            let msg = "Access suspended: request limit exceeded";
            Reply::json(200, json!({"status": "error", "msg": msg}))
        }
    }
}
