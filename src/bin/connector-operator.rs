//! The operator: reads its flags, and runs.

use connector_operator::args::Settings;
use connector_operator::run::{finish, prepare, run};
use mimalloc::MiMalloc;
use std::num::NonZeroUsize;
use std::process::ExitCode;

/// The C library's allocator keeps twice as much of what a storm of visits used; musl's, in the image, is slow with
/// threads.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let settings = Settings::parse();
    if let Err(error) = prepare(&settings) {
        tracing::error!(%error, "cannot start");
        return ExitCode::FAILURE;
    }
    // Said here, so that no variable of the runtime's says it.
    let workers = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build();
    let Ok(runtime) = runtime else {
        tracing::error!("cannot start: the system refuses threads");
        return ExitCode::FAILURE;
    };
    let ended = runtime.block_on(run(settings));
    finish(runtime);
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "ended");
            ExitCode::FAILURE
        }
    }
}
