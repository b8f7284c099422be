//! Starts the built binaries as a user would and talks to them over gRPC.
//!
//! Everything a test starts is owned by the test: processes end with it, ports are free ones,
//! data lies in a temporary folder. The bundle is trained once a run and copied into each home.

mod bundle;
mod command;
mod following;
mod mesh;
mod pipeline;
mod wait;

pub use bundle::{home_with_store, sample_data, trained_home};
pub use command::{binary, repository, run, run_json};
pub use following::{Following, Happening, Rows, connect, illustrations};
pub use mesh::{Mesh, Process, load};
pub use pipeline::{PipelineOutcome, PipelineSettings, pipeline};
pub use wait::soon;
