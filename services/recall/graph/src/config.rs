use serde::Deserialize;
use tributary_bundle::StoreConfig;
use tributary_domain::{FieldError, prefixed};
use tributary_recall::{CacheConfig, WorkersConfig};
use tributary_retrieval::{medoids::MedoidsConfig, vector::VectorConfig};
use tributary_runtime::{Configuration, ServerConfig, TelemetryConfig};

/// The configuration of `recall-graph`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub server: ServerConfig,
    pub telemetry: TelemetryConfig,
    pub bundle: StoreConfig,
    pub index: VectorConfig,
    pub medoids: MedoidsConfig,
    pub cache: CacheConfig,
    pub workers: WorkersConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            server: ServerConfig::on(7016),
            telemetry: TelemetryConfig::default(),
            bundle: StoreConfig::default(),
            index: VectorConfig::default(),
            medoids: MedoidsConfig::default(),
            cache: CacheConfig::default(),
            workers: WorkersConfig::default(),
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
        self.cache.check().map_err(prefixed("cache"))
    }
}
