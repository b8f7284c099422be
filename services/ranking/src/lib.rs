//! Scores candidates with the ranking model of the published bundle.
//!
//! Item features do not travel with the request: the process holds an encoded row for every item,
//! from the bundle first and kept fresh from the feature service's item log, and counts events
//! from its event log. What is left for the request is to encode the user once and what is between
//! the user and each candidate.

mod config;
mod counts;
mod error;
mod evidence;
#[cfg(test)]
mod fixtures;
mod grpc;
mod items;
mod metrics;
mod model;
mod rank;

use std::sync::Arc;

use anyhow::{Context, anyhow};
use tokio_util::sync::CancellationToken;
use tributary_bundle::Served;
use tributary_feed::{follow_events, follow_items};
use tributary_inference::Runtime;
use tributary_mesh::Client;
use tributary_proto::ranking::v1::ranking_service_server::RankingServiceServer;
use tributary_runtime::{Health, Listeners, Server};

pub use config::Config;
pub use error::RankingError;

use crate::{
    counts::{Counting, LiveCounts},
    items::{Models, Refreshing},
    model::{Loader, Model},
    rank::Ranker,
};

/// Serves until `shutdown`. Not ready before the first bundle is loaded; a bundle published later
/// is taken up whole, and a broken one refused. The feature service may be away: items are as in
/// the bundle until it is back.
///
/// # Errors
/// Where there is no ONNX Runtime, an address cannot be one, the server breaks, or a log can no
/// longer be followed.
pub async fn start(
    config: Config,
    listeners: Listeners,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    metrics::describe();
    let runtime = Runtime::load(&config.inference).context("ONNX Runtime is needed")?;
    let feature = Client::new("feature", &config.feature)?;
    let (models, counts) = (Models::default(), LiveCounts::default());
    let loader = Loader::new(&config, runtime, models.clone());
    let load = move |bundle: &_| loader.load(bundle);
    let served = Served::start(config.bundle.clone(), load, shutdown.clone());
    let refreshing = Refreshing::new(models);
    let counting = Counting::new(counts.clone());
    let items = follow_items(feature.clone(), refreshing, shutdown.clone());
    let events = follow_events(feature, counting, shutdown.clone());
    let ranker = Arc::new(Ranker::new(served.clone(), counts, events, &config.inference));
    let service = RankingServiceServer::new(grpc::Service::new(Arc::clone(&ranker)));
    let server = Server::new(&config.server, listeners, shutdown).add(service);
    let health = server.health();
    tokio::select! {
        served = server.run() => served.context("the server failed"),
        () = report(&served, &health) => Ok(()),
        () = items.ended() => Err(anyhow!("the items are no longer followed")),
        () = ranker.events_ended() => Err(anyhow!("the events are no longer followed")),
    }
}

/// Tells health, now and after every swap, of the bundle and of the provider that computes it.
async fn report(served: &Served<Arc<Model>>, health: &Health) {
    let mut changes = served.changes();
    loop {
        changes.mark_unchanged();
        if let Some(loaded) = served.current() {
            health.describe("bundle", loaded.bundle_id.as_str());
            health.describe("provider", loaded.value.provider().as_str());
            health.ready();
        }
        changes.changed().await.expect("`served` holds the sending side");
    }
}
