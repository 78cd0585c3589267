//! The benchmark: `cargo scale` measures the released operator against a real control plane and simulated providers that
//! take 20 ms, and says which promise holds. `cargo scale --short` takes two minutes, all of it about fifteen.
#![allow(clippy::disallowed_methods, reason = "a benchmark has a clock and waits")]
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, reason = "development code of the control plane")]
#![allow(clippy::as_conversions, clippy::cast_precision_loss, reason = "figures for people")]
#![allow(clippy::missing_errors_doc, clippy::missing_panics_doc, reason = "a program without callers")]
#![allow(clippy::expect_used, clippy::print_stdout, clippy::print_stderr, reason = "a program that prints figures")]

mod audit;
mod ceiling;
mod chart;
#[path = "../controlplane/mod.rs"]
mod controlplane;
mod error;
mod figures;
mod ground;
mod load;
mod micro;
mod operator;
mod phases;
mod process;
mod reaction;
mod report;
#[path = "../simulator/mod.rs"]
mod simulator;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use ceiling::Samples;
use clap::Parser;
use error::Error;
use figures::{Ceiling, Cold, Figures};
use ground::Ground;
use operator::Operator;
use tokio::runtime::Runtime;

/// Measure the operator against what is promised.
///
/// Starts a real Kubernetes control plane and five simulated providers that take 20 ms to answer, makes credentials
/// with their Secrets, and runs the released operator against them. The first run builds the control plane with Go, which
/// takes about 8 minutes.
#[derive(Parser)]
#[command(name = "cargo scale", bin_name = "cargo scale", max_term_width = 100)]
struct Arguments {
    /// A short form: 1000 credentials, everything else smaller too
    #[arg(long)]
    short: bool,
    /// Credentials [default: 10000, short 1000]
    #[arg(long)]
    objects: Option<usize>,
    /// Credentials of the smaller cold start, which shows how cost grows; 0 leaves it out [default: 1000, short 200]
    #[arg(long)]
    small: Option<usize>,
    /// Keys that are changed [default: 500, short 50]
    #[arg(long)]
    changes: Option<usize>,
    /// Seconds of idleness [default: 120, short 20]
    #[arg(long)]
    idle: Option<u64>,
    /// Secrets that are nobody's business [default: 20000, short 2000]
    #[arg(long)]
    neighbours: Option<usize>,
    /// Stop after the cold starts
    #[arg(long)]
    cold: bool,
    /// Leave out the bare client
    #[arg(long)]
    no_ceiling: bool,
    /// Measure this program instead of the one that is built here
    #[arg(long)]
    operator: Option<PathBuf>,
    /// Where report.json, chart.svg and table.md go
    #[arg(long, default_value = "target/scale")]
    report: PathBuf,
}

impl Arguments {
    fn pick<T>(&self, given: Option<T>, long: T, short: T) -> T {
        given.unwrap_or(if self.short { short } else { long })
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let (Ok(runtime), Ok(providers)) =
        (Runtime::new(), tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build())
    else {
        eprintln!("cannot start threads");
        return ExitCode::FAILURE;
    };
    let measured = runtime.block_on(measure(&arguments, &providers));
    providers.shutdown_background();
    let written = measured.and_then(|figures| report::write(&figures, &arguments.report));
    match written {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(2),
        Err(error) => {
            eprintln!("The benchmark failed: {}", error::explained(&error));
            ExitCode::FAILURE
        }
    }
}

/// Everything, in one run: ratios are of this run.
async fn measure(arguments: &Arguments, providers: &Runtime) -> Result<Figures, Error> {
    let binary = match &arguments.operator {
        Some(binary) => binary.clone(),
        None => tokio::task::block_in_place(ground::build_operator)?,
    };
    let mut figures = report::opening(&binary);
    figures.micro = micro::micro();
    let small = arguments.pick(arguments.small, 1000, 200);
    let objects = arguments.pick(arguments.objects, 10_000, 1000);
    if small > 0 {
        let begun = Round { arguments, binary: &binary, providers, size: small };
        let (ground, cold, operator) = begun.cold(&mut figures).await?;
        operator.stop()?;
        figures.small = cold;
        figures.small_ceiling = begun.ceiling(&ground).await?;
    }
    let begun = Round { arguments, binary: &binary, providers, size: objects };
    let (ground, cold, operator) = begun.cold(&mut figures).await?;
    figures.large = Some(cold);
    if arguments.cold {
        operator.stop()?;
    } else {
        begun.life(&ground, operator, &mut figures).await?;
    }
    figures.ceiling = begun.ceiling(&ground).await?;
    Ok(figures)
}

/// The measurements of one size.
struct Round<'a> {
    arguments: &'a Arguments,
    binary: &'a Path,
    providers: &'a Runtime,
    size: usize,
}

impl Round<'_> {
    async fn cold(&self, figures: &mut Figures) -> Result<(Ground, Cold, Operator), Error> {
        let ground = Ground::lay(self.binary, self.providers).await?;
        let mut operator = ground.program.start()?;
        figures.empty_start_seconds = operator.ready(Duration::from_secs(60)).await?.as_secs_f64();
        operator.at_rest(Duration::from_secs(60)).await?;
        figures.empty_settled_bytes = operator.usage()?.resident;
        operator.stop()?;
        report::progress(&format!("making {} credentials and their Secrets", self.size));
        load::credentials(&ground.client, &ground.simulator, self.size).await?;
        report::progress("cold start");
        let (cold, operator) = phases::cold(&ground, self.size).await?;
        report::progress(&format!("{:.1} s, {:.2} ms of CPU an object", cold.seconds, cold.cpu_ms()));
        Ok((ground, cold, operator))
    }

    /// All that follows the cold start.
    async fn life(&self, ground: &Ground, operator: Operator, figures: &mut Figures) -> Result<(), Error> {
        let arguments = self.arguments;
        operator.stop()?;
        report::progress("restart");
        let (restart, operator) = phases::restart(ground).await?;
        figures.restart = Some(restart);
        let idle = Duration::from_secs(arguments.pick(arguments.idle, 120, 20));
        report::progress(&format!("idle for {} s", idle.as_secs()));
        figures.idle = Some(phases::idle(ground, &operator, idle).await?);
        let changes = arguments.pick(arguments.changes, 500, 50);
        report::progress(&format!("changing {changes} keys"));
        figures.reaction = Some(reaction::reaction(ground, self.size, changes).await?);
        operator.stop()?;
        figures.neighbours = arguments.pick(arguments.neighbours, 20_000, 2000);
        report::progress(&format!("making {} unrelated Secrets", figures.neighbours));
        load::unrelated(&ground.client, figures.neighbours).await?;
        report::progress("restart beside them");
        let (beside, operator) = phases::restart(ground).await?;
        figures.restart_beside = Some(beside);
        operator.stop()
    }

    /// What the operator wrote, written by a bare client to a control plane of the same size and age.
    async fn ceiling(&self, ground: &Ground) -> Result<Option<Ceiling>, Error> {
        if self.arguments.no_ceiling {
            return Ok(None);
        }
        let samples = Samples::collect(&ground.client).await?;
        ground.plane.stop_controllers();
        ground.plane.stop_api_server();
        let fresh = Ground::lay(self.binary, self.providers).await?;
        report::progress(&format!("making {} credentials and their Secrets for the bare client", self.size));
        let uids = load::credentials(&fresh.client, &fresh.simulator, self.size).await?;
        report::progress("bare client");
        let took = samples.replay(&fresh.program.kubeconfig, &uids).await?;
        Ok(Some(Ceiling { objects: self.size, seconds: took.as_secs_f64() }))
    }
}
