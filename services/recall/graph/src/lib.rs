//! The channel of the user-item graph: items lie near each other where users connect them, the
//! user is represented by a few of the own items (medoids of the history), and the items nearest
//! to those are the answer. The medoids come from the context of the request, so that new
//! behaviour counts at once; nothing is inferred at serving time.

mod channel;
mod config;
mod error;
mod grpc;
mod metrics;
mod model;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tributary_bundle::Served;
use tributary_recall::{Bundled, Workers, serve};
use tributary_runtime::{Listeners, Server};

use crate::channel::Graph;
pub use crate::{config::Config, error::GraphError};

/// Serves until `shutdown`. Says that it is not ready, and answers `FAILED_PRECONDITION`, until a
/// first bundle is published; takes up every further one as it is published.
pub async fn start(
    config: Config,
    listeners: Listeners,
    shutdown: CancellationToken,
) -> Result<(), GraphError> {
    let index = config.index;
    let load = move |bundle: &_| model::load(bundle, &index);
    let bundled = Bundled::new(Served::start(config.bundle, load, shutdown.clone()));
    let channel = Graph::new(bundled.clone(), Workers::new(&config.workers), config.medoids);
    let server = Server::new(&config.server, listeners, shutdown)
        .add(grpc::service(Arc::new(channel), &config.cache));
    let report = bundled.report(server.health(), |_, _| {});
    serve(server, report).await?;
    Ok(())
}
