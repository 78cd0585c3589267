//! Does the operator do its job? The real binary against the real API server and simulated providers.

pub(crate) mod cast;
mod healing;
mod main_job;
mod ownership;
mod process;
mod publishing;
mod replicas;
mod seen_by_kubectl;
mod verdicts;
