//! The channel of the user-item graph: items lie near each other where users connect them, the
//! user is represented by a few of the own items (medoids of the history), and the items nearest
//! to those are the answer. The medoids come from the context of the request, so that new
//! behaviour counts at once; nothing is inferred at serving time.

mod channel;
mod config;
mod error;
mod metrics;
mod model;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tributary_bundle::Served;
use tributary_fresh::Items;
use tributary_recall::{Bundled, Following, FollowingConfig, Lists, Workers};
use tributary_runtime::{Listeners, Server};

use crate::channel::Graph;
pub use crate::{config::Config, error::GraphError};

/// Serves until `shutdown`. Says that it is not ready, and answers `FAILED_PRECONDITION`, until a
/// first bundle is published and the item log is caught up with (or `startup_wait` over); takes up
/// every further bundle as it is published, and every change of the items as it comes.
pub async fn start(
    config: Config,
    listeners: Listeners,
    shutdown: CancellationToken,
) -> Result<(), GraphError> {
    let (lists, items) = (Lists::new("graph", &config.cache), Items::new());
    let following = FollowingConfig {
        feature: &config.feature,
        live: &config.live,
        startup_wait: config.startup_wait,
    };
    let following = Following::start(&following, &items, lists.clone(), shutdown.clone())?;
    let (index, known) = (config.index, items.clone());
    let load = move |bundle: &_| model::load(bundle, &index, &known);
    let bundled = Bundled::new(Served::start(config.bundle, load, shutdown.clone()));
    let workers = Workers::new(&config.workers);
    let channel = Graph::new(bundled.clone(), following.live(), workers, config.medoids);
    let server = Server::new(&config.server, listeners, shutdown)
        .add(tributary_recall::service(Arc::new(channel), lists));
    let report = bundled.report(server.health(), |_, _| {});
    Ok(following.serve(server, report).await?)
}
