//! Brings a data set into the running mesh, as a business would: over gRPC.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tributary_domain::{Event, Timestamp, UserProfile};
use tributary_proto::{
    STORE_METADATA,
    feature::v1::{
        RecordEventsRequest, UpsertUsersRequest, WatchItemsRequest,
        feature_service_client::FeatureServiceClient,
    },
};

use super::{home::Home, process};
use crate::{CliError, arguments::MeshAddresses, command, connection::Connection, output::Output};

/// The most records that one call may carry.
const CALL: usize = 1_000;

/// A data set in the form that the mesh takes, as files of JSON lines.
pub(super) struct Data {
    folder: PathBuf,
    /// Names the data set.
    pub fingerprint: String,
    /// Somebody with a history: the user of the last event.
    pub user: u64,
    /// When the last event was.
    last: Timestamp,
}

/// Has the trainer's reader turn the data set into JSON lines.
pub(super) async fn prepare(data: &Path, home: &Home, binaries: &Path) -> Result<Data, CliError> {
    let folder = home.data();
    let mut trainer = process::trainer(binaries);
    trainer.arg("prepare").arg("--data").arg(data).arg("--out").arg(&folder);
    process::run_to_end(trainer).await?;
    let events: Vec<Event> = read(&folder.join("events.jsonl"))?;
    let last = events.iter().max_by_key(|event| (event.behaviour.time, event.user));
    let last = last.ok_or_else(|| {
        CliError::Data(format!("{} holds no interactions: nothing to serve", data.display()))
    })?;
    let fingerprint = fingerprint(&folder.join("dataset.json"))?;
    Ok(Data { folder, fingerprint, user: last.user.0, last: last.behaviour.time })
}

fn fingerprint(summary: &Path) -> Result<String, CliError> {
    #[derive(Deserialize)]
    struct Summary {
        fingerprint: String,
    }
    let text = fs::read_to_string(summary).map_err(CliError::file(summary))?;
    let summary: Summary = serde_json::from_str(&text)
        .map_err(|error| CliError::Data(format!("{}: {error}", summary.display())))?;
    Ok(summary.fingerprint)
}

/// Writes items, users and events to `feature`, once: a second start finds the mark and skips it,
/// unless the store is another one. Events are idempotent, so a load that was cut off is simply
/// repeated.
pub(super) async fn load(
    data: &Data,
    home: &Home,
    mesh: &MeshAddresses,
    output: &Output,
) -> Result<(), CliError> {
    let feature = Connection::new("feature", &mesh.feature, Duration::from_secs(60))?;
    let store = store_name(&feature).await?;
    let mut mark = Mark::of(data, home)?;
    if mark.store.as_ref() == Some(&store) {
        return Ok(());
    }
    command::upsert(&feature, command::read(&data.folder.join("items.jsonl"))?).await?;
    users(&feature, read(&data.folder.join("users.jsonl"))?).await?;
    let mut events: Vec<Event> = read(&data.folder.join("events.jsonl"))?;
    events.iter_mut().for_each(|event| event.behaviour.time.0 += mark.shift_ms);
    let recorded = record(&feature, &events).await?;
    mark.store = Some(store);
    mark.write(home)?;
    output.remark(format!("{recorded} events loaded, the last one as of now"));
    Ok(())
}

/// How the database of `feature` calls itself.
async fn store_name(feature: &Connection) -> Result<String, CliError> {
    let mut client = FeatureServiceClient::new(feature.client());
    let answer = client.watch_items(feature.request(WatchItemsRequest { after: 0 })).await;
    let name = answer.as_ref().ok().and_then(|answer| answer.metadata().get(STORE_METADATA));
    let name = name.and_then(|name| name.to_str().ok()).map(str::to_owned);
    feature.answer(answer)?;
    name.ok_or_else(|| CliError::Data("feature does not name its store".into()))
}

/// What was loaded into a home, kept beside the store.
#[derive(Debug, Serialize, Deserialize)]
struct Mark {
    fingerprint: String,
    /// Added to every event's time, so that the last one is as of the first load. Old data would
    /// otherwise weigh nothing against the first live event, wherever counts decay with time.
    shift_ms: i64,
    /// The name of the store that holds all of it.
    store: Option<String>,
}

impl Mark {
    /// The home's mark, written before the first event is, so that a load that was cut off goes on
    /// with the same times.
    fn of(data: &Data, home: &Home) -> Result<Self, CliError> {
        let path = Self::path(home);
        if path.exists() {
            let text = fs::read_to_string(&path).map_err(CliError::file(&path))?;
            let mark: Self = serde_json::from_str(&text)
                .map_err(|error| CliError::Data(format!("{}: {error}", path.display())))?;
            return match mark.fingerprint == data.fingerprint {
                true => Ok(mark),
                false => Err(CliError::OtherData { home: home.root().into(), what: "store" }),
            };
        }
        let shift_ms = Timestamp::now().0.saturating_sub(data.last.0);
        let mark = Self { fingerprint: data.fingerprint.clone(), shift_ms, store: None };
        mark.write(home)?;
        Ok(mark)
    }

    fn path(home: &Home) -> PathBuf {
        home.feature().join("data-set.json")
    }

    fn write(&self, home: &Home) -> Result<(), CliError> {
        let path = Self::path(home);
        let text = serde_json::to_string(self).expect("a mark is plain data");
        fs::write(&path, text).map_err(CliError::file(path))
    }
}

async fn users(feature: &Connection, users: Vec<UserProfile>) -> Result<(), CliError> {
    let mut client = FeatureServiceClient::new(feature.client());
    for call in users.chunks(CALL) {
        let users = call.iter().cloned().map(Into::into).collect();
        let request = feature.request(UpsertUsersRequest { users });
        feature.answer(client.upsert_users(request).await)?;
    }
    Ok(())
}

async fn record(feature: &Connection, events: &[Event]) -> Result<u64, CliError> {
    let style = ProgressStyle::with_template("{msg} {bar:40} {pos}/{len} {eta}");
    let progress = ProgressBar::new(events.len() as u64)
        .with_style(style.expect("the template is a constant that parses"))
        .with_message("loading events");
    let mut client = FeatureServiceClient::new(feature.client());
    let mut recorded = 0;
    for call in events.chunks(CALL) {
        let events = call.iter().copied().map(Into::into).collect();
        let request = feature.request(RecordEventsRequest { events, served: Vec::new() });
        recorded += u64::from(feature.answer(client.record_events(request).await)?.recorded);
        progress.inc(call.len() as u64);
    }
    progress.finish_and_clear();
    Ok(recorded)
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, CliError> {
    let file = File::open(path).map_err(CliError::file(path))?;
    let mut records = Vec::new();
    for (index, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(CliError::file(path))?;
        records.push(serde_json::from_str(&line).map_err(|source| CliError::ItemLine {
            path: path.to_owned(),
            line: index + 1,
            source,
        })?);
    }
    Ok(records)
}
