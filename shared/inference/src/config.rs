use std::path::PathBuf;

use serde::Deserialize;
use tributary_domain::FieldError;

use crate::Provider;

/// How models are run.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InferenceConfig {
    /// The ONNX Runtime library. Where it is not given, the environment's `ORT_DYLIB_PATH`, else
    /// `.tools/onnxruntime/libonnxruntime.so` in the working folder or one above it.
    pub library: Option<PathBuf>,
    /// Tried in order; the first that works serves.
    pub providers: Vec<Provider>,
    /// Inference threads, each with its own session.
    pub threads: usize,
    /// Requests that may wait; further ones are refused.
    pub queue: usize,
    /// Waiting requests are run together up to this many rows; 1 runs each request by itself.
    pub max_batch_rows: usize,
}

impl Default for InferenceConfig {
    fn default() -> Self {
        Self {
            library: None,
            providers: vec![Provider::Cpu],
            threads: 1,
            queue: 256,
            max_batch_rows: 1_024,
        }
    }
}

impl InferenceConfig {
    /// Refuses values that no model can be run with, naming the key.
    pub fn check(&self) -> Result<(), FieldError> {
        if self.providers.is_empty() {
            return Err(FieldError::new("providers", "must name at least one"));
        }
        let positive = [
            ("threads", self.threads),
            ("queue", self.queue),
            ("max_batch_rows", self.max_batch_rows),
        ];
        match positive.iter().find(|(_, value)| *value == 0) {
            Some((key, _)) => Err(FieldError::new(*key, "must not be 0")),
            None => Ok(()),
        }
    }
}
