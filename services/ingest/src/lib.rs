//! Follows a MySQL or MariaDB database: reads its items, users and interactions, once whole and
//! then from the binlog, and writes them to `feature` with the position up to which they were read.

mod backoff;
mod batch;
mod cell;
mod change;
mod config;
mod ddl;
mod dead_letters;
mod error;
mod export;
mod folder;
mod follow;
mod lag;
mod layout;
pub mod mapping;
mod metrics;
mod position;
mod reader;
mod schema;
mod session;
mod sink;
mod snapshot;
mod source;
mod tables;
mod zone;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tributary_runtime::{Health, Listeners, Server};

use crate::{backoff::Backoff, folder::Folder, lag::Lag, session::Ingest, sink::Sink};
pub use crate::{
    config::{
        Config, DeadLettersConfig, OnPurged, OnSchemaChange, SnapshotConfig, SourceConfig,
        TlsConfig, TlsMode,
    },
    dead_letters::{DeadLetter, DeadLetters, command},
    error::{IngestError, SourceError},
    export::{Exported, export},
};

/// Follows the database until `shutdown`. Says that it is ready once the snapshot is done and
/// everything is written that was in the binlog by then, or at the start where it was done before. A
/// lost connection and an absent `feature` are waited for; all else ends it with an error.
pub async fn start(
    config: Config,
    listeners: Listeners,
    shutdown: CancellationToken,
) -> Result<(), IngestError> {
    metrics::describe();
    let folder = Folder::lock(&config.data)?;
    let stopping = shutdown.child_token();
    let server = Server::new(&config.server, listeners, stopping.clone());
    let health = server.health();
    let lag = Arc::new(Lag::new());
    let allowance = config.source.heartbeat * 2;
    let reading = async {
        let read = tokio::select! {
            read = follow(&config, health, Arc::clone(&lag)) => read,
            () = lag.report(allowance) => Ok(()),
            () = stopping.cancelled() => Ok(()),
        };
        stopping.cancel();
        read
    };
    let serving = async {
        let served = server.run().await;
        stopping.cancel();
        served
    };
    let (served, read) = tokio::join!(serving, reading);
    drop(folder);
    read?;
    Ok(served?)
}

fn tell(error: &(dyn std::error::Error + 'static), pause: std::time::Duration) {
    tracing::warn!(error, ?pause, "connecting again");
}

/// Connects again and again.
async fn follow(config: &Config, health: Health, lag: Arc<Lag>) -> Result<(), IngestError> {
    let letters = DeadLetters::open(&config.data, config.dead_letters.most)?;
    let sink = Sink::open(&config.feature, &config.source.name).await?;
    let writer = format!("{:016x}", rand::random::<u64>());
    let mut ingest = Ingest { config, writer, sink, letters, health, lag };
    let mut backoff = Backoff::up_to(config.source.reconnect);
    loop {
        let began = tokio::time::Instant::now();
        match ingest.run().await {
            Err(IngestError::Source(error)) if error.is_transient() => {
                metrics::connection_lost();
                if began.elapsed() > config.source.reconnect {
                    backoff.reset();
                }
                let pause = backoff.next_pause();
                tell(&error, pause);
                tokio::time::sleep(pause).await;
            }
            Err(error) => return Err(error),
            Ok(never) => match never {},
        }
    }
}
