//! What does a provider say? A status, headers and a body, not yet on the wire.

use serde_json::Value;

#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Reply {
    pub(super) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    pub(super) fn typed(status: u16, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..Self::empty(status).with("Content-Type", kind) }
    }

    pub(super) fn json(status: u16, body: Value) -> Self {
        Self::typed(status, "application/json", body.to_string())
    }

    pub(super) fn text(status: u16, body: &str) -> Self {
        Self::typed(status, "text/plain; charset=utf-8", body)
    }

    pub(super) fn page(status: u16, title: &str) -> Self {
        let body =
            format!("<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n");
        Self::typed(status, "text/html; charset=utf-8", body)
    }

    pub(super) fn redirect(status: u16, to: &str) -> Self {
        Self::page(status, "Moved").with("Location", to)
    }

    /// The same with another status.
    pub(super) fn under(self, status: u16) -> Self {
        Self { status, ..self }
    }

    pub(super) fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }
}
