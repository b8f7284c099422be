use std::ffi::OsString;

use super::{ConfigError, layers::Setting};

const PREFIX: &str = "TRIBUTARY__";

/// The settings among some environment variables.
pub(super) fn variables(
    all: impl IntoIterator<Item = (OsString, OsString)>,
) -> impl Iterator<Item = Result<Setting, ConfigError>> {
    all.into_iter().filter_map(|(name, value)| {
        let name = name.into_string().ok()?;
        let path = name.strip_prefix(PREFIX)?.to_ascii_lowercase();
        Some(setting(&name, &path, value))
    })
}

fn setting(name: &str, path: &str, value: OsString) -> Result<Setting, ConfigError> {
    let origin = format!("environment variable {name}");
    let wrong = |reason: &str| ConfigError::Key {
        key: path.to_owned(),
        reason: reason.to_owned(),
        origin: origin.clone(),
    };
    if path.split("__").any(str::is_empty) {
        return Err(wrong("the name of the variable has an empty section"));
    }
    let text = value.into_string().map_err(|_| wrong("the value is not UTF-8"))?;
    let toml = text.starts_with(['[', '{']);
    Ok(Setting { key: expression(path), origin, text, toml })
}

/// `channels__0__address` is `channels[0].address`.
fn expression(path: &str) -> String {
    let mut expression = String::new();
    for segment in path.split("__") {
        if segment.bytes().all(|byte| byte.is_ascii_digit()) && !expression.is_empty() {
            expression.push_str(&format!("[{segment}]"));
            continue;
        }
        if !expression.is_empty() {
            expression.push('.');
        }
        expression.push_str(segment);
    }
    expression
}
