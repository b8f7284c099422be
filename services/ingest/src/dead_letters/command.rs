//! `ingest dead-letters list|replay|drop`, `ingest snapshot` and `ingest export`.

use std::{collections::BTreeMap, path::PathBuf, process::ExitCode, sync::Arc};

use clap::{Args, Parser, Subcommand};
use tributary_runtime::{load, start_logs};

use super::{DeadLetter, DeadLetters};
use crate::{
    Config,
    change::Outcome,
    error::IngestError,
    export::{Exported, export},
    folder::Folder,
    layout::Layout,
    position::Position,
    session::ASKED_FOR,
    sink::Sink,
    snapshot,
    source::{self, Server},
    tables::Tables,
};

/// The first arguments that stand for a command, not for the service.
pub const COMMANDS: [&str; 3] = ["dead-letters", "snapshot", "export"];

/// How often a replay is tried again where the running service wrote in between.
const ATTEMPTS: usize = 50;

#[derive(Debug, Parser)]
#[command(name = "ingest", version)]
enum Command {
    /// Rows that could not be used.
    DeadLetters {
        #[command(subcommand)]
        what: Letters,
    },
    /// Has everything read again at the next start. The service must not run.
    Snapshot {
        #[command(flatten)]
        given: Given,
    },
    /// Writes the mapped tables as Parquet files, which `trainer` reads. The service may run.
    Export {
        #[command(flatten)]
        given: Given,
        /// The folder for `items.parquet`, `users.parquet` and `events.parquet`.
        #[arg(long, value_name = "FOLDER")]
        out: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
enum Letters {
    /// Prints them, a JSON object a line.
    List(Chosen),
    /// Reads the rows again as they are now, and writes those that are good. Prints what is left.
    Replay(Chosen),
    /// Removes them from the list.
    Drop(Chosen),
}

#[derive(Debug, Args)]
struct Given {
    /// The file that the service is started with.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Chosen {
    #[command(flatten)]
    given: Given,
    /// Only those of this table.
    #[arg(long)]
    table: Option<String>,
}

/// Runs a command of this process's arguments. Exits as the service does: 64 for wrong arguments
/// or configuration, 1 for other errors.
pub fn main() -> ExitCode {
    let command = match Command::try_parse() {
        Ok(command) => command,
        Err(error) => {
            let shown = error.print();
            let is_help = !error.use_stderr() && shown.is_ok();
            return if is_help { ExitCode::SUCCESS } else { ExitCode::from(64) };
        }
    };
    match run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ingest: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        match command {
            Command::Snapshot { given } => request_snapshot(&config(&given)?).await?,
            Command::Export { given, out } => show(&export(&config(&given)?, &out).await?),
            Command::DeadLetters { what: Letters::List(chosen) } => {
                let (_, letters) = chosen.letters(&config(&chosen.given)?)?;
                print(&letters);
            }
            Command::DeadLetters { what: Letters::Drop(chosen) } => {
                let (list, letters) = chosen.letters(&config(&chosen.given)?)?;
                list.settle(&letters.into_iter().map(|letter| (letter, None)).collect::<Vec<_>>())?;
            }
            Command::DeadLetters { what: Letters::Replay(chosen) } => {
                let config = config(&chosen.given)?;
                let (list, letters) = chosen.letters(&config)?;
                let left = replay(&config, &list, letters).await?;
                print(&left);
            }
        }
        anyhow::Ok(())
    })
}

#[expect(clippy::print_stdout, reason = "the result of the command")]
fn show(exported: &Exported) {
    println!("{}", serde_json::to_string(exported).expect("an export has text keys only"));
}

#[expect(clippy::print_stdout, reason = "the result of the command")]
fn print(letters: &[DeadLetter]) {
    for letter in letters {
        println!("{}", serde_json::to_string(letter).expect("a letter has text keys only"));
    }
}

fn config(given: &Given) -> anyhow::Result<Config> {
    let config: Config = load(given.config.as_deref())?;
    start_logs(&config.telemetry)?;
    Ok(config)
}

impl Chosen {
    fn letters(&self, config: &Config) -> anyhow::Result<(DeadLetters, Vec<DeadLetter>)> {
        let list = DeadLetters::open(&config.data, config.dead_letters.most)?;
        let mut letters = list.list()?;
        letters.retain(|letter| self.table.as_ref().is_none_or(|table| letter.table == *table));
        Ok((list, letters))
    }
}

/// Reads the rows of the letters as they are now. Good ones are written and leave the list, as do
/// those that are gone; the others stay with what is wrong now, and are returned.
pub async fn replay(
    config: &Config,
    list: &DeadLetters,
    letters: Vec<DeadLetter>,
) -> Result<Vec<DeadLetter>, IngestError> {
    let mut conn = source::connect(&config.source).await?;
    Server::examine(&mut conn).await?;
    let mapping = Arc::new(config.mapping.clone());
    let every: Vec<String> = mapping.tables().into_iter().map(str::to_owned).collect();
    let tables = Tables::load(&mut conn, mapping, config.data.join("tables.json"), &every).await?;
    let mut layouts: BTreeMap<String, Option<Arc<Layout>>> = BTreeMap::new();
    let mut left = Vec::new();
    for letter in letters {
        let name = letter.table.clone();
        let layout = layouts.entry(name).or_insert_with(|| tables.layout(&letter.table));
        let new = match layout {
            Some(layout) => again(config, &mut conn, layout, &letter).await?,
            None => Some(letter.clone()),
        };
        left.extend(new.clone());
        list.settle(&[(letter, new)])?;
    }
    Ok(left)
}

/// Writes one row as it is now; the letter to keep where that cannot be done.
///
/// The position is asked for before the row is read, and the write is refused where it has moved
/// since: what the service reads of the row later is never undone by what was read here before.
async fn again(
    config: &Config,
    conn: &mut mysql_async::Conn,
    layout: &Layout,
    letter: &DeadLetter,
) -> Result<Option<DeadLetter>, IngestError> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        let mut sink = Sink::open(&config.feature, &config.source.name).await?;
        let Some(row) = snapshot::row_of(conn, layout, &letter.key).await? else { return Ok(None) };
        let Outcome { changes, bad } = layout.appeared(&row);
        if let Some(bad) = bad {
            return Ok(Some(DeadLetter::new(layout, &row, &bad, letter.position.clone())));
        }
        match sink.apply(&changes, None).await {
            Err(IngestError::Overtaken(..)) if attempt < ATTEMPTS => {}
            written => return written.map(|()| None),
        }
    }
}

/// Forgets how far tables were read, so that the next start reads everything again.
async fn request_snapshot(config: &Config) -> Result<(), IngestError> {
    let folder = Folder::lock(&config.data)?;
    let mut sink = Sink::open(&config.feature, &config.source.name).await?;
    if let Some(position) = sink.stored()? {
        let again = Position { mapping: ASKED_FOR.to_owned(), ..position };
        sink.apply(&[], Some(&again)).await?;
    }
    drop(folder);
    Ok(())
}
