//! The administrator's port: keys, faults, switches, clock, ledger. JSON in, JSON out; unknown
//! members are refused. The same effects as the methods of `Simulator`.
//!
//! | request | body | reply |
//! |---|---|---|
//! | `POST /keys` | `NewKey` | 201, `IssuedKey`: id, hash and, only here, the key |
//! | `PATCH /keys/{id}`, `DELETE /keys/{id}`, `POST /keys/{id}/expire` | `ChangeKey`, -, - | 204 |
//! | `GET /faults`, `PUT /faults`, `DELETE /faults[/{id}]` | -, one `Fault` more or a list, - | list, `[id]`, 204 |
//! | `GET /switches`, `PUT /switches` | -, `Switches` (all) | `Switches` |
//! | `PUT /clock` | `ClockChange` | `{"now"}` |
//! | `POST /reset` | - | 204: no keys, faults, rows; default switches, real clock |
//! | `GET /ledger?provider=&keyHash=&after=&wait=` | - | rows; none yet: waits up to `wait` seconds |
//! | `DELETE /ledger` | - | 204 |
//! | `GET /config`, `GET /ca.pem`, `GET /decoy` | - | operator's YAML, the CA, `{"base","hits"}` |

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::net::TcpStream;

use super::Shared;
use super::clock::ClockChange;
use super::faults::Fault;
use super::keys::{ChangeKey, NewKey};
use super::ledger::LedgerFilter;
use super::provider::Provider;
use super::reply::Reply;
use super::serve::send;
use super::switches::Switches;
use super::wire::{Request, read_request};

/// The longest wait for a row.
const MOST_WAIT: f64 = 600.0;

pub(super) async fn connection(shared: Arc<Shared>, mut socket: TcpStream) -> io::Result<()> {
    let mut buffer = Vec::new();
    while let Some(request) = read_request(&mut socket, &mut buffer).await? {
        let reply = answer(&shared, &request).await.unwrap_or_else(|refused| refused);
        send(&mut socket, &reply).await?;
        if request.wants_close() {
            break;
        }
    }
    Ok(())
}

/// A refusal is an `Err`, only to be passed up by `?`.
type Answer = Result<Reply, Reply>;

async fn answer(shared: &Shared, request: &Request) -> Answer {
    let parts: Vec<&str> = request.path.trim_matches('/').split('/').collect();
    let (first, rest) = parts.split_first().unwrap_or((&"", &[]));
    match *first {
        "keys" => keys(shared, request, rest),
        "faults" => faults(shared, request, rest),
        "ledger" => ledger(shared, request).await,
        _ => simple(shared, request),
    }
}

fn keys(shared: &Shared, request: &Request, rest: &[&str]) -> Answer {
    let change = |id: &str, change| {
        if shared.change(|world| world.keys.change(id, change)) {
            Ok(Reply::empty(204))
        } else {
            Err(refused(404, "no such key"))
        }
    };
    match (request.method.as_str(), rest) {
        ("POST", []) => {
            let new: NewKey = read(request)?;
            let issued = shared.change(|world| world.keys.add(new));
            reply(201, &issued)
        }
        ("PATCH", [id]) => change(id, read(request)?),
        ("DELETE", [id]) => change(id, ChangeKey::revoke()),
        ("POST", [id, "expire"]) => {
            let now = shared.world().now();
            change(id, ChangeKey::expire(now))
        }
        _ => Err(no_such_request()),
    }
}

fn faults(shared: &Shared, request: &Request, rest: &[&str]) -> Answer {
    match (request.method.as_str(), rest) {
        ("GET", []) => reply(200, shared.world().faults.all()),
        ("PUT", []) => {
            let new: Vec<Fault> =
                if request.body().trim_ascii_start().starts_with(b"[") { read(request)? } else { vec![read(request)?] };
            let ids: Vec<u64> = shared.change(|world| new.into_iter().map(|fault| world.faults.set(fault)).collect());
            reply(200, &ids)
        }
        ("DELETE", []) => {
            shared.change(|world| world.faults.clear());
            Ok(Reply::empty(204))
        }
        ("DELETE", [id]) => {
            let id = id.parse().map_err(|_| refused(404, "no such fault"))?;
            if shared.change(|world| world.faults.clear_one(id)) {
                Ok(Reply::empty(204))
            } else {
                Err(refused(404, "no such fault"))
            }
        }
        _ => Err(no_such_request()),
    }
}

async fn ledger(shared: &Shared, request: &Request) -> Answer {
    match request.method.as_str() {
        "GET" => {}
        "DELETE" => {
            shared.change(|world| world.ledger.clear());
            return Ok(Reply::empty(204));
        }
        _ => return Err(no_such_request()),
    }
    let given = |name| request.query(name).filter(|text| !text.is_empty());
    let provider = match given("provider") {
        Some(name) => Some(Provider::named(&name).ok_or_else(|| refused(400, "no such provider"))?),
        None => None,
    };
    let filter = LedgerFilter { provider, key_hash: given("keyHash"), after: number(given("after"))?.unwrap_or(0) };
    let wait: f64 = number(given("wait"))?.unwrap_or(0.0);
    let wait = Duration::from_secs_f64(wait.clamp(0.0, MOST_WAIT));
    reply(200, &shared.rows_within(&filter, wait).await)
}

fn simple(shared: &Shared, request: &Request) -> Answer {
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/switches") => reply(200, &shared.world().switches),
        ("PUT", "/switches") => {
            let switches: Switches = read(request)?;
            shared.change(|world| world.switches = switches.clone());
            reply(200, &switches)
        }
        ("PUT", "/clock") => {
            let change: ClockChange = read(request)?;
            let now = shared.change(|world| world.clock.change(&change)).map_err(|error| refused(400, &error))?;
            Ok(Reply::json(200, json!({"now": now.to_string()})))
        }
        ("POST", "/reset") => {
            shared.reset();
            Ok(Reply::empty(204))
        }
        ("GET", "/config") => Ok(Reply::text(200, &shared.config_yaml())),
        ("GET", "/ca.pem") => match &shared.tls {
            Some(tls) => Ok(Reply::text(200, &tls.ca_pem)),
            None => Err(refused(404, "served without TLS")),
        },
        ("GET", "/decoy") => {
            let hits = shared.decoy_hits.load(Ordering::SeqCst);
            Ok(Reply::json(200, json!({"base": shared.world().decoy, "hits": hits})))
        }
        _ => Err(no_such_request()),
    }
}

fn read<T: DeserializeOwned>(request: &Request) -> Result<T, Reply> {
    serde_json::from_slice(request.body()).map_err(|error| refused(400, &error.to_string()))
}

fn number<T: std::str::FromStr>(text: Option<String>) -> Result<Option<T>, Reply> {
    text.map(|text| text.parse().map_err(|_| refused(400, "not a number"))).transpose()
}

fn reply<T: Serialize + ?Sized>(status: u16, value: &T) -> Answer {
    match serde_json::to_value(value) {
        Ok(value) => Ok(Reply::json(status, value)),
        Err(_) => Err(refused(500, "the answer is not JSON")),
    }
}

fn refused(status: u16, why: &str) -> Reply {
    Reply::json(status, json!({"error": why}))
}

fn no_such_request() -> Reply {
    refused(404, "no such request")
}
