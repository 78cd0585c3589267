//! Which of several possible behaviours do the providers show? One member for every reply that the
//! providers do not document. `PUT /switches` replaces all: a member left out has its default.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Switches {
    /// Enforce rate limits; off, every reply looks like the first of its window.
    pub limits: bool,
    pub inflow: InFlowSwitches,
    pub flowlu: FlowluSwitches,
    pub zenflow: ZenFlowSwitches,
    pub aventri: AventriSwitches,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            limits: true,
            inflow: InFlowSwitches::default(),
            flowlu: FlowluSwitches::default(),
            zenflow: ZenFlowSwitches::default(),
            aventri: AventriSwitches::default(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct InFlowSwitches {
    /// Status for a good key with another's company: 401, 403 or 404.
    pub foreign_company_status: u16,
    pub error_body: ErrorBody,
    /// How many categories and products there are.
    pub items: usize,
}

impl Default for InFlowSwitches {
    fn default() -> Self {
        Self { foreign_company_status: 403, error_body: ErrorBody::Message, items: 3 }
    }
}

/// An inFlow error: nothing, plain text or `{"message": "…"}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ErrorBody {
    Empty,
    Text,
    Message,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct FlowluSwitches {
    /// Status with code 11: 200 or 401.
    pub bad_key_status: u16,
    /// Status with code 22 or 30: 200 or 403.
    pub denied_status: u16,
    /// 22, or 30 with "access denied".
    pub denied_code: u16,
    /// Codes as numeric strings.
    pub code_as_text: bool,
    pub unknown_account: UnknownAccount,
    /// Status with the "Request rate" string.
    pub rate_status: u16,
}

impl Default for FlowluSwitches {
    fn default() -> Self {
        Self {
            bad_key_status: 200,
            denied_status: 200,
            denied_code: 22,
            code_as_text: false,
            unknown_account: UnknownAccount::Code11,
            rate_status: 429,
        }
    }
}

/// Flowlu's answer for an account that no key belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum UnknownAccount {
    Code11,
    /// 302 to the decoy.
    Redirect,
    /// 404 with an HTML page.
    Page,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct ZenFlowSwitches {
    pub bad_key_status: u16,
    pub expired_status: u16,
    pub revoked_status: u16,
    /// A revoked key answers `invalid_api_key` instead of `revoked_api_key`.
    pub revoked_is_invalid: bool,
    pub scope_status: u16,
    pub address_status: u16,
    /// `write:x` also opens `read:x`.
    pub write_implies_read: bool,
}

impl Default for ZenFlowSwitches {
    fn default() -> Self {
        Self {
            bad_key_status: 401,
            expired_status: 401,
            revoked_status: 401,
            revoked_is_invalid: false,
            scope_status: 403,
            address_status: 403,
            write_implies_read: false,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct AventriSwitches {
    pub token_life_seconds: i64,
    /// A new token ends the account's earlier ones.
    pub old_token_ends: bool,
    /// Accept the token as `Authorization: Bearer` too.
    pub bearer_accepted: bool,
    /// Status of an error body: 200, 400, 401 or 403.
    pub error_status: u16,
    /// `{"status":"error","msg":"…"}` instead of `{"error":{…}}`.
    pub error_as_message: bool,
    pub limit_reply: LimitReply,
}

impl Default for AventriSwitches {
    fn default() -> Self {
        Self {
            token_life_seconds: 600,
            old_token_ends: false,
            bearer_accepted: false,
            error_status: 200,
            error_as_message: false,
            limit_reply: LimitReply::TooManyRequests,
        }
    }
}

/// Aventri's answer over the limit: 429, a 403 page, or 200 with a suspension message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LimitReply {
    TooManyRequests,
    Page,
    Suspension,
}
