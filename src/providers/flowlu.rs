//! How does Flowlu prove a key?

use super::{
    Access, AccountId, Ask, BaseUrl, Budget, Doubt, Given, Label, Profile, Proof, Provider, ProviderKind, Rejection,
    Reply, Site, Step, Unaddressable, Variable, Variables, Verdict,
};
use crate::credential::{AccessToken, Key};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;

/// A Flowlu key. An administrator makes it in Flowlu under the profile icon, Portal Settings, API Settings, Create, and
/// picks the methods that it may use; it is not shown again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Flowlu {
    /// The workspace: the first label of its address, `mycompany` for mycompany.flowlu.com. At most 63 small letters,
    /// digits and dashes; not `www`.
    #[schemars(
        length(max = 63),
        regex(pattern = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"),
        extend("x-kubernetes-validations" = [{
            "rule": "self != 'www'",
            "message": "`account` must be a workspace of yours: www is Flowlu's own site",
        }])
    )]
    pub account: String,
}

/// What is the same for every credential of this provider.
pub(super) static PROFILE: Profile = Profile {
    kind: ProviderKind::Flowlu,
    member: "flowlu",
    display: "Flowlu",
    documents: "https://www.flowlu.com/api",
    endpoint: Some("https://{account}.flowlu.com"),
    placeholder: Some(PLACEHOLDER),
    mints_token: false,
    announces_limits: false,
    longest: 2,
    budget: &BUDGET,
    when_rejected: "Check the key in the Secret and account: a key is known to its own workspace only. Keys are made in \
                    Flowlu under Portal Settings, API Settings; if this one is lost or deleted there, make another and \
                    put it into the Secret.",
    when_denied: "Check which methods the key was granted in Flowlu under Portal Settings, API Settings.",
    when_unexpected: "Check account: it is the first label of the workspace's address, mycompany for mycompany.flowlu.com.",
};

/// The limit depends on the plan and is not published: assumed.
static BUDGET: Budget = Budget { burst: 6, windows: &[(6, Duration::from_secs(60))] };

/// Where the account goes in the endpoint.
const PLACEHOLDER: &str = "{account}";
/// Documented: where calls are, below the workspace.
const MODULES: &str = "/api/v1/module";
/// Documented: the query parameter that carries the key.
const PARAMETER: &str = "api_key";
/// Seen in public client code only.
const PROBE: &str = "/core/user/list?limit=1";
/// Asked when the first is denied. Seen in public client code only.
const SECOND_PROBE: &str = "/task/tasks/list?page=1&limit=1";
/// What the text of a rate limit holds, in lower case. Seen in public client code only.
const RATE_TEXT: &str = "request rate";
/// What the text of a denial with code 30 holds, in lower case. Seen in public client code only.
const DENIAL_TEXT: &str = "access denied";

/// Documented codes of errors.
mod code {
    pub(super) const UNKNOWN: i64 = 10;
    /// That it comes with 200 is seen in public client code only.
    pub(super) const AUTHORIZATION_FAILED: i64 = 11;
    pub(super) const SERVER_FAULT: i64 = 13;
    pub(super) const ACCESS_DENIED: i64 = 22;
    pub(super) const UNKNOWN_METHOD: i64 = 30;
}

impl Provider for Flowlu {
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }

    fn account(&self) -> AccountId {
        AccountId::Named(self.account.clone())
    }

    fn base(&self, site: &Site) -> Result<BaseUrl, Unaddressable> {
        let lower = self.account.bytes().all(|byte| !byte.is_ascii_uppercase());
        if !lower || self.account == "www" {
            return Err(Unaddressable::BadField("account"));
        }
        let label = Label { placeholder: PLACEHOLDER, value: &self.account, field: "account" };
        BaseUrl::build(site.endpoint_or(&PROFILE)?, &label, MODULES)
    }

    fn questions(&self, _site: &Site) -> String {
        String::new()
    }

    fn next(&self, given: &Given<'_>, heard: &[Reply]) -> Step {
        let mut heard = heard.iter().map(read);
        let verdict = match (heard.next(), heard.next()) {
            (None, _) => return Step::Ask(Ask::get(PROBE).query(PARAMETER, given.key)),
            (Some(Answer::Denied), None) => return Step::Ask(Ask::get(SECOND_PROBE).query(PARAMETER, given.key)),
            (Some(Answer::Denied), Some(Answer::Denied)) => Verdict::Accepted(Proof::of(Access::NotVerifiable)),
            // A key that was genuine a moment ago: the two answers contradict each other.
            (Some(Answer::Denied), Some(Answer::Rejected)) => Verdict::Inconclusive(Doubt::Unexpected),
            (Some(Answer::Denied), Some(last)) | (Some(last), _) => last.into(),
        };
        Step::Done(verdict)
    }

    fn variables(&self, key: &Key, site: &Site, _token: Option<&AccessToken>) -> Variables {
        Variables::of(self, key, site).with(Variable::Account, &self.account).with_query(PARAMETER, key.reveal())
    }

    fn test_path(&self, _site: &Site) -> Option<String> {
        Some(PROBE.to_owned())
    }
}

/// One reply, read.
#[derive(Debug, Clone, Copy)]
enum Answer {
    Accepted,
    /// The key is genuine, the method is not granted.
    Denied,
    Rejected,
    Doubtful(Doubt),
}

impl From<Answer> for Verdict {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Accepted => Self::Accepted(Proof::of(Access::Verified)),
            Answer::Denied => Self::Accepted(Proof::of(Access::NotVerifiable)),
            Answer::Rejected => Self::Rejected(Rejection::Key),
            Answer::Doubtful(doubt) => Self::Inconclusive(doubt),
        }
    }
}

fn read(reply: &Reply) -> Answer {
    let status = reply.status();
    let error = reply.json().and_then(|body| body.get("error"));
    let code = error.and_then(code_of);
    let fails = status == 200 || (400..500).contains(&status);
    match (status, error, code) {
        (200, None, _) if lists_items(reply) => Answer::Accepted,
        (_, Some(Value::String(text)), _) if fails && holds(text, RATE_TEXT) => Answer::Doubtful(Doubt::RateLimited),
        (_, _, Some(code::AUTHORIZATION_FAILED)) if fails => Answer::Rejected,
        (200 | 403, _, Some(code::ACCESS_DENIED)) => Answer::Denied,
        (200, Some(error), Some(code::UNKNOWN_METHOD)) if error.get("error_msg").is_some_and(denies) => Answer::Denied,
        (403, Some(error), _) if !error.is_null() => Answer::Denied,
        (401, _, _) => Answer::Rejected,
        (200, _, Some(code::UNKNOWN | code::SERVER_FAULT)) => Answer::Doubtful(Doubt::Unavailable),
        _ => Answer::Doubtful(Doubt::Unexpected),
    }
}

fn lists_items(reply: &Reply) -> bool {
    reply.json().and_then(|body| body.get("response")?.get("items")).is_some_and(Value::is_array)
}

/// The code is a number, or, seen in public client code only, a numeric string.
fn code_of(error: &Value) -> Option<i64> {
    let code = error.get("error_code")?;
    code.as_i64().or_else(|| code.as_str()?.parse().ok())
}

fn denies(message: &Value) -> bool {
    message.as_str().is_some_and(|text| holds(text, DENIAL_TEXT))
}

fn holds(text: &str, wanted: &str) -> bool {
    text.to_ascii_lowercase().contains(wanted)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{asked, assert_table, key, pairs, reply, site, verdict};
    use super::*;

    fn workspace(account: &str) -> Flowlu {
        Flowlu { account: account.to_owned() }
    }

    const ITEMS: &str = r#"{"response":{"total":1,"page":1,"count":1,"items":[{}]}}"#;
    const DENIED: &str = r#"{"error":{"error_code":22,"error_msg":"Access denied","error_details":[]}}"#;
    const BAD_KEY: &str = r#"{"error":{"error_code":11,"error_msg":"Authorization failed"}}"#;
    const RATE: &str = r#"{"error":"Request rate exceeded"}"#;

    #[test]
    fn every_row_of_the_table_holds() {
        assert_table(
            &workspace("mycompany"),
            "flowlu",
            &[
                (200, ITEMS, "accepted Verified"),
                (200, r#"{"response":{"items":[]}}"#, "accepted Verified"),
                (200, r#"{"response":{"items":[]},"error":null}"#, "inconclusive Unexpected"),
                (200, r#"{"response":{"items":[]},"error":{"error_code":11}}"#, "rejected Key"),
                (200, r#"{"response":{"items":{}}}"#, "inconclusive Unexpected"),
                (200, r#"{"response":[]}"#, "inconclusive Unexpected"),
                (201, ITEMS, "inconclusive Unexpected"),
                (200, RATE, "inconclusive RateLimited"),
                (400, RATE, "inconclusive RateLimited"),
                (401, RATE, "inconclusive RateLimited"),
                (403, RATE, "inconclusive RateLimited"),
                (200, BAD_KEY, "rejected Key"),
                (400, BAD_KEY, "rejected Key"),
                (401, BAD_KEY, "rejected Key"),
                (403, BAD_KEY, "rejected Key"),
                (404, BAD_KEY, "rejected Key"),
                (200, r#"{"error":{"error_code":"11"}}"#, "rejected Key"),
                (201, BAD_KEY, "inconclusive Unexpected"),
                (200, DENIED, "asks again"),
                (403, DENIED, "asks again"),
                (400, DENIED, "inconclusive Unexpected"),
                (200, r#"{"error":{"error_code":30,"error_msg":"Access Denied to method"}}"#, "asks again"),
                (200, r#"{"error":{"error_code":30,"error_msg":"Unknown method"}}"#, "inconclusive Unexpected"),
                (403, r#"{"error":{"error_code":30,"error_msg":"access denied"}}"#, "asks again"),
                (403, r#"{"error":"validation","description":"x","details":{}}"#, "asks again"),
                (403, r#"{"message":"x"}"#, "inconclusive Unexpected"),
                (403, "", "inconclusive Unexpected"),
                (401, "", "rejected Key"),
                (401, "no", "rejected Key"),
                (401, DENIED, "rejected Key"),
                (200, r#"{"error":{"error_code":10}}"#, "inconclusive Unavailable"),
                (200, r#"{"error":{"error_code":"13"}}"#, "inconclusive Unavailable"),
                (400, r#"{"error":{"error_code":13}}"#, "inconclusive Unexpected"),
                (200, r#"{"error":{"error_code":12}}"#, "inconclusive Unexpected"),
                (200, r#"{"error":{"error_code":31}}"#, "inconclusive Unexpected"),
                (200, r#"{"error":"validation","description":"x","details":{}}"#, "inconclusive Unexpected"),
                (200, "", "inconclusive Unexpected"),
                (404, "", "inconclusive Unexpected"),
                (404, r#"{"error":"x"}"#, "inconclusive Unexpected"),
            ],
        );
    }

    #[test]
    fn a_denied_key_is_asked_a_second_time_and_is_genuine() {
        for (second, expected) in [
            (reply(200, ITEMS), "accepted Verified"),
            (reply(200, DENIED), "accepted NotVerifiable"),
            (reply(403, DENIED), "accepted NotVerifiable"),
            (reply(200, BAD_KEY), "inconclusive Unexpected"),
            (reply(200, RATE), "inconclusive RateLimited"),
            (reply(404, "x"), "inconclusive Unexpected"),
        ] {
            assert_eq!(verdict(&workspace("mycompany"), &[reply(403, DENIED), second]), expected);
        }
    }

    #[test]
    fn it_asks_with_the_key_in_the_query() {
        let settings = workspace("mycompany");
        assert_eq!(asked(&settings, &[]), "Get /core/user/list?limit=1 accept=application/json query api_key");
        assert_eq!(
            asked(&settings, &[reply(200, DENIED)]),
            "Get /task/tasks/list?page=1&limit=1 accept=application/json query api_key"
        );
    }

    #[test]
    fn the_account_is_checked_again() {
        for account in
            ["", "www", "MyCompany", "-a", "a-", "a.b", "a/b", "evil.com#", "x@evil.com:443/", &"a".repeat(64)]
        {
            assert_eq!(workspace(account).base(&site()).err(), Some(Unaddressable::BadField("account")), "{account}");
        }
    }

    #[test]
    fn variables_are_those_of_the_table() {
        assert_eq!(
            pairs(&workspace("mycompany").variables(&key("flowlu+EXAMPLE"), &site(), None)),
            [
                "provider=flowlu",
                "baseURL=https://mycompany.flowlu.com/api/v1/module",
                "host=mycompany.flowlu.com",
                "apiKey=flowlu+EXAMPLE",
                "queryName=api_key",
                "queryValue=flowlu%2BEXAMPLE",
                "accept=application/json",
                "account=mycompany",
            ]
        );
    }
}
