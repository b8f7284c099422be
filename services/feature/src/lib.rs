//! The feature service: owns users, items and behaviour, and the ordered logs of what changed.

mod codec;
mod config;
mod error;
mod exposure;
mod grpc;
mod history;
mod metrics;
pub mod store;
mod user;

use anyhow::Context;
use tokio_util::sync::CancellationToken;
use tributary_proto::feature::v1::feature_service_server::FeatureServiceServer;
use tributary_runtime::{Listeners, Server};

pub use codec::Corrupt;
pub use config::{Config, RedisConfig, RedisMode, Retention, StoreConfig, StoreKind, WatchConfig};
pub use error::FeatureError;
pub use store::{OpenError, Store, StoreError};

/// A call holds up to 1,000 items of at most 64 kB.
const MESSAGE_BYTES: usize = 64 * 1024 * 1024;

/// Opens the store and serves until `shutdown`, then drains and closes it. Ends with an error where
/// the store cannot be opened, or cannot write any more.
pub async fn start(
    config: Config,
    listeners: Listeners,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    metrics::describe();
    let Config { server, telemetry: _, store, redis, retention, watch } = config;
    let store = Store::open(store, &redis, retention).await?;
    let stopping = shutdown.child_token();
    let service = grpc::Service::new(store.clone(), watch.heartbeat, stopping.clone());
    let service = FeatureServiceServer::new(service).max_decoding_message_size(MESSAGE_BYTES);
    let server = Server::new(&server, listeners, stopping.clone());
    let health = server.health();
    let server = server.add(service);
    health.ready();
    let failing = async {
        store.failed().await;
        stopping.cancel();
    };
    let (served, ()) = tokio::join!(server.run(), until(failing, &stopping));
    served.context("the server failed")?;
    let failed = !shutdown.is_cancelled();
    store.close().await;
    anyhow::ensure!(!failed, "the store failed: start again to recover it");
    Ok(())
}

/// Runs `watch` no longer than until `stopping`.
async fn until(watch: impl Future<Output = ()>, stopping: &CancellationToken) {
    stopping.run_until_cancelled(watch).await;
}
