//! What can be said on the command line.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};
use tributary_domain::Action;

/// Starts, asks, feeds and measures a Tributary mesh.
#[derive(Debug, Parser)]
#[command(name = "tributary", version)]
pub struct Arguments {
    #[command(flatten)]
    pub(crate) mesh: MeshAddresses,
    /// Prints JSON instead of tables.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Where a running mesh is.
#[derive(Debug, Clone, Args)]
pub(crate) struct MeshAddresses {
    /// The gateway.
    #[arg(long, global = true, env = "TRIBUTARY_GATEWAY", default_value = "http://127.0.0.1:7000")]
    pub gateway: String,
    /// The feature service (for `items` and `export`).
    #[arg(long, global = true, env = "TRIBUTARY_FEATURE", default_value = "http://127.0.0.1:7001")]
    pub feature: String,
    /// The search channel (for `items search`).
    #[arg(long, global = true, env = "TRIBUTARY_SEARCH", default_value = "http://127.0.0.1:7013")]
    pub search: String,
    /// How long a call may take.
    #[arg(long, global = true, default_value = "5s", value_parser = humantime::parse_duration)]
    pub timeout: Duration,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Starts every process on this machine and stops them all on Ctrl-C.
    Up(UpOptions),
    /// Shows the processes of a running `up`.
    Status(HomeOptions),
    /// Starts a process of a running `up` that has ended.
    Restart(RestartOptions),
    /// Asks what a user should see next.
    Recommend(RecommendOptions),
    /// Says why items are in a user's list, or why not.
    Explain(ExplainOptions),
    /// Records behaviour of a user.
    Event(EventOptions),
    /// Looks up, searches, writes and deletes items.
    Items(ItemsOptions),
    /// Lists, publishes and rolls back bundles.
    Bundle(BundleOptions),
    /// Writes what `feature` holds as Parquet files, which `trainer` reads.
    Export(ExportOptions),
    /// Measures the mesh under load.
    Load(LoadOptions),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct HomeOptions {
    /// The folder that `up` keeps its state in.
    #[arg(long, default_value = ".tributary/ml-100k")]
    pub home: PathBuf,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct UpOptions {
    /// The data set: a folder or file that `trainer` reads.
    #[arg(long)]
    pub data: PathBuf,
    /// Where bundles, the store, configuration and logs go; by default `.tributary/<data set>`.
    #[arg(long)]
    pub home: Option<PathBuf>,
    /// The folder with the service binaries; by default this program's own.
    #[arg(long)]
    pub binaries: Option<PathBuf>,
    /// The gateway's port; the others keep their distance from it. 0 picks free ports.
    #[arg(long, default_value_t = 7000)]
    pub port: u16,
    /// Trains again even where a bundle is published.
    #[arg(long)]
    pub retrain: bool,
    /// A configuration file for the trainer.
    #[arg(long)]
    pub trainer_config: Option<PathBuf>,
    /// The configuration file of `feature`, where its data goes to Redis: the ports are set.
    #[arg(long, value_name = "FILE")]
    pub feature_config: Option<PathBuf>,
    /// Follows a database too: the configuration file of `ingest`.
    #[arg(long, value_name = "FILE")]
    pub ingest: Option<PathBuf>,
    /// Follows the database of `mysql://user:password@host:port/database`, with the mapping of
    /// `--ingest` or else the default one.
    #[arg(long, value_name = "URL")]
    pub mysql: Option<String>,
    /// Trains on the data set, but loads nothing into the mesh: it is filled from the database.
    #[arg(long)]
    pub no_load: bool,
    /// Starts everything, prints a list, and stops again.
    #[arg(long)]
    pub once: bool,
    /// How long the processes have to become healthy.
    #[arg(long, default_value = "60s", value_parser = humantime::parse_duration)]
    pub patience: Duration,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct RestartOptions {
    /// For example "ranking".
    pub name: String,
    #[command(flatten)]
    pub home: HomeOptions,
}

/// The deviations from the configuration that a request may ask for.
#[derive(Debug, Clone, Args)]
pub(crate) struct OverrideOptions {
    /// Ask only this channel (may be given several times).
    #[arg(long = "channel")]
    pub channels: Vec<String>,
    /// Weight of diversity, 0 to 0.99.
    #[arg(long)]
    pub theta: Option<f32>,
    /// Leave ranking out.
    #[arg(long)]
    pub skip_ranking: bool,
    /// Leave reranking out.
    #[arg(long)]
    pub skip_rerank: bool,
    /// Record no impressions.
    #[arg(long)]
    pub skip_impressions: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct RecommendOptions {
    /// The user's id.
    #[arg(long, short)]
    pub user: u64,
    /// How many items, 1 to 500.
    #[arg(long, short = 'n', default_value_t = 20)]
    pub size: u32,
    #[arg(long, default_value = "home")]
    pub scene: String,
    /// Carries on from an earlier answer.
    #[arg(long, default_value = "")]
    pub page_token: String,
    /// Shows stages, channel positions and scores.
    #[arg(long)]
    pub explain: bool,
    #[command(flatten)]
    pub overrides: OverrideOptions,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ExplainOptions {
    /// The user's id.
    #[arg(long, short)]
    pub user: u64,
    /// The items to explain.
    #[arg(required = true)]
    pub items: Vec<u64>,
    /// The size of the list that they are looked for in.
    #[arg(long, short = 'n', default_value_t = 20)]
    pub size: u32,
    #[arg(long, default_value = "home")]
    pub scene: String,
    #[command(flatten)]
    pub overrides: OverrideOptions,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct EventOptions {
    /// The user's id.
    #[arg(long, short)]
    pub user: u64,
    /// What the user did.
    #[arg(long, short, value_parser = parse_action)]
    pub action: Action,
    /// The items it was done to.
    #[arg(required = true)]
    pub items: Vec<u64>,
    /// When, in Unix milliseconds; now where it is not given.
    #[arg(long)]
    pub time_ms: Option<i64>,
    /// For a view: how long the item was looked at.
    #[arg(long, default_value = "0s", value_parser = humantime::parse_duration)]
    pub dwell: Duration,
}

fn parse_action(name: &str) -> Result<Action, String> {
    Action::from_name(name).ok_or_else(|| {
        let names = Action::ALL.map(Action::as_str).join(", ");
        format!("{name:?} is not an action: choose one of {names}")
    })
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ItemsOptions {
    #[command(subcommand)]
    pub command: ItemsCommand,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ItemsCommand {
    /// Shows items with their counters.
    Get {
        #[arg(required = true)]
        items: Vec<u64>,
    },
    /// Searches titles, text, tags and genres.
    Search {
        query: String,
        #[arg(long, short = 'n', default_value_t = 20)]
        size: u32,
    },
    /// Creates or replaces items from a file with one JSON object a line, or `-`.
    Upsert { file: PathBuf },
    /// Deletes items.
    Delete {
        #[arg(required = true)]
        items: Vec<u64>,
    },
}

#[derive(Debug, Clone, Args)]
pub(crate) struct BundleOptions {
    /// The bundle store.
    #[arg(long, env = "TRIBUTARY_STORE", default_value = ".tributary/ml-100k/store")]
    pub store: PathBuf,
    #[command(subcommand)]
    pub command: BundleCommand,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum BundleCommand {
    /// Lists the bundles of the store.
    List,
    /// Checks a bundle and makes it the one that is served. A bundle that the gate blocked is
    /// refused.
    Publish(PublishOptions),
    /// Goes back to the bundle that was served before.
    Rollback,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct PublishOptions {
    pub id: String,
    /// Publishes the bundle whatever the gate said; who and why are recorded.
    #[arg(long, requires_all = ["by", "reason"])]
    pub force: bool,
    /// Who forces it.
    #[arg(long, requires = "force")]
    pub by: Option<String>,
    /// Why it is forced.
    #[arg(long, requires = "force")]
    pub reason: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ExportOptions {
    /// The folder for `events.parquet`, `items.parquet` and `users.parquet`; made where missing.
    #[arg(long)]
    pub out: PathBuf,
}

/// How load is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Loop {
    /// Each client sends its next request when it has the answer to the last.
    Closed,
    /// Requests start at a fixed rate, whatever the answers do; latency counts from the planned
    /// start.
    Open,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct LoadOptions {
    #[arg(long = "loop", value_enum, default_value = "closed")]
    pub kind: Loop,
    /// Clients of the closed loop; for the open loop, the most requests under way.
    #[arg(long, short, default_value_t = 4)]
    pub concurrency: usize,
    /// Requests a second (open loop).
    #[arg(long, default_value_t = 50.0)]
    pub rate: f64,
    /// How long to measure.
    #[arg(long, short, default_value = "10s", value_parser = humantime::parse_duration)]
    pub duration: Duration,
    /// Not measured, before that.
    #[arg(long, default_value = "1s", value_parser = humantime::parse_duration)]
    pub warm_up: Duration,
    /// Users 1 to this number are asked for, in a seeded random order.
    #[arg(long, default_value_t = 900)]
    pub users: u64,
    #[arg(long, short = 'n', default_value_t = 20)]
    pub size: u32,
    /// Every n-th request asks for its stages; 0 for none.
    #[arg(long, default_value_t = 10)]
    pub explain_every: u64,
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Records the impressions of what it asks for.
    #[arg(long)]
    pub impressions: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn an_unknown_action_names_the_known_ones() {
        assert!(parse_action("like").unwrap_err().contains("bookmark"));
    }
}
