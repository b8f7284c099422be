//! `trainer synthesise`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::print;
use crate::{
    progress::Step,
    synthetic::{self, Recipe},
};

/// Users between two looks of the progress bar.
const STRIDE: usize = 100;

#[derive(Debug, Args)]
pub(super) struct SynthesiseArguments {
    #[arg(long)]
    users: usize,
    #[arg(long)]
    items: usize,
    #[arg(long)]
    events: usize,
    /// The same seed and sizes give the same files.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Writes items.csv, users.csv, events.csv and the label synthetic.json to this folder.
    #[arg(long)]
    out: PathBuf,
    /// Prints the result as JSON.
    #[arg(long)]
    json: bool,
}

impl SynthesiseArguments {
    pub(super) fn execute(self) -> anyhow::Result<()> {
        let Self { users, items, events, seed, .. } = self;
        anyhow::ensure!(users > 0 && items > 0, "--users and --items must be above 0");
        let step = Step::counted("making up data", users);
        synthetic::write(&Recipe { users, items, events, seed }, &self.out, &mut |user| {
            if user.is_multiple_of(STRIDE) {
                step.at(user);
            }
        })?;
        drop(step);
        let text = format!(
            "synthetic data: {users} users, {items} items, {events} events in {}",
            self.out.display()
        );
        let value = json!({
            "synthetic": true, "users": users, "items": items, "events": events, "seed": seed,
            "folder": self.out,
        });
        print(self.json, &value, &text)
    }
}
