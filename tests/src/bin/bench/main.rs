//! `make bench`: what the mesh costs, each figure beside a baseline from the same run.
//!
//! The machine may be shared and noisy: read the ratios first.

mod dpp;
mod latency;
mod memory;
mod processor;
mod ranking;
mod report;
mod suite;

use std::process::ExitCode;

#[allow(clippy::print_stderr)]
fn main() -> ExitCode {
    match suite::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:?}");
            ExitCode::FAILURE
        }
    }
}
