//! Do decisions keep the contract? Tables by question, histories at random, and a simulated day.

mod clock;
mod conditions;
mod confidence;
mod day;
mod expiry;
mod histories;
pub(super) mod lint;
mod messages;
mod outputs;
mod rotation;
mod scheduling;
mod token;
