//! What did the operator ask the API server for? Counted from the audit log while it grows.
#![allow(dead_code, reason = "the tests use a part of it")]

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use jiff::Timestamp;
use serde::Deserialize;

/// The account that the operator runs as.
const OPERATOR: &str = "system:serviceaccount:connector-operator:connector-operator";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    #[serde(borrow)]
    stage: Cow<'a, str>,
    #[serde(borrow)]
    verb: Cow<'a, str>,
    #[serde(borrow)]
    user: User<'a>,
    #[serde(borrow)]
    object_ref: Option<Reference<'a>>,
    response_status: Option<Answer>,
    stage_timestamp: Timestamp,
}

#[derive(Deserialize)]
struct User<'a> {
    #[serde(borrow)]
    username: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Reference<'a> {
    #[serde(borrow)]
    resource: Option<Cow<'a, str>>,
    #[serde(borrow)]
    subresource: Option<Cow<'a, str>>,
    #[serde(borrow)]
    namespace: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Answer {
    code: Option<u16>,
}

/// Requests since a moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requests {
    /// By verb and resource, as in `get secrets`.
    pub(crate) by_kind: BTreeMap<String, u64>,
    /// Those that the API server refused.
    pub(crate) refused: u64,
    /// When the last status was written.
    pub(crate) last_status: Option<Timestamp>,
}

impl Requests {
    /// How many there were of this kind.
    pub(crate) fn of(&self, kind: &str) -> u64 {
        self.by_kind.get(kind).copied().unwrap_or_default()
    }

    /// All that change something.
    pub(crate) fn writes(&self) -> u64 {
        self.sum(|kind| !["get", "list", "watch"].iter().any(|verb| kind.starts_with(verb)))
    }

    /// All but lists and watches.
    pub(crate) fn single(&self) -> u64 {
        self.sum(|kind| !["list", "watch"].iter().any(|verb| kind.starts_with(verb)))
    }

    /// All.
    pub(crate) fn all(&self) -> u64 {
        self.sum(|_| true)
    }

    fn sum(&self, counts: impl Fn(&str) -> bool) -> u64 {
        self.by_kind.iter().filter(|(kind, _)| counts(kind)).map(|(_, number)| number).sum()
    }

    fn take(&mut self, line: &Line) {
        // A watch is logged when it begins, and once more when it ends.
        let counted = if line.verb == "watch" { "ResponseStarted" } else { "ResponseComplete" };
        if line.user.username != OPERATOR || line.stage != counted {
            return;
        }
        let (resource, subresource) = match &line.object_ref {
            Some(Reference { resource, subresource, .. }) => (resource.as_deref(), subresource.as_deref()),
            None => (None, None),
        };
        let slash = subresource.map(|name| format!("/{name}")).unwrap_or_default();
        let mut kind = format!("{} {}{slash}", line.verb, resource.unwrap_or("other"));
        if kind == STATUS_WRITE {
            self.last_status = Some(line.stage_timestamp);
        }
        if let Some(code) = line.response_status.as_ref().and_then(|answer| answer.code).filter(|code| *code >= 400) {
            kind = format!("{kind} refused with {code}");
            self.refused += 1;
        }
        *self.by_kind.entry(kind).or_default() += 1;
    }
}

/// The kind of a status write.
pub(crate) const STATUS_WRITE: &str = "patch connectorcredentials/status";

/// The end of the audit log, as far as it was read.
pub(crate) struct Audit {
    file: File,
    rest: Vec<u8>,
    /// Counts what concerns these namespaces only; all, if there are none.
    only: Vec<String>,
    requests: Requests,
}

impl Audit {
    /// Counts from now on.
    pub(crate) fn from_now(log: &Path) -> io::Result<Self> {
        let mut file = File::open(log)?;
        file.seek(SeekFrom::End(0))?;
        Ok(Self { file, rest: Vec::new(), only: Vec::new(), requests: Requests::default() })
    }

    /// Counts what concerns these namespaces, and nothing else.
    pub(crate) fn within(self, namespaces: &[String]) -> Self {
        Self { only: namespaces.to_vec(), ..self }
    }

    /// What was asked until now.
    pub(crate) fn read(&mut self) -> io::Result<&Requests> {
        self.file.read_to_end(&mut self.rest)?;
        let whole = self.rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let after = self.rest.split_off(whole);
        let lines = std::mem::replace(&mut self.rest, after);
        let lines = String::from_utf8_lossy(&lines);
        for line in lines.lines().filter(|line| line.contains(OPERATOR)) {
            if let Ok(line) = serde_json::from_str::<Line>(line).as_ref()
                && self.concerns(line)
            {
                self.requests.take(line);
            }
        }
        Ok(&self.requests)
    }

    fn concerns(&self, line: &Line) -> bool {
        let namespace = line.object_ref.as_ref().and_then(|reference| reference.namespace.as_deref());
        self.only.is_empty() || namespace.is_some_and(|here| self.only.iter().any(|namespace| namespace == here))
    }
}
