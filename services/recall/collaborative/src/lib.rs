//! The channel of similar users and similar items: neighbours' favourites in proportion to
//! similarity, and item-to-item from the user's recent behaviour. Both work from tables of the
//! published bundle and from the context of the request.

mod channel;
mod config;
mod error;
mod grpc;
mod metrics;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tributary_bundle::Served;
use tributary_recall::{Bundled, Workers, serve};
use tributary_runtime::{Listeners, Server};

use crate::channel::Neighbours;
pub use crate::{config::Config, error::CollaborativeError};

/// Serves until `shutdown`. Says that it is not ready, and answers `FAILED_PRECONDITION`, until a
/// first bundle is published; takes up every further one as it is published.
pub async fn start(
    config: Config,
    listeners: Listeners,
    shutdown: CancellationToken,
) -> Result<(), CollaborativeError> {
    let settings = config.collaborative.clone();
    let load = move |bundle: &_| channel::load(bundle, &settings);
    let bundled = Bundled::new(Served::start(config.bundle, load, shutdown.clone()));
    let neighbours = Neighbours::new(bundled.clone(), Workers::new(&config.workers));
    let server = Server::new(&config.server, listeners, shutdown)
        .add(grpc::service(Arc::new(neighbours), &config.cache));
    let report = bundled.report(server.health(), |_, _| {});
    serve(server, report).await?;
    Ok(())
}
