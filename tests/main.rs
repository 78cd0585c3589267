//! The test suite: one binary, with the real API server, the real operator and simulated providers.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::default_trait_access,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::similar_names,
    clippy::string_slice,
    clippy::use_debug,
    clippy::used_underscore_binding,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by panicking, also in what tests share, and waits for others"
)]

#[cfg(test)]
mod api;
#[cfg(test)]
mod architecture;
#[cfg(test)]
mod attacks;
#[cfg(test)]
mod chart;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod controller;
#[cfg(test)]
mod controlplane;
#[cfg(test)]
mod drift;
#[cfg(test)]
mod gitops;
#[cfg(test)]
mod guards;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod image;
#[cfg(test)]
mod leader;
#[cfg(test)]
mod lifecycle;
#[cfg(test)]
mod outputs;
#[cfg(test)]
mod probe;
#[cfg(test)]
mod scale;
#[cfg(test)]
mod simulator;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tools;
#[cfg(all(test, feature = "otel"))]
mod traces;
#[cfg(test)]
mod verdicts;
