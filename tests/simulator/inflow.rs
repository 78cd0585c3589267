//! inFlow Inventory: a company in the path, a Bearer key, arrays as answers.

use serde_json::json;

use super::keys::Standing;
use super::limits::{Taken, Window};
use super::reply::Reply;
use super::switches::{ErrorBody, Switches};
use super::world::{Call, Refusal, World};

const WINDOWS: [Window; 2] = [Window { seconds: 60, most: 60 }, Window { seconds: 3600, most: 1000 }];

pub(super) fn answer(call: &Call, world: &mut World) -> Reply {
    let taken = world.take(call, &call.place.account, &WINDOWS);
    let reply =
        if taken.over.is_some() { error(429, "Too many requests", &world.switches) } else { decide(call, world) };
    with_usage(reply, &taken)
}

fn decide(call: &Call, world: &World) -> Reply {
    let switches = &world.switches;
    if !is_company(&call.place.account) {
        return error(400, "The company ID is not a UUID", switches);
    }
    let key = match world.standing(call) {
        Standing::Good(key) => key,
        Standing::Missing | Standing::Unknown | Standing::Revoked | Standing::Expired => {
            return refusal(Refusal::BadKey, switches);
        }
    };
    if !key.account.eq_ignore_ascii_case(&call.place.account) {
        let status = switches.inflow.foreign_company_status;
        return error(status, "No access to this company", switches);
    }
    let name = call.place.path.trim_start_matches('/');
    if !call.is_get() || !["categories", "products"].contains(&name) {
        return error(404, "Not found", switches);
    }
    if !key.may_call(name) {
        return refusal(Refusal::Denied, switches);
    }
    list(call, name, switches)
}

fn list(call: &Call, name: &str, switches: &Switches) -> Reply {
    let count = call.request.query("count").and_then(|count| count.parse().ok()).unwrap_or(usize::MAX);
    let items: Vec<_> = (1..=switches.inflow.items.min(count))
        .map(|number| json!({"id": format!("{name}-{number}"), "name": format!("Example {number}")}))
        .collect();
    Reply::json(200, items.into())
}

pub(super) fn refusal(why: Refusal, switches: &Switches) -> Reply {
    match why {
        Refusal::NoKey | Refusal::BadKey | Refusal::Expired | Refusal::Revoked => {
            error(401, "Invalid API key", switches)
        }
        Refusal::ScopeMissing | Refusal::AddressNotAllowed | Refusal::Denied => {
            error(403, "The API add-on is not enabled", switches)
        }
    }
}

fn error(status: u16, message: &str, switches: &Switches) -> Reply {
    match switches.inflow.error_body {
        ErrorBody::Empty => Reply::empty(status),
        ErrorBody::Text => Reply::text(status, message),
        ErrorBody::Message => Reply::json(status, json!({"message": message})),
    }
}

fn with_usage(reply: Reply, taken: &Taken) -> Reply {
    let names = ["x-inflow-api-rate-limit", "x-ratelimit-limit"];
    names
        .into_iter()
        .zip(&taken.windows)
        .fold(reply, |reply, (name, window)| reply.with(name, format!("{}/{}", window.used, window.most)))
}

fn is_company(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}
