use serde::Deserialize;
use tributary_bundle::StoreConfig;
use tributary_domain::{FieldError, at};
use tributary_inference::InferenceConfig;
use tributary_mesh::ClientConfig;
use tributary_runtime::{Configuration, ServerConfig, TelemetryConfig};
use tributary_slate::Settings;

/// The largest `maximum` and `window` of a cap.
const LONGEST_WINDOW: usize = 500;

/// The configuration of `rerank`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub server: ServerConfig,
    pub telemetry: TelemetryConfig,
    /// Where items' creators, genres and tags come from.
    pub feature: ClientConfig,
    /// Where item vectors come from; without it items are compared by genres and tags alone.
    pub bundle: Option<StoreConfig>,
    /// How the vectors of items are computed that are newer than the bundle, or changed since.
    pub inference: InferenceConfig,
    /// What a request gets that says nothing else.
    pub diversity: Settings,
    /// Share of genres and tags in the similarity of two items, 0 to 1; the rest is their vectors.
    pub label_share: f32,
    /// What a request gets that does not override them.
    pub cap: Vec<CapConfig>,
    /// Requests that may be computed or wait at once; more are refused.
    pub queue: usize,
}

/// At most `maximum` items that share an attribute in every run of `window` neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CapConfig {
    pub attribute: Attribute,
    pub maximum: usize,
    pub window: usize,
}

/// What a cap counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attribute {
    Creator,
    Genre,
    Tag,
}

impl CapConfig {
    /// # Errors
    /// Where a number is out of range.
    pub fn check(&self) -> Result<(), FieldError> {
        let Self { attribute: _, maximum, window } = *self;
        if !(1..=LONGEST_WINDOW).contains(&maximum) {
            let reason = format_args!("{maximum} is not from 1 to {LONGEST_WINDOW}");
            return Err(FieldError::new("maximum", reason));
        }
        if window <= maximum || window > LONGEST_WINDOW {
            let reason =
                format_args!("{window} is not more than the maximum and at most {LONGEST_WINDOW}");
            return Err(FieldError::new("window", reason));
        }
        Ok(())
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            server: ServerConfig::on(7022),
            telemetry: TelemetryConfig::default(),
            feature: ClientConfig::at("http://127.0.0.1:7001"),
            bundle: None,
            inference: InferenceConfig::default(),
            diversity: Settings::default(),
            label_share: 0.6,
            cap: vec![CapConfig { attribute: Attribute::Creator, maximum: 2, window: 10 }],
            queue: 256,
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
        for (index, cap) in self.cap.iter().enumerate() {
            cap.check().map_err(at("cap", index))?;
        }
        check_theta(self.diversity.theta).map_err(|error| error.inside("diversity"))?;
        if !(0.0..=1.0).contains(&self.diversity.epsilon) {
            return Err(FieldError::new("diversity.epsilon", "must be from 0 to 1"));
        }
        if self.diversity.window < 2 {
            return Err(FieldError::new("diversity.window", "must be at least 2"));
        }
        if !(0.0..=1.0).contains(&self.label_share) {
            return Err(FieldError::new("label_share", "must be from 0 to 1"));
        }
        match self.queue {
            0 => Err(FieldError::new("queue", "must be at least 1")),
            _ => Ok(()),
        }
    }
}

/// The weight of diversity, of the configuration or of a request.
pub(crate) fn check_theta(theta: f32) -> Result<(), FieldError> {
    match theta {
        theta if (0.0..=0.99).contains(&theta) => Ok(()),
        theta => Err(FieldError::new("theta", format_args!("{theta} is not from 0 to 0.99"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(toml: &str, field: &str) {
        let error = tributary_runtime::parse::<Config>(toml).unwrap_err();
        assert!(format!("{error:?}").contains(field), "{error:?}");
    }

    #[test]
    fn names_the_key_that_is_wrong() {
        check("label_share = 2.0", "label_share");
        check("queue = 0", "queue");
        check("[diversity]\ntheta = 1.0", "diversity.theta");
        check("[diversity]\nepsilon = -0.5", "diversity.epsilon");
        check("[diversity]\nwindow = 1", "diversity.window");
        check("[[cap]]\nattribute = \"tag\"\nmaximum = 0\nwindow = 3", "cap[0].maximum");
        check("[[cap]]\nattribute = \"tag\"\nmaximum = 3\nwindow = 3", "cap[0].window");
        check("[[cap]]\nattribute = \"colour\"\nmaximum = 1\nwindow = 3", "colour");
    }

    #[test]
    fn the_shipped_file_is_good() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/config/rerank.toml");
        let config: Config = tributary_runtime::load(Some(file.as_ref())).unwrap();
        assert!(config.bundle.is_some());
        assert_eq!(config.diversity, Settings::default());
        assert_eq!(config.cap, Config::default().cap);
    }
}
