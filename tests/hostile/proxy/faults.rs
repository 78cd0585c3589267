//! Which fault is due for a request? The first rule that matches, after those it lets pass, until it is used up.

use std::time::Duration;

use serde_json::json;

use super::request::Asked;

/// What goes wrong with a request.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// SIGKILL to the operator; nothing is passed on.
    KillBefore,
    /// Passed on and done; SIGKILL before the answer.
    KillAfter,
    /// Not passed on; this is the answer.
    Refuse(Refusal),
    /// Passed on and done; this is the answer all the same.
    CommitThen(Refusal),
    /// RST, without passing on.
    Reset,
    /// Passed on and done; RST instead of the answer.
    CommitThenReset,
    /// No answer, and nothing is passed on.
    Hang,
    /// Passed on when `release` says so, whatever has become of the operator.
    Held,
    /// The answer's headers come later.
    SlowHeaders(Duration),
    /// The answer comes a byte at a time.
    Drip(Duration),
    /// The answer ends in its middle.
    Truncate,
    /// Half of the answer, and no end.
    Stall,
    /// The answer does not parse, and still holds what it held.
    Garble,
    /// A list as it was at this revision.
    OldSnapshot(String),
}

/// An answer of the proxy's own.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(super) code: u16,
    reason: &'static str,
    pub(super) retry_after: Option<String>,
    message: String,
}

impl Refusal {
    fn of(code: u16, reason: &'static str) -> Self {
        Self { code, reason, retry_after: None, message: "simulated".to_owned() }
    }

    pub(crate) fn conflict() -> Self {
        Self::of(409, "Conflict")
    }

    pub(crate) fn unknown() -> Self {
        Self::of(404, "NotFound")
    }

    pub(crate) fn gone() -> Self {
        Self::of(410, "Expired")
    }

    pub(crate) fn internal() -> Self {
        Self::of(500, "InternalError")
    }

    pub(crate) fn timeout() -> Self {
        Self::of(504, "Timeout")
    }

    pub(crate) fn too_many(retry_after: &str) -> Self {
        Self { retry_after: Some(retry_after.to_owned()), ..Self::of(429, "TooManyRequests") }
    }

    /// As an admission policy may word it.
    pub(crate) fn denied(message: &str) -> Self {
        Self { message: message.to_owned(), ..Self::of(403, "Forbidden") }
    }

    /// The body of the answer, or of a watch's last event.
    pub(super) fn body(&self) -> String {
        json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "code": self.code,
        })
        .to_string()
    }
}

/// A fault and whom it meets; a filter left out meets everyone.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    verb: Option<&'static str>,
    resource: Option<String>,
    name: Option<String>,
    skip: usize,
    times: Option<usize>,
    fault: Fault,
}

impl Rule {
    pub(crate) fn new(fault: Fault) -> Self {
        Self { verb: None, resource: None, name: None, skip: 0, times: None, fault }
    }

    pub(crate) fn on(self, verb: &'static str, resource: &str) -> Self {
        Self { verb: Some(verb), resource: Some(resource.to_owned()), ..self }
    }

    pub(crate) fn to(self, asked: &Asked) -> Self {
        Self { name: Some(asked.name.clone()), ..self.on(asked.verb, &asked.resource) }
    }

    pub(crate) fn named(self, name: &str) -> Self {
        Self { name: Some(name.to_owned()), ..self }
    }

    /// Lets so many pass first.
    pub(crate) fn after(self, skip: usize) -> Self {
        Self { skip, ..self }
    }

    pub(crate) fn times(self, times: usize) -> Self {
        Self { times: Some(times), ..self }
    }

    fn meets(&self, asked: &Asked) -> bool {
        self.verb.is_none_or(|verb| verb == asked.verb)
            && self.resource.as_ref().is_none_or(|resource| *resource == asked.resource)
            && self.name.as_ref().is_none_or(|name| *name == asked.name)
    }
}

/// The rules that hold, in order.
#[derive(Default)]
pub(super) struct Faults(Vec<Rule>);

impl Faults {
    pub(super) fn add(&mut self, rule: Rule) {
        self.0.push(rule);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn due(&mut self, asked: &Asked) -> Option<Fault> {
        let rule = self.0.iter_mut().find(|rule| rule.times != Some(0) && rule.meets(asked))?;
        if rule.skip > 0 {
            rule.skip -= 1;
            return None;
        }
        rule.times = rule.times.map(|times| times - 1);
        Some(rule.fault.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_meets_the_nth_of_its_kind_and_is_used_up() {
        let asked = |verb| Asked { verb, resource: "secrets".to_owned(), name: "a".to_owned() };
        let mut faults = Faults::default();
        faults.add(Rule::new(Fault::Hang).on("create", "secrets").named("a").after(1).times(1));
        let due: Vec<_> = ["get", "create", "create", "create"].map(|verb| faults.due(&asked(verb)).is_some()).into();
        assert_eq!(due, [false, false, true, false]);
    }
}
