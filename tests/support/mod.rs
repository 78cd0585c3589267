//! What the suites share: the bed to run on, the operator as a child, waiting
//! without sleeping, and the search for leaked keys.

#![allow(dead_code, reason = "each test uses a part")]

pub(crate) mod around;
pub(crate) mod audit;
pub(crate) mod await_object;
pub(crate) mod bed;
pub(crate) mod canary;
pub(crate) mod encodings;
pub(crate) mod leavings;
pub(crate) mod logged;
pub(crate) mod operator;
pub(crate) mod rights;
pub(crate) mod stage;

/// Whether long stories take their full length: `FULL_LENGTH=1 cargo test`.
pub(crate) fn full_length() -> bool {
    std::env::var_os("FULL_LENGTH").is_some_and(|full| !full.is_empty())
}
