use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use mysql_async::{Conn, prelude::Queryable};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use tempfile::TempDir;
use tributary_domain::{Action, Event, Item, Timestamp};

use crate::{
    command::{binary, run, run_json},
    following::{connect, illustrations},
    mesh::{Mesh, load},
};

/// Rows of one INSERT.
const ROWS: usize = 1_000;

/// What the pipeline runs on.
pub struct PipelineSettings {
    /// A data set that `trainer` reads. It is put into a database, which is the source from then on.
    pub data: PathBuf,
    /// Only users up to this id.
    pub users: u64,
    pub trainer_config: Option<PathBuf>,
}

/// What came of it.
#[derive(Debug)]
pub struct PipelineOutcome {
    pub first_bundle: String,
    pub second_bundle: String,
    /// Of the data set of the second training.
    pub exported: Value,
    pub requests: u64,
    pub failed: u64,
    pub degraded: u64,
}

/// From a business database to a swapped bundle, while the mesh answers: the mesh follows the
/// database, and meanwhile a data set is exported from it, trained on, judged and published.
pub async fn pipeline(settings: &PipelineSettings) -> Result<PipelineOutcome> {
    let work = tempfile::tempdir()?;
    let db = illustrations().await?;
    let url = db.url("illustrations");
    let mut sql = connect(&url).await?;
    step("filling the database");
    fill(&mut sql, settings, work.path()).await?;

    step("ingest export, and a first training");
    let first = work.path().join("first");
    export(&url, &first)?;
    let mesh = start(&url, &first, settings)?;
    let first_bundle = serving(&mesh)?;
    step("the mesh runs; waiting for ingest to have read the database");
    mesh.await_ingest().await?;

    let traffic = Traffic::start(&mesh);
    step("under load: new rows, ingest export, train, gate, publish");
    sql.query_drop(
        "UPDATE interaction SET label = 1, create_time = CURRENT_TIMESTAMP(3) \
         WHERE label = 0 LIMIT 50",
    )
    .await?;
    let second = work.path().join("second");
    let exported = export(&url, &second)?;
    let published = train(&mesh, &second, settings)?;
    step("waiting for every process to serve the new bundle");
    becomes(&mesh, &published)?;
    let (requests, failed, degraded) = traffic.stop()?;
    let second_bundle = serving(&mesh)?;
    tokio::task::block_in_place(|| mesh.stop())?;
    Ok(PipelineOutcome { first_bundle, second_bundle, exported, requests, failed, degraded })
}

#[expect(clippy::print_stderr, reason = "long work shows how far it is")]
fn step(what: &str) {
    eprintln!("{what}");
}

/// Writes the data set into the illustration schema; the last event is as of now.
async fn fill(sql: &mut Conn, settings: &PipelineSettings, work: &Path) -> Result<()> {
    let folder = work.join("source");
    run(Command::new(binary("trainer")?)
        .args(["prepare", "--data"])
        .arg(&settings.data)
        .arg("--out")
        .arg(&folder))?;
    let items: Vec<Item> = lines(&folder.join("items.jsonl"))?;
    let mut events: Vec<Event> = lines(&folder.join("events.jsonl"))?;
    events.retain(|event| event.user.0 <= settings.users);
    let last = events.iter().map(|event| event.behaviour.time.0).max().context("no events")?;
    let shift = Timestamp::now().0 - last;
    // MovieLens does not know it, and one day for all would be a feature that only tells the date.
    sql.query_drop("ALTER TABLE illust DROP COLUMN create_time").await?;
    let rows = items.iter().map(|item| {
        let tags: Vec<Value> =
            item.genres.iter().map(|genre| serde_json::json!({ "name": genre })).collect();
        let (title, tags) = (quoted(&item.title), quoted(&Value::from(tags).to_string()));
        let year = item.year.map_or(1, u64::from);
        format!("({}, {year}, {title}, {tags})", item.id)
    });
    insert(sql, "illust (illust_id, artist_id, title, tags)", rows).await?;
    let users: std::collections::BTreeSet<u64> = events.iter().map(|event| event.user.0).collect();
    insert(sql, "user (user_id)", users.iter().map(|user| format!("({user})"))).await?;
    let rows = events.iter().map(|Event { user, behaviour }| {
        let label = u8::from(behaviour.action == Action::Bookmark);
        let time = moment(behaviour.time.0 + shift);
        format!("({user}, {}, {label}, {time})", behaviour.item)
    });
    insert(sql, "interaction (user_id, illust_id, label, create_time)", rows).await
}

async fn insert(sql: &mut Conn, into: &str, rows: impl Iterator<Item = String>) -> Result<()> {
    let rows: Vec<String> = rows.collect();
    for rows in rows.chunks(ROWS) {
        sql.query_drop(format!("INSERT IGNORE INTO {into} VALUES {}", rows.join(", "))).await?;
    }
    Ok(())
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

fn moment(ms: i64) -> String {
    format!("FROM_UNIXTIME({}.{:03})", ms.div_euclid(1_000), ms.rem_euclid(1_000))
}

fn lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let text = std::fs::read_to_string(path)?;
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

fn export(url: &str, out: &Path) -> Result<Value> {
    run_json(
        Command::new(binary("ingest")?)
            .args(["export", "--out"])
            .arg(out)
            .env("TRIBUTARY__SOURCE__URL", url),
    )
}

/// A mesh that is filled from the database alone, with a bundle trained on the first export.
fn start(url: &str, data: &Path, settings: &PipelineSettings) -> Result<Mesh> {
    let mut arguments = vec!["--mysql".to_owned(), url.to_owned(), "--no-load".to_owned()];
    if let Some(config) = &settings.trainer_config {
        arguments.extend(["--trainer-config".to_owned(), config.display().to_string()]);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let home: TempDir = tempfile::tempdir()?;
    tokio::task::block_in_place(|| Mesh::start_with(home, data, &arguments))
}

/// Trains, and publishes what passes the gate. Gives the bundle's id.
fn train(mesh: &Mesh, data: &Path, settings: &PipelineSettings) -> Result<String> {
    #[derive(Deserialize)]
    struct Judged {
        bundle: String,
        published: bool,
    }
    let mut trainer = Command::new(binary("trainer")?);
    trainer.args(["run", "--json", "--publish", "--data"]).arg(data);
    trainer.arg("--store").arg(mesh.home().join("store"));
    if let Some(config) = &settings.trainer_config {
        trainer.arg("--config").arg(config);
    }
    let judged: Judged = serde_json::from_value(run_json(&mut trainer)?)?;
    ensure!(judged.published, "bundle {} did not pass the gate", judged.bundle);
    Ok(judged.bundle)
}

fn bundles(mesh: &Mesh) -> Result<Vec<String>> {
    let list = mesh.tributary(&["recommend", "--user", "1", "--skip-impressions"])?;
    let ids = list["bundle_ids"].as_object().context("an answer names its bundles")?;
    Ok(ids.values().filter_map(|id| id.as_str().map(str::to_owned)).collect())
}

/// The one bundle of an answer.
fn serving(mesh: &Mesh) -> Result<String> {
    bundles(mesh)?.into_iter().next().context("no bundle serves")
}

fn becomes(mesh: &Mesh, id: &str) -> Result<()> {
    for _ in 0..600 {
        let bundles = bundles(mesh)?;
        if !bundles.is_empty() && bundles.iter().all(|bundle| bundle == id) {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(100));
    }
    anyhow::bail!("the mesh did not change to {id}: {:?}", bundles(mesh)?)
}

/// `tributary load`, again and again, until it is stopped.
struct Traffic {
    stopped: Arc<AtomicBool>,
    runs: JoinHandle<Result<(u64, u64, u64)>>,
}

impl Traffic {
    fn start(mesh: &Mesh) -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        let (gateway, ended) = (mesh.address("gateway"), Arc::clone(&stopped));
        let runs = thread::spawn(move || {
            let mut sums = (0, 0, 0);
            while !ended.load(Ordering::SeqCst) {
                let report = load(&gateway, &LOAD)?;
                let failed = report["failed"].as_object().context("a report of failures")?;
                sums.0 += report["requests"].as_u64().context("requests")?;
                sums.1 += failed.values().filter_map(Value::as_u64).sum::<u64>();
                sums.2 += report["degraded_answers"].as_u64().context("degraded answers")?;
            }
            Ok(sums)
        });
        Self { stopped, runs }
    }

    /// Requests, failed ones, degraded answers.
    fn stop(self) -> Result<(u64, u64, u64)> {
        self.stopped.store(true, Ordering::SeqCst);
        self.runs.join().map_err(|_| anyhow::anyhow!("the load's thread panicked"))?
    }
}

/// Impressions too: what is shown while a bundle is trained is the data of the next one.
const LOAD: [&str; 10] = [
    "load",
    "--loop",
    "open",
    "--rate",
    "10",
    "--duration",
    "5s",
    "--warm-up",
    "0s",
    "--impressions",
];
