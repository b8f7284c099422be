//! Orders a ranked list for diversity, under caps.
//!
//! Items are compared by the item tower's vectors of the published bundle and by genres and tags,
//! which come from the feature service's item log; an item that is newer than the bundle, or changed
//! since, is placed by the bundle's item tower. Either may be missing: without a bundle items
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
use tributary_feed::follow_items;
use tributary_fresh::Items;
use tributary_mesh::Client;
use tributary_proto::rerank::v1::rerank_service_server::RerankServiceServer;
use tributary_runtime::{Health, Listeners, Server};
use tributary_tower::Loader;

pub use crate::{
    config::{Attribute, CapConfig, Config},
    error::{RerankError, StartError},
};
use crate::{rerank::Reranker, vectors::Vectors};

/// Serves until `shutdown`. Ready at once: neither the feature service nor a bundle has to be
/// there, and both are taken up when they come.
///
/// # Errors
/// Where an address is none, bundles are served and there is no ONNX Runtime, the server breaks, or
/// the items can no longer be followed.
pub async fn start(
    config: Config,
    listeners: Listeners,
    shutdown: CancellationToken,
) -> Result<(), StartError> {
    metrics::describe();
    let items = Items::new();
    let feature = Client::new("feature", &config.feature)?;
    let following = follow_items(feature, items.sink(), shutdown.clone());
    let served = serve_bundles(&config, &items, &shutdown)?;
    let reranker = Reranker::new(served.clone(), items.catalog().clone(), &config);
    let service = RerankServiceServer::new(grpc::Service::new(reranker, &config));
    let server = Server::new(&config.server, listeners, shutdown).add(service);
    let health = server.health();
    health.ready();
    tokio::select! {
        served = server.run() => Ok(served?),
        () = report(served, &health) => Ok(()),
        () = following.ended() => Err(StartError::Unfollowed),
    }
}

fn serve_bundles(
    config: &Config,
    items: &Items,
    shutdown: &CancellationToken,
) -> Result<Option<Served<Vectors>>, StartError> {
    let Some(store) = config.bundle.clone() else { return Ok(None) };
    let (loader, items) = (Loader::new(config.inference.clone())?, items.clone());
    let load = move |bundle: &_| Vectors::load(bundle, &loader, &items);
    Ok(Some(Served::start(store, load, shutdown.clone())))
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
