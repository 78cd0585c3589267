//! What follows from what was seen? Pure decisions, a question a file; no I/O, no clock, no randomness.

pub mod conclude;
pub mod confidence;
pub mod decide;
pub mod expiry;
pub mod message;
pub mod notice;
pub mod ownership;
pub mod plan;
pub mod publishing;
pub mod readiness;
pub mod schedule;
pub mod seen;
pub mod source;
pub mod subject;
pub mod token;

pub use conclude::{Acted, Conclusion, Done, OutputResult, conclude, malformed};
pub use decide::{Decision, decide};
pub use notice::{Notice, Severity};
pub use ownership::{Ownership, ownership};
pub use plan::{Check, Plan, Pointless, asked_for, probe_plan};
pub use publishing::{Move, OutputPlan};
pub use schedule::{after, jittered};
pub use seen::{Asked, Observed, Source, Target, Traits, declared_outputs};
pub use source::{Resolved, resolve};
pub use subject::subject;
pub use token::CLAIM;
