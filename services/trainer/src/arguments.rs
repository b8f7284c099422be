//! The command line.

use std::{io::Write, path::PathBuf};

use clap::{Args, Parser, Subcommand};
use serde_json::json;
use tributary_bundle::Store;

use crate::{
    config::Config,
    data::{Format, Source},
    error::TrainerError,
    evaluate::Evaluation,
    steps,
    work::Work,
};

/// Trains, evaluates and bundles the models of Tributary.
#[derive(Debug, Parser)]
#[command(name = "trainer", version)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// All steps: data set to bundle.
    Run(Run),
    /// Reads a data set and writes it normalised.
    Prepare(Prepare),
    /// Trains the models on a prepared data set.
    Train(StepArguments),
    /// Measures the trained models and prints the results.
    Evaluate(StepArguments),
    /// Checks the trained models and writes them as a bundle.
    Bundle(BundleArguments),
}

#[derive(Debug, Args)]
struct DataArguments {
    /// The data set: a folder, or one CSV or TSV file.
    #[arg(long)]
    data: PathBuf,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Args)]
struct Settings {
    /// A TOML file that overrides the default settings.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Overrides the configuration's seed.
    #[arg(long)]
    seed: Option<u64>,
    /// Prints the result as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Run {
    #[command(flatten)]
    data: DataArguments,
    #[command(flatten)]
    settings: Settings,
    /// The bundle store's folder.
    #[arg(long)]
    store: PathBuf,
    /// Keeps what the steps hand on in this folder.
    #[arg(long)]
    work: Option<PathBuf>,
    /// Makes the new bundle the current one.
    #[arg(long)]
    publish: bool,
}

#[derive(Debug, Args)]
struct Prepare {
    #[command(flatten)]
    data: DataArguments,
    #[command(flatten)]
    settings: Settings,
    /// Writes items.jsonl, users.jsonl and events.jsonl to this folder.
    #[arg(long, required_unless_present = "work")]
    out: Option<PathBuf>,
    /// The work folder of the following steps.
    #[arg(long)]
    work: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct StepArguments {
    /// The folder through which the steps hand on.
    #[arg(long)]
    work: PathBuf,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Debug, Args)]
struct BundleArguments {
    #[command(flatten)]
    step: StepArguments,
    /// The bundle store's folder.
    #[arg(long)]
    store: PathBuf,
    /// Makes the new bundle the current one.
    #[arg(long)]
    publish: bool,
}

impl Settings {
    fn load(&self) -> Result<Config, TrainerError> {
        let config = Config::load(self.config.as_deref())?;
        Ok(self.seed.map_or(config.clone(), |seed| config.seeded(seed)))
    }
}

impl Arguments {
    /// Does what the command line asks for and prints the result to standard output.
    pub fn execute(self) -> anyhow::Result<()> {
        match self.command {
            Command::Run(run) => run.execute(),
            Command::Prepare(prepare) => prepare.execute(),
            Command::Train(step) => {
                steps::train(&Work::at(step.work), &step.settings.load()?)?;
                Ok(())
            }
            Command::Evaluate(step) => {
                let evaluation = steps::evaluate(&Work::at(step.work), &step.settings.load()?)?;
                print(step.settings.json, &json!(evaluation), &evaluation.to_text())
            }
            Command::Bundle(BundleArguments { step, store, publish }) => {
                let id = steps::bundle(&Work::at(step.work), &Store::at(store), publish)?;
                print(step.settings.json, &json!({ "bundle": id }), &written(id.as_str(), publish))
            }
        }
    }
}

impl DataArguments {
    fn source(self, config: &Config) -> Source {
        Source {
            path: self.data,
            format: self.format,
            rejected_share: config.data.rejected_share,
            seed: config.seed,
        }
    }
}

impl Prepare {
    fn execute(self) -> anyhow::Result<()> {
        let config = self.settings.load()?;
        let source = self.data.source(&config);
        let folders = [self.out, self.work.map(|work| Work::at(work).dataset())];
        for folder in folders.into_iter().flatten() {
            let (data, summary) = steps::prepare(&source, &folder)?;
            let text = format!(
                "{}: {} items, {} users, {} events in {}; {} of {} rows left out",
                data.name,
                data.items.len(),
                data.users.len(),
                data.events.len(),
                folder.display(),
                summary.rejections.rejected,
                summary.rejections.rows,
            );
            print(self.settings.json, &json!(summary), &text)?;
        }
        Ok(())
    }
}

impl Run {
    fn execute(self) -> anyhow::Result<()> {
        let config = self.settings.load()?;
        let temporary = tempfile::tempdir()?;
        let work = Work::at(self.work.unwrap_or_else(|| temporary.path().into()));
        steps::prepare(&self.data.source(&config), &work.dataset())?;
        steps::train(&work, &config)?;
        let evaluation: Evaluation = steps::evaluate(&work, &config)?;
        let id = steps::bundle(&work, &Store::at(self.store), self.publish)?;
        let text = format!("{}\n\n{}", evaluation.to_text(), written(id.as_str(), self.publish));
        print(self.settings.json, &json!({ "bundle": id, "evaluation": evaluation }), &text)
    }
}

fn written(id: &str, publish: bool) -> String {
    match publish {
        true => format!("bundle {id} is published"),
        false => format!("bundle {id} is written, not published"),
    }
}

fn print(as_json: bool, value: &serde_json::Value, text: &str) -> anyhow::Result<()> {
    let text = if as_json { serde_json::to_string_pretty(value)? } else { text.to_owned() };
    writeln!(std::io::stdout(), "{text}")?;
    Ok(())
}
