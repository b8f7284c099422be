use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

const SECOND: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(5);

/// Asks until it holds: what changes has to count within a second. Says what did not.
pub async fn within_a_second(what: &str, holds: impl AsyncFn() -> Result<bool>) -> Result<()> {
    let begun = Instant::now();
    while !holds().await? {
        ensure!(begun.elapsed() < SECOND, "not within a second: {what}");
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}
