//! The channel of several interests: a network (MIND: Li et al., Multi-Interest Network with Dynamic
//! Routing for Recommendation at Tmall, 2019) makes up to K vectors of the user's behaviour as it is
//! at the request, each is searched for among the item vectors, all at once, and an item counts by
//! the interest that it is nearest to.
//!
//! Network, encoder and item vectors come from one bundle and are swapped together: an interest
//! means nothing among the item vectors of another training.

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
use tributary_tower::Loader;

use crate::{channel::MultiInterest, model::Model};
pub use crate::{config::Config, error::MultiInterestError};

/// Serves until `shutdown`. Says that it is not ready, and answers `FAILED_PRECONDITION`, until a
/// first bundle is published; takes up every further one as it is published. Fails where there is
/// no ONNX Runtime.
pub async fn start(
    config: Config,
    listeners: Listeners,
    shutdown: CancellationToken,
) -> Result<(), MultiInterestError> {
    let loader = Loader::new(config.inference)?;
    let index = config.index;
    let load = move |bundle: &_| Model::load(bundle, &loader, &index);
    let bundled = Bundled::new(Served::start(config.bundle, load, shutdown.clone()));
    let channel = MultiInterest::new(bundled.clone(), Workers::new(&config.workers));
    let server = Server::new(&config.server, listeners, shutdown)
        .add(grpc::service(Arc::new(channel), &config.cache));
    let report = bundled.report(server.health(), |model: &Model, health| {
        health.describe("provider", model.interests.provider().as_str());
    });
    serve(server, report).await?;
    Ok(())
}
