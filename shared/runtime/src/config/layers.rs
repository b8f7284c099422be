use config::{Config, File, FileFormat, Map, Source, Value, ValueKind, builder::DefaultState};
use serde_path_to_error::{Path, Segment};

use super::{ConfigError, Configuration};

/// Where a value comes from that no layer has set.
const DEFAULTS: &str = "the defaults";

/// One value of the environment.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) key: String,
    pub(super) origin: String,
    pub(super) text: String,
    pub(super) toml: bool,
}

/// The layers put together so far.
pub(super) struct Layers {
    builder: config::ConfigBuilder<DefaultState>,
}

impl Layers {
    pub(super) fn new() -> Self {
        Self { builder: Config::builder() }
    }

    pub(super) fn add_toml(&mut self, origin: &str, text: &str) -> Result<(), ConfigError> {
        let values = File::from_str(text, FileFormat::Toml).collect().map_err(|error| {
            ConfigError::Syntax { origin: origin.to_owned(), reason: reason(&error) }
        })?;
        let values = values.into_iter().map(|(key, value)| (key, marked(value, origin))).collect();
        self.push(Layer(values));
        Ok(())
    }

    pub(super) fn add(&mut self, setting: Setting) {
        self.push(setting);
    }

    fn push(&mut self, source: impl Source + Send + Sync + 'static) {
        self.builder = std::mem::take(&mut self.builder).add_source(source);
    }

    /// Reads the layers, the default address of the process below them all: a file that sets
    /// another key of the section must not lose it.
    pub(super) fn read<C: Configuration>(self) -> Result<C, ConfigError> {
        let listen = C::default().server().listen.to_string();
        let builder = self.builder.set_default("server.listen", listen);
        let values =
            builder.and_then(|builder| builder.build()).map_err(|error| whole(&reason(&error)))?;
        let read: Result<C, _> = serde_path_to_error::deserialize(values.clone());
        let config = read.map_err(|error| {
            let origin = origin(&values.cache, error.path());
            ConfigError::Key {
                key: error.path().to_string(),
                reason: reason(error.inner()),
                origin,
            }
        })?;
        check(&config).map_err(|error| {
            let origin = named_origin(&values.cache, &error.field);
            ConfigError::Key { key: error.field, reason: error.reason, origin }
        })?;
        Ok(config)
    }
}

fn check(config: &impl Configuration) -> Result<(), tributary_domain::FieldError> {
    config.telemetry().check()?;
    config.check()
}

fn whole(reason: &str) -> ConfigError {
    let origin = "the configuration".to_owned();
    ConfigError::Key { key: ".".to_owned(), reason: reason.to_owned(), origin }
}

/// A layer of values that carry their origin.
#[derive(Debug, Clone)]
struct Layer(Map<String, Value>);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, config::ConfigError> {
        Ok(self.0.clone())
    }
}

impl Source for Setting {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, config::ConfigError> {
        let value = if self.toml { self.parsed()? } else { Value::from(self.text.clone()) };
        Ok(Map::from_iter([(self.key.clone(), marked(value, &self.origin))]))
    }
}

impl Setting {
    fn parsed(&self) -> Result<Value, config::ConfigError> {
        let line = format!("value = {}", self.text);
        let mut values = File::from_str(&line, FileFormat::Toml).collect().map_err(|error| {
            config::ConfigError::Message(format!("{}: {}", self.origin, reason(&error)))
        })?;
        Ok(values.remove("value").expect("the line above sets it"))
    }
}

/// The value and all within it, said to come from `origin`.
fn marked(value: Value, origin: &str) -> Value {
    let kind = match value.kind {
        ValueKind::Table(table) => ValueKind::Table(
            table.into_iter().map(|(key, value)| (key, marked(value, origin))).collect(),
        ),
        ValueKind::Array(list) => {
            ValueKind::Array(list.into_iter().map(|value| marked(value, origin)).collect())
        }
        scalar => scalar,
    };
    Value::new(Some(&origin.to_owned()), kind)
}

/// What is wrong, without the key and the origin that the library may add.
fn reason(error: &config::ConfigError) -> String {
    match error {
        config::ConfigError::Type { unexpected, expected, .. } => {
            format!("found {unexpected}, expected {expected}")
        }
        config::ConfigError::At { error, .. } => reason(error),
        config::ConfigError::Message(message) => message.clone(),
        config::ConfigError::FileParse { cause, .. } => cause.to_string(),
        other => other.to_string(),
    }
}

/// Where the value at a path, or the closest one around it, was set.
fn origin(root: &Value, path: &Path) -> String {
    let keys = path.iter().map(|segment| match segment {
        Segment::Map { key } => key.clone(),
        Segment::Seq { index } => index.to_string(),
        Segment::Enum { variant } => variant.clone(),
        Segment::Unknown => String::new(),
    });
    origin_of(root, keys)
}

fn named_origin(root: &Value, field: &str) -> String {
    let keys = field.split(['.', '[', ']']).filter(|key| !key.is_empty());
    origin_of(root, keys.map(str::to_owned))
}

fn origin_of(root: &Value, keys: impl Iterator<Item = String>) -> String {
    let mut value = root;
    for key in keys {
        match child(value, &key) {
            Some(child) => value = child,
            None => return value.origin().unwrap_or(DEFAULTS).to_owned(),
        }
    }
    first_origin(value).unwrap_or(DEFAULTS).to_owned()
}

fn child<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    match &value.kind {
        ValueKind::Table(table) => table.get(key),
        ValueKind::Array(list) => list.get(key.parse::<usize>().ok()?),
        _ => None,
    }
}

/// A section has no origin of its own once it has been put together: one of its values has.
fn first_origin(value: &Value) -> Option<&str> {
    let of_section = || match &value.kind {
        ValueKind::Table(table) => table.values().find_map(first_origin),
        ValueKind::Array(list) => list.iter().find_map(first_origin),
        _ => None,
    };
    value.origin().or_else(of_section)
}
