use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

/// Much for a loaded machine, and little against the time for which lists are cached.
const SOON: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(5);

/// Asks until it holds; says what does not. How soon it does is measured by `make bench-live`.
pub async fn soon(what: &str, holds: impl AsyncFn() -> Result<bool>) -> Result<()> {
    let begun = Instant::now();
    while !holds().await? {
        ensure!(begun.elapsed() < SOON, "not within {SOON:?}: {what}");
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}
