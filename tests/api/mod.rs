//! What does the API server accept, refuse and show? Tables of objects against a real one.

mod admission;
mod coverage;
mod definition;
mod examples;
mod rows;
mod status;

pub(crate) use rows::{Row, rows};
