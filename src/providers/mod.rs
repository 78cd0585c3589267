//! What is a SaaS product, to this operator? A pure description: where it is asked, what, and how its answers read.
//!
//! A provider does no I/O and knows no clock. `probe` sends what it asks and judges what is common to all.

mod aventri;
mod encode;
mod flow;
mod flowlu;
mod inflow;
mod scope;
mod site;
mod talk;
#[cfg(test)]
mod tests;
mod variables;
mod verdict;
mod zenflow;

pub use aventri::{Aventri, Region};
pub use encode::{encoded_room, percent_encoded, push_percent_encoded};
pub use flow::{CheckoutTheme, Flow, Purpose};
pub use flowlu::Flowlu;
pub use inflow::InFlow;
pub use site::{Authentication, BaseUrl, FlowProbe, FlowSite, Label, Site, Unaddressable};
pub use talk::{Ask, Method, Reply, Step};
pub use variables::{Variable, Variables};
pub use verdict::{Access, Doubt, Proof, Rejection, Scope, Verdict};
pub use zenflow::{Environment, LeastPrivilege, ScopePreset, ZenFlow};

use crate::credential::{AccessToken, Key, Malformed};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What is the same for every credential of a provider.
#[derive(Debug)]
pub struct Profile {
    /// The provider in `status.provider`.
    pub kind: ProviderKind,
    /// The member of `spec.provider`, and the provider's name in outputs, metrics and configuration.
    pub member: &'static str,
    /// The name as its maker writes it.
    pub display: &'static str,
    /// Where its documentation is.
    pub documents: &'static str,
    /// The endpoint unless the administrator says otherwise.
    pub endpoint: Option<&'static str>,
    /// What the endpoint may hold in host or path, braces included: filled with a label of the credential.
    pub placeholder: Option<&'static str>,
    /// Whether the check is an exchange that mints a token, so that it needs a claim.
    pub mints_token: bool,
    /// Whether `X-RateLimit-Limit`, `-Remaining` and `-Reset` (Unix seconds) are documented to speak of the account.
    pub announces_limits: bool,
    /// The longest conversation, in requests: what the budget must cover before one starts.
    pub longest: u32,
    /// A tenth of each documented limit.
    pub budget: &'static Budget,
    /// What a person does when the key is rejected; a sentence.
    pub when_rejected: &'static str,
    /// What a person does when the key is genuine and not allowed; a sentence.
    pub when_denied: &'static str,
    /// What a person looks at first when the answer is not in the documentation; a sentence.
    pub when_unexpected: &'static str,
}

/// How many requests an account is asked at the most, in each of several windows.
#[derive(Debug)]
pub struct Budget {
    /// Requests that may follow each other at once.
    pub burst: u32,
    /// Requests in a time.
    pub windows: &'static [(u32, Duration)],
}

impl Budget {
    /// How far apart checks of so many requests lie if none of the windows is ever to be exceeded.
    #[must_use]
    pub fn pace(&self, requests: u32) -> Duration {
        let apart = |(number, length): &(u32, Duration)| length.mul_f64(f64::from(requests) / f64::from(*number));
        self.windows.iter().map(apart).max().unwrap_or_default()
    }
}

/// Who is asked, for budgets and shared answers: the account at the provider, or the key where the key is the tenant.
/// Holds no key bytes: for the latter it is marked, and `probe` adds a keyed hash.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AccountId {
    /// An account that the credential names.
    Named(String),
    /// The key itself.
    ByKey,
}

/// What a conversation is about.
pub struct Given<'a> {
    /// The key under test.
    pub key: &'a Key,
    /// The administrator's settings.
    pub site: &'a Site,
    /// How much is asked.
    pub depth: Depth,
}

/// How much is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// What the credential declares.
    Declared,
    /// Also what it does not declare, to find a key that can do too much.
    LeastPrivilege,
}

/// A SaaS product whose keys can be declared. Implementations are pure.
pub trait Provider: Send + Sync {
    /// What is the same for every credential of this provider.
    fn profile(&self) -> &'static Profile;

    /// Whose budget a check draws on.
    fn account(&self) -> AccountId;

    /// The administrator's endpoint with this credential's own labels in it.
    ///
    /// # Errors
    /// [`Unaddressable`], when there is no endpoint or a label would lead elsewhere.
    fn base(&self, site: &Site) -> Result<BaseUrl, Unaddressable>;

    /// Whatever else of the settings shapes the questions or how their answers read, beside base URL, key and depth:
    /// credentials that are equal in all this share one answer. Holds no key.
    fn questions(&self, site: &Site) -> String;

    /// The local check of a key, beyond its alphabet and length.
    ///
    /// # Errors
    /// [`Malformed`], when no provider needs to be asked.
    fn inspect(&self, _key: &Key) -> Result<(), Malformed> {
        Ok(())
    }

    /// The next move: a question, or the verdict, given all that was heard so far.
    fn next(&self, given: &Given<'_>, heard: &[Reply]) -> Step;

    /// Requests of an ordinary check of a good key.
    fn requests(&self) -> u32 {
        1
    }

    /// What outputs can be made of. `token` is what an exchange minted. Without a configured endpoint, what depends
    /// on it is left out.
    fn variables(&self, key: &Key, site: &Site, token: Option<&AccessToken>) -> Variables;

    /// A harmless path below the base URL that a client can try its output on; without the key.
    fn test_path(&self, site: &Site) -> Option<String>;

    /// How long a minted token lives.
    fn token_lifetime(&self) -> Option<Duration> {
        None
    }

    /// Whether scopes beyond the declared ones are looked for, once a day at most.
    fn audits(&self) -> bool {
        false
    }

    /// Whether this key always expires, so that the credential must say when.
    fn always_expires(&self) -> bool {
        false
    }
}

/// The rule that one and only one of these members is set.
fn exactly_one(members: &[&str]) -> serde_json::Value {
    let set: Vec<String> = members.iter().map(|member| format!("has(self.{member})")).collect();
    serde_json::json!([{
        "rule": format!("[{}].filter(x, x).size() == 1", set.join(", ")),
        "message": format!("exactly one provider must be set: {}", members.join(", ")),
    }])
}

macro_rules! providers {
    ($($member:ident: $settings:ident = $doc:literal,)+) => {
        /// A provider, as `status.provider` names it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum ProviderKind { $(#[doc = $doc] $settings,)+ }

        impl ProviderKind {
            /// Every provider there is.
            pub const ALL: &'static [Self] = &[$(Self::$settings,)+];

            /// The name in `status.provider`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$settings => stringify!($settings),)+ }
            }

            /// The member of `spec.provider`; also in outputs, metrics and configuration.
            #[must_use]
            pub const fn member(self) -> &'static str {
                match self { $(Self::$settings => stringify!($member),)+ }
            }

            /// What is the same for every credential of this provider.
            #[must_use]
            pub fn profile(self) -> &'static Profile {
                match self { $(Self::$settings => &$member::PROFILE,)+ }
            }
        }

        /// The provider and its settings: exactly one member.
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "camelCase")]
        #[schemars(extend("x-kubernetes-validations" = exactly_one(&[$(stringify!($member)),+])))]
        pub struct ProviderSettings {
            $(
                #[doc = $doc]
                #[schemars(description = "")] // that of the settings shows through
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $member: Option<$settings>,
            )+
        }

        impl ProviderSettings {
            /// The one member that is set; `None` when there is none or more than one.
            #[must_use]
            pub fn chosen(&self) -> Option<&dyn Provider> {
                let mut set = [$(self.$member.as_ref().map(|settings| -> &dyn Provider { settings }),)+].into_iter().flatten();
                match (set.next(), set.next()) {
                    (Some(only), None) => Some(only),
                    _ => None,
                }
            }
        }
    };
}

providers! {
    inflow: InFlow = "inFlow Inventory.",
    flowlu: Flowlu = "Flowlu.",
    zenflow: ZenFlow = "ZenFlow.",
    flow: Flow = "FLOW by OpenPlay.",
    aventri: Aventri = "Aventri (now Stova).",
}
