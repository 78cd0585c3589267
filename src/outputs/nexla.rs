//! What does Nexla want as a generic REST credential? The body of `POST /data_credentials`.

use super::http::Request;
use super::page::Page;
use super::{Data, Material, Unrenderable, quote};
use crate::providers::Variable;
use serde::Serialize;

/// The one key of Nexla.
pub(super) const FILE: &str = "credential.json";

#[derive(Serialize)]
struct Body<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    credentials_type: &'static str,
    credentials: Credentials<'a>,
}

#[derive(Serialize)]
struct Credentials<'a> {
    #[serde(rename = "auth.type")]
    auth_type: &'static str,
    #[serde(rename = "api.key.include.mode")]
    include_mode: &'static str,
    #[serde(rename = "api.key.auth.key")]
    auth_key: &'a str,
    #[serde(rename = "api.key.auth.value")]
    auth_value: &'a str,
    #[serde(rename = "request.headers", skip_serializing_if = "str::is_empty")]
    request_headers: &'a str,
    #[serde(rename = "test.method")]
    test_method: &'static str,
    #[serde(rename = "test.content.type")]
    test_content_type: &'static str,
    #[serde(rename = "test.url", skip_serializing_if = "Option::is_none")]
    test_url: Option<&'a str>,
    #[serde(rename = "ignore.ssl.cert.validation")]
    ignore_certificate: bool,
    #[serde(rename = "jwt.enabled")]
    jwt: bool,
    #[serde(rename = "hmac.enabled")]
    hmac: bool,
}

/// The key in the query, with its header among the others, or else in its header.
pub(super) fn data(material: &Material) -> Result<Data, Unrenderable> {
    let request = Request::of(material)?;
    let accept = request.accept.map(|text| (Variable::Accept, "Accept", text));
    if let Some((name, encoded)) = request.query {
        let raw = quote::unpercent(encoded).ok_or(Unrenderable::Inexpressible(Variable::QueryValue))?;
        let header = request.header.map(|(name, text)| (Variable::HeaderValue, name, text));
        return body(material, "URL_PARAMETER", (name, &raw), accept.into_iter().chain(header));
    }
    let header = request.header.ok_or(Unrenderable::MissingVariable(Variable::HeaderValue))?;
    body(material, "HEADER", header, accept.into_iter())
}

fn body<'a>(
    material: &Material,
    include_mode: &'static str,
    (auth_key, auth_value): (&str, &str),
    headers: impl Iterator<Item = (Variable, &'a str, &'a str)>,
) -> Result<Data, Unrenderable> {
    let headers = joined(headers)?;
    let credentials = Credentials {
        auth_type: "API_KEY",
        include_mode,
        auth_key,
        auth_value,
        request_headers: std::str::from_utf8(headers.bytes()).unwrap_or_default(),
        test_method: "GET",
        test_content_type: "application/json",
        test_url: material.test_url.as_deref(),
        ignore_certificate: false,
        jwt: false,
        hmac: false,
    };
    let description = material.description.as_deref();
    let body = Body { name: &material.title, description, credentials_type: "rest", credentials };
    let mut page = Page::default();
    // Text always serialises, and a page has no end but memory's.
    serde_json::to_writer_pretty(&mut page, &body).map_err(|_| Unrenderable::TooLarge)?;
    Ok(Data::from([(FILE.to_owned(), page.finish())]))
}

/// `Name:value,Name:value`. Nexla splits at commas and knows no escape.
fn joined<'a>(headers: impl Iterator<Item = (Variable, &'a str, &'a str)>) -> Result<Page, Unrenderable> {
    let mut page = Page::default();
    for (variable, name, text) in headers {
        if text.contains(',') {
            return Err(Unrenderable::Inexpressible(variable));
        }
        page.push_all([if page.len() == 0 { "" } else { "," }, name, ":", text]);
    }
    Ok(page)
}
