//! The steps from files of every format to a published bundle.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail by panicking, too")]

#[path = "it/cold.rs"]
mod cold;
#[path = "it/columnar.rs"]
mod columnar;
#[path = "it/formats.rs"]
mod formats;
#[path = "it/gate.rs"]
mod gate;
#[path = "it/given.rs"]
mod given;
#[path = "it/interruption.rs"]
mod interruption;
#[path = "it/leak.rs"]
mod leak;
#[path = "it/onnx.rs"]
mod onnx;
#[path = "it/oracle.rs"]
mod oracle;
#[path = "it/readers.rs"]
mod readers;
#[path = "it/served.rs"]
mod served;
#[path = "it/training.rs"]
mod training;
