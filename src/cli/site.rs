//! Where are the providers? The operator's configuration file, read for the command line.

use super::trouble::Trouble;
use crate::config::Settings;
use crate::error::refused_by_system;
use std::path::Path;

/// The settings of `--config`, or the built-in ones.
pub(super) fn settings(path: Option<&Path>) -> Result<Settings, Trouble> {
    let Some(path) = path else { return Ok(Settings::default()) };
    let text = std::fs::read_to_string(path).map_err(|error| {
        Trouble::new(format!("cannot read --config {}: {}", path.display(), refused_by_system(error.kind())))
            .hint("name the operator's configuration file; without --config the built-in endpoints are used")
    })?;
    Settings::parse(&text).map_err(|refused| Trouble::new(format!("--config {}: {refused}", path.display())))
}
