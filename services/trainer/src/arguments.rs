//! The command line.

mod gate;
mod quality;
mod synthesise;

use std::{io::Write, path::PathBuf};

use clap::{Args, Parser, Subcommand};
use serde_json::json;
use tributary_bundle::Store;

use self::{gate::GateArguments, quality::QualityArguments, synthesise::SynthesiseArguments};
use crate::{
    config::Config,
    data::{Files, Format, GivenSummary, Parts, Source},
    error::TrainerError,
    evaluate::Evaluation,
    gate::passage::Publication,
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
    /// Makes up a data set of any size, for benchmarks: never a measure of quality.
    #[command(alias = "synthesize")]
    Synthesise(SynthesiseArguments),
    /// Trains the models on a prepared data set.
    Train(StepArguments),
    /// Measures the trained models and prints the results.
    Evaluate(EvaluateArguments),
    /// Trains and measures with several seeds and prints the means; writes no bundle.
    Quality(QualityArguments),
    /// Checks the trained models and writes them as a bundle.
    Bundle(BundleArguments),
    /// Judges a bundle by its metrics and those of the accepted bundles before it.
    Gate(GateArguments),
}

#[derive(Debug, Args)]
struct DataArguments {
    /// The data set: a folder, or one CSV, TSV or Parquet file. With --train it describes the
    /// items and users, and its events are left out.
    #[arg(long, required_unless_present = "train")]
    data: Option<PathBuf>,
    /// The training part of a split that comes with the data.
    #[arg(long, requires = "test")]
    train: Option<PathBuf>,
    /// Its validation part.
    #[arg(long, requires = "train")]
    valid: Option<PathBuf>,
    /// Its test part.
    #[arg(long, requires = "train")]
    test: Option<PathBuf>,
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
struct EvaluateArguments {
    #[command(flatten)]
    step: StepArguments,
    /// Measures popularity, ItemKNN and EASE alone: `trainer train` need not have run.
    #[arg(long)]
    baselines: bool,
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
            Command::Evaluate(EvaluateArguments { step, baselines }) => {
                let evaluate = if baselines { steps::evaluate_baselines } else { steps::evaluate };
                let evaluation = evaluate(&Work::at(step.work), &step.settings.load()?)?;
                print(step.settings.json, &json!(evaluation), &evaluation.to_text())
            }
            Command::Bundle(BundleArguments { step, store, publish }) => {
                let (store, publication) = (Store::at(store), Publication::wanted(publish));
                let config = step.settings.load()?;
                let judged =
                    steps::bundle(&Work::at(step.work), &store, &config.gate, &publication)?;
                print(step.settings.json, &json!(judged), &judged.to_text())?;
                Ok(judged.check(&store, &publication)?)
            }
            Command::Quality(quality) => quality.execute(),
            Command::Synthesise(synthesise) => synthesise.execute(),
            Command::Gate(gate) => gate.execute(),
        }
    }
}

impl DataArguments {
    fn source(self, config: &Config) -> Source {
        let files = match (self.train, self.test, self.data) {
            (Some(train), Some(test), attributes) => {
                Files::Given(Parts { train, validation: self.valid, test, attributes })
            }
            (_, _, data) => Files::Whole(data.expect("clap asks for --data without --train")),
        };
        Source {
            files,
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
            let mut text = format!(
                "{}: {} items, {} users, {} events in {}; {} of {} rows left out",
                data.name,
                data.items.len(),
                data.users.len(),
                data.events.len(),
                folder.display(),
                summary.rejections.rejected,
                summary.rejections.rows,
            );
            if let Some(given) = summary.given {
                let GivenSummary { validation, test, repeated } = given;
                text += &format!(
                    "; beside them {validation} for validation and {test} for the test, without \
                     {repeated} that an earlier part has"
                );
            }
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
        let (store, publication) = (Store::at(self.store), Publication::wanted(self.publish));
        let judged = steps::bundle(&work, &store, &config.gate, &publication)?;
        let text = format!("{}\n\n{}", evaluation.to_text(), judged.to_text());
        let mut result = json!(judged);
        result["evaluation"] = json!(evaluation);
        print(self.settings.json, &result, &text)?;
        Ok(judged.check(&store, &publication)?)
    }
}

fn print(as_json: bool, value: &serde_json::Value, text: &str) -> anyhow::Result<()> {
    let text = if as_json { serde_json::to_string_pretty(value)? } else { text.to_owned() };
    writeln!(std::io::stdout(), "{text}")?;
    Ok(())
}
