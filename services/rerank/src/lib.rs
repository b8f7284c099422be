//! Orders a ranked list for diversity, under caps.
//!
//! Items are compared by the item tower's vectors of the published bundle and by genres and tags,
//! which come from the feature service's item log. Either may be missing: without a bundle items
//! are compared by their labels, and an item of which nothing is known counts as different from
//! all others.

mod config;
mod error;
mod grpc;
mod metrics;
mod rerank;
mod vectors;

use tokio_util::sync::CancellationToken;
use tributary_bundle::Served;
use tributary_feed::{Catalog, follow_items};
use tributary_mesh::Client;
use tributary_proto::rerank::v1::rerank_service_server::RerankServiceServer;
use tributary_runtime::{Health, Listeners, Server};

pub use crate::{
    config::{Attribute, CapConfig, Config},
    error::{RerankError, StartError},
};
use crate::{rerank::Reranker, vectors::Vectors};

/// Serves until `shutdown`. Ready at once: neither the feature service nor a bundle has to be
/// there, and both are taken up when they come.
///
/// # Errors
/// Where an address is none, the server breaks, or the items can no longer be followed.
pub async fn start(
    config: Config,
    listeners: Listeners,
    shutdown: CancellationToken,
) -> Result<(), StartError> {
    metrics::describe();
    let catalog = Catalog::new();
    let feature = Client::new("feature", &config.feature)?;
    let items = follow_items(feature, catalog.sink(), shutdown.clone());
    let served =
        config.bundle.clone().map(|store| Served::start(store, Vectors::load, shutdown.clone()));
    let reranker = Reranker::new(served.clone(), catalog, &config);
    let service = RerankServiceServer::new(grpc::Service::new(reranker, &config));
    let server = Server::new(&config.server, listeners, shutdown).add(service);
    let health = server.health();
    health.ready();
    tokio::select! {
        served = server.run() => Ok(served?),
        () = report(served, &health) => Ok(()),
        () = items.ended() => Err(StartError::Unfollowed),
    }
}

/// Tells health of the bundle, now and after every swap. Never ends.
async fn report(served: Option<Served<Vectors>>, health: &Health) {
    let Some(served) = served else { return std::future::pending().await };
    let mut changes = served.changes();
    loop {
        if let Some(bundle) = changes.borrow_and_update().as_ref() {
            health.describe("bundle", bundle.as_str());
        }
        changes.changed().await.expect("`served` holds the sending side");
    }
}
