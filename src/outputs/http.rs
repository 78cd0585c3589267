//! What does a generic HTTP client send? A base URL, headers and a query; also for Curl and Nexla, which say it otherwise.

use super::page::Page;
use super::{Data, Material, Unrenderable, quote, value};
use crate::providers::{ProviderKind, Variable, Variables};

/// The parts of every request, checked: each can stand in a header or a URL.
pub(super) struct Request<'a> {
    /// Where it goes.
    pub(super) base_url: &'a str,
    /// The header that carries the key or token, and its raw value.
    pub(super) header: Option<(&'a str, &'a str)>,
    /// The query parameter that carries the key or token, and its encoded value.
    pub(super) query: Option<(&'a str, &'a str)>,
    /// The `Accept` header.
    pub(super) accept: Option<&'a str>,
}

impl<'a> Request<'a> {
    /// The parts that these variables make.
    pub(super) fn of(material: &'a Material) -> Result<Self, Unrenderable> {
        let variables = &material.variables;
        let base_url = variables.get(Variable::BaseUrl).ok_or(Unrenderable::MissingVariable(Variable::BaseUrl))?;
        let header = pair(variables, Variable::HeaderName, Variable::HeaderValue);
        let query = pair(variables, Variable::QueryName, Variable::QueryValue);
        let accept = variables.get(Variable::Accept);
        if header.is_none() && query.is_none() {
            return Err(Unrenderable::MissingVariable(carried(material.provider)));
        }
        if let Some((name, text)) = header {
            fits(Variable::HeaderName, name, is_token)?;
            fits(Variable::HeaderValue, text, is_field)?;
        }
        if let Some(text) = accept {
            fits(Variable::Accept, text, is_field)?;
        }
        Ok(Self { base_url, header, query, accept })
    }

    /// The headers, the key's first.
    pub(super) fn headers(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.header.into_iter().chain(self.accept.map(|text| ("Accept", text)))
    }
}

/// `base-url`, `headers` (one a line), `query` (encoded, perhaps empty).
pub(super) fn data(material: &Material) -> Result<Data, Unrenderable> {
    let request = Request::of(material)?;
    let mut headers = Page::default();
    for (position, (name, text)) in request.headers().enumerate() {
        headers.push_all([if position == 0 { "" } else { "\n" }, name, ": ", text]);
    }
    let mut query = Page::default();
    if let Some((name, encoded)) = request.query {
        quote::percent(&mut query, name);
        query.push("=");
        query.push(encoded);
    }
    let files = [("base-url", value(request.base_url)), ("headers", headers.finish()), ("query", query.finish())];
    Ok(files.into_iter().map(|(key, bytes)| (key.to_owned(), bytes)).collect())
}

fn pair(variables: &Variables, name: Variable, text: Variable) -> Option<(&str, &str)> {
    variables.get(name).zip(variables.get(text))
}

/// What is missing when neither header nor query carries anything: a token, where an exchange mints one.
fn carried(provider: &str) -> Variable {
    if provider == ProviderKind::Aventri.member() { Variable::AccessToken } else { Variable::HeaderValue }
}

fn fits(variable: Variable, text: &str, rule: fn(&str) -> bool) -> Result<(), Unrenderable> {
    if rule(text) { Ok(()) } else { Err(Unrenderable::Inexpressible(variable)) }
}

/// A header's name, RFC 9110: neither `:` nor space nor the `@` that curl would take for a file.
fn is_token(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed)
}

/// A header's value, RFC 9110: visible ASCII, with spaces only inside.
fn is_field(text: &str) -> bool {
    !text.is_empty() && text.trim() == text && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}
