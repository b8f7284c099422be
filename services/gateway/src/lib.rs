//! The only public service: answers "what should this user see next?" by asking the other services
//! and never fails for one of them.
//!
//! Folders are the stages of a request: [`context`], [`recall`], [`merge`], [`filters`],
//! [`exploration`], [`ranking`], [`rerank`], [`answer`], [`effects`]. [`pipeline`] runs them and does
//! no I/O of its own.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, anyhow};
use tokio_util::sync::CancellationToken;
use tributary_feed::{Follower, follow_items};
use tributary_proto::gateway::v1::gateway_service_server::GatewayServiceServer;
use tributary_runtime::{Health, Listeners, Server};

pub mod answer;
pub mod budget;
pub mod catalogue;
pub mod config;
pub mod context;
pub mod degradation;
pub mod effects;
pub mod error;
pub mod explain;
pub mod exploration;
#[cfg(test)]
mod fakes;
pub mod filters;
pub mod grpc;
pub mod merge;
pub mod metrics;
pub mod outcome;
pub mod page_token;
pub mod pipeline;
pub mod ranking;
pub mod recall;
pub mod request;
pub mod rerank;
pub mod upstreams;

pub use config::Config;

use catalogue::Catalogue;
use config::PageTokenConfig;
use effects::impressions;
use grpc::{Gateway, upstreams::Remote};
use page_token::Tokens;
use recall::fallback::{self, Fallback};

/// Serves until `shutdown`, drains, flushes the impressions, and returns.
///
/// # Errors
/// Where an upstream's address cannot be one, the server breaks, or the items can no longer be
/// followed. Upstreams that are away are no error: the gateway starts without them.
pub async fn start(
    config: Config,
    listeners: Listeners,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let remote = Arc::new(Remote::new(&config)?);
    let config = Arc::new(config);
    let catalogue = Catalogue::default();
    let follower = Arc::new(follow_items(remote.feature(), catalogue.sink(), shutdown.clone()));
    let fallback = Fallback::default();
    let refresh = refresh_fallback(&remote, &config, &fallback, &shutdown);
    // Cancelled after the server has drained: the last answers are recorded as well.
    let drained = CancellationToken::new();
    let (queue, recorder) =
        impressions::start(Arc::clone(&remote), &config.impressions, drained.clone());
    let server = Server::new(&config.server, listeners, shutdown.clone());
    let ready = tokio::spawn(become_ready(
        server.health(),
        Arc::clone(&follower),
        config.startup_wait,
        shutdown.clone(),
    ));
    let following = Arc::clone(&follower);
    let gateway = Gateway {
        upstreams: remote,
        catalogue,
        follower,
        fallback,
        tokens: tokens(&config.page_token),
        impressions: queue,
        metrics: metrics::Metrics::new(&config),
        config,
    };
    // A catalogue that stands still would let deleted items back in: better to end and be restarted.
    let served = tokio::select! {
        served = server.add(GatewayServiceServer::new(gateway)).run() => {
            served.context("the server failed")
        }
        () = following.ended() => Err(anyhow!("the items are no longer followed")),
    };
    shutdown.cancel();
    drained.cancel();
    for task in [Some(recorder), Some(ready), refresh].into_iter().flatten() {
        task.await.context("a task of the gateway panicked")?;
    }
    served
}

fn refresh_fallback(
    remote: &Arc<Remote>,
    config: &Config,
    fallback: &Fallback,
    shutdown: &CancellationToken,
) -> Option<tokio::task::JoinHandle<()>> {
    let Some(index) = config.fallback_channel() else {
        let channel = &config.fallback.channel;
        tracing::warn!(channel, "no such channel: there is no fallback list");
        return None;
    };
    Some(tokio::spawn(fallback::refresh(
        Arc::clone(remote),
        (index, config.channel[index].clone()),
        config.fallback.clone(),
        fallback.clone(),
        shutdown.clone(),
    )))
}

/// Ready once the catalogue is known, or after the configured wait: a gateway without `feature`
/// still answers.
async fn become_ready(
    health: Health,
    follower: Arc<Follower>,
    wait: Duration,
    shutdown: CancellationToken,
) {
    let caught_up = tokio::time::timeout(wait, follower.caught_up());
    match shutdown.run_until_cancelled(caught_up).await {
        None => return,
        Some(Ok(())) => tracing::info!("catalogue is complete"),
        Some(Err(_)) => tracing::warn!(?wait, "serving without a complete catalogue"),
    }
    health.ready();
}

fn tokens(config: &PageTokenConfig) -> Tokens {
    let secret = config.secret.0.as_bytes();
    if secret.is_empty() {
        tracing::warn!("page_token.secret is not set: page tokens end with this process");
        return Tokens::with_random_key(config.lifetime);
    }
    Tokens::with_secret(secret, config.lifetime)
}
