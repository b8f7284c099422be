//! ONNX models on ONNX Runtime: loading the library, sessions, and a pool of inference threads.
//!
//! Each inference thread owns a session that computes on that thread alone: more threads inside a
//! session cost more processor time under load than more sessions do. The [`Pool`] has a bounded
//! queue before its threads, which is also where requests are put together into one batch.

mod batch;
mod config;
mod error;
mod golden;
mod library;
mod metrics;
mod pool;
mod provider;
mod session;
mod shape;

pub use config::InferenceConfig;
pub use error::InferenceError;
pub use golden::verify_golden;
pub use library::Runtime;
pub use pool::Pool;
pub use provider::Provider;
pub use session::Session;
pub use shape::{Element, Port};
pub use tributary_bundle::{Golden, Tensor, Tensors};
