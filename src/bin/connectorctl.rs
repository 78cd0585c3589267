//! The command line: see `connectorctl --help`.

use connector_operator::cli;
use connector_operator::telemetry::forbid_dumps;
use std::process::ExitCode;

fn main() -> ExitCode {
    // Keys are in memory: no core file. A system that refuses even this is no reason not to work.
    let _forbidden = forbid_dumps();
    let _installed = rustls::crypto::ring::default_provider().install_default();
    cli::main(std::env::args_os())
}
