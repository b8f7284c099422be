//! The channel of similar users and similar items: neighbours' favourites in proportion to
//! similarity, and item-to-item from the user's recent behaviour. Both work from tables of the
//! published bundle and from the context of the request.

mod channel;
mod config;
mod error;
mod metrics;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tributary_bundle::Served;
use tributary_fresh::Items;
use tributary_recall::{Bundled, Following, FollowingConfig, Lists, Workers};
use tributary_runtime::{Listeners, Server};

use crate::channel::Neighbours;
pub use crate::{config::Config, error::CollaborativeError};

/// Serves until `shutdown`. Says that it is not ready, and answers `FAILED_PRECONDITION`, until a
/// first bundle is published and the item log is caught up with (or `startup_wait` over); takes up
/// every further bundle as it is published, and every change of the items as it comes.
pub async fn start(
    config: Config,
    listeners: Listeners,
    shutdown: CancellationToken,
) -> Result<(), CollaborativeError> {
    let (lists, items) = (Lists::new("collaborative", &config.cache), Items::new());
    let following = FollowingConfig {
        feature: &config.feature,
        live: &config.live,
        startup_wait: config.startup_wait,
    };
    let following = Following::start(&following, &items, lists.clone(), shutdown.clone())?;
    let settings = config.collaborative.clone();
    let load = move |bundle: &_| channel::load(bundle, &settings);
    let bundled = Bundled::new(Served::start(config.bundle, load, shutdown.clone()));
    let workers = Workers::new(&config.workers);
    let neighbours = Neighbours::new(bundled.clone(), following.live(), workers, items);
    let server = Server::new(&config.server, listeners, shutdown)
        .add(tributary_recall::service(Arc::new(neighbours), lists));
    let report = bundled.report(server.health(), |_, _| {});
    Ok(following.serve(server, report).await?)
}
