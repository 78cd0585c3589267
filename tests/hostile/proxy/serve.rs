//! One connection of the operator: each request is met by its fault, or passed on and answered.

use std::io;
use std::sync::Arc;

use futures::StreamExt as _;
use kube::client::Body;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::Shared;
use super::faults::{Fault, Refusal};
use super::flow::Flow;
use super::request::{Asked, Request};
use super::wire::{Answer, Link, Manner, closed, head, read_request, write_answer, write_chunk};

/// Headers that belong to one hop.
const OF_A_HOP: [&str; 4] = ["host", "connection", "content-length", "transfer-encoding"];

/// Serves every connection in a task of its own; all end with this future.
pub(super) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((socket, _)) = listener.accept() => {
                connections.spawn(connection(Arc::clone(&shared), socket));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(shared: Arc<Shared>, mut socket: TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    if shared.connects_hang() {
        closed(&mut socket).await;
        return Ok(());
    }
    match &shared.tls {
        Some(acceptor) => requests(&shared, acceptor.accept(socket).await?).await,
        None => requests(&shared, socket).await,
    }
}

async fn requests(shared: &Shared, mut link: impl Link) -> io::Result<()> {
    let mut buffer = Vec::new();
    while let Some(request) = read_request(&mut link, &mut buffer).await? {
        let asked = request.asked();
        let (seq, fault) = shared.meet(&asked);
        let goes_on = if asked.verb == "watch" && fault.is_none() {
            watch(shared, &mut link, request, &asked.resource).await?
        } else {
            answer(shared, &mut link, (request, &asked), (seq, fault)).await?
        };
        if !goes_on {
            return Ok(());
        }
    }
    Ok(())
}

async fn answer(
    shared: &Shared,
    link: &mut impl Link,
    (request, asked): (Request, &Asked),
    (seq, fault): (usize, Option<Fault>),
) -> io::Result<bool> {
    match &fault {
        Some(Fault::KillBefore) => {
            shared.kill();
            return Ok(false);
        }
        Some(Fault::Refuse(refusal)) => return write_answer(link, &refused(refusal), Manner::Whole).await,
        Some(Fault::Reset) => return reset(link),
        Some(Fault::Hang) => {
            closed(link).await;
            return Ok(false);
        }
        Some(Fault::Held) => shared.released.notified().await,
        _ => {}
    }
    let request = if let Some(Fault::OldSnapshot(revision)) = &fault { request.at_revision(revision) } else { request };
    let mut answer = collect(pass_on(shared, request).await?).await?;
    shared.answered(seq, asked, &answer);
    let manner = match &fault {
        Some(Fault::KillAfter) => {
            shared.kill();
            return Ok(false);
        }
        Some(Fault::CommitThenReset) => return reset(link),
        Some(Fault::CommitThen(refusal)) => {
            answer = refused(refusal);
            Manner::Whole
        }
        Some(Fault::Garble) => {
            answer.body = garbled(&answer.body);
            Manner::Whole
        }
        Some(Fault::SlowHeaders(wait)) => Manner::Late(*wait),
        Some(Fault::Drip(every)) => Manner::Drip(*every),
        Some(Fault::Truncate | Fault::Stall) => Manner::Truncated,
        _ => Manner::Whole,
    };
    let goes_on = write_answer(link, &answer, manner).await?;
    if matches!(fault, Some(Fault::Stall)) {
        closed(link).await;
    }
    Ok(goes_on)
}

/// Everything that was there, in a form that is no object of Kubernetes: data are lists of numbers.
fn garbled(body: &[u8]) -> Vec<u8> {
    let mut object: Value = serde_json::from_slice(body).unwrap_or_default();
    if let Some(object) = object.as_object_mut() {
        let data = object.remove("data").or_else(|| object.remove("status")).unwrap_or_default();
        object.insert("data".to_owned(), serde_json::json!([data.clone()]));
        object.insert("status".to_owned(), data.to_string().into());
        object.insert("metadata".to_owned(), data);
    }
    object.to_string().into_bytes()
}

fn refused(refusal: &Refusal) -> Answer {
    let mut headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
    headers.extend(refusal.retry_after.iter().map(|wait| ("Retry-After".to_owned(), wait.clone())));
    Answer { code: refusal.code, headers, body: refusal.body().into_bytes() }
}

fn reset(link: &mut impl Link) -> io::Result<bool> {
    link.socket().set_zero_linger()?;
    Ok(false)
}

async fn pass_on(shared: &Shared, request: Request) -> io::Result<http::Response<Body>> {
    let mut passed = http::Request::builder().method(request.method.as_str()).uri(&request.target);
    for (name, value) in request.headers.iter().filter(|(name, _)| !OF_A_HOP.contains(&name.as_str())) {
        passed = passed.header(name, value);
    }
    let passed = passed.body(Body::from(request.body)).map_err(io::Error::other)?;
    shared.upstream.send(passed).await.map_err(io::Error::other)
}

fn begun(response: &http::Response<Body>) -> Answer {
    let headers = response.headers().iter().filter(|(name, _)| !OF_A_HOP.contains(&name.as_str()));
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = headers.map(|(name, value)| (name.to_string(), text(value))).collect();
    Answer { code: response.status().as_u16(), headers, body: Vec::new() }
}

async fn collect(response: http::Response<Body>) -> io::Result<Answer> {
    let mut answer = begun(&response);
    answer.body = response.into_body().collect_bytes().await.map_err(io::Error::other)?.to_vec();
    Ok(answer)
}

/// A watch, event by event. Returns whether the connection goes on.
async fn watch(shared: &Shared, link: &mut impl Link, request: Request, resource: &str) -> io::Result<bool> {
    let opened = shared.flows.opened(resource, request.namespace());
    let response = pass_on(shared, request).await?;
    let begun = begun(&response);
    if begun.code != 200 {
        return write_answer(link, &collect(response).await?, Manner::Whole).await;
    }
    tokio::io::AsyncWriteExt::write_all(link, head(&begun, None).as_bytes()).await?;
    let mut chunks = axum::body::Body::new(response.into_body()).into_data_stream();
    let mut buffer = Vec::new();
    loop {
        while let Some(at) = buffer.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = buffer.drain(..=at).collect();
            let flow = tokio::select! {
                flow = shared.flows.next(&opened) => flow,
                () = closed(link) => return Ok(false),
            };
            if !deliver(shared, link, &line, flow).await? {
                return Ok(false);
            }
        }
        let chunk = tokio::select! {
            chunk = chunks.next() => chunk,
            () = closed(link) => return Ok(false),
        };
        match chunk {
            Some(Ok(bytes)) => buffer.extend(bytes),
            Some(Err(_)) => return Ok(false),
            None => break,
        }
    }
    // The end is told when events pass again.
    shared.flows.next(&opened).await;
    write_chunk(link, b"").await?;
    Ok(true)
}

/// Returns whether the watch goes on.
async fn deliver(shared: &Shared, link: &mut impl Link, line: &[u8], flow: Flow) -> io::Result<bool> {
    match flow {
        Flow::Swallowed => shared.flows.count_swallowed(),
        Flow::NoBookmarks if line.starts_with(br#"{"type":"BOOKMARK""#) => {}
        Flow::Doubled => write_chunk(link, &[line, line].concat()).await?,
        Flow::Cut => {
            write_chunk(link, &line[..line.len() / 2]).await?;
            return Ok(false);
        }
        Flow::Gone => {
            let event = format!("{{\"type\":\"ERROR\",\"object\":{}}}\n", Refusal::gone().body());
            write_chunk(link, event.as_bytes()).await?;
            write_chunk(link, b"").await?;
            return Ok(false);
        }
        _ => write_chunk(link, line).await?,
    }
    Ok(true)
}
