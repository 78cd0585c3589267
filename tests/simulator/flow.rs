//! FLOW by OpenPlay, as assumed: one list, statuses that tell all, the key in any usual place.

use serde_json::json;

use super::keys::Standing;
use super::limits::Window;
use super::reply::Reply;
use super::world::{Call, Refusal, World};

const WINDOWS: [Window; 1] = [Window { seconds: 60, most: 60 }];

pub(super) fn answer(call: &Call, world: &mut World) -> Reply {
    let account = call.key_hash().unwrap_or_default();
    if world.take(call, account, &WINDOWS).over.is_some() {
        return error(429, "Too many requests");
    }
    let key = match world.standing(call) {
        Standing::Good(key) => key,
        Standing::Missing => return refusal(Refusal::NoKey),
        Standing::Unknown => return refusal(Refusal::BadKey),
        Standing::Revoked => return refusal(Refusal::Revoked),
        Standing::Expired => return refusal(Refusal::Expired),
    };
    let name = call.place.path.trim_start_matches('/');
    if !call.is_get() || name != "members" {
        return error(404, "Not found");
    }
    if !key.may_call(name) {
        return refusal(Refusal::Denied);
    }
    Reply::json(200, json!({"items": []}))
}

pub(super) fn refusal(why: Refusal) -> Reply {
    match why {
        Refusal::NoKey => error(401, "Authentication required"),
        Refusal::BadKey => error(401, "Unknown key"),
        Refusal::Expired => error(401, "The key has expired"),
        Refusal::Revoked => error(401, "The key was revoked"),
        Refusal::ScopeMissing | Refusal::AddressNotAllowed | Refusal::Denied => error(403, "Access denied"),
    }
}

fn error(status: u16, message: &str) -> Reply {
    Reply::json(status, json!({"error": message}))
}
