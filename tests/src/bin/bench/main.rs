//! `make bench`: what the mesh costs, each figure beside a baseline from the same run.
//!
//! The machine may be shared and noisy: read the ratios first.

mod dpp;
mod latency;
mod memory;
mod processor;
mod ranking;
mod report;

use std::{env, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};
use tributary_e2e::{Mesh, home_with_store};

use report::Report;

#[allow(clippy::print_stderr)]
fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:?}");
            ExitCode::FAILURE
        }
    }
}

#[allow(clippy::print_stdout)]
fn run() -> Result<()> {
    let data = data()?;
    let mut report = Report::default();
    dpp::measure(&mut report);
    let home = home_with_store(&data)?;
    let mesh = Mesh::start_in(home, &data)?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(latency::measure(&mesh, &mut report))?;
    runtime.block_on(ranking::measure(&mesh, &mut report))?;
    memory::measure(&mesh, &mut report)?;
    println!("{report}");
    Ok(())
}

/// `--data FOLDER`.
fn data() -> Result<PathBuf> {
    let mut arguments = env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("--data"), Some(folder)) => Ok(std::path::absolute(folder)?),
        _ => None.context("usage: bench --data FOLDER"),
    }
}
