//! What every process of the mesh does in the same way: configuration, logs, traces, metrics,
//! health, reflection, serving, and ending in good order.

mod config;
mod health;
mod launch;
mod listen;
mod metrics;
mod reflection;
mod server;
mod telemetry;

pub use config::{
    ConfigError, Configuration, LogFormat, ServerConfig, TelemetryConfig, load, parse,
};
pub use health::Health;
pub use launch::main;
pub use listen::{ListenError, Listeners};
pub use server::{ServeError, Server};
pub use telemetry::{TelemetryError, start_logs};
