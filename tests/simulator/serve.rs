//! Listeners and connections: bytes in, bytes out. The provider port, the decoy; with TLS the
//! provider port also takes `CONNECT`, so that it serves as a proxy to the providers' real hosts.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_rustls::server::TlsStream;

use super::Shared;
use super::answer::{Caller, plan, row_of};
use super::clock::http_date;
use super::ledger::Row;
use super::mischief::{Delivery, Planned};
use super::reply::Reply;
use super::tls::{Tls, old_hello};
use super::wire::{Request, head, read_request};

/// The first byte of a TLS handshake.
const TLS_HANDSHAKE: u8 = 0x16;
/// Neither TLS nor HTTP.
const RUBBISH: &[u8] = b"\x00\xffEXAMPLE rubbish instead of an answer\r\n\r\n";

/// A connection whose socket can be reached below TLS.
pub(super) trait Link: AsyncRead + AsyncWrite + Unpin + Send {
    fn socket(&mut self) -> &mut TcpStream;
}

impl Link for TcpStream {
    fn socket(&mut self) -> &mut TcpStream {
        self
    }
}

impl Link for TlsStream<TcpStream> {
    fn socket(&mut self) -> &mut TcpStream {
        self.get_mut().0
    }
}

/// Serves every connection in a task of its own; all end with this future.
pub(super) async fn accept<F, S>(listener: TcpListener, serve: S)
where
    S: Fn(TcpStream, SocketAddr) -> F,
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((socket, peer)) = accepted {
                    let _ = socket.set_nodelay(true);
                    connections.spawn(serve(socket, peer));
                }
            }
            // A broken connection is the client's business.
            Some(_) = connections.join_next() => {}
        }
    }
}

/// One connection to the provider port.
pub(super) async fn provider(shared: Arc<Shared>, mut socket: TcpStream, peer: SocketAddr) -> io::Result<()> {
    let Some(tls) = &shared.tls else {
        return requests(&shared, socket, peer, None).await;
    };
    let mut first = [0];
    if socket.peek(&mut first).await? == 1 && first[0] != TLS_HANDSHAKE && !tunnel(&mut socket).await? {
        return Ok(());
    }
    let spoilt = shared.world().faults.due_at_handshake();
    if let Some(fault) = spoilt {
        let row = Row { fault: Some(fault.name().to_owned()), ..row_of(&Request::default()) };
        shared.change(|world| world.ledger.push(row));
        return socket.write_all(RUBBISH).await;
    }
    encrypted(&shared, tls, socket, peer).await
}

/// Answers a plain `CONNECT`; false if it was anything else.
async fn tunnel(socket: &mut TcpStream) -> io::Result<bool> {
    let Some(request) = read_request(socket, &mut Vec::new()).await? else {
        return Ok(false);
    };
    let connect = request.method == "CONNECT";
    let line: &[u8] = if connect {
        b"HTTP/1.1 200 Connection established\r\n\r\n"
    } else {
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    };
    socket.write_all(line).await?;
    Ok(connect)
}

async fn encrypted(shared: &Shared, tls: &Tls, socket: TcpStream, peer: SocketAddr) -> io::Result<()> {
    let Some(acceptor) = tls.acceptor.clone() else {
        return old_version(shared, socket).await;
    };
    let stream = acceptor.accept(socket).await?;
    let sni = stream.get_ref().1.server_name().map(str::to_owned);
    requests(shared, stream, peer, sni.as_deref()).await
}

/// Offers TLS 1.1; whoever goes on with the handshake gets a row.
async fn old_version(shared: &Shared, mut socket: TcpStream) -> io::Result<()> {
    let mut heard = [0; 4096];
    let _hello = socket.read(&mut heard).await?;
    socket.write_all(&old_hello()).await?;
    if socket.read(&mut heard).await? > 0 && heard[0] == TLS_HANDSHAKE {
        let row = Row { fault: Some("oldVersion".to_owned()), ..row_of(&Request::default()) };
        shared.change(|world| world.ledger.push(row));
    }
    Ok(())
}

async fn requests<L: Link>(shared: &Shared, mut link: L, peer: SocketAddr, sni: Option<&str>) -> io::Result<()> {
    let mut buffer = Vec::new();
    let caller = Caller { peer, sni, connection: shared.world().connect() };
    while let Some(request) = read_request(&mut link, &mut buffer).await? {
        let start = Instant::now();
        let (planned, seq) = shared.change(|world| plan(&request, caller, world));
        sleep(planned.delay).await;
        let date = http_date(shared.world().now());
        let sent = deliver(&mut link, &planned, &date).await;
        let took = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        shared.change(|world| world.ledger.finish(seq, took));
        if !sent? || request.wants_close() {
            return Ok(());
        }
    }
    Ok(())
}

/// False if the connection is to be closed.
async fn deliver<L: Link>(link: &mut L, planned: &Planned, date: &str) -> io::Result<bool> {
    let reply = &planned.reply;
    let length = reply.body.len();
    let declared = head(reply, Some(length), date);
    match planned.delivery {
        Delivery::Whole => {
            link.write_all(&[declared, reply.body.clone()].concat()).await?;
            link.flush().await?;
            return Ok(true);
        }
        Delivery::Undeclared => {
            let bytes = [head(reply, None, date), reply.body.clone()].concat();
            link.write_all(&bytes).await?;
            link.shutdown().await?;
        }
        Delivery::Flood(bytes) => {
            link.write_all(&head(reply, None, date)).await?;
            flood(link, bytes).await?;
        }
        Delivery::Truncated => {
            let half = reply.body.get(..length / 2).unwrap_or_default();
            link.write_all(&[&declared, half].concat()).await?;
            link.flush().await?;
        }
        Delivery::Slow(every) => {
            link.write_all(&declared).await?;
            drip(link, &reply.body, every).await?;
            return Ok(true);
        }
        Delivery::Hang => while link.read(&mut [0; 512]).await? > 0 {},
        Delivery::Reset => link.socket().set_zero_linger()?,
        Delivery::Rubbish => link.socket().write_all(RUBBISH).await?,
    }
    Ok(false)
}

/// A JSON array of numbers, as long as the client takes it.
async fn flood<L: Link>(link: &mut L, bytes: u64) -> io::Result<()> {
    let piece = b"1,".repeat(8192);
    let mut left = bytes;
    link.write_all(b"[").await?;
    while left > 0 {
        link.write_all(&piece).await?;
        left = left.saturating_sub(u64::try_from(piece.len()).unwrap_or(u64::MAX));
    }
    link.flush().await
}

async fn drip<L: Link>(link: &mut L, body: &[u8], every: Duration) -> io::Result<()> {
    for byte in body.chunks(1) {
        if !every.is_zero() {
            link.flush().await?;
            sleep(every).await;
        }
        link.write_all(byte).await?;
    }
    link.flush().await
}

/// The second listener: counts every connection and takes any request.
pub(super) async fn decoy(shared: Arc<Shared>, mut socket: TcpStream) -> io::Result<()> {
    shared.decoy_hits.fetch_add(1, Ordering::SeqCst);
    let mut buffer = Vec::new();
    while let Some(request) = read_request(&mut socket, &mut buffer).await? {
        let heard = request.whole();
        shared.decoy_heard.lock().unwrap_or_else(PoisonError::into_inner).extend(heard);
        send(&mut socket, &Reply::json(200, serde_json::json!([]))).await?;
    }
    Ok(())
}

/// A reply on the real clock, for the ports that are no provider's.
pub(super) async fn send(socket: &mut TcpStream, reply: &Reply) -> io::Result<()> {
    let mut bytes = head(reply, Some(reply.body.len()), &http_date(super::clock::real()));
    bytes.extend(&reply.body);
    socket.write_all(&bytes).await
}
