//! All measurements in one run.

use std::{env, path::PathBuf};

use anyhow::{Context, Result};
use tributary_e2e::{Mesh, home_with_store};

use crate::{dpp, latency, memory, ranking, report::Report};

/// Measures the kernels, then a mesh that it starts and stops, and prints the table.
#[allow(clippy::print_stdout)]
pub(crate) fn run() -> Result<()> {
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
