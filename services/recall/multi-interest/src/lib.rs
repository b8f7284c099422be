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
mod metrics;
mod model;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tributary_bundle::Served;
use tributary_fresh::Items;
use tributary_recall::{Bundled, Following, FollowingConfig, Lists, Workers};
use tributary_runtime::{Listeners, Server};
use tributary_tower::Loader;

use crate::{channel::MultiInterest, model::Model};
pub use crate::{config::Config, error::MultiInterestError};

/// Serves until `shutdown`. Says that it is not ready, and answers `FAILED_PRECONDITION`, until a
/// first bundle is published and the item log is caught up with (or `startup_wait` over); takes up
/// every further bundle as it is published, and every change of the items as it comes. Fails where
/// there is no ONNX Runtime.
pub async fn start(
    config: Config,
    listeners: Listeners,
    shutdown: CancellationToken,
) -> Result<(), MultiInterestError> {
    let (lists, items) = (Lists::new("multi-interest", &config.cache), Items::new());
    let following = FollowingConfig {
        feature: &config.feature,
        live: &config.live,
        startup_wait: config.startup_wait,
    };
    let following = Following::start(&following, &items, lists.clone(), shutdown.clone())?;
    let loader = Loader::new(config.inference)?;
    let known = items.clone();
    let index = config.index;
    let load = move |bundle: &_| Model::load(bundle, &loader, &index, &known);
    let bundled = Bundled::new(Served::start(config.bundle, load, shutdown.clone()));
    let workers = Workers::new(&config.workers);
    let channel = MultiInterest::new(bundled.clone(), following.live(), workers);
    let server = Server::new(&config.server, listeners, shutdown)
        .add(tributary_recall::service(Arc::new(channel), lists));
    let report = bundled.report(server.health(), |model: &Model, health| {
        health.describe("provider", model.interests.provider().as_str());
    });
    Ok(following.serve(server, report).await?)
}
