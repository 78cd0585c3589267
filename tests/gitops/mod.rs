//! Do GitOps tools understand a credential's status? kstatus (Flux, Helm 4), Flux' rules for statuses, Argo CD's Lua.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking, also in what its functions share"
)]

mod argo;
mod flux;
mod kstatus;
mod live;
pub(crate) mod rules;
mod states;
mod trees;

use std::path::{Path, PathBuf};

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn text(path: &str) -> String {
    std::fs::read_to_string(repository(path)).unwrap_or_else(|error| panic!("cannot read {path}: {error}"))
}
