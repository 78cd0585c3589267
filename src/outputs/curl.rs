//! What does `curl --config` read? A `header` or `url-query` a line; the URL is the caller's.

use super::http::Request;
use super::page::Page;
use super::{Data, Material, Unrenderable, quote};
use crate::providers::Variable;

/// The one key of Curl.
pub(super) const FILE: &str = "curlrc";

/// The query's line first, then the headers. curl encodes a query's value by itself, and its name not.
pub(super) fn data(material: &Material) -> Result<Data, Unrenderable> {
    let request = Request::of(material)?;
    let mut page = Page::default();
    if let Some((name, encoded)) = request.query {
        let raw = quote::unpercent(encoded).ok_or(Unrenderable::Inexpressible(Variable::QueryValue))?;
        page.push("url-query = \"");
        quote::percent(&mut page, name);
        page.push("=");
        quote::curl(&mut page, &raw);
        page.push("\"");
    }
    for (name, text) in request.headers() {
        page.push(if page.len() == 0 { "header = \"" } else { "\nheader = \"" });
        quote::curl(&mut page, name);
        page.push(": ");
        quote::curl(&mut page, text);
        page.push("\"");
    }
    Ok(Data::from([(FILE.to_owned(), page.finish())]))
}
