//! Does the operator do its job? The real binary against the real API server and simulated providers.

mod main_job;
