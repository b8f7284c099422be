use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use serde::Deserialize;
use tracing_subscriber::EnvFilter;
use tributary_domain::FieldError;

/// Where and how a process serves.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "Given")]
pub struct ServerConfig {
    /// The address of the gRPC services.
    pub listen: SocketAddr,
    /// The address of `/metrics`: where it is not given, the port of `listen` plus 1000; with
    /// `metrics = false`, none.
    pub metrics_listen: Option<SocketAddr>,
    /// Whether to answer gRPC reflection.
    pub reflection: bool,
    /// How long running calls may take to end once the process has been told to stop.
    pub drain: Duration,
}

/// The section as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    listen: SocketAddr,
    metrics_listen: Option<SocketAddr>,
    #[serde(default = "yes")]
    metrics: bool,
    #[serde(default = "yes")]
    reflection: bool,
    #[serde(default = "drain", with = "humantime_serde")]
    drain: Duration,
}

fn yes() -> bool {
    true
}

fn drain() -> Duration {
    Duration::from_secs(5)
}

impl From<Given> for ServerConfig {
    fn from(given: Given) -> Self {
        let Given { listen, metrics_listen, metrics, reflection, drain } = given;
        let metrics_listen = metrics_listen.or_else(|| beside(listen)).filter(|_| metrics);
        Self { listen, metrics_listen, reflection, drain }
    }
}

/// The address of the metrics that goes with that of the services.
fn beside(listen: SocketAddr) -> Option<SocketAddr> {
    let port = match listen.port() {
        0 => 0,
        port => port.checked_add(1_000)?,
    };
    Some(SocketAddr::new(listen.ip(), port))
}

impl ServerConfig {
    /// The defaults, for that port of the loopback interface.
    pub fn on(port: u16) -> Self {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self { listen, metrics_listen: beside(listen), reflection: yes(), drain: drain() }
    }
}

/// Logs and traces.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetryConfig {
    /// What to log, such as `info,tributary_mesh=debug` (tracing's `EnvFilter`).
    pub log: String,
    pub format: LogFormat,
    /// Where to send traces by OTLP over gRPC, such as `http://127.0.0.1:4317`. No traces where it
    /// is not given.
    pub otlp_endpoint: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self { log: "info".to_owned(), format: LogFormat::Text, otlp_endpoint: None }
    }
}

impl TelemetryConfig {
    pub(super) fn check(&self) -> Result<(), FieldError> {
        match EnvFilter::try_new(&self.log) {
            Ok(_) => Ok(()),
            Err(error) => Err(FieldError::new("telemetry.log", error)),
        }
    }
}
