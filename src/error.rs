//! What failed at the API server? Verb, resource and code; never a text of the server's, which may quote our data.

use kube::core::Status;
use kube::runtime::watcher;
use std::fmt;
use std::time::Duration;

/// A call to the API server that failed. Nothing in it comes from the server but the HTTP code and the class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot {verb} {resource}: {}", self.cause())]
pub struct Failure {
    /// What was asked for.
    pub verb: Verb,
    /// The resource, as RBAC writes it.
    pub resource: &'static str,
    /// The HTTP code, if there was an answer.
    pub code: Option<u16>,
    class: Class,
    obstacle: Option<Obstacle>,
}

/// Why nobody answered, where that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Obstacle {
    Name,
    Refused,
    Route,
    Silence,
    Tls,
    Broken,
}

/// What was asked for, in RBAC's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Read one.
    Get,
    /// Read all.
    List,
    /// Be told of changes.
    Watch,
    /// Make one.
    Create,
    /// Replace one.
    Update,
    /// Apply or patch one.
    Patch,
    /// Delete one.
    Delete,
}

/// What kind of failure it is, which says what to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// There is no such object, or no such resource.
    NotFound,
    /// RBAC, a quota or an admission rule refuses it.
    Forbidden,
    /// The server does not know who asks.
    Unauthorized,
    /// The object has changed since it was read.
    Conflict,
    /// An object of that name is there already.
    AlreadyExists,
    /// The server refuses what was sent.
    Invalid,
    /// Too many requests; the server's advice when to try again, if it gave one.
    Throttled(Option<Duration>),
    /// No answer in time.
    Timeout,
    /// No connection, or the server's own failure.
    Unavailable,
    /// The resource version is too old to go on from.
    Gone,
    /// Any other answer, one that cannot be read among them.
    Unexpected,
}

impl Failure {
    /// What a call came to, without the error's own text.
    #[must_use]
    pub fn new(verb: Verb, resource: &'static str, error: &kube::Error) -> Self {
        let (class, code) = read(error);
        Self { verb, resource, code, class, obstacle: obstacle(error) }
    }

    /// What a watch came to, without the error's own text.
    #[must_use]
    pub fn watch(resource: &'static str, error: &watcher::Error) -> Self {
        let (verb, (class, code)) = match error {
            watcher::Error::InitialListFailed(error) => (Verb::List, read(error)),
            watcher::Error::WatchStartFailed(error) | watcher::Error::WatchFailed(error) => (Verb::Watch, read(error)),
            watcher::Error::WatchError(status) => (Verb::Watch, judge(status)),
            watcher::Error::NoResourceVersion => (Verb::Watch, (Class::Unexpected, None)),
        };
        let obstacle = match error {
            watcher::Error::InitialListFailed(error)
            | watcher::Error::WatchStartFailed(error)
            | watcher::Error::WatchFailed(error) => obstacle(error),
            watcher::Error::WatchError(_) | watcher::Error::NoResourceVersion => None,
        };
        Self { verb, resource, code, class, obstacle }
    }

    /// A call that did not end within our own deadline.
    #[must_use]
    pub const fn timeout(verb: Verb, resource: &'static str) -> Self {
        Self { verb, resource, code: None, class: Class::Timeout, obstacle: None }
    }

    /// An answer that cannot be read.
    #[must_use]
    pub const fn unexpected(verb: Verb, resource: &'static str) -> Self {
        Self { verb, resource, code: None, class: Class::Unexpected, obstacle: None }
    }

    /// Nothing was sent, because what was seen is not how things stand any more: look again.
    #[must_use]
    pub const fn overtaken(resource: &'static str) -> Self {
        Self { verb: Verb::Update, resource, code: None, class: Class::Conflict, obstacle: None }
    }

    /// Nothing was sent, because it is too soon after others like it.
    #[must_use]
    pub const fn paced(wait: Duration) -> Self {
        let class = Class::Throttled(Some(wait));
        Self { verb: Verb::Update, resource: "secrets", code: None, class, obstacle: None }
    }

    /// Whether it is our own doing, and no more than a wait.
    #[must_use]
    pub const fn is_paced(&self) -> bool {
        self.code.is_none() && matches!(self.class, Class::Throttled(_))
    }

    /// What kind of failure it is.
    #[must_use]
    pub const fn class(&self) -> Class {
        self.class
    }

    /// Whether the API server has said that it did nothing. Else it may have done what was asked.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        match self.class {
            Class::NotFound
            | Class::Forbidden
            | Class::Unauthorized
            | Class::Conflict
            | Class::AlreadyExists
            | Class::Invalid
            | Class::Throttled(_)
            | Class::Gone => true,
            Class::Timeout | Class::Unavailable | Class::Unexpected => false,
        }
    }

    /// Why, without what was asked for: `not found (404)`.
    #[must_use]
    pub const fn cause(&self) -> Cause {
        Cause(self.class, self.code, self.obstacle)
    }
}

/// Why a file cannot be read or written, in words for a person.
#[must_use]
#[expect(clippy::wildcard_enum_match_arm, reason = "the system's list: all else is said as it says it")]
pub fn refused_by_system(kind: std::io::ErrorKind) -> String {
    match kind {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        other => other.to_string(),
    }
}

fn read(error: &kube::Error) -> (Class, Option<u16>) {
    if let kube::Error::Api(status) = error {
        return judge(status);
    }
    (unanswered(error), None)
}

/// A failure without a status from the server.
#[expect(clippy::wildcard_enum_match_arm, reason = "kube's enum: what it adds is unexpected")]
fn unanswered(error: &kube::Error) -> Class {
    match error {
        kube::Error::Service(source) if source.is::<tower::timeout::error::Elapsed>() => Class::Timeout,
        kube::Error::Service(_) | kube::Error::HyperError(_) | kube::Error::ReadEvents(_) => Class::Unavailable,
        kube::Error::Auth(_) => Class::Unauthorized,
        _ => Class::Unexpected,
    }
}

/// What stood in the way of an answer: the first cause that we know. Only kinds are looked at; hyper's own sentence
/// for a name that has no address has none, and is compared, not told.
fn obstacle(error: &kube::Error) -> Option<Obstacle> {
    let kube::Error::Service(source) = error else { return None };
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(source.as_ref());
    while let Some(one) = cause {
        if one.is::<rustls::Error>() {
            return Some(Obstacle::Tls);
        }
        let system = one.downcast_ref::<std::io::Error>();
        let found = match system {
            Some(system) => by_system(system.kind()),
            None => (one.to_string() == "dns error").then_some(Obstacle::Name),
        };
        if found.is_some() {
            return found;
        }
        // What a system's error wraps is not its source.
        cause = match system.and_then(std::io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => one.source(),
        };
    }
    None
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the system's list: all else may wrap what we know")]
const fn by_system(kind: std::io::ErrorKind) -> Option<Obstacle> {
    use std::io::ErrorKind;
    match kind {
        ErrorKind::ConnectionRefused => Some(Obstacle::Refused),
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => Some(Obstacle::Route),
        ErrorKind::TimedOut => Some(Obstacle::Silence),
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::UnexpectedEof => Some(Obstacle::Broken),
        _ => None,
    }
}

/// The machine reason decides; the code does where there is none that we know.
fn judge(status: &Status) -> (Class, Option<u16>) {
    let wait = status.details.as_ref().map(|details| details.retry_after_seconds).filter(|seconds| *seconds > 0);
    let wait = wait.map(|seconds| Duration::from_secs(seconds.into()));
    let class = match status.reason.as_str() {
        "NotFound" => Class::NotFound,
        "Forbidden" => Class::Forbidden,
        "Unauthorized" => Class::Unauthorized,
        "AlreadyExists" => Class::AlreadyExists,
        "Conflict" => Class::Conflict,
        "Gone" | "Expired" => Class::Gone,
        "Invalid" | "BadRequest" | "RequestEntityTooLarge" => Class::Invalid,
        "Timeout" | "ServerTimeout" => Class::Timeout,
        "TooManyRequests" => Class::Throttled(wait),
        "InternalError" | "ServiceUnavailable" | "StorageReadError" => Class::Unavailable,
        _ => by_code(status.code, wait),
    };
    (class, Some(status.code).filter(|code| *code != 0))
}

const fn by_code(code: u16, wait: Option<Duration>) -> Class {
    match code {
        404 => Class::NotFound,
        403 => Class::Forbidden,
        401 => Class::Unauthorized,
        409 => Class::Conflict,
        410 => Class::Gone,
        400 | 413 | 422 => Class::Invalid,
        429 => Class::Throttled(wait),
        408 | 504 => Class::Timeout,
        500..=599 => Class::Unavailable,
        _ => Class::Unexpected,
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
        })
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "not found",
            Self::Forbidden => "forbidden",
            Self::Unauthorized => "not authenticated",
            Self::Conflict => "changed by somebody else meanwhile",
            Self::AlreadyExists => "it exists already",
            Self::Invalid => "refused as invalid",
            Self::Throttled(_) => "too many requests",
            Self::Timeout => "no answer in time",
            Self::Unavailable => "the API server is unavailable",
            Self::Gone => "the resource version is too old",
            Self::Unexpected => "an unexpected answer",
        })
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "its name has no address",
            Self::Refused => "the connection is refused",
            Self::Route => "no network leads there",
            Self::Silence => "no connection in time",
            Self::Tls => "its certificate is not trusted, or TLS failed",
            Self::Broken => "the connection broke",
        })
    }
}

/// Why a call failed: the class, the code if there is one, and what stood in the way if that is known.
#[derive(Debug, Clone, Copy)]
pub struct Cause(Class, Option<u16>, Option<Obstacle>);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)?;
        self.1.map_or(Ok(()), |code| write!(f, " ({code})"))?;
        self.2.filter(|_| self.0 == Class::Unavailable).map_or(Ok(()), |obstacle| write!(f, ": {obstacle}"))
    }
}

#[cfg(test)]
mod tests;
