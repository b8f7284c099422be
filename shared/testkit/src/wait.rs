use std::{panic::Location, time::Duration};

use tokio::time::{Instant, sleep};

const PAUSE: Duration = Duration::from_millis(5);

/// Asks until `condition` holds. Panics, naming the caller's line, if it does not within `timeout`.
#[track_caller]
pub fn wait_until<F, Fut>(mut condition: F, timeout: Duration) -> impl Future<Output = ()>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = bool>,
{
    let place = Location::caller();
    async move {
        let end = Instant::now() + timeout;
        while !condition().await {
            assert!(Instant::now() < end, "not true within {timeout:?}: {place}");
            sleep(PAUSE).await;
        }
    }
}
