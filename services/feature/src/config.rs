mod redis;

use std::{path::PathBuf, time::Duration};

use bytesize::ByteSize;
use serde::Deserialize;
use tributary_domain::{FieldError, between};
use tributary_runtime::{Configuration, ServerConfig, TelemetryConfig};

pub use redis::{RedisConfig, RedisMode};

/// The configuration of the process.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub server: ServerConfig,
    pub telemetry: TelemetryConfig,
    pub store: StoreConfig,
    pub redis: RedisConfig,
    pub retention: Retention,
    pub watch: WatchConfig,
}

/// Where and how the data is kept.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// The keys below are of the embedded store.
    pub kind: StoreKind,
    /// Folder of the database; made where it is missing.
    pub data: PathBuf,
    /// Memory for pages of the database.
    pub cache: ByteSize,
    /// Calls that may wait for the writer. One more is refused with `RESOURCE_EXHAUSTED`.
    pub write_queue: usize,
}

/// What keeps the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreKind {
    /// A database of this process, for one replica.
    Embedded,
    /// Redis, for any number of replicas.
    Redis,
}

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Behaviours in a user's context, the latest ones.
    pub behaviours: usize,
    /// Seen items of a user, the latest ones; as many again that were shown but are not yet seen.
    pub seen: usize,
    /// Impressions after which an item counts as seen.
    pub impressions_until_seen: u16,
    /// Events in the log that followers read, the latest ones. Duplicates are known for ever.
    pub events: u64,
}

/// The streams to followers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WatchConfig {
    /// An idle stream gets an empty message this often; at most "10s".
    #[serde(with = "humantime_serde")]
    pub heartbeat: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            server: ServerConfig::on(7001),
            telemetry: TelemetryConfig::default(),
            store: StoreConfig::default(),
            redis: RedisConfig::default(),
            retention: Retention::default(),
            watch: WatchConfig::default(),
        }
    }
}

impl Default for StoreConfig {
    fn default() -> Self {
        let data = PathBuf::from(".tributary/feature");
        Self { kind: StoreKind::Embedded, data, cache: ByteSize::mib(64), write_queue: 1_024 }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self { behaviours: 200, seen: 20_000, impressions_until_seen: 5, events: 5_000_000 }
    }
}

impl Default for WatchConfig {
    fn default() -> Self {
        Self { heartbeat: Duration::from_secs(5) }
    }
}

impl Configuration for Config {
    fn server(&self) -> &ServerConfig {
        &self.server
    }

    fn telemetry(&self) -> &TelemetryConfig {
        &self.telemetry
    }

    fn check(&self) -> Result<(), FieldError> {
        let Retention { behaviours, seen, impressions_until_seen, events } = self.retention;
        if self.store.kind == StoreKind::Redis {
            self.redis.check()?;
            if self.redis.recorded < behaviours {
                let reason = format_args!("less than the {behaviours} of retention.behaviours");
                return Err(FieldError::new("redis.recorded", reason.to_string()));
            }
        }
        between("store.write_queue", self.store.write_queue, 1, 1_000_000)?;
        between("retention.behaviours", behaviours, 1, 10_000)?;
        between("retention.seen", seen, 1, 1_000_000)?;
        between("retention.impressions_until_seen", impressions_until_seen, 1, 10_000)?;
        between("retention.events", events, 1, u64::MAX)?;
        between(
            "watch.heartbeat",
            self.watch.heartbeat,
            Duration::from_millis(1),
            Duration::from_secs(10),
        )
    }
}
