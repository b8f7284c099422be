//! Configuration in layers: defaults in code, then a TOML file, then the environment.
//!
//! A variable is called `TRIBUTARY__SECTION__KEY`; a number among the sections is an index into a
//! list (`TRIBUTARY__CHANNELS__0__ADDRESS`); a value that begins with `[` or `{` is read as TOML.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;
use tributary_domain::FieldError;

mod environment;
mod layers;
mod sections;
#[cfg(test)]
mod tests;

pub use sections::{LogFormat, ServerConfig, TelemetryConfig};

/// The configuration of a process. Its `Default` is the first layer.
pub trait Configuration: DeserializeOwned + Default + Send + 'static {
    fn server(&self) -> &ServerConfig;

    fn telemetry(&self) -> &TelemetryConfig;

    /// Finds values that are well-formed and still make no sense. The field is the key.
    fn check(&self) -> Result<(), FieldError>;
}

/// A configuration that cannot be used. Says which key is wrong and where it was set.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("configuration file {} cannot be read", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{origin} is not valid TOML: {reason}")]
    Syntax { origin: String, reason: String },
    #[error("configuration key {key}: {reason} (set by {origin}); correct or remove it")]
    Key { key: String, reason: String, origin: String },
}

/// Loads the configuration of this process: the file, then the environment over it.
pub fn load<C: Configuration>(file: Option<&Path>) -> Result<C, ConfigError> {
    let mut layers = layers::Layers::new();
    if let Some(path) = file {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        layers.add_toml(&path.display().to_string(), &text)?;
    }
    for variable in environment::variables(std::env::vars_os()) {
        layers.add(variable?);
    }
    layers.read()
}

/// Parses a configuration from the text of a file alone, for tests.
pub fn parse<C: Configuration>(toml: &str) -> Result<C, ConfigError> {
    let mut layers = layers::Layers::new();
    layers.add_toml("the text", toml)?;
    layers.read()
}
