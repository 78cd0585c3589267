//! How does Aventri prove a key? By exchanging it for an access token.

use super::{
    Access, AccountId, Ask, BaseUrl, Budget, Doubt, Given, Label, Profile, Proof, Provider, ProviderKind, Rejection,
    Reply, Site, Step, Unaddressable, Variable, Variables, Verdict,
};
use crate::credential::{AccessToken, Key};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;
use zeroize::Zeroizing;

/// An Aventri (now Stova) key. Account ID and key are shown in Aventri under Settings, API; both are needed. They are
/// exchanged for an access token, which is published and renewed in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Aventri {
    /// The Account ID, as shown beside the key: 1 to 20 digits, in quotes.
    #[serde(rename = "accountID")]
    #[schemars(length(max = 20), regex(pattern = "^[0-9]{1,20}$"))]
    pub account_id: String,
    /// The region that the account lives in.
    pub region: Region,
    /// How long a token lives, as set for the account: a duration from `1m` to `24h`. Tokens are renewed at two thirds
    /// of it. Default: `10m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 32),
        regex(pattern = "^([0-9]{1,5}(h|m|s|ms)){1,4}$"),
        extend("x-kubernetes-validations" = [{
            "rule": "self.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$') && \
                     duration(self) >= duration('1m') && duration(self) <= duration('24h')",
            "message": "`tokenLifetime` must be a duration from one minute (1m) to twenty-four hours (24h)",
        }])
    )]
    pub token_lifetime: Option<String>,
}

/// Aventri's regions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Region {
    /// Accounts at na.eventscloud.com.
    NorthAmerica,
    /// Accounts at emea.eventscloud.com.
    EMEA,
    /// Accounts at apac.eventscloud.com.
    APAC,
}

/// What is the same for every credential of this provider.
pub(super) static PROFILE: Profile = Profile {
    kind: ProviderKind::Aventri,
    member: "aventri",
    display: "Aventri (now Stova)",
    documents: "https://developer.aventri.com",
    endpoint: Some(ENDPOINT),
    placeholder: Some(PLACEHOLDER),
    mints_token: true,
    announces_limits: false,
    longest: 1,
    budget: &BUDGET,
    when_rejected: "Check the key in the Secret, accountID and region: the key and the Account ID are shown in Aventri under \
                    Settings, and an account lives in one region. If the key was refreshed there, put the new one into \
                    the Secret.",
    when_denied: "Check in Aventri, under Account Settings, Integrations, what the key is limited to.",
    when_unexpected: "Check region, and whether the configured endpoint is Aventri's.",
};

/// A tenth of 400 a minute; going beyond that may suspend the account.
static BUDGET: Budget = Budget { burst: 6, windows: &[(40, Duration::from_secs(60))] };

/// Where the region goes in the endpoint.
const PLACEHOLDER: &str = "{region}";
/// Seen in public client code only.
const ENDPOINT: &str = "https://api-{region}.eventscloud.com";
/// Where calls are, below the endpoint. Seen in public client code only.
const PREFIX: &str = "/api/v2";
/// Seen in public client code only.
const EXCHANGE: &str = "/global/authorize.json";
/// Seen in public client code only.
const ACCOUNT_FIELD: &str = "accountid";
/// Seen in public client code only.
const KEY_FIELD: &str = "key";
/// Where the token is in the answer, and the query parameter that carries it. Seen in public client code only.
const TOKEN_FIELD: &str = "accesstoken";
/// A call that a token can be tried on.
const TEST_PATH: &str = "/global/listEvents.json?limit=1";
/// The longest account id. Seen in public client code: an integer.
const ACCOUNT_DIGITS: usize = 20;
/// What an error about the budget holds: assumed.
const LIMIT_WORDS: &[&str] = &["limit", "exceed", "too many", "suspend"];
/// What an error about the pair names: assumed.
const PAIR_WORDS: &[&str] = &["account", "key", "auth", "credential"];
/// What it says of it: assumed.
const REFUSAL_WORDS: &[&str] = &["invalid", "incorrect", "unknown", "not found"];
/// How long a token lives unless the account is set otherwise. Seen in public client code only.
const TOKEN_LIFETIME: Duration = Duration::from_secs(600);
/// The shortest and the longest life of a token that can be declared.
const LIFETIMES: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(86_400));

impl Region {
    /// The region in the endpoint. Seen in public client code only.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::NorthAmerica => "na",
            Self::EMEA => "emea",
            Self::APAC => "apac",
        }
    }

    /// The region as the credential writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NorthAmerica => "NorthAmerica",
            Self::EMEA => "EMEA",
            Self::APAC => "APAC",
        }
    }
}

impl Provider for Aventri {
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }

    fn account(&self) -> AccountId {
        AccountId::Named(format!("{}/{}", self.region.label(), self.account_id))
    }

    fn base(&self, site: &Site) -> Result<BaseUrl, Unaddressable> {
        let digits = self.account_id.bytes().all(|byte| byte.is_ascii_digit());
        if !digits || !(1..=ACCOUNT_DIGITS).contains(&self.account_id.len()) {
            return Err(Unaddressable::BadField("accountID"));
        }
        let label = Label { placeholder: PLACEHOLDER, value: self.region.label(), field: "region" };
        BaseUrl::build(site.endpoint_or(&PROFILE)?, &label, PREFIX)
    }

    fn questions(&self, _site: &Site) -> String {
        String::new()
    }

    fn next(&self, given: &Given<'_>, heard: &[Reply]) -> Step {
        match heard.last() {
            None => Step::Ask(Ask::form(EXCHANGE).field(ACCOUNT_FIELD, &self.account_id).secret(KEY_FIELD, given.key)),
            Some(reply) => Step::Done(read(reply)),
        }
    }

    fn variables(&self, key: &Key, site: &Site, token: Option<&AccessToken>) -> Variables {
        let variables = Variables::of(self, key, site)
            .with(Variable::AccountId, &self.account_id)
            .with(Variable::Region, self.region.name());
        match token.map(AccessToken::reveal) {
            Some(token) => {
                variables.with(Variable::AccessToken, token).with_query(TOKEN_FIELD, token).with_bearer(token)
            }
            None => variables,
        }
    }

    fn test_path(&self, _site: &Site) -> Option<String> {
        Some(TEST_PATH.to_owned())
    }

    fn token_lifetime(&self) -> Option<Duration> {
        let declared = self.token_lifetime.as_deref().and_then(lifetime).unwrap_or(TOKEN_LIFETIME);
        Some(declared.clamp(LIFETIMES.0, LIFETIMES.1))
    }
}

fn read(reply: &Reply) -> Verdict {
    let status = reply.status();
    let json = reply.json();
    if status == 200
        && let Some(token) = json.and_then(token_of)
    {
        let proof = Proof { token: Some(token), ..Proof::of(Access::NotVerifiable) };
        return Verdict::Accepted(proof);
    }
    let error = json.and_then(error_of);
    let says = |words: &[&str]| error.as_ref().is_some_and(|text| words.iter().any(|word| text.contains(word)));
    let fails = status == 200 || (400..500).contains(&status);
    let refuses = matches!(status, 200 | 400 | 401 | 403) && says(PAIR_WORDS) && says(REFUSAL_WORDS);
    if fails && says(LIMIT_WORDS) {
        Verdict::Inconclusive(Doubt::RateLimited)
    } else if refuses || (status == 401 && json.is_some()) {
        Verdict::Rejected(Rejection::Key)
    } else {
        Verdict::Inconclusive(Doubt::Unexpected)
    }
}

fn token_of(body: &Value) -> Option<AccessToken> {
    match body.get("error") {
        Some(_) => None,
        None => AccessToken::parse(body.get(TOKEN_FIELD)?.as_str()?).ok(),
    }
}

/// The text of an error of either shape, in lower case, to look for words in. It goes nowhere else.
fn error_of(body: &Value) -> Option<Zeroizing<String>> {
    let text = match body.get("error") {
        Some(error @ Value::Object(_)) => Zeroizing::new(error.to_string()),
        _ if body.get("status")?.as_str()? == "error" => Zeroizing::new(body.get("msg")?.as_str()?.to_owned()),
        _ => return None,
    };
    Some(Zeroizing::new(text.to_ascii_lowercase()))
}

/// Reads a duration as the schema admits it: `^([0-9]{1,5}(h|m|s|ms)){1,4}$`.
fn lifetime(text: &str) -> Option<Duration> {
    let (mut rest, mut total) = (text, Duration::ZERO);
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at_checked(digits)?;
        let unit = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, tail) = tail.split_at_checked(unit)?;
        let milliseconds = match unit {
            "h" => 3_600_000,
            "m" => 60_000,
            "s" => 1_000,
            "ms" => 1,
            _ => return None,
        };
        let part = Duration::from_millis(number.parse::<u64>().ok()?.checked_mul(milliseconds)?);
        total = total.checked_add(part)?;
        rest = tail;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{asked, assert_table, key, pairs, reply, site};
    use super::*;

    fn account(account_id: &str, region: Region) -> Aventri {
        Aventri { account_id: account_id.to_owned(), region, token_lifetime: None }
    }

    fn aventri() -> Aventri {
        account("12345", Region::NorthAmerica)
    }

    #[test]
    fn every_row_of_the_table_holds() {
        assert_table(
            &aventri(),
            "aventri",
            &[
                (200, r#"{"accesstoken":"EXAMPLE+to/ken=="}"#, "accepted NotVerifiable token"),
                (201, r#"{"accesstoken":"EXAMPLE+to/ken=="}"#, "inconclusive Unexpected"),
                (200, r#"{"accesstoken":"EXAMPLE","error":null}"#, "inconclusive Unexpected"),
                (200, r#"{"accesstoken":"EXAMPLE","error":{"key":"invalid"}}"#, "rejected Key"),
                (200, r#"{"accesstoken":""}"#, "inconclusive Unexpected"),
                (200, r#"{"accesstoken":"a b"}"#, "inconclusive Unexpected"),
                (200, r#"{"accesstoken":"a\n"}"#, "inconclusive Unexpected"),
                (200, r#"{"accesstoken":1}"#, "inconclusive Unexpected"),
                (200, r#"{"accesstoken":null}"#, "inconclusive Unexpected"),
                (200, "{}", "inconclusive Unexpected"),
                (200, "[]", "inconclusive Unexpected"),
                (200, "", "inconclusive Unexpected"),
                (200, r#"{"error":{"key":"invalid"}}"#, "rejected Key"),
                (400, r#"{"error":{"key":"invalid"}}"#, "rejected Key"),
                (401, r#"{"error":{"key":"invalid"}}"#, "rejected Key"),
                (403, r#"{"error":{"account":"Not found"}}"#, "rejected Key"),
                (404, r#"{"error":{"account":"not found"}}"#, "inconclusive Unexpected"),
                (200, r#"{"status":"error","msg":"Incorrect credentials"}"#, "rejected Key"),
                (200, r#"{"status":"error","msg":"Something failed"}"#, "inconclusive Unexpected"),
                (200, r#"{"status":"error","msg":"not found"}"#, "inconclusive Unexpected"),
                (200, r#"{"status":"ok","msg":"invalid key"}"#, "inconclusive Unexpected"),
                (200, r#"{"error":"invalid key"}"#, "inconclusive Unexpected"),
                (200, r#"{"error":{"msg":"Account suspended"}}"#, "inconclusive RateLimited"),
                (403, r#"{"status":"error","msg":"Limit exceeded for invalid key"}"#, "inconclusive RateLimited"),
                (401, r#"{"status":"error","msg":"Too many calls"}"#, "inconclusive RateLimited"),
                (401, "{}", "rejected Key"),
                (401, "", "inconclusive Unexpected"),
                (401, "no", "inconclusive Unexpected"),
                (403, "{}", "inconclusive Unexpected"),
                (404, "", "inconclusive Unexpected"),
            ],
        );
    }

    #[test]
    fn the_exchange_is_a_form_below_the_region() {
        assert_eq!(
            asked(&aventri(), &[]),
            "PostForm /global/authorize.json accept=application/json form accountid form key"
        );
        for (region, host) in [(Region::NorthAmerica, "api-na"), (Region::EMEA, "api-emea"), (Region::APAC, "api-apac")]
        {
            let base = account("1", region).base(&site()).unwrap();
            assert_eq!(base.as_str(), format!("https://{host}.eventscloud.com/api/v2"));
        }
        for id in ["", "12a", "-1", &"1".repeat(21)] {
            assert_eq!(account(id, Region::EMEA).base(&site()).err(), Some(Unaddressable::BadField("accountID")));
        }
    }

    #[test]
    fn a_token_is_read_whole() {
        let Verdict::Accepted(proof) = read(&reply(200, r#"{"accesstoken":"EXAMPLE+to/ken=="}"#)) else { panic!() };
        assert_eq!(proof.token.as_ref().map(AccessToken::reveal), Some("EXAMPLE+to/ken=="));
    }

    #[test]
    fn a_lifetime_is_declared_or_ten_minutes_and_never_absurd() {
        for (declared, seconds) in [
            (None, 600),
            (Some("20m"), 1200),
            (Some("1h30m"), 5400),
            (Some("90s500ms"), 90),
            (Some("1s"), 60),
            (Some("99999h"), 86_400),
            (Some("x"), 600),
        ] {
            let settings = Aventri { token_lifetime: declared.map(str::to_owned), ..aventri() };
            assert_eq!(settings.token_lifetime().map(|life| life.as_secs()), Some(seconds), "{declared:?}");
        }
    }

    #[test]
    fn variables_are_those_of_the_table() {
        let token = AccessToken::parse("EXAMPLE+to/ken==").unwrap();
        assert_eq!(
            pairs(&aventri().variables(&key("aventri-EXAMPLE"), &site(), Some(&token))),
            [
                "provider=aventri",
                "baseURL=https://api-na.eventscloud.com/api/v2",
                "host=api-na.eventscloud.com",
                "apiKey=aventri-EXAMPLE",
                "headerName=Authorization",
                "headerValue=Bearer EXAMPLE+to/ken==",
                "authorization=Bearer EXAMPLE+to/ken==",
                "queryName=accesstoken",
                "queryValue=EXAMPLE%2Bto%2Fken%3D%3D",
                "accept=application/json",
                "accountID=12345",
                "region=NorthAmerica",
                "accessToken=EXAMPLE+to/ken==",
            ]
        );
        assert_eq!(
            pairs(&aventri().variables(&key("aventri-EXAMPLE"), &site(), None)),
            [
                "provider=aventri",
                "baseURL=https://api-na.eventscloud.com/api/v2",
                "host=api-na.eventscloud.com",
                "apiKey=aventri-EXAMPLE",
                "accept=application/json",
                "accountID=12345",
                "region=NorthAmerica",
            ]
        );
    }
}
