//! ZenFlow: the key in a header of its own, scopes, an allow-list, three limits per key.

use serde_json::json;

use super::keys::{Key, Standing};
use super::limits::{Taken, Window};
use super::reply::Reply;
use super::switches::Switches;
use super::world::{Call, Refusal, World};

const WINDOWS: [Window; 3] =
    [Window { seconds: 60, most: 60 }, Window { seconds: 3600, most: 1000 }, Window { seconds: 86_400, most: 10_000 }];

pub(super) fn answer(call: &Call, world: &mut World) -> Reply {
    let hash = call.key_hash().unwrap_or_default();
    let taken = world.take(call, hash, &WINDOWS);
    let reply = match taken.over {
        Some(window) => {
            let wait = window.resets_at - world.now().as_second();
            error(429, "rate_limit_exceeded", "Demasiadas solicitudes").with("Retry-After", wait)
        }
        None => decide(call, world),
    };
    with_limits(reply, &taken)
}

fn decide(call: &Call, world: &World) -> Reply {
    let switches = &world.switches;
    let key = match world.standing(call) {
        Standing::Good(key) => key,
        Standing::Missing => return refusal(Refusal::NoKey, switches),
        Standing::Unknown => return refusal(Refusal::BadKey, switches),
        Standing::Revoked => return refusal(Refusal::Revoked, switches),
        Standing::Expired => return refusal(Refusal::Expired, switches),
    };
    let allowed = &key.allowed_cidrs;
    if !allowed.is_empty() && !allowed.iter().any(|network| network.contains(&call.peer)) {
        return refusal(Refusal::AddressNotAllowed, switches);
    }
    let name = call.place.path.trim_start_matches('/');
    if !call.is_get() || !["orders", "stock", "products", "webhooks"].contains(&name) {
        return error(404, "not_found", "No encontrado");
    }
    if !may_read(&key, name, switches) {
        return refusal(Refusal::ScopeMissing, switches);
    }
    list(call, name)
}

fn may_read(key: &Key, name: &str, switches: &Switches) -> bool {
    key.scopes.iter().any(|scope| match scope.split_once(':') {
        None => scope == "admin",
        Some(("read", what)) => what == name,
        Some(("write", what)) => what == name && switches.zenflow.write_implies_read,
        Some(_) => false,
    })
}

fn list(call: &Call, name: &str) -> Reply {
    let number = |name| call.request.query(name).and_then(|text| text.parse::<u32>().ok());
    let page = number("page").unwrap_or(1);
    let limit = number("limit").unwrap_or(20);
    let pagination = json!({"total": 0, "page": page, "limit": limit, "total_pages": 0});
    let data = json!({name: [], "pagination": pagination});
    Reply::json(200, json!({"success": true, "data": data}))
}

pub(super) fn refusal(why: Refusal, switches: &Switches) -> Reply {
    let by = &switches.zenflow;
    match why {
        Refusal::NoKey => error(401, "missing_api_key", "Falta la clave de API"),
        Refusal::BadKey => error(by.bad_key_status, "invalid_api_key", "Clave inválida"),
        Refusal::Expired => error(by.expired_status, "expired_api_key", "Clave vencida"),
        Refusal::Revoked if by.revoked_is_invalid => error(by.bad_key_status, "invalid_api_key", "Clave inválida"),
        Refusal::Revoked => error(by.revoked_status, "revoked_api_key", "Clave revocada"),
        Refusal::ScopeMissing | Refusal::Denied => {
            error(by.scope_status, "insufficient_scope", "Permisos insuficientes")
        }
        Refusal::AddressNotAllowed => error(by.address_status, "ip_not_allowed", "Dirección no permitida"),
    }
}

fn error(status: u16, code: &str, message: &str) -> Reply {
    let error = json!({"code": code, "message": message, "details": {}});
    Reply::json(status, json!({"success": false, "error": error}))
}

fn with_limits(reply: Reply, taken: &Taken) -> Reply {
    let Some(window) = taken.tightest() else {
        return reply;
    };
    reply
        .with("X-RateLimit-Limit", window.most)
        .with("X-RateLimit-Remaining", window.left())
        .with("X-RateLimit-Reset", window.resets_at)
}
