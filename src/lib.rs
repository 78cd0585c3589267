//! Connector Operator: SaaS API keys, declared, proved, watched and published.

pub mod api;
pub mod crd;
pub mod credential;
pub mod outputs;
pub mod providers;
