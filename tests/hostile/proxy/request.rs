//! What does a request ask the API server for? Verb, resource and name, as the API server itself would say.

use serde_json::Value;

/// The verbs that change something.
const MUTATING: [&str; 4] = ["create", "update", "patch", "delete"];

/// A request as it came in.
#[derive(Clone, Debug, Default)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

/// What it asks for.
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Asked {
    /// As in RBAC.
    pub(crate) verb: &'static str,
    /// In the plural, with its subresource: `connectorcredentials/status`.
    pub(crate) resource: String,
    /// Empty for lists; of an Event the name of what it is about, for its own is drawn.
    pub(crate) name: String,
}

impl Asked {
    pub(crate) fn is_mutation(&self) -> bool {
        MUTATING.contains(&self.verb)
    }
}

impl std::fmt::Display for Asked {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} {} {}", self.verb, self.resource, self.name)
    }
}

impl Request {
    pub(super) fn asked(&self) -> Asked {
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        let mut segments = path.trim_matches('/').split('/');
        // `api/v1` or `apis/GROUP/VERSION`.
        let prefix = if segments.next() == Some("apis") { 2 } else { 1 };
        let mut rest: Vec<&str> = segments.skip(prefix).collect();
        if rest.first() == Some(&"namespaces") && rest.len() > 2 {
            rest.drain(..2);
        }
        let (resource, name) = (rest.first().copied().unwrap_or_default(), rest.get(1).copied());
        let resource = rest.get(2).map_or(resource.to_owned(), |sub| format!("{resource}/{sub}"));
        let verb = match (self.method.as_str(), name) {
            ("GET", None) if query.split('&').any(|pair| pair == "watch=true" || pair == "watch=1") => "watch",
            ("GET", None) => "list",
            ("GET", _) => "get",
            ("POST", _) => "create",
            ("PUT", _) => "update",
            ("PATCH", _) => "patch",
            _ => "delete",
        };
        let name = name.map_or_else(|| if verb == "create" { self.named() } else { String::new() }, str::to_owned);
        Asked { verb, resource, name }
    }

    /// Empty for what is in none, or in all.
    pub(super) fn namespace(&self) -> &str {
        let path = self.target.split('?').next().unwrap_or_default();
        let mut segments = path.split('/').skip_while(|segment| *segment != "namespaces").skip(1);
        segments.next().filter(|_| segments.next().is_some()).unwrap_or_default()
    }

    /// The name in the body of a create.
    fn named(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let name = body.pointer("/regarding/name").or_else(|| body.pointer("/metadata/name"));
        name.and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// The same list, of a moment in the past.
    pub(super) fn at_revision(mut self, revision: &str) -> Self {
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        let kept = query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("resourceVersion"));
        let exact = [format!("resourceVersion={revision}"), "resourceVersionMatch=Exact".to_owned()];
        let query: Vec<_> = kept.map(str::to_owned).chain(exact).collect();
        self.target = format!("{path}?{}", query.join("&"));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: &str, target: &str, body: &str) -> String {
        let request = Request { method: method.to_owned(), target: target.to_owned(), ..Request::default() };
        Request { body: body.as_bytes().to_vec(), ..request }.asked().to_string()
    }

    #[test]
    fn requests_are_read_as_the_api_server_reads_them() {
        let group = "/apis/connector-operator.io/v1alpha1";
        assert_eq!(asked("GET", "/api/v1/namespaces/a/secrets/key", ""), "get secrets key");
        assert_eq!(asked("GET", "/api/v1/namespaces/a/secrets?limit=500", ""), "list secrets ");
        assert_eq!(asked("GET", "/api/v1/secrets?watch=true&x=1", ""), "watch secrets ");
        assert_eq!(asked("POST", "/api/v1/namespaces/a/secrets?", r#"{"metadata":{"name":"n"}}"#), "create secrets n");
        let status = format!("{group}/namespaces/a/connectorcredentials/crm/status?force=true");
        assert_eq!(asked("PATCH", &status, ""), "patch connectorcredentials/status crm");
        let event = r#"{"metadata":{"name":"crm.17"},"regarding":{"name":"crm"}}"#;
        assert_eq!(asked("POST", "/apis/events.k8s.io/v1/namespaces/a/events", event), "create events crm");
    }

    #[test]
    fn an_old_list_is_asked_for_by_its_revision() {
        let request = Request { target: "/x?limit=500&resourceVersion=0".to_owned(), ..Request::default() };
        assert_eq!(request.at_revision("7").target, "/x?limit=500&resourceVersion=7&resourceVersionMatch=Exact");
    }
}
