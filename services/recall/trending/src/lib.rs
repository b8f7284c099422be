//! The channel of what is popular now: among everybody, among people like the user, and what is
//! new; and of what is too new to be either, for the places that are reserved for it. It follows the
//! feature service's logs and works from nothing else, so it serves users of whom nothing is known,
//! and goes on when every other process is gone.

mod channel;
mod config;
mod counters;
mod error;
mod exploration;
mod metrics;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tributary_feed::{follow_events, follow_items};
use tributary_mesh::Client;
use tributary_recall::{Lists, Live, Workers, serve};
use tributary_runtime::{Listeners, Server};

use crate::{
    channel::Popular,
    counters::{Counters, Counting, Listing},
};
pub use crate::{config::Config, error::TrendingError};

/// Serves until `shutdown`. Says that it is not ready, and answers `FAILED_PRECONDITION`, until it
/// has caught up with both logs for the first time; from then on it serves whatever becomes of the
/// feature service. Ends with an error where a log can no longer be followed.
pub async fn start(
    config: Config,
    listeners: Listeners,
    shutdown: CancellationToken,
) -> Result<(), TrendingError> {
    let lists = Lists::new("trending", &config.cache);
    let live = Live::new(&config.live, lists.clone());
    let counters = Arc::new(Counters::new(config.trending, live));
    let feature = Client::new("feature", &config.feature)?;
    let items = follow_items(feature.clone(), Listing(Arc::clone(&counters)), shutdown.clone());
    let events = follow_events(feature, Counting(Arc::clone(&counters)), shutdown.clone());
    let caught_up = async {
        items.caught_up().await;
        events.caught_up().await;
    };
    let channel = Popular::new(Arc::clone(&counters), Workers::new(&config.workers));
    let server = Server::new(&config.server, listeners, shutdown)
        .add(tributary_recall::service(Arc::new(channel), lists));
    let health = server.health();
    let ready = async {
        counters.opened().await;
        health.ready();
    };
    let beside = async {
        tokio::join!(counters.keep_published(caught_up), ready);
    };
    tokio::select! {
        served = serve(server, beside) => Ok(served?),
        () = items.ended() => Err(TrendingError::Unfollowed("items")),
        () = events.ended() => Err(TrendingError::Unfollowed("events")),
    }
}
