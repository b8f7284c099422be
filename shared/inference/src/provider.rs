use std::fmt;

use ort::ep::{CUDA, ExecutionProviderDispatch, TensorRT};
use serde::{Deserialize, Serialize};

/// Where a model is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    Cuda,
    Tensorrt,
    Cpu,
}

impl Provider {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cuda => "cuda",
            Self::Tensorrt => "tensorrt",
            Self::Cpu => "cpu",
        }
    }

    /// What ONNX Runtime registers; `None` for the processor, which is always there. Without
    /// `error_on_failure` a missing device would be a silent fall back to the processor.
    pub(crate) fn dispatch(self) -> Option<ExecutionProviderDispatch> {
        match self {
            Self::Cuda => Some(CUDA::default().build().error_on_failure()),
            Self::Tensorrt => Some(TensorRT::default().build().error_on_failure()),
            Self::Cpu => None,
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
