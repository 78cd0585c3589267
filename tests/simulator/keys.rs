//! Which keys exist, whose are they and what may they do? Holds hashes only: a key's bytes leave
//! with `IssuedKey` and are never stored.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{AddrParseError, IpAddr};

use ipnet::IpNet;
use jiff::Timestamp;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Deserializer, Serialize};

use super::provider::Provider;

/// A key to be known to one provider and account.
///
/// `account` is inFlow's company ID, Flowlu's account, Aventri's `accountID@region` (`12345@na`),
/// empty for ZenFlow and FLOW.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct NewKey {
    pub provider: Provider,
    #[serde(default)]
    pub account: String,
    /// Made up if absent, with the word EXAMPLE. A key added twice replaces the earlier one.
    #[serde(default)]
    pub key: Option<String>,
    /// ZenFlow's scopes.
    #[serde(default)]
    pub scopes: Vec<String>,
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
    /// ZenFlow's allow-list; empty allows all.
    #[serde(default, rename = "allowedCIDRs", deserialize_with = "networks")]
    pub allowed_cidrs: Vec<IpNet>,
    /// What the key may call: `categories` (inFlow), `core/user/list` (Flowlu), `members` (FLOW).
    /// Absent means all; an empty list is inFlow's missing add-on.
    #[serde(default)]
    pub granted: Option<Vec<String>>,
}

impl NewKey {
    /// A key without restrictions, for struct update syntax.
    pub fn of(provider: Provider, account: &str) -> Self {
        Self {
            provider,
            account: account.to_owned(),
            key: None,
            scopes: Vec::new(),
            expires_at: None,
            allowed_cidrs: Vec::new(),
            granted: None,
        }
    }
}

/// The only place where a key's bytes appear.
#[derive(Clone, Serialize)]
pub struct IssuedKey {
    pub id: String,
    /// SHA-256 in hex, as in the ledger.
    pub hash: String,
    pub key: String,
}

impl fmt::Debug for IssuedKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "IssuedKey({}, {})", self.id, self.hash)
    }
}

/// A change of a key; members left out stay as they are.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct ChangeKey {
    pub account: Option<String>,
    pub scopes: Option<Vec<String>>,
    /// `Some(None)`, in JSON null: no expiry.
    #[serde(deserialize_with = "present")]
    pub expires_at: Option<Option<Timestamp>>,
    #[serde(rename = "allowedCIDRs", deserialize_with = "present_networks")]
    pub allowed_cidrs: Option<Vec<IpNet>>,
    /// `Some(None)`, in JSON null: everything.
    #[serde(deserialize_with = "present")]
    pub granted: Option<Option<Vec<String>>>,
    pub revoked: Option<bool>,
}

impl ChangeKey {
    /// The key is no longer accepted.
    pub fn revoke() -> Self {
        Self { revoked: Some(true), ..Self::default() }
    }

    /// The key's time is over.
    pub fn expire(now: Timestamp) -> Self {
        Self { expires_at: Some(Some(now)), ..Self::default() }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) id: String,
    pub(super) provider: Provider,
    pub(super) account: String,
    pub(super) scopes: Vec<String>,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) allowed_cidrs: Vec<IpNet>,
    granted: Option<Vec<String>>,
    revoked: bool,
}

impl Key {
    pub(super) fn may_call(&self, method: &str) -> bool {
        match &self.granted {
            None => true,
            Some(granted) => granted.iter().any(|name| name == method),
        }
    }
}

/// What a provider knows about a key that was shown to it.
pub(super) enum Standing {
    Missing,
    Unknown,
    Revoked,
    Expired,
    Good(Key),
}

#[derive(Default)]
pub(super) struct Keys {
    by_hash: BTreeMap<String, Key>,
    issued: u64,
}

impl Keys {
    pub(super) fn add(&mut self, new: NewKey) -> IssuedKey {
        self.issued += 1;
        let id = format!("key-{}", self.issued);
        let text = new.key.unwrap_or_else(|| made_up(new.provider));
        let hash = key_hash(&text);
        let key = Key {
            id: id.clone(),
            provider: new.provider,
            account: new.account,
            scopes: new.scopes,
            expires_at: new.expires_at,
            allowed_cidrs: new.allowed_cidrs,
            granted: new.granted,
            revoked: false,
        };
        self.by_hash.insert(hash.clone(), key);
        IssuedKey { id, hash, key: text }
    }

    /// False if there is no such key.
    pub(super) fn change(&mut self, id: &str, change: ChangeKey) -> bool {
        let Some(key) = self.by_hash.values_mut().find(|key| key.id == id) else {
            return false;
        };
        key.account = change.account.unwrap_or_else(|| key.account.clone());
        key.scopes = change.scopes.unwrap_or_else(|| key.scopes.clone());
        key.expires_at = change.expires_at.unwrap_or(key.expires_at);
        key.granted = change.granted.unwrap_or_else(|| key.granted.clone());
        key.revoked = change.revoked.unwrap_or(key.revoked);
        if let Some(allowed) = change.allowed_cidrs {
            key.allowed_cidrs = allowed;
        }
        true
    }

    pub(super) fn knows(&self, hash: &str) -> bool {
        self.by_hash.contains_key(hash)
    }

    pub(super) fn has_account(&self, provider: Provider, account: &str) -> bool {
        self.by_hash.values().any(|key| key.provider == provider && key.account == account)
    }

    /// Another provider's key is unknown here; the account is left for the caller to judge.
    pub(super) fn standing(&self, provider: Provider, hash: Option<&str>, now: Timestamp) -> Standing {
        let Some(hash) = hash else {
            return Standing::Missing;
        };
        match self.by_hash.get(hash) {
            Some(key) if key.provider != provider => Standing::Unknown,
            None => Standing::Unknown,
            Some(key) if key.revoked => Standing::Revoked,
            Some(key) if key.expires_at.is_some_and(|end| end <= now) => Standing::Expired,
            Some(key) => Standing::Good(key.clone()),
        }
    }
}

/// Hex digits as letters beyond them: a made-up key then has no piece in common with the UIDs and hashes of a log.
pub fn letters(hex: &str) -> String {
    let letter = |digit: char| digit.to_digit(16).and_then(|value| char::from_digit(value + 16, 36));
    hex.chars().filter_map(letter).collect()
}

/// SHA-256 in lower-case hex.
pub fn key_hash(text: &str) -> String {
    hex(ring::digest::digest(&ring::digest::SHA256, text.as_bytes()).as_ref())
}

/// Sixteen random bytes in hex.
pub(super) fn random() -> String {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).expect("the system has randomness");
    hex(&bytes)
}

fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(half.into(), 16).expect("half a byte is a hex digit");
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn made_up(provider: Provider) -> String {
    let prefix = match provider {
        Provider::InFlow => "inflow-EXAMPLE-",
        Provider::Flowlu => "flowlu+EXAMPLE/",
        Provider::ZenFlow => "zenflow_live_EXAMPLE_",
        Provider::Flow => "flow-EXAMPLE-",
        Provider::Aventri => "aventri-EXAMPLE-",
    };
    format!("{prefix}{}", letters(&random()))
}

fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

fn present_networks<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<IpNet>>, D::Error> {
    networks(from).map(Some)
}

/// CIDRs, or single addresses.
fn networks<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<IpNet>, D::Error> {
    Vec::<String>::deserialize(from)?
        .iter()
        .map(|text| text.parse().or_else(|_| text.parse().map(|address: IpAddr| IpNet::from(address))))
        .collect::<Result<_, AddrParseError>>()
        .map_err(serde::de::Error::custom)
}
