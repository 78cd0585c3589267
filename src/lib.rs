//! Connector Operator: SaaS API keys, declared, proved, watched and published.

pub mod api;
pub mod clock;
pub mod config;
pub mod credential;
pub mod outputs;
pub mod policy;
pub mod probe;
pub mod providers;
