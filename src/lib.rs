//! Connector Operator: SaaS API keys, declared, proved, watched and published.

pub mod admin;
pub mod api;
pub mod args;
pub mod cli;
pub mod clock;
pub mod config;
pub mod controller;
pub mod crd;
pub mod credential;
pub mod error;
pub mod kubernetes;
pub mod leader;
pub mod metrics;
pub mod outputs;
pub mod policy;
pub mod probe;
pub mod providers;
pub mod run;
pub mod telemetry;
