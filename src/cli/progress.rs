//! How far is long work? Told from the second second on, and wiped away at its end.

use super::output::Output;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Does the work; tells every second how far it is, in the words that `far` has then.
pub(super) async fn told<T>(output: Output, far: impl Fn() -> String, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    let mut told = false;
    loop {
        if let Ok(done) = tokio::time::timeout(SECOND, &mut work).await {
            if told {
                output.progress("");
            }
            return done;
        }
        output.progress(&far());
        told = true;
    }
}
