use serde::Deserialize;
use tributary_bundle::StoreConfig;
use tributary_domain::{FieldError, prefixed};
use tributary_inference::InferenceConfig;
use tributary_recall::{CacheConfig, WorkersConfig};
use tributary_retrieval::vector::VectorConfig;
use tributary_runtime::{Configuration, ServerConfig, TelemetryConfig};

/// The configuration of `recall-multi-interest`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub server: ServerConfig,
    pub telemetry: TelemetryConfig,
    pub bundle: StoreConfig,
    pub inference: InferenceConfig,
    pub index: VectorConfig,
    pub cache: CacheConfig,
    pub workers: WorkersConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            server: ServerConfig::on(7015),
            telemetry: TelemetryConfig::default(),
            bundle: StoreConfig::default(),
            inference: InferenceConfig::default(),
            index: VectorConfig::default(),
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
