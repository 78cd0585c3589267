//! The simulator as a program: `cargo run --example simulator -- --listen 127.0.0.1:8080`. Prints
//! where it listens, serves until Ctrl-C and logs nothing; `admin.rs` lists what to ask it.
#![allow(clippy::print_stdout, reason = "the addresses are the program's output")]

#[path = "mod.rs"]
mod simulator;

use std::net::SocketAddr;

use clap::Parser;
use simulator::{Options, Simulator};

/// Simulate the five providers on loopback.
#[derive(Parser)]
#[command(name = "simulator")]
struct Arguments {
    /// Where the providers listen.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where the administrator's interface listens.
    #[arg(long, default_value = "127.0.0.1:8081")]
    admin: SocketAddr,
    /// Serve the providers over https; GET /ca.pem of the admin interface has the CA.
    #[arg(long)]
    tls: bool,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let arguments = Arguments::parse();
    let Arguments { listen, admin, tls } = arguments;
    let simulator = Simulator::start(Options { listen, admin, tls, ..Options::default() }).await?;
    println!("providers {}", simulator.base());
    println!("admin     {}", simulator.admin());
    tokio::signal::ctrl_c().await
}
