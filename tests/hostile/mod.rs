//! Does the operator keep its promises when the API server, the network and its own life do not? The unmodified binary
//! behind a proxy that spoils what it is told to spoil.

#![allow(clippy::print_stderr, reason = "long runs tell how far they are")]

mod ambiguous;
mod antagonist;
mod apart;
mod arena;
mod crash;
mod denials;
mod ending;
mod freeze;
mod garbage;
mod late;
mod leaders;
mod proxy;
mod random;
mod scene;
mod sequence;
mod stale;
mod state;
mod tale;
mod time;
