//! `make pipeline`: MariaDB → ingest → export → train → gate → publish → swap, under load.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use tributary_e2e::{PipelineSettings, pipeline, sample_data};

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the result")]
async fn main() -> Result<()> {
    let data = std::env::args_os().nth(1).map_or_else(sample_data, PathBuf::from);
    let settings = PipelineSettings { data, users: u64::MAX, trainer_config: None };
    let outcome = pipeline(&settings).await?;
    println!("exported from the database: {}", outcome.exported);
    println!("bundle {} was served, now {}", outcome.first_bundle, outcome.second_bundle);
    println!(
        "{} requests meanwhile: {} failed, {} degraded answers",
        outcome.requests, outcome.failed, outcome.degraded
    );
    ensure!(outcome.failed == 0, "{} requests failed", outcome.failed);
    Ok(())
}
