use serde::Deserialize;
use tributary_bundle::StoreConfig;
use tributary_domain::FieldError;
use tributary_inference::InferenceConfig;
use tributary_mesh::ClientConfig;
use tributary_runtime::{Configuration, ServerConfig, TelemetryConfig};
use tributary_slate::fusion::Fusion;

/// The configuration of `ranking`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub server: ServerConfig,
    pub telemetry: TelemetryConfig,
    pub feature: ClientConfig,
    pub bundle: StoreConfig,
    pub inference: InferenceConfig,
    /// Exponents by task, in place of the bundle's; empty for the bundle's.
    pub fusion: Fusion,
    /// How far a model's answers may be from the bundle's golden ones.
    pub golden_tolerance: f32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            server: ServerConfig::on(7021),
            telemetry: TelemetryConfig::default(),
            feature: ClientConfig::at("http://127.0.0.1:7001"),
            bundle: StoreConfig::default(),
            inference: InferenceConfig::default(),
            fusion: Fusion::default(),
            golden_tolerance: 1e-4,
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
        self.inference.check().map_err(|error| error.inside("inference"))?;
        let exponents = &self.fusion.exponents;
        if let Some((task, _)) = exponents.iter().find(|(_, exponent)| !exponent.is_finite()) {
            return Err(FieldError::new(format!("fusion.{task}"), "must be finite"));
        }
        match self.golden_tolerance > 0.0 {
            true => Ok(()),
            false => Err(FieldError::new("golden_tolerance", "must be more than 0")),
        }
    }
}
