use std::time::Duration;

use serde::Deserialize;
use tributary_bundle::StoreConfig;
use tributary_domain::{FieldError, prefixed};
use tributary_mesh::ClientConfig;
use tributary_recall::{CacheConfig, LiveConfig, WorkersConfig};
use tributary_retrieval::{medoids::MedoidsConfig, vector::VectorConfig};
use tributary_runtime::{Configuration, ServerConfig, TelemetryConfig};

/// The configuration of `recall-graph`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub server: ServerConfig,
    pub telemetry: TelemetryConfig,
    /// Whose item log is followed.
    pub feature: ClientConfig,
    pub bundle: StoreConfig,
    pub index: VectorConfig,
    pub medoids: MedoidsConfig,
    pub live: LiveConfig,
    pub cache: CacheConfig,
    pub workers: WorkersConfig,
    /// How long the start waits for the item log. After that the channel serves without it.
    #[serde(with = "humantime_serde")]
    pub startup_wait: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            server: ServerConfig::on(7016),
            telemetry: TelemetryConfig::default(),
            feature: ClientConfig::at("http://127.0.0.1:7001"),
            bundle: StoreConfig::default(),
            index: VectorConfig::default(),
            medoids: MedoidsConfig::default(),
            live: LiveConfig::default(),
            cache: CacheConfig::default(),
            workers: WorkersConfig::default(),
            startup_wait: Duration::from_secs(10),
        }
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
        self.live.check().map_err(prefixed("live"))?;
        self.cache.check().map_err(prefixed("cache"))
    }
}
