//! The smallest process of the mesh: serves health and reflection, and nothing else.

use std::process::ExitCode;

use serde::Deserialize;
use tokio_util::sync::CancellationToken;
use tributary_domain::FieldError;
use tributary_runtime::{Configuration, Listeners, Server, ServerConfig, TelemetryConfig};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    server: ServerConfig,
    telemetry: TelemetryConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self { server: ServerConfig::on(7999), telemetry: TelemetryConfig::default() }
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
        Ok(())
    }
}

async fn start(
    config: Config,
    listeners: Listeners,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let server = Server::new(&config.server, listeners, shutdown);
    server.health().ready();
    Ok(server.run().await?)
}

fn main() -> ExitCode {
    tributary_runtime::main("idle", start)
}
