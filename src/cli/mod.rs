//! The command line: one page that says what is wrong and what to do. The operator's own code decides.
//!
//! Printing is in `output` only. Exit codes: 0 all good, 1 something is not, 2 usage.

mod check;
mod cluster;
mod completion;
mod consumers;
mod examples;
mod list;
mod object;
mod output;
mod page;
mod progress;
mod remedy;
mod render;
mod report;
mod site;
mod status;
mod steer;
mod tree;
mod trouble;
mod verify;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Command, CommandFactory, FromArgMatches, Parser, Subcommand};
use output::{Colour, Output};
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use trouble::{Ending, Trouble};

/// The name of the binary.
const NAME: &str = "connectorctl";
/// The name of the binary when it is a plugin of kubectl, and what its users type.
const PLUGIN: (&str, &str) = ("kubectl-connector", "kubectl connector");
/// The name under which kubectl asks for completion.
const COMPLETER: &str = "kubectl_complete-connector";

/// How the program is called.
#[derive(Debug, Clone, Copy)]
struct Shown {
    /// What a user types.
    program: &'static str,
}

#[derive(Debug, Parser)]
#[command(
    name = NAME,
    version,
    about = "Proves, shows and steers the SaaS API keys that ConnectorCredentials declare",
    arg_required_else_help = true,
    max_term_width = 100
)]
struct Line {
    #[command(subcommand)]
    task: Task,
    /// When words have colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_possible_values = true)]
    color: Colour,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Prove the keys that manifests name, without a cluster
    #[command(after_help = examples::VERIFY)]
    Verify(Box<verify::Verify>),
    /// Show what is wrong with one credential, since when, and what to do
    #[command(after_help = examples::STATUS)]
    Status(Box<status::StatusCommand>),
    /// List credentials, with a timeline of what expires
    #[command(after_help = examples::LIST, visible_alias = "ls")]
    List(Box<list::List>),
    /// Show source, credential, outputs and the Pods that use them
    #[command(after_help = examples::TREE)]
    Tree(Box<tree::Tree>),
    /// Print the outputs as they would be; keys are redacted
    #[command(after_help = examples::RENDER)]
    Render(Box<render::Render>),
    /// Have credentials checked now
    #[command(after_help = examples::RECONCILE)]
    Reconcile(Box<steer::Reconcile>),
    /// Stop checks and writes of credentials
    #[command(after_help = examples::SUSPEND)]
    Suspend(Box<steer::Suspend>),
    /// Take checks and writes of credentials up again
    #[command(after_help = examples::RESUME)]
    Resume(Box<steer::Resume>),
    /// Check whether the operator can be installed, or works
    #[command(after_help = examples::CHECK)]
    Check(Box<check::Check>),
    /// Print what a maintainer needs to help; nothing secret
    #[command(after_help = examples::REPORT)]
    Report(Box<report::Report>),
    /// Print the definition of the kind `ConnectorCredential`
    #[command(after_help = examples::CRD)]
    Crd,
    /// Print a completion script for a shell
    #[command(after_help = examples::COMPLETION)]
    Completion(completion::Completion),
    /// Write man pages into a directory
    #[command(after_help = examples::MAN)]
    Man(completion::Man),
    /// Print the version
    #[command(after_help = examples::VERSION)]
    Version,
}

/// How many documents a manifest holds.
///
/// # Errors
/// The line, and what is wrong there; nothing that stands in the text.
pub fn documents(text: &str) -> Result<usize, String> {
    verify::documents(text)
}

/// Runs the command line.
#[must_use]
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let called = arguments.first().map(Path::new).and_then(Path::file_stem).unwrap_or_default();
    let shown = Shown { program: if called == PLUGIN.0 || called == COMPLETER { PLUGIN.1 } else { NAME } };
    if called == COMPLETER {
        let output = Output::new(Colour::Never);
        return ended(completion::complete_for_kubectl(&arguments, shown, output), output);
    }
    if completion::completed(&arguments, shown) {
        return ExitCode::SUCCESS;
    }
    let line = command(shown).try_get_matches_from(arguments).and_then(|found| Line::from_arg_matches(&found));
    let line = match line {
        Ok(line) => line,
        Err(error) => return usage(&error),
    };
    let output = Output::new(line.color);
    ended(run(line.task, output, &shown), output)
}

/// Tells what went wrong, and sets the exit code.
fn ended(outcome: Result<Ending, Trouble>, output: Output) -> ExitCode {
    match outcome {
        Ok(ending) => ending.into(),
        Err(trouble) => {
            if trouble != Trouble::ClosedPipe {
                output.trouble(&trouble);
            }
            trouble.code()
        }
    }
}

/// Help and version are no failures.
fn usage(error: &clap::Error) -> ExitCode {
    // Nobody is left who could be told.
    let _told = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// The tree of commands, under the name that its user knows.
fn command(shown: Shown) -> Command {
    let styles =
        Styles::styled().header(AnsiColor::Green.on_default().bold()).usage(AnsiColor::Green.on_default().bold());
    let named = move |command: Command| {
        let help = command.get_after_help().map(|help| help.to_string().replace(NAME, shown.program));
        match help {
            Some(help) => command.after_help(help),
            None => command,
        }
    };
    Line::command().styles(styles).bin_name(shown.program).display_name(shown.program).mut_subcommands(named)
}

fn run(task: Task, output: Output, shown: &Shown) -> Result<Ending, Trouble> {
    match task {
        Task::Crd => output.raw(crate::crd::yaml().as_bytes()).map(|()| Ending::Good),
        Task::Version => {
            let text = format!("{NAME} {}\n", env!("CARGO_PKG_VERSION"));
            output.raw(text.as_bytes()).map(|()| Ending::Good)
        }
        Task::Completion(completion) => completion.run(output),
        Task::Man(man) => man.run(),
        Task::Verify(verify) => wait(verify.run(output, shown)),
        Task::Status(status) => wait(status.run(output, shown)),
        Task::List(list) => wait(list.run(output, shown)),
        Task::Tree(tree) => wait(tree.run(output, shown)),
        Task::Render(render) => wait(render.run(output, shown)),
        Task::Reconcile(reconcile) => wait(reconcile.run(output, shown)),
        Task::Suspend(suspend) => wait(suspend.run(output, shown)),
        Task::Resume(resume) => wait(resume.run(output, shown)),
        Task::Check(check) => wait(check.run(output, shown)),
        Task::Report(report) => wait(report.run(output, shown)),
    }
}

/// Runs what needs a network.
fn wait(work: impl Future<Output = Result<Ending, Trouble>>) -> Result<Ending, Trouble> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|_| Trouble::new("the system gives no event loop"))?;
    runtime.block_on(work)
}
