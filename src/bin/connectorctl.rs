//! The command line: its commands follow; see `connectorctl --help`.

fn main() {}
