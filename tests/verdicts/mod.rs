//! Are verdicts honest, and what do they cost? The controller's own visits against simulated providers, in process and
//! on a clock that is set (`world`): every reply of every provider (`matrix`), and whole days (`day`). Both are printed
//! to `docs/verdicts.md`. What only a real API server can show is in `live`.

#![allow(clippy::wildcard_enum_match_arm, reason = "a panic is a failed test")]

pub(crate) mod api_server;
mod day;
mod document;
mod live;
mod matrix;
mod rows;
mod sinks;
pub(crate) mod world;
