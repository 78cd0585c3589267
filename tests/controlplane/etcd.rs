//! What does etcd hold? For sweeps over everything stored.
//!
//! Uses etcd's JSON gateway over HTTP/1.0, whose answers end with the connection.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use k8s_openapi::ByteString;
use serde::Deserialize;

use super::ControlPlane;
use super::error::Error;

/// All keys: from the first to the end, both written as one zero byte.
const EVERYTHING: &str = r#"{"key":"AA==","range_end":"AA=="}"#;

/// How long etcd may be silent.
const PATIENCE: Duration = Duration::from_secs(30);

/// One stored key with its value's bytes, as etcd has them.
#[derive(Deserialize)]
pub(crate) struct Entry {
    key: ByteString,
    #[serde(default)]
    value: ByteString,
}

impl Entry {
    /// The key, such as `/registry/secrets/default/erp`.
    pub(crate) fn key(&self) -> String {
        String::from_utf8_lossy(&self.key.0).into_owned()
    }

    /// The value: JSON for custom resources, protobuf for built-in kinds.
    pub(crate) fn value(&self) -> &[u8] {
        &self.value.0
    }
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    kvs: Vec<Entry>,
}

/// What the etcd on `port` says of itself, which includes its name.
pub(super) fn members(port: u16) -> Result<String, Error> {
    let answer = post(port, "/v3/cluster/member/list", "{}").map_err(Error::io("ask etcd"))?;
    Ok(String::from_utf8_lossy(body(&answer)?).into_owned())
}

impl ControlPlane {
    /// Everything etcd holds at this moment. Blocks.
    pub(crate) fn etcd_dump(&self) -> Result<Vec<Entry>, Error> {
        let answer = post(self.ports.etcd, "/v3/kv/range", EVERYTHING).map_err(Error::io("ask etcd for all keys"))?;
        let answer: Answer = serde_json::from_slice(body(&answer)?).map_err(|error| unexpected(error.to_string()))?;
        Ok(answer.kvs)
    }
}

fn post(port: u16, path: &str, body: &str) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let length = body.len();
    write!(
        stream,
        "POST {path} HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}

/// What follows the head of a successful answer.
fn body(answer: &[u8]) -> Result<&[u8], Error> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n");
    let (head, body) = answer.split_at(end.map_or(answer.len(), |end| end + 4));
    let head = String::from_utf8_lossy(head);
    match head.split_whitespace().nth(1) {
        Some("200") => Ok(body),
        Some(_) | None => Err(unexpected(head.into_owned())),
    }
}

fn unexpected(message: String) -> Error {
    Error::Answer { from: "etcd", message }
}
