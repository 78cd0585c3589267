//! Completion scripts and man pages, generated from the commands themselves.

use super::output::Output;
use super::trouble::{Ending, Trouble};
use super::{NAME, Shown, command};
use clap::Args;
use clap_complete::aot::{Shell, generate};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct Completion {
    /// The shell that the script is for
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

#[derive(Debug, Args)]
pub(super) struct Man {
    /// The directory to write to; it must exist
    #[arg(value_name = "DIRECTORY")]
    directory: PathBuf,
}

impl Completion {
    pub(super) fn run(&self, output: Output, shown: Shown) -> Result<Ending, Trouble> {
        let mut script = Vec::new();
        generate(self.shell, &mut command(Shown { program: NAME }), NAME, &mut script);
        let _ = shown;
        output.raw(&script).map(|()| Ending::Good)
    }
}

impl Man {
    pub(super) fn run(&self, shown: Shown) -> Result<Ending, Trouble> {
        let written = clap_mangen::generate_to(command(shown).name(NAME), &self.directory);
        written.map(|()| Ending::Good).map_err(|error| {
            Trouble::new(format!("cannot write to {}: {}", self.directory.display(), error.kind()))
                .hint("name a directory that exists and may be written to")
        })
    }
}
