//! `trainer quality`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{DataArguments, Settings, print};
use crate::quality;

#[derive(Debug, Args)]
pub(super) struct QualityArguments {
    #[command(flatten)]
    data: DataArguments,
    #[command(flatten)]
    settings: Settings,
    /// One training and evaluation for each.
    #[arg(long, value_delimiter = ',', default_value = "1,2,3")]
    seeds: Vec<u64>,
    /// Keeps the trainings in this folder; a call that was interrupted goes on there.
    #[arg(long)]
    work: Option<PathBuf>,
}

impl QualityArguments {
    pub(super) fn execute(self) -> anyhow::Result<()> {
        let config = self.settings.load()?;
        let temporary = tempfile::tempdir()?;
        let work = self.work.unwrap_or_else(|| temporary.path().into());
        let source = self.data.source(&config);
        let quality = quality::measure(&source, &config, &self.seeds, &work)?;
        print(self.settings.json, &json!(quality), &quality.to_text())
    }
}
