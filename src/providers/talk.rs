//! How is a question to a provider put, and its answer held?
//!
//! An [`Ask`] cannot name a host, follow a redirect or change anything at the provider. A [`Reply`] cannot be
//! printed, and no byte of it enters a verdict.

use super::Verdict;
use crate::credential::Key;
use secrecy::{ExposeSecret, SecretString};
use std::fmt;

/// The next move of a conversation.
#[derive(Debug)]
pub enum Step {
    /// Ask this, then call again with the reply.
    Ask(Ask),
    /// Nothing more needs to be asked.
    Done(Verdict),
}

/// A read-only question: a path below the provider's base URL, and where the key goes.
pub struct Ask {
    method: Method,
    path: String,
    accept: String,
    headers: Vec<(String, SecretString)>,
    query: Vec<(String, SecretString)>,
    form: Vec<(String, SecretString)>,
}

/// The two methods that a question can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `GET`
    Get,
    /// `POST` of `application/x-www-form-urlencoded`
    PostForm,
}

impl Ask {
    /// A `GET` of `path`, which starts with `/` and may hold a query.
    #[must_use]
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::Get, path.into())
    }

    /// A `POST` of a form to `path`.
    #[must_use]
    pub fn form(path: impl Into<String>) -> Self {
        Self::new(Method::PostForm, path.into())
    }

    fn new(method: Method, path: String) -> Self {
        Self { method, path, accept: "application/json".to_owned(), headers: vec![], query: vec![], form: vec![] }
    }

    /// Replaces `application/json` in the `Accept` header.
    #[must_use]
    pub fn accept(mut self, media_type: impl Into<String>) -> Self {
        self.accept = media_type.into();
        self
    }

    /// Puts the key into a header.
    #[must_use]
    pub fn header(self, name: impl Into<String>, key: &Key) -> Self {
        self.header_with_scheme(name, None, key)
    }

    /// Puts the key into a header behind an authentication scheme (`Bearer`).
    #[must_use]
    pub fn header_with_scheme(mut self, name: impl Into<String>, scheme: Option<&str>, key: &Key) -> Self {
        let scheme = scheme.map(|scheme| [scheme, " "]).unwrap_or_default();
        // At once in its full size: what grows leaves copies of the key behind.
        let value = [scheme[0], scheme[1], key.reveal()].concat();
        self.headers.push((name.into(), SecretString::from(value)));
        self
    }

    /// Puts the key into the query. It is percent-encoded when sent.
    #[must_use]
    pub fn query(mut self, name: impl Into<String>, key: &Key) -> Self {
        self.query.push((name.into(), SecretString::from(key.reveal())));
        self
    }

    /// A form field that is no secret.
    #[must_use]
    pub fn field(mut self, name: impl Into<String>, value: &str) -> Self {
        self.form.push((name.into(), SecretString::from(value)));
        self
    }

    /// The form field that carries the key.
    #[must_use]
    pub fn secret(mut self, name: impl Into<String>, key: &Key) -> Self {
        self.form.push((name.into(), SecretString::from(key.reveal())));
        self
    }

    /// How it is asked.
    #[must_use]
    pub fn method(&self) -> Method {
        self.method
    }

    /// What is asked for, below the base URL: no key is in it.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The `Accept` header.
    #[must_use]
    pub fn accepts(&self) -> &str {
        &self.accept
    }

    /// Headers that carry the key.
    pub fn secret_headers(&self) -> impl Iterator<Item = (&str, &str)> {
        revealed(&self.headers)
    }

    /// Query parameters that carry the key, not yet encoded.
    pub fn secret_query(&self) -> impl Iterator<Item = (&str, &str)> {
        revealed(&self.query)
    }

    /// Fields of the form, not yet encoded.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        revealed(&self.form)
    }
}

#[expect(clippy::disallowed_methods, reason = "what a question carries has to be sent")]
fn revealed(pairs: &[(String, SecretString)]) -> impl Iterator<Item = (&str, &str)> {
    pairs.iter().map(|(name, value)| (name.as_str(), value.expose_secret()))
}

impl fmt::Debug for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ask({:?} {})", self.method, self.path)
    }
}

/// An answer that passed the rows common to all providers (1 to 5 of providers.md): not 3xx, 407, 408, 429 or 5xx,
/// no HTML, no content encoding, within the size limit.
pub struct Reply {
    status: u16,
    empty: bool,
    json: Option<serde_json::Value>,
}

impl Reply {
    /// What was answered; `body` as received.
    #[must_use]
    pub fn new(status: u16, body: &[u8]) -> Self {
        Self { status, empty: body.is_empty(), json: serde_json::from_slice(body).ok() }
    }

    /// The HTTP status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The body, if it is exactly one JSON value.
    #[must_use]
    pub fn json(&self) -> Option<&serde_json::Value> {
        self.json.as_ref()
    }

    /// Whether the body has no byte at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.empty
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({}, redacted)", self.status)
    }
}
