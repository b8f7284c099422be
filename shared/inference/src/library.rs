use std::{
    env,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use ort::environment::Environment;

use crate::{InferenceConfig, InferenceError};

const IN_TREE: &str = ".tools/onnxruntime/libonnxruntime.so";

/// ONNX Runtime allows one environment in a process, for the life of the process. The lock keeps
/// two threads from making it at once.
static ENVIRONMENT: Mutex<Option<Environment>> = Mutex::new(None);

/// The loaded ONNX Runtime library.
#[derive(Clone)]
pub struct Runtime {
    environment: Environment,
}

impl Runtime {
    /// Loads the library. A process loads one library: later calls check that theirs exists and
    /// share the first one.
    pub fn load(config: &InferenceConfig) -> Result<Self, InferenceError> {
        let path = find(config)?;
        if !path.is_file() {
            return Err(InferenceError::LibraryMissing { path });
        }
        let mut shared = ENVIRONMENT.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(environment) = &*shared {
            return Ok(Self { environment: environment.clone() });
        }
        let environment = open(&path)?;
        tracing::info!(library = %path.display(), "onnx runtime loaded");
        *shared = Some(environment.clone());
        Ok(Self { environment })
    }

    pub(crate) fn environment(&self) -> &Environment {
        &self.environment
    }
}

fn open(path: &Path) -> Result<Environment, InferenceError> {
    let broken = |reason: String| InferenceError::LibraryBroken { path: path.to_owned(), reason };
    let builder = ort::init_from(path).map_err(|error| broken(error.to_string()))?;
    let builder = builder.with_name("tributary").with_telemetry(false);
    builder.build().map_err(|error| broken(error.to_string()))
}

fn find(config: &InferenceConfig) -> Result<PathBuf, InferenceError> {
    if let Some(path) = &config.library {
        return Ok(path.clone());
    }
    if let Some(path) = env::var_os("ORT_DYLIB_PATH") {
        return Ok(PathBuf::from(path));
    }
    // Tests run by cargo start in their crate's folder.
    let from = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let from = from.or_else(|| env::current_dir().ok()).unwrap_or_else(|| PathBuf::from("."));
    let candidates = from.ancestors().map(|folder| folder.join(IN_TREE));
    candidates
        .into_iter()
        .find(|path| path.is_file())
        .ok_or(InferenceError::NoLibrary { expected: IN_TREE, from })
}
