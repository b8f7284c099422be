//! The channel of words: items with the tags, genres, years and title words of what the user
//! dealt with lately, and free-text search. Its index follows the feature service's logs, so that
//! a new item is found and a deleted one is gone within a second.

mod catalogue;
mod channel;
mod config;
mod error;
mod grpc;
mod metrics;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tributary_feed::{follow_events, follow_items};
use tributary_mesh::Client;
use tributary_proto::recall::v1::search_service_server::SearchServiceServer;
use tributary_recall::{Lists, Live, Workers, serve};
use tributary_retrieval::text::TextIndex;
use tributary_runtime::{Listeners, Server};

use crate::{
    catalogue::{Catalogue, Counting, Indexing},
    channel::Words,
    grpc::FreeText,
};
pub use crate::{config::Config, error::SearchError};

/// Serves until `shutdown`. Says that it is not ready, and answers `FAILED_PRECONDITION`, until it
/// has caught up with both logs for the first time; from then on it serves whatever becomes of the
/// feature service. Ends with an error where a log can no longer be followed.
pub async fn start(
    config: Config,
    listeners: Listeners,
    shutdown: CancellationToken,
) -> Result<(), SearchError> {
    let index = TextIndex::new(config.text)?;
    let lists = Lists::new("search", &config.cache);
    let live = Live::new(&config.live, lists.clone());
    let catalogue = Arc::new(Catalogue::new(index, live));
    let feature = Client::new("feature", &config.feature)?;
    let items = follow_items(feature.clone(), Indexing(Arc::clone(&catalogue)), shutdown.clone());
    let events = follow_events(feature, Counting(Arc::clone(&catalogue)), shutdown.clone());
    let caught_up = async {
        items.caught_up().await;
        events.caught_up().await;
    };
    let words = Arc::new(Words::new(Arc::clone(&catalogue), Workers::new(&config.workers)));
    let server = Server::new(&config.server, listeners, shutdown)
        .add(tributary_recall::service(Arc::clone(&words), lists))
        .add(SearchServiceServer::new(FreeText(words)));
    let health = server.health();
    let ready = async {
        catalogue.opened().await;
        health.ready();
    };
    let beside = async {
        tokio::join!(catalogue.keep_committed(caught_up), ready);
    };
    tokio::select! {
        served = serve(server, beside) => Ok(served?),
        () = items.ended() => Err(SearchError::Unfollowed("items")),
        () = events.ended() => Err(SearchError::Unfollowed("events")),
    }
}
