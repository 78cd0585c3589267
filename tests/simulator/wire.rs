//! HTTP/1.1 by hand: reading a request, writing a head. By hand, because faults need the bytes; so
//! a body must have a `Content-Length`.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

use super::reply::Reply;

const MOST_HEAD: usize = 64 * 1024;
const MOST_BODY: usize = 1024 * 1024;

#[derive(Clone, Debug, Default)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    raw_query: String,
    pub(super) headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    /// `name` in lower case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// Decoded; a bare `+` arrives as a space, as it does at a provider.
    pub(super) fn queries(&self) -> Vec<(String, String)> {
        decoded(self.raw_query.as_bytes())
    }

    pub(super) fn query(&self, name: &str) -> Option<String> {
        first(self.queries(), name)
    }

    /// The members of a form body; none if the body is of another type.
    pub(super) fn forms(&self) -> Vec<(String, String)> {
        let kind = self.header("content-type").unwrap_or_default();
        if kind.starts_with("application/x-www-form-urlencoded") { decoded(&self.body) } else { Vec::new() }
    }

    pub(super) fn form(&self, name: &str) -> Option<String> {
        first(self.forms(), name)
    }

    /// Everything that was sent, for whoever looks for a key in it.
    pub(super) fn whole(&self) -> Vec<u8> {
        let head = format!("{} {}?{}\n{:?}\n", self.method, self.path, self.raw_query, self.headers);
        [head.as_bytes(), &self.body].concat()
    }

    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    pub(super) fn wants_close(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

fn decoded(bytes: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(bytes).into_owned().collect()
}

fn first(pairs: Vec<(String, String)>, name: &str) -> Option<String> {
    pairs.into_iter().find(|(other, _)| other == name).map(|(_, value)| value)
}

/// The next request, or none if the client closed between two. `buffer` keeps bytes between calls.
pub(super) async fn read_request<S: AsyncRead + Unpin>(
    stream: &mut S,
    buffer: &mut Vec<u8>,
) -> io::Result<Option<Request>> {
    let head_end = loop {
        if let Some(at) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if buffer.len() > MOST_HEAD {
            return Err(malformed("the head is too long"));
        }
        if stream.read_buf(buffer).await? == 0 {
            return if buffer.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
    };
    let head: Vec<u8> = buffer.drain(..head_end).collect();
    let mut request = parse(&String::from_utf8_lossy(&head))?;
    let length = body_length(&request)?;
    while buffer.len() < length {
        if stream.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    request.body = buffer.drain(..length).collect();
    Ok(Some(request))
}

fn parse(head: &str) -> io::Result<Request> {
    let mut lines = head.split("\r\n").filter(|line| !line.is_empty());
    let mut first = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target)) = (first.next(), first.next()) else {
        return Err(malformed("no request line"));
    };
    let (path, raw_query) = target.split_once('?').unwrap_or((target, ""));
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    Ok(Request {
        method: method.to_owned(),
        path: path.to_owned(),
        raw_query: raw_query.to_owned(),
        headers,
        body: Vec::new(),
    })
}

fn body_length(request: &Request) -> io::Result<usize> {
    if request.header("transfer-encoding").is_some() {
        return Err(malformed("a body must have a Content-Length"));
    }
    match request.header("content-length").map(str::parse::<usize>) {
        None => Ok(0),
        Some(Ok(length)) if length <= MOST_BODY => Ok(length),
        Some(_) => Err(malformed("the Content-Length is unusable")),
    }
}

fn malformed(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// Status line and headers. Without a `length` the end of the connection ends the body.
pub(super) fn head(reply: &Reply, length: Option<usize>, date: &str) -> Vec<u8> {
    let reason =
        http::StatusCode::from_u16(reply.status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Unknown");
    let mut head = format!("HTTP/1.1 {} {reason}\r\nDate: {date}\r\n", reply.status);
    for (name, value) in &reply.headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    match length {
        Some(_) if reply.status == 204 || reply.status == 304 => {}
        Some(length) => head.extend(["Content-Length: ", &length.to_string(), "\r\n"]),
        None => head.push_str("Connection: close\r\n"),
    }
    head.push_str("\r\n");
    head.into_bytes()
}
