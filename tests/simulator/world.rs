//! Everything the providers remember, and the request they are looking at. No decisions here.

use std::net::IpAddr;

use jiff::Timestamp;

use super::aventri::Tokens;
use super::clock::Clock;
use super::faults::Faults;
use super::keys::{Keys, Standing};
use super::ledger::{Ledger, Placement};
use super::limits::{Limits, Taken, Window};
use super::provider::Place;
use super::switches::Switches;
use super::wire::Request;

#[derive(Default)]
pub(super) struct World {
    pub(super) clock: Clock,
    pub(super) keys: Keys,
    pub(super) tokens: Tokens,
    pub(super) limits: Limits,
    pub(super) faults: Faults,
    pub(super) switches: Switches,
    pub(super) ledger: Ledger,
    /// How many connections there were.
    pub(super) connections: u64,
    /// Base URL of the second listener, where redirects point.
    pub(super) decoy: String,
}

impl World {
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Forgets everything; the ledger's numbers go on.
    pub(super) fn reset(&mut self) {
        let mut ledger = std::mem::take(&mut self.ledger);
        ledger.clear();
        let (decoy, connections) = (std::mem::take(&mut self.decoy), self.connections);
        *self = Self { ledger, connections, decoy, ..Self::default() };
    }

    /// Numbers a new connection.
    pub(super) fn connect(&mut self) -> u64 {
        self.connections += 1;
        self.connections
    }

    /// Counts a call against the provider's limits, if they are switched on.
    pub(super) fn take(&mut self, call: &Call, account: &str, windows: &[Window]) -> Taken {
        let now = self.now();
        if !self.switches.limits {
            return Limits::unlimited(windows, now);
        }
        let account = format!("{} {account}", call.place.provider.name());
        self.limits.take(&account, windows, now)
    }

    pub(super) fn standing(&self, call: &Call) -> Standing {
        self.keys.standing(call.place.provider, call.key_hash(), self.now())
    }

    pub(super) fn knows(&self, hash: &str) -> bool {
        self.keys.knows(hash) || self.tokens.knows(hash)
    }
}

/// A key or token as it came in.
pub(super) struct Shown {
    pub(super) placement: Placement,
    pub(super) value: String,
    pub(super) hash: String,
    /// Where the provider looks for it; otherwise it is only a finding for the ledger.
    pub(super) usable: bool,
}

/// A request that reached a provider.
pub(super) struct Call<'a> {
    pub(super) place: Place,
    pub(super) request: &'a Request,
    pub(super) shown: Option<Shown>,
    pub(super) peer: IpAddr,
}

impl Call<'_> {
    /// The hash of the key or token, if it stood where the provider looks.
    pub(super) fn key_hash(&self) -> Option<&str> {
        self.shown.as_ref().filter(|shown| shown.usable).map(|shown| shown.hash.as_str())
    }

    pub(super) fn is_get(&self) -> bool {
        self.request.method == "GET"
    }
}

/// Why a provider refuses a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    NoKey,
    BadKey,
    Expired,
    Revoked,
    ScopeMissing,
    AddressNotAllowed,
    Denied,
}
