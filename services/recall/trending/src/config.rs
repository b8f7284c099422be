use serde::Deserialize;
use tributary_domain::{FieldError, prefixed};
use tributary_mesh::ClientConfig;
use tributary_recall::{CacheConfig, LiveConfig, WorkersConfig};
use tributary_retrieval::trending::TrendingConfig;
use tributary_runtime::{Configuration, ServerConfig, TelemetryConfig};

/// The configuration of `recall-trending`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub server: ServerConfig,
    pub telemetry: TelemetryConfig,
    pub feature: ClientConfig,
    pub trending: TrendingConfig,
    pub live: LiveConfig,
    pub cache: CacheConfig,
    pub workers: WorkersConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            server: ServerConfig::on(7014),
            telemetry: TelemetryConfig::default(),
            feature: ClientConfig::at("http://127.0.0.1:7001"),
            trending: TrendingConfig::default(),
            live: LiveConfig::default(),
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
        self.live.check().map_err(prefixed("live"))?;
        self.cache.check().map_err(prefixed("cache"))
    }
}
