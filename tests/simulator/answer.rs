//! From a request to a planned answer: where did it arrive, which key does it show, is a fault due,
//! what does the provider say? Writes the ledger's row, and sends nothing.

use std::net::SocketAddr;

use super::clock::real;
use super::keys::key_hash;
use super::ledger::{Placement, Row};
use super::mischief::{Planned, misbehave};
use super::provider::{Place, Provider, place};
use super::reply::Reply;
use super::wire::Request;
use super::world::{Call, Refusal, Shown, World};
use super::{aventri, flow, flowlu, inflow, zenflow};

/// The connection that a request came on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller<'a> {
    pub(super) peer: SocketAddr,
    pub(super) connection: u64,
    pub(super) sni: Option<&'a str>,
}

/// The answer and its row's number.
pub(super) fn plan(request: &Request, caller: Caller<'_>, world: &mut World) -> (Planned, u64) {
    let host = request.header("host").unwrap_or_default();
    let (planned, row) = match place(host, &request.path) {
        Some(place) => {
            let shown = shown(&place, request, world);
            let place = with_account(place, request, shown.as_ref(), world);
            let call = Call { place, request, shown, peer: caller.peer.ip() };
            at_provider(&call, world)
        }
        None => nowhere(request, world),
    };
    let row = Row {
        sni: caller.sni.map(str::to_owned),
        connection: caller.connection,
        port: caller.peer.port(),
        status: planned.status(),
        ..without_keys(row, world)
    };
    (planned, world.ledger.push(row))
}

fn at_provider(call: &Call, world: &mut World) -> (Planned, Row) {
    let fault = world.faults.due(call);
    let planned = match &fault {
        Some(fault) => misbehave(fault, call, world),
        None => Planned::whole(normal(call, world)),
    };
    let row = Row {
        provider: Some(call.place.provider),
        account: call.place.account.clone(),
        fault: fault.map(|fault| fault.name().to_owned()),
        ..with_key(row_of(call.request), call.shown.as_ref(), world)
    };
    (planned, row)
}

fn nowhere(request: &Request, world: &World) -> (Planned, Row) {
    let reply = Reply::text(404, "no provider has this address");
    let row = with_key(row_of(request), stray(request, world).as_ref(), world);
    (Planned::whole(reply), row)
}

/// The provider's answer without any fault.
pub(super) fn normal(call: &Call, world: &mut World) -> Reply {
    match call.place.provider {
        Provider::InFlow => inflow::answer(call, world),
        Provider::Flowlu => flowlu::answer(call, world),
        Provider::ZenFlow => zenflow::answer(call, world),
        Provider::Flow => flow::answer(call, world),
        Provider::Aventri => aventri::answer(call, world),
    }
}

/// How the provider words a refusal.
pub(super) fn refusal(call: &Call, why: Refusal, world: &World) -> Reply {
    let switches = &world.switches;
    match call.place.provider {
        Provider::InFlow => inflow::refusal(why, switches),
        Provider::Flowlu => flowlu::refusal(why, switches),
        Provider::ZenFlow => zenflow::refusal(why, switches),
        Provider::Flow => flow::refusal(why),
        Provider::Aventri => aventri::refusal(why, switches),
    }
}

/// A row with what every request has.
pub(super) fn row_of(request: &Request) -> Row {
    let text = |name| request.header(name).map(str::to_owned);
    Row {
        seq: 0,
        time: real(),
        connection: 0,
        port: 0,
        provider: None,
        account: String::new(),
        method: request.method.clone(),
        host: text("host").unwrap_or_default(),
        sni: None,
        path: request.path.clone(),
        query_names: request.queries().into_iter().map(|(name, _)| name).collect(),
        header_names: request.headers.iter().map(|(name, _)| name.clone()).collect(),
        placement: Placement::None,
        key_hash: None,
        known_key: false,
        accept: text("accept"),
        user_agent: text("user-agent"),
        status: None,
        fault: None,
        duration_ms: None,
    }
}

fn with_key(row: Row, shown: Option<&Shown>, world: &World) -> Row {
    let Some(shown) = shown else {
        return row;
    };
    Row { placement: shown.placement, known_key: world.knows(&shown.hash), key_hash: Some(shown.hash.clone()), ..row }
}

/// A known key that strayed into the path or stands as a query's name must not stay in the row.
fn without_keys(row: Row, world: &World) -> Row {
    let hidden = |text: &str| {
        if world.knows(&key_hash(text)) { "(key)".to_owned() } else { text.to_owned() }
    };
    let segments: Vec<String> = row.path.split('/').map(hidden).collect();
    Row {
        account: hidden(&row.account),
        path: segments.join("/"),
        query_names: row.query_names.iter().map(|name| hidden(name)).collect(),
        ..row
    }
}

/// The key where the provider looks for it, else a known key anywhere in the request.
fn shown(place: &Place, request: &Request, world: &World) -> Option<Shown> {
    let bearer = || {
        let (scheme, key) = request.header("authorization")?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| in_header(key))
    };
    let header = |name| request.header(name).map(in_header);
    let query = |name| request.query(name).map(|key| show(Placement::Query, key));
    let form = |name| request.form(name).map(|key| show(Placement::Form, key));
    let found = match place.provider {
        Provider::InFlow => bearer(),
        Provider::Flowlu => query("api_key"),
        Provider::ZenFlow => header("x-api-key"),
        Provider::Flow => bearer().or_else(|| header("x-api-key")).or_else(|| query("api_key")),
        Provider::Aventri if place.path == aventri::AUTHORIZE => match request.method.as_str() {
            "POST" => form("key"),
            _ => query("key"),
        },
        Provider::Aventri if world.switches.aventri.bearer_accepted => query("accesstoken").or_else(bearer),
        Provider::Aventri => query("accesstoken"),
    };
    found.or_else(|| stray(request, world))
}

fn show(placement: Placement, value: String) -> Shown {
    Shown { placement, hash: key_hash(&value), value, usable: true }
}

fn in_header(value: &str) -> Shown {
    show(Placement::Header, value.to_owned())
}

/// A key in a place where the provider does not look.
fn stray(request: &Request, world: &World) -> Option<Shown> {
    let headers = request.headers.iter().map(|(_, value)| {
        let last = value.rsplit(' ').next().unwrap_or(value);
        in_header(last)
    });
    let pairs =
        |placement, pairs: Vec<(String, String)>| pairs.into_iter().map(move |(_, value)| show(placement, value));
    headers
        .chain(pairs(Placement::Query, request.queries()))
        .chain(pairs(Placement::Form, request.forms()))
        .find(|shown| world.knows(&shown.hash))
        .map(|shown| Shown { usable: false, ..shown })
}

/// Aventri's account is not in the path: an exchange names it, a token has it.
fn with_account(place: Place, request: &Request, shown: Option<&Shown>, world: &World) -> Place {
    if place.provider != Provider::Aventri {
        return place;
    }
    let id = match request.method.as_str() {
        "POST" => request.form("accountid"),
        _ => request.query("accountid"),
    };
    let id = id.or_else(|| {
        let account = world.tokens.account(&shown?.hash)?;
        account.split_once('@').map(|(id, _)| id.to_owned())
    });
    Place { account: format!("{}{}", id.unwrap_or_default(), place.account), ..place }
}
