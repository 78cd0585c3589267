//! Does what guards the keys hold? The registry of acceptance tests, and those that no other suite has.

mod control;
mod endings;
mod foreign;
mod keys;
mod liveness;
mod metrics;
mod outputs;
mod process;
mod registry;
mod reports;
mod screens;
mod sizes;
mod supply;
mod threats;
