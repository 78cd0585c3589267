//! Flowlu: an account in the host or path, the key in the query, errors mostly with status 200.

use serde_json::{Value, json};

use super::keys::Standing;
use super::limits::Window;
use super::reply::Reply;
use super::switches::{FlowluSwitches, Switches, UnknownAccount};
use super::world::{Call, Refusal, World};

const WINDOWS: [Window; 1] = [Window { seconds: 1, most: 5 }];

pub(super) fn answer(call: &Call, world: &mut World) -> Reply {
    let account = &call.place.account;
    if world.take(call, account, &WINDOWS).over.is_some() {
        let body = json!({"error": "Request rate limit exceeded, 5 requests per second"});
        return Reply::json(world.switches.flowlu.rate_status, body);
    }
    if !world.keys.has_account(call.place.provider, account) {
        return unknown_account(world);
    }
    let switches = &world.switches;
    let key = match world.standing(call) {
        Standing::Good(key) if key.account == *account => key,
        Standing::Good(_) | Standing::Missing | Standing::Unknown | Standing::Revoked | Standing::Expired => {
            return refusal(Refusal::BadKey, switches);
        }
    };
    let method = call.place.path.trim_start_matches('/');
    match method {
        "core/user/list" | "task/tasks/list" if key.may_call(method) => list(),
        "core/user/list" | "task/tasks/list" => refusal(Refusal::Denied, switches),
        _ if method.starts_with("core/") || method.starts_with("task/") => {
            error(200, 30, "Unknown method", &switches.flowlu)
        }
        _ => error(200, 31, "Unknown module", &switches.flowlu),
    }
}

fn list() -> Reply {
    let body = json!({"response": {"total": 1, "page": 1, "count": 1, "items": [{}]}});
    Reply::json(200, body)
}

fn unknown_account(world: &World) -> Reply {
    match world.switches.flowlu.unknown_account {
        UnknownAccount::Code11 => refusal(Refusal::BadKey, &world.switches),
        UnknownAccount::Redirect => Reply::redirect(302, &format!("{}/unknown-account", world.decoy)),
        UnknownAccount::Page => Reply::page(404, "Account not found"),
    }
}

pub(super) fn refusal(why: Refusal, switches: &Switches) -> Reply {
    let switches = &switches.flowlu;
    match why {
        Refusal::NoKey | Refusal::BadKey | Refusal::Expired | Refusal::Revoked => {
            error(switches.bad_key_status, 11, "Authorization failed", switches)
        }
        Refusal::ScopeMissing | Refusal::AddressNotAllowed | Refusal::Denied => {
            error(switches.denied_status, switches.denied_code, "Access denied", switches)
        }
    }
}

fn error(status: u16, code: u16, message: &str, switches: &FlowluSwitches) -> Reply {
    let code = if switches.code_as_text { Value::from(code.to_string()) } else { Value::from(code) };
    let error = json!({"error_code": code, "error_msg": message, "error_details": []});
    Reply::json(status, json!({"error": error}))
}
