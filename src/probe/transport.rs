//! How is one question sent, and one answer received? One client, without any of the conveniences that leak keys:
//! no redirects, no Referer, no cookies, no shared connections, no decompression, no retries, nothing from the
//! environment.
//!
//! What goes wrong is a [`Fault`]: the client's own errors print URLs, so they end here.

use super::resolver::{NoPermittedAddress, Vetting};
use super::{Limits, Unprepared, reply, tls};
use crate::config::Settings;
use crate::providers::{Ask, BaseUrl, Method, encoded_room, push_percent_encoded};
use hyper::body::Bytes;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Proxy, Request, Response, redirect, retry};
use std::error::Error;
use std::sync::Arc;
use url::Url;
use zeroize::Zeroizing;

const USER_AGENT: &str = concat!("connector-operator/", env!("CARGO_PKG_VERSION"));
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");
/// Bytes of an answer's headers; the client's own buffer bounds them roughly, this exactly.
const LARGEST_HEAD: usize = 64 * 1024;

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// A deadline passed.
    Timeout,
    /// The name leads only to addresses that may not be called.
    Forbidden,
    /// No connection: DNS, TCP or TLS.
    Connect,
    /// The connection ended too early, or does not speak HTTP.
    Interrupted,
    /// The question does not fit the base URL or a header.
    Unaskable,
}

impl Fault {
    /// The fault in a log line.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Forbidden => "forbidden address",
            Self::Connect => "no connection",
            Self::Interrupted => "interrupted",
            Self::Unaskable => "unaskable",
        }
    }
}

/// What was answered.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Headers,
    pub(super) body: Body,
}

impl Answer {
    /// What broke off the body.
    pub(super) fn fault(&self) -> Option<Fault> {
        match self.body {
            Body::Broken(fault) => Some(fault),
            Body::Whole(_) | Body::Unwanted => None,
        }
    }
}

/// The headers that are looked at.
#[derive(Default)]
pub(super) struct Headers {
    pub(super) date: Option<String>,
    pub(super) retry_after: Option<String>,
    pub(super) rate_limit: Option<[String; 3]>,
}

/// What was received of a body.
pub(super) enum Body {
    /// All of it.
    Whole(Zeroizing<Vec<u8>>),
    /// Not read to the end: its status, type, encoding or size says enough.
    Unwanted,
    /// It ended too early, or too late.
    Broken(Fault),
}

/// The only client that calls providers.
#[derive(Debug)]
pub(super) struct Transport {
    client: Client,
    largest_body: usize,
}

impl Transport {
    pub(super) fn new(settings: &Settings, limits: &Limits) -> Result<Self, Unprepared> {
        Self::with_resolver(settings, limits, Vetting::new(settings))
    }

    #[expect(clippy::disallowed_methods, reason = "the client with limits")]
    fn with_resolver(settings: &Settings, limits: &Limits, resolver: Vetting) -> Result<Self, Unprepared> {
        let mut builder = Client::builder()
            .tls_backend_preconfigured(tls::client(settings)?)
            .dns_resolver(Arc::new(resolver))
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            .http1_only()
            .pool_max_idle_per_host(0)
            .connect_timeout(limits.connect)
            .read_timeout(limits.read)
            .timeout(limits.total)
            .user_agent(USER_AGENT)
            .no_proxy();
        if let Some(proxy) = &settings.proxy {
            builder = builder.proxy(Proxy::all(proxy.clone()).map_err(|_| Unprepared::Client)?);
        }
        let client = builder.build().map_err(|_| Unprepared::Client)?;
        Ok(Self { client, largest_body: limits.body })
    }

    /// Sends one question.
    pub(super) async fn send(&self, base: &BaseUrl, ask: &Ask) -> Result<Answer, Fault> {
        let request = request(base, ask).ok_or(Fault::Unaskable)?;
        let response = self.client.execute(request).await.map_err(|error| fault(&error))?;
        let status = response.status().as_u16();
        let headers = looked_at(response.headers());
        let body = if reply::by_status(status).is_some() || self.is_unwanted(&response) {
            Body::Unwanted
        } else {
            self.read(response).await
        };
        Ok(Answer { status, headers, body })
    }

    /// Whether the head already says that no documented answer follows.
    fn is_unwanted(&self, response: &Response) -> bool {
        let headers = response.headers();
        let says = |name: &str, wanted: &str| {
            headers
                .get_all(name)
                .iter()
                .any(|value| value.as_bytes().to_ascii_lowercase().starts_with(wanted.as_bytes()))
        };
        let encoded = headers
            .get_all("content-encoding")
            .iter()
            .any(|value| !value.is_empty() && !value.as_bytes().eq_ignore_ascii_case(b"identity"));
        let size = |total: usize, name: &HeaderName, value: &HeaderValue| {
            total.saturating_add(name.as_str().len()).saturating_add(value.len())
        };
        let head = headers.iter().fold(0, |total, (name, value)| size(total, name, value));
        let declared = response
            .content_length()
            .is_some_and(|length| length > u64::try_from(self.largest_body).unwrap_or(u64::MAX));
        encoded
            || declared
            || head > LARGEST_HEAD
            || says("content-type", "text/html")
            || says("content-type", "application/xhtml")
    }

    async fn read(&self, mut response: Response) -> Body {
        let mut body = Zeroizing::new(Vec::new());
        loop {
            match response.chunk().await {
                Ok(None) => return Body::Whole(body),
                Ok(Some(chunk)) if body.len().saturating_add(chunk.len()) > self.largest_body => return Body::Unwanted,
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Err(error) => return Body::Broken(fault(&error)),
            }
        }
    }
}

/// The request, if it leads below the base URL.
fn request(base: &BaseUrl, ask: &Ask) -> Option<Request> {
    let separator = if ask.path().contains('?') { "&" } else { "?" };
    let text = encoded([base.as_str(), ask.path()], separator, &ask.secret_query().collect::<Vec<_>>());
    let url = Url::parse(&text).ok()?;
    let root = base.url();
    let stays = url.scheme() == root.scheme()
        && url.host() == root.host()
        && url.port_or_known_default() == root.port_or_known_default()
        && url.path().starts_with(root.path().trim_end_matches('/'))
        && url.username().is_empty()
        && url.password().is_none();
    if !stays || !ask.path().starts_with('/') {
        return None;
    }
    let method = match ask.method() {
        Method::Get => reqwest::Method::GET,
        Method::PostForm => reqwest::Method::POST,
    };
    let mut request = Request::new(method, url);
    let headers = request.headers_mut();
    headers.insert(ACCEPT, HeaderValue::from_str(ask.accepts()).ok()?);
    for (name, value) in ask.secret_headers() {
        let value = Zeroizing::new(value.as_bytes().to_vec());
        let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(value)).ok()?;
        value.set_sensitive(true);
        headers.insert(HeaderName::from_bytes(name.as_bytes()).ok()?, value);
    }
    if ask.method() == Method::PostForm {
        headers.insert(CONTENT_TYPE, FORM);
        *request.body_mut() = Some(form(ask).into());
    }
    Some(request)
}

/// The form, in bytes that are wiped once they are sent.
fn form(ask: &Ask) -> Bytes {
    Bytes::from_owner(Wiped(encoded([""; 2], "", &ask.fields().collect::<Vec<_>>())))
}

/// Text that is wiped when the last who reads it is done.
struct Wiped(Zeroizing<String>);

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// `start`, then the pairs as they stand in a URL or a form, before the first of them `separator`. One buffer that never
/// grows, for what grows leaves copies of the key behind.
fn encoded(start: [&str; 2], separator: &str, pairs: &[(&str, &str)]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(room(start, pairs)));
    for part in start {
        text.push_str(part);
    }
    for (nth, (name, value)) in pairs.iter().enumerate() {
        text.push_str(if nth == 0 { separator } else { "&" });
        push_percent_encoded(&mut text, name);
        text.push('=');
        push_percent_encoded(&mut text, value);
    }
    text
}

fn room(start: [&str; 2], pairs: &[(&str, &str)]) -> usize {
    let of_pair = |(name, value): &(&str, &str)| {
        encoded_room(name).saturating_add(encoded_room(value)).saturating_add("&=".len())
    };
    let start = start.iter().map(|part| part.len());
    start.chain(pairs.iter().map(of_pair)).fold(0, usize::saturating_add)
}

fn looked_at(headers: &HeaderMap) -> Headers {
    let get = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let rate = [get("x-ratelimit-limit"), get("x-ratelimit-remaining"), get("x-ratelimit-reset")];
    let rate_limit = match rate {
        [Some(limit), Some(remaining), Some(reset)] => Some([limit, remaining, reset]),
        _ => None,
    };
    Headers { date: get("date"), retry_after: get("retry-after"), rate_limit }
}

/// The kind of the client's error. Its text has the URL, so it is not kept.
fn fault(error: &reqwest::Error) -> Fault {
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(source) = cause {
        if source.is::<NoPermittedAddress>() {
            return Fault::Forbidden;
        }
        cause = source.source();
    }
    if error.is_timeout() {
        Fault::Timeout
    } else if error.is_connect() {
        Fault::Connect
    } else {
        Fault::Interrupted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::Key;
    use crate::providers::Label;
    use futures::future::BoxFuture;
    use std::net::SocketAddr;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn key(text: &str) -> Key {
        Key::parse(text.as_bytes()).unwrap()
    }

    fn base(endpoint: &str) -> BaseUrl {
        BaseUrl::build(endpoint, &Label::NONE, "").unwrap()
    }

    #[test]
    fn the_key_goes_where_the_question_says_and_nowhere_else() {
        let base = base("https://api.example.com/v1");
        let sent = request(&base, &Ask::get("/x?a=1").query("api_key", &key("a+b/c=&d"))).unwrap();
        assert_eq!(sent.url().as_str(), "https://api.example.com/v1/x?a=1&api_key=a%2Bb%2Fc%3D%26d");
        let sent = request(&base, &Ask::get("/x").header_with_scheme("Authorization", Some("Bearer"), &key("EXAMPLE")))
            .unwrap();
        let value = sent.headers().get("authorization").unwrap();
        assert_eq!((value.to_str().unwrap(), value.is_sensitive()), ("Bearer EXAMPLE", true));
        assert_eq!(sent.url().as_str(), "https://api.example.com/v1/x");
        assert!(!format!("{sent:?}").contains("EXAMPLE"));
        let sent = request(&base, &Ask::form("/x").field("id", "1 2").secret("key", &key("k+&="))).unwrap();
        assert_eq!(sent.body().and_then(|body| body.as_bytes()), Some(&b"id=1%202&key=k%2B%26%3D"[..]));
        assert_eq!((sent.method().as_str(), sent.url().query()), ("POST", None));
    }

    #[test]
    fn the_buffer_that_a_key_is_written_into_never_moves() {
        let long = "k+/=".repeat(1024);
        for pairs in [&[("key", long.as_str())][..], &[("id", "1"), ("key", &long), ("z", "")], &[]] {
            for start in [["", ""], ["https://api.example.com/v1", "/x"]] {
                let text = encoded(start, "?", pairs);
                assert_eq!(text.capacity(), room(start, pairs), "it grew, and left the key behind: {}", pairs.len());
            }
        }
    }

    #[test]
    fn a02_a_question_cannot_leave_the_base_url() {
        let base = base("https://api.example.com/v1");
        for path in ["x", "@evil.com/", ".evil.com/", "/../admin", "/a/../../admin", "\\evil", ":8443/x", ""] {
            assert!(request(&base, &Ask::get(path)).is_none(), "{path}");
        }
        for path in ["/", "/x", "//x", "/x?next=https://evil.com/"] {
            let sent = request(&base, &Ask::get(path)).unwrap();
            assert_eq!(sent.url().host_str(), Some("api.example.com"), "{path}");
        }
    }

    /// A server that counts who connects, and a name that leads to these addresses, one answer after the other.
    async fn flipping(answers: &'static [&'static [&'static str]]) -> (Transport, BaseUrl, Arc<AtomicUsize>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connects = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connects);
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let mut request = [0; 1024];
                let _read = tokio::io::AsyncReadExt::read(&mut socket, &mut request).await;
                let reply = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]";
                let _gone = tokio::io::AsyncWriteExt::write_all(&mut socket, reply).await;
            }
        });
        let yaml =
            format!("allowPrivateEndpoints: true\nproviders: {{zenflow: {{endpoint: 'http://zen.test:{port}'}}}}");
        let settings = Settings::parse(&yaml).unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let lookup = move |name: String| -> BoxFuture<'static, std::io::Result<Vec<SocketAddr>>> {
            assert_eq!(name, "zen.test");
            let answer = answers[asked.fetch_add(1, Ordering::SeqCst)];
            let addresses = answer.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 0)).collect();
            Box::pin(async move { Ok(addresses) })
        };
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let vetting = Vetting::with_lookup(&settings, Arc::new(lookup));
        let transport = Transport::with_resolver(&settings, &Limits::for_concurrency(8), vetting).unwrap();
        (transport, base(&format!("http://zen.test:{port}")), connects)
    }

    /// 0.0.0.0 and :: are never called, and would lead to the server all the same: it would see a connection.
    #[tokio::test]
    async fn a04_an_answer_that_flips_to_a_forbidden_address_is_not_dialled() {
        let answers: &[&[&str]] =
            &[&["127.0.0.1"], &["0.0.0.0"], &["::ffff:0.0.0.0"], &["64:ff9b::"], &["0.0.0.0", "127.0.0.1"], &["::"]];
        let (transport, base, connects) = flipping(answers).await;
        let send = async || {
            let sent = transport.send(&base, &Ask::get("/x").header("X-API-Key", &key("EXAMPLE"))).await;
            (sent.map(|answer| answer.status), connects.load(Ordering::SeqCst))
        };
        assert_eq!(send().await, (Ok(200), 1));
        for _ in 0..3 {
            assert_eq!(send().await, (Err(Fault::Forbidden), 1));
        }
        // Of two answers the permitted one is dialled; and nothing is remembered from call to call.
        assert_eq!(send().await, (Ok(200), 2));
        assert_eq!(send().await, (Err(Fault::Forbidden), 2));
    }
}
