//! HTTP/1.1 by hand, because faults need the bytes: reading a request, writing an answer, in whatever bad manner.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::request::Request;

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

/// The next request, or none when the client has closed. The client names its bodies' lengths.
pub(super) async fn read_request(link: &mut impl Link, buffer: &mut Vec<u8>) -> io::Result<Option<Request>> {
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if link.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    let head: Vec<u8> = buffer.drain(..end).collect();
    let mut request = parse(&String::from_utf8_lossy(&head));
    let length = request.headers.iter().find(|(name, _)| name == "content-length");
    let length = length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
    while buffer.len() < length {
        if link.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
    request.body = buffer.drain(..length).collect();
    Ok(Some(request))
}

fn parse(head: &str) -> Request {
    let mut lines = head.split("\r\n").filter(|line| !line.is_empty());
    let mut first = lines.next().unwrap_or_default().split(' ');
    let mut word = || first.next().unwrap_or_default().to_owned();
    let (method, target) = (word(), word());
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
    Request { method, target, headers, body: Vec::new() }
}

/// A complete answer.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer {
    pub(super) code: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

/// How an answer is delivered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Manner {
    Whole,
    Late(Duration),
    Drip(Duration),
    /// Less than it was said to be.
    Truncated,
}

/// The status line and the headers of an answer; of unknown length without `length`.
pub(super) fn head(answer: &Answer, length: Option<usize>) -> String {
    let headers: Vec<_> = answer.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let headers = headers.concat();
    let length = length.map_or("Transfer-Encoding: chunked".to_owned(), |length| format!("Content-Length: {length}"));
    format!("HTTP/1.1 {} Simulated\r\n{headers}{length}\r\n\r\n", answer.code)
}

/// Writes an answer. Returns whether the connection goes on.
pub(super) async fn write_answer(link: &mut impl Link, answer: &Answer, manner: Manner) -> io::Result<bool> {
    let head = head(answer, Some(answer.body.len()));
    match manner {
        Manner::Whole => link.write_all(&[head.as_bytes(), &answer.body].concat()).await?,
        Manner::Late(wait) => {
            tokio::time::sleep(wait).await;
            link.write_all(&[head.as_bytes(), &answer.body].concat()).await?;
        }
        Manner::Drip(every) => {
            link.write_all(head.as_bytes()).await?;
            for byte in answer.body.chunks(1) {
                tokio::time::sleep(every).await;
                link.write_all(byte).await?;
                link.flush().await?;
            }
        }
        Manner::Truncated => {
            let half = answer.body.len() / 2;
            link.write_all(&[head.as_bytes(), &answer.body[..half]].concat()).await?;
        }
    }
    link.flush().await?;
    Ok(manner != Manner::Truncated)
}

/// One chunk of an answer of unknown length; an empty one ends it.
pub(super) async fn write_chunk(link: &mut impl Link, bytes: &[u8]) -> io::Result<()> {
    let framed = [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
    link.write_all(&framed).await?;
    link.flush().await
}

/// Waits until the client closes; it says nothing while it waits for an answer.
pub(super) async fn closed(link: &mut impl Link) {
    let mut scrap = [0; 256];
    while link.read(&mut scrap).await.is_ok_and(|read| read > 0) {}
}
