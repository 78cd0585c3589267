//! What follows from what was seen? Pure decisions, a question a file; no I/O, no clock, no randomness.

mod carriage;
pub mod conclude;
pub mod confidence;
pub mod decide;
mod evidence;
pub mod expiry;
mod findings;
#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests count small numbers")]
mod fixtures;
pub mod message;
pub mod notice;
pub mod ownership;
pub mod plan;
mod published;
pub mod publishing;
pub mod readiness;
pub mod recall;
pub mod schedule;
pub mod seen;
pub mod source;
pub mod subject;
mod suspension;
#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, clippy::unchecked_time_subtraction, reason = "tests count small numbers")]
mod tests;
pub mod token;
pub mod violation;

pub use conclude::{Conclusion, claim, conclude, malformed};
pub use decide::{Decision, decide};
pub use evidence::value_names;
pub use notice::{Notice, Severity};
pub use ownership::{Ownership, ownership};
pub use plan::{Check, Plan, Pointless, asked_for, probe_plan};
pub use published::{Acted, Done, OutputResult, dropped_may_go, may_give_way};
pub use publishing::{Move, OutputPlan};
pub use schedule::{after, jittered};
pub use seen::{Asked, Observed, Source, Target, Traits, declared_outputs};
pub use source::{Resolved, resolve};
pub use subject::subject;
pub use token::{CLAIM, course, is_claimed};
