//! `make bench-live`: how long it takes from a commit in the database to an answer that knows it.

mod spread;
mod trial;

use std::path::PathBuf;

use anyhow::{Context, Result};
use tributary_e2e::{Mesh, connect, home_with_store, illustrations, sample_data};

const TRIALS: u64 = 200;

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let trials = match arguments.next() {
        Some(text) => text.parse().with_context(|| format!("not a number of trials: {text}"))?,
        None => TRIALS,
    };
    let data: PathBuf = arguments.next().map_or_else(sample_data, PathBuf::from);
    let db = illustrations().await?;
    let url = db.url("illustrations");
    let home = home_with_store(&data)?;
    let mesh = tokio::task::block_in_place(|| Mesh::start_with(home, &data, &["--mysql", &url]))?;
    let mut sql = connect(&url).await?;
    let clients = trial::Clients::connect(&mesh).await?;
    mesh.await_ingest().await?;

    let spreads = clients.trials(&mut sql, trials).await?;
    spread::print(&spreads, trials);
    tokio::task::block_in_place(|| mesh.stop())?;
    Ok(())
}
