//! What training costs: interactions a second, processor time and peak memory of every model, on a
//! prepared data set. Each model is trained by a process of its own, so that its memory is its own;
//! the last process puts all of them together, as `trainer train` does.
//!
//! Processor time is what the models cost whatever else runs on the machine: on one that is idle,
//! the wall time lies between it and its share of each core.

use std::{
    io::Write,
    path::PathBuf,
    process::{Command, ExitCode},
    time::Instant,
};

use anyhow::{Context, bail};
use clap::Parser;
use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};
use serde::{Deserialize, Serialize};
use tributary_trainer::{Model, config::Config, steps, work::Work};

/// Measures the training of every model.
#[derive(Debug, Parser)]
struct Arguments {
    /// The work folder that `trainer prepare` wrote. What was trained there is removed.
    #[arg(long)]
    work: PathBuf,
    /// A TOML file that overrides the trainer's settings.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Trains this model only and prints one line of JSON.
    #[arg(long, hide = true)]
    model: Option<String>,
}

/// What is left when the models are there: the bundle's tables, and writing all files.
const REST: &str = "rest";
const HEADER: [&str; 6] =
    ["model", "interactions", "seconds", "processor s", "interactions/s", "peak MiB"];

/// One row of the table.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Cost {
    interactions: u64,
    seconds: f64,
    /// On all cores together.
    processor_seconds: f64,
    peak_bytes: u64,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.model {
        Some(model) => measure(&arguments, model),
        None => compare(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            writeln!(std::io::stderr(), "error: {error:#}").ok();
            ExitCode::FAILURE
        }
    }
}

/// Trains every model in a process of its own and prints the table.
fn compare(arguments: &Arguments) -> anyhow::Result<()> {
    let rounds = arguments.work.join("rounds");
    if rounds.exists() {
        std::fs::remove_dir_all(&rounds).context("cannot remove what was trained before")?;
    }
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(HEADER);
    let mut total = Cost::default();
    for name in Model::ALL.map(Model::name).into_iter().chain([REST]) {
        let cost = ask(arguments, name)?;
        table.add_row(cost.row(name));
        total.add(&cost);
    }
    table.add_row(total.row("all"));
    writeln!(std::io::stdout(), "{table}")?;
    Ok(())
}

impl Cost {
    /// Adds what another model cost beside this one; each learns from the same interactions.
    fn add(&mut self, other: &Self) {
        self.seconds += other.seconds;
        self.processor_seconds += other.processor_seconds;
        self.peak_bytes = self.peak_bytes.max(other.peak_bytes);
    }

    fn row(&self, name: &str) -> [String; 6] {
        #[expect(clippy::cast_precision_loss, reason = "a count far below 2^53")]
        let rate = self.interactions as f64 / self.seconds;
        let learned = |text: String| if self.interactions > 0 { text } else { String::new() };
        [
            name.to_owned(),
            learned(self.interactions.to_string()),
            format!("{:.1}", self.seconds),
            format!("{:.1}", self.processor_seconds),
            learned(format!("{rate:.0}")),
            (self.peak_bytes >> 20).to_string(),
        ]
    }
}

fn ask(arguments: &Arguments, model: &str) -> anyhow::Result<Cost> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--work").arg(&arguments.work).args(["--model", model]);
    if let Some(config) = &arguments.config {
        command.arg("--config").arg(config);
    }
    let output = command.stderr(std::process::Stdio::inherit()).output()?;
    if !output.status.success() {
        bail!("the training of {model} failed");
    }
    serde_json::from_slice(&output.stdout).context("the child's answer is not a cost")
}

/// Trains one model here.
fn measure(arguments: &Arguments, name: &str) -> anyhow::Result<()> {
    let config = Config::load(arguments.config.as_deref())?;
    let work = Work::at(&arguments.work);
    let started = Instant::now();
    let interactions = match Model::ALL.into_iter().find(|model| model.name() == name) {
        Some(model) => steps::train_model(&work, &config, model)?,
        None if name == REST => steps::train(&work, &config).map(|()| 0)?,
        None => bail!("there is no model {name}"),
    };
    let cost = Cost {
        interactions: u64::try_from(interactions)?,
        seconds: started.elapsed().as_secs_f64(),
        processor_seconds: processor_seconds()?,
        peak_bytes: peak_bytes()?,
    };
    writeln!(std::io::stdout(), "{}", serde_json::to_string(&cost)?)?;
    Ok(())
}

/// The processor time of this process so far, of all threads.
fn processor_seconds() -> anyhow::Result<f64> {
    /// Linux counts it for programs in hundredths of a second, whatever the kernel's own clock.
    const TICKS_A_SECOND: f64 = 100.0;
    let status = std::fs::read_to_string("/proc/self/stat")?;
    // The second field is the program's name in brackets, and may hold anything.
    let fields = status.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
    let ticks: Vec<f64> = ticks.collect::<Result<_, _>>()?;
    anyhow::ensure!(ticks.len() == 2, "the system does not say how much processor time was used");
    Ok(ticks.iter().sum::<f64>() / TICKS_A_SECOND)
}

/// The most memory that this process ever held.
fn peak_bytes() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes =
        line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    Ok(kibibytes.context("the system does not say how much memory was used")? << 10)
}
