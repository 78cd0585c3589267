//! What did an account ask the API server for, and what was it refused? Read from the audit log.

use std::fmt;
use std::fs;
use std::path::Path;

use serde_json::Value;

/// One request to the API server.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Request {
    /// `None`: all namespaces, or something that is in none.
    pub(crate) namespace: Option<String>,
    /// Empty for the core group.
    pub(crate) group: String,
    /// With its subresource; a path where it is no resource.
    pub(crate) resource: String,
    pub(crate) verb: String,
    /// Whether the account had no right to it. What admission or a quota refused is no question of rights.
    pub(crate) denied: bool,
    /// The HTTP status.
    pub(crate) code: u64,
    /// Names the token that it came with: each process has one of its own.
    pub(crate) token: String,
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.namespace.as_deref().unwrap_or("*");
        write!(f, "{} {}/{} in {place}", self.verb, self.group, self.resource)
    }
}

impl Request {
    fn parse(entry: &Value) -> Self {
        let text = |pointer: &str| entry.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let subresource = text("/objectRef/subresource").map(|name| format!("/{name}")).unwrap_or_default();
        let resource = text("/objectRef/resource").map(|resource| resource + &subresource);
        Self {
            namespace: text("/objectRef/namespace"),
            group: text("/objectRef/apiGroup").unwrap_or_default(),
            resource: resource.or_else(|| text("/requestURI")).unwrap_or_default(),
            verb: text("/verb").unwrap_or_default(),
            code: entry.pointer("/responseStatus/code").and_then(Value::as_u64).unwrap_or_default(),
            token: text("/user/extra/authentication.kubernetes.io~1credential-id/0").unwrap_or_default(),
            denied: entry.pointer("/annotations/authorization.k8s.io~1decision") != Some(&Value::from("allow")),
        }
    }
}

/// The requests whose lines hold `words` and whose accounts are as asked.
pub(crate) fn requests(log: &Path, words: &[&str], account: impl Fn(&str) -> bool) -> Vec<Request> {
    let log = fs::read_to_string(log).expect("there is an audit log");
    let lines = log.lines().filter(|line| words.iter().all(|word| line.contains(word)));
    // The last line may still be on its way.
    let entries = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let by = |entry: &Value| entry.pointer("/user/username").and_then(Value::as_str).is_some_and(&account);
    entries.filter(by).map(|entry| Request::parse(&entry)).collect()
}

/// What service accounts were denied in this namespace.
pub(crate) fn denials(log: &Path, namespace: &str) -> Vec<Request> {
    let service = |account: &str| account.starts_with("system:serviceaccount:");
    let all = requests(log, &[namespace, "\"forbid\""], service);
    all.into_iter().filter(|one| one.denied && one.namespace.as_deref() == Some(namespace)).collect()
}
