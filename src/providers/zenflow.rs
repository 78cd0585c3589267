//! How does ZenFlow prove a key, and each of its scopes?

use super::scope::{Answer, End};
use super::{
    AccountId, Ask, BaseUrl, Budget, Depth, Doubt, Given, Label, Profile, Provider, ProviderKind, Rejection, Reply,
    Scope, Site, Step, Unaddressable, Variable, Variables, Verdict,
};
use crate::credential::{AccessToken, Key, Malformed};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A ZenFlow key. It is made in ZenFlow's dashboard under Settings, API Keys, Create API Key, with a name, scopes and
/// an optional expiration, to be repeated in `expiresAt`; it is shown once. `{}` declares a Live key and no scopes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "!(has(self.scopePreset) && has(self.scopes))",
    "message": "at most one of `scopePreset` and `scopes` must be set",
    "fieldPath": ".scopes",
}]))]
pub struct ZenFlow {
    /// Which environment the key is for; it must match the key's prefix. Default: `Live`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Environment>,
    /// The set of scopes that was chosen for the key. At most one of `scopePreset` and `scopes` is set. Default: no
    /// scope is declared, so none is proved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope_preset: Option<ScopePreset>,
    /// The scopes that were chosen for the key, each once. Each read scope is proved by a small request; write scopes
    /// cannot be proved without writing. At most one of `scopePreset` and `scopes` is set. Default: no scope is
    /// declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 9), extend("x-kubernetes-list-type" = "set"))]
    pub scopes: Option<Vec<Scope>>,
    /// The allow-list that was set on the key in ZenFlow, repeated here so that messages can name it: one to 64 IP
    /// addresses or CIDRs. It needs the egress addresses of the operator and of the workloads. Default: none.
    #[serde(default, rename = "allowedCIDRs", skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 64),
        inner(length(max = 43)),
        extend("x-kubernetes-list-type" = "set", "x-kubernetes-validations" = [{
            "rule": "self.all(c, isIP(c) || isCIDR(c))",
            "message": "`allowedCIDRs` must be IP addresses such as 203.0.113.7 or CIDRs such as 198.51.100.0/24",
        }])
    )]
    pub allowed_cidrs: Option<Vec<String>>,
    /// What to do about a key that can do more than it declares. Default: `Ignore`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least_privilege: Option<LeastPrivilege>,
}

/// ZenFlow's two environments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Environment {
    /// Keys that begin with `zenflow_live_`.
    #[default]
    Live,
    /// Keys that begin with `zenflow_test_`.
    Test,
}

/// ZenFlow's documented sets of scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ScopePreset {
    /// Read orders, products and stock.
    ReadOnly,
    /// Read orders, products and stock; write orders and stock.
    ERPSync,
    /// Read products and stock; write stock.
    StockSync,
    /// The scope `admin`: everything.
    FullAccess,
}

/// What to do about a key that can do more than it declares.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LeastPrivilege {
    /// Nothing.
    #[default]
    Ignore,
    /// Look for it once a day at most, and raise `OverPrivileged`.
    Warn,
}

/// What is the same for every credential of this provider.
pub(super) static PROFILE: Profile = Profile {
    kind: ProviderKind::ZenFlow,
    member: "zenflow",
    display: "ZenFlow",
    documents: "https://docs.zenflow.com.ar",
    endpoint: Some("https://api.zenflow.com.ar/api/v1"),
    placeholder: None,
    mints_token: false,
    announces_limits: true,
    longest: 4,
    budget: &BUDGET,
    when_rejected: "Check the key in the Secret, and in ZenFlow's dashboard, under Settings, API Keys, whether it is still \
                    active; make a new one with the same scopes there and put it into the Secret.",
    when_denied: "Check the key's scopes and its allow-list in ZenFlow's dashboard under Settings, API Keys: the \
                  allow-list needs the egress addresses of the operator and of the workloads.",
    when_unexpected: "Check whether the configured endpoint is ZenFlow's.",
};

/// A tenth of 60 a minute, 1000 an hour and 10000 a day per key.
static BUDGET: Budget = Budget {
    burst: 8,
    windows: &[(6, Duration::from_secs(60)), (100, Duration::from_secs(3600)), (1000, Duration::from_secs(86_400))],
};

/// Documented: the header that carries the key.
const HEADER: &str = "X-API-Key";
/// Statuses that refuse an expired or revoked key: assumed.
const STATUSES_OF_A_DEAD_KEY: &[u16] = &[200, 401, 403];
/// Statuses that refuse an address: assumed.
const STATUSES_OF_A_FORBIDDEN_ADDRESS: &[u16] = &[200, 401, 403];
impl Environment {
    /// The environment as the credential writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "Live",
            Self::Test => "Test",
        }
    }

    /// How its keys begin.
    const fn prefix(self) -> &'static str {
        match self {
            Self::Live => "zenflow_live_",
            Self::Test => "zenflow_test_",
        }
    }
}

impl Provider for ZenFlow {
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }

    fn account(&self) -> AccountId {
        AccountId::ByKey
    }

    fn base(&self, site: &Site) -> Result<BaseUrl, Unaddressable> {
        BaseUrl::build(site.endpoint_or(&PROFILE)?, &Label::NONE, "")
    }

    fn questions(&self, _site: &Site) -> String {
        names(&self.declared())
    }

    fn inspect(&self, key: &Key) -> Result<(), Malformed> {
        let prefix = self.environment.unwrap_or_default().prefix();
        match key.reveal().strip_prefix(prefix) {
            Some(rest) if !rest.is_empty() => Ok(()),
            Some(_) | None => Err(Malformed::WrongPrefix),
        }
    }

    fn next(&self, given: &Given<'_>, heard: &[Reply]) -> Step {
        let course = self.course(given.depth);
        let mut answers = vec![];
        for reply in heard {
            let proved = answers.iter().any(|answer| matches!(answer, Answer::Proved | Answer::ScopeMissing));
            match read(reply) {
                Answer::Settled(verdict) => return Step::Done(verdict.into()),
                Answer::NoSuchCall if !proved => return Step::Done(Verdict::Inconclusive(Doubt::Unexpected)),
                answer @ (Answer::Proved | Answer::ScopeMissing | Answer::NoSuchCall) => answers.push(answer),
            }
        }
        match course.get(heard.len()) {
            Some(question) => Step::Ask(Ask::get(question.path()).header(HEADER, given.key)),
            None => Step::Done(self.conclude(&course, &answers, given.depth)),
        }
    }

    fn requests(&self) -> u32 {
        u32::try_from(self.course(Depth::Declared).len()).unwrap_or(PROFILE.longest)
    }

    fn variables(&self, key: &Key, site: &Site, _token: Option<&AccessToken>) -> Variables {
        let declared = self.declared();
        Variables::of(self, key, site)
            .with_header(HEADER, key.reveal())
            .with(Variable::Environment, self.environment.unwrap_or_default().name())
            .with_some(Variable::Scopes, (!declared.is_empty()).then(|| names(&declared)))
    }

    fn audits(&self) -> bool {
        let declared = self.declared();
        self.least_privilege == Some(LeastPrivilege::Warn) && !declared.is_empty() && !declared.contains(&Scope::Admin)
    }

    fn test_path(&self, _site: &Site) -> Option<String> {
        self.course(Depth::Declared).first().map(|question| question.path().to_owned())
    }
}

fn names(scopes: &[Scope]) -> String {
    scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>().join(",")
}

/// Only `success` and the error's code are looked at: messages are localised.
fn read(reply: &Reply) -> Answer {
    let status = reply.status();
    let success = reply.json().and_then(|body| body.get("success")?.as_bool());
    let error = reply.json().and_then(|body| body.get("error")).filter(|error| !error.is_null());
    let code = error.and_then(|error| error.get("code")?.as_str()).filter(|_| success != Some(true));
    let dead = STATUSES_OF_A_DEAD_KEY.contains(&status);
    match (status, code) {
        (200, None) if success == Some(true) && error.is_none() => Answer::Proved,
        (200 | 401, Some("invalid_api_key")) => Answer::Settled(End::Rejected(Rejection::Key)),
        (_, Some("expired_api_key")) if dead => Answer::Settled(End::Rejected(Rejection::Expired)),
        (_, Some("revoked_api_key")) if dead => Answer::Settled(End::Rejected(Rejection::Revoked)),
        (200 | 403, Some("insufficient_scope")) => Answer::ScopeMissing,
        (_, Some("ip_not_allowed")) if STATUSES_OF_A_FORBIDDEN_ADDRESS.contains(&status) => {
            Answer::Settled(End::ForbiddenAddress)
        }
        (400 | 404, _) => Answer::NoSuchCall,
        _ => Answer::Settled(End::Doubtful),
    }
}

#[cfg(test)]
mod tests;
