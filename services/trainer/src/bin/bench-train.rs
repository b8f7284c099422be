//! What training costs: interactions a second and peak memory of every model, on a prepared data
//! set. Each model is trained by a process of its own, so that its memory is its own.

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

/// One row of the table.
#[derive(Debug, Serialize, Deserialize)]
struct Cost {
    interactions: u64,
    seconds: f64,
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
    table.set_header(["model", "interactions", "seconds", "interactions/s", "peak MiB"]);
    let mut seconds = 0.0;
    let mut peak = 0;
    for model in Model::ALL {
        let cost = ask(arguments, model.name())?;
        seconds += cost.seconds;
        peak = peak.max(cost.peak_bytes);
        #[expect(clippy::cast_precision_loss, reason = "a count far below 2^53")]
        let rate = cost.interactions as f64 / cost.seconds;
        table.add_row([
            model.name().to_owned(),
            cost.interactions.to_string(),
            format!("{:.1}", cost.seconds),
            format!("{rate:.0}"),
            (cost.peak_bytes >> 20).to_string(),
        ]);
    }
    let total = format!("{seconds:.1}");
    table.add_row(["all".into(), String::new(), total, String::new(), (peak >> 20).to_string()]);
    writeln!(std::io::stdout(), "{table}")?;
    Ok(())
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
    let model = Model::ALL.into_iter().find(|model| model.name() == name);
    let model = model.with_context(|| format!("there is no model {name}"))?;
    let config = Config::load(arguments.config.as_deref())?;
    let started = Instant::now();
    let interactions = steps::train_model(&Work::at(&arguments.work), &config, model)?;
    let cost = Cost {
        interactions: u64::try_from(interactions)?,
        seconds: started.elapsed().as_secs_f64(),
        peak_bytes: peak_bytes()?,
    };
    writeln!(std::io::stdout(), "{}", serde_json::to_string(&cost)?)?;
    Ok(())
}

/// The most memory that this process ever held.
fn peak_bytes() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes =
        line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    Ok(kibibytes.context("the system does not say how much memory was used")? << 10)
}
