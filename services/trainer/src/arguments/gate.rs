//! `trainer gate`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use tributary_bundle::{Forced, Store};
use tributary_domain::BundleId;

use super::print;
use crate::{
    config::Config,
    gate::passage::{self, Publication},
};

#[derive(Debug, Args)]
pub(super) struct GateArguments {
    /// The bundle store's folder.
    #[arg(long)]
    store: PathBuf,
    /// The bundle's id; the latest one where it is not given.
    #[arg(long)]
    bundle: Option<String>,
    /// A TOML file that overrides the default settings, those of [gate] among them.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Makes the bundle the current one where it passes; exit code 3 where it does not.
    #[arg(long)]
    publish: bool,
    /// Publishes the bundle whatever the verdict; who and why are recorded.
    #[arg(long, requires_all = ["publish", "by", "reason"])]
    force: bool,
    /// Who forces it.
    #[arg(long, requires = "force")]
    by: Option<String>,
    /// Why it is forced.
    #[arg(long, requires = "force")]
    reason: Option<String>,
    /// Prints the result as JSON.
    #[arg(long)]
    json: bool,
}

impl GateArguments {
    pub(super) fn execute(self) -> anyhow::Result<()> {
        let config = Config::load(self.config.as_deref())?;
        let publication = match (self.by, self.reason) {
            (Some(by), Some(reason)) => Publication::Forced(Forced { by, reason }),
            _ => Publication::wanted(self.publish),
        };
        let store = Store::at(self.store);
        let bundle = self.bundle.map(BundleId::from);
        let judged = passage::judge_bundle(&store, bundle, &config.gate, &publication)?;
        let reasons = judged.gate.reasons.iter().map(|reason| format!("\n  - {reason}"));
        let text: String = std::iter::once(judged.to_text()).chain(reasons).collect();
        print(self.json, &json!(judged), &text)?;
        Ok(judged.check(&store, &publication)?)
    }
}
