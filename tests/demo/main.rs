//! The demo: `cargo demo` plays a key's life on a real control plane, with simulated providers and the real operator.
//!
//! Builds what it needs, tells its story by itself, and stays until Ctrl-C; with `--once` it ends when the story has
//! played as told. Whatever it starts dies with it. Holds no real key and reaches no network.
#![allow(clippy::disallowed_methods, reason = "a demo has a clock and waits")]
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, reason = "development code of the control plane")]
#![allow(clippy::missing_errors_doc, reason = "a program without callers")]

mod chapters;
mod closing;
#[path = "../controlplane/mod.rs"]
mod controlplane;
mod error;
mod keys;
mod pictures;
mod screen;
#[path = "../simulator/mod.rs"]
mod simulator;
mod stage;
mod story;
mod table;
mod typeset;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use error::Error;
use pictures::Album;
use screen::{Colour, Screen};
use stage::{Ground, Stage};
use story::Story;

/// Show what the Connector Operator does, without a cluster and without accounts.
///
/// Starts a real Kubernetes control plane, five simulated providers and the operator, and plays the life of a few API
/// keys: proved and published, rotated, mistyped, expired, missing, repaired. The first run builds the control plane
/// with Go, which takes about 8 minutes. Colour is used on a terminal only, and not at all when `NO_COLOR` is set.
#[derive(Parser)]
#[command(name = "cargo demo", bin_name = "cargo demo", max_term_width = 100)]
struct Arguments {
    /// End when the story has played: 0 when all went as told, 1 otherwise. Without, everything stays until Ctrl-C
    #[arg(long)]
    once: bool,

    /// Draw what is to be seen as pictures into this directory, as README.md shows them. Needs Prometheus; takes a minute
    #[arg(long, value_name = "DIRECTORY")]
    pictures: Option<PathBuf>,
}

/// What a shell reports of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut screen = Screen::new();
    match play(&mut screen, &arguments) {
        Ok(code) => code,
        Err(error) => {
            screen.settle();
            report(&screen, &error);
            ExitCode::FAILURE
        }
    }
}

#[allow(clippy::print_stderr, reason = "a program says why it failed")]
fn report(screen: &Screen, error: &Error) {
    eprintln!("\n{} {}", screen.paint(Colour::Red, "The demo failed:"), error::explained(error));
}

/// Until the runtime stands, Ctrl-C ends this process at once, and the system ends its children.
fn play(screen: &mut Screen, arguments: &Arguments) -> Result<ExitCode, Error> {
    let ground = Ground::prepare(screen)?;
    let runtime = tokio::runtime::Runtime::new().map_err(Error::io("start the async runtime"))?;
    runtime.block_on(async {
        let mut told = false;
        let interrupted = tokio::select! {
            played = perform(screen, &ground, (arguments, &mut told)) => { played?; false }
            pressed = tokio::signal::ctrl_c() => { pressed.map_err(Error::io("wait for Ctrl-C"))?; true }
        };
        screen.settle();
        if interrupted {
            screen.line("");
            screen.line("  Stopping everything that was started.");
        }
        Ok(if interrupted && !told { ExitCode::from(INTERRUPTED) } else { ExitCode::SUCCESS })
    })
}

/// `told` becomes true when the story is over and only the user's look around remains.
async fn perform(
    screen: &mut Screen,
    ground: &Ground,
    (arguments, told): (&Arguments, &mut bool),
) -> Result<(), Error> {
    let mut stage = Stage::open(screen, ground).await?;
    let album = match &arguments.pictures {
        Some(directory) => Some(Album::open(directory, &mut stage).await?),
        None => None,
    };
    let mut story = Story::new(stage, screen, album);
    chapters::play(&mut story).await?;
    closing::sum_up(&mut story).await?;
    *told = true;
    if arguments.once {
        return Ok(());
    }
    closing::ways_to_look_around(&mut story).await?;
    story.stay().await
}
