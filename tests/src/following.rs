use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::Duration,
};

use anyhow::{Context, Result};
use mysql_async::{Conn, Opts, OptsBuilder, prelude::Queryable};
use tonic::transport::Channel;
use tributary_proto::{
    entity::v1::{Action, Item},
    feature::v1::{
        GetItemsRequest, WatchEventsRequest, WatchItemsRequest,
        feature_service_client::FeatureServiceClient, item_change::Change,
    },
};
use tributary_testkit::{Database, Process, TestFolder, channel, free_port, wait_until_serving};

use crate::command::{binary, repository};

const PATIENCE: Duration = Duration::from_secs(120);

/// The illustration schema in a database of its own, followed by `ingest` into a `feature`.
pub struct Following {
    pub db: Database,
    folder: TestFolder,
    /// Where `feature` keeps its data, as its environment says it.
    store: Vec<(&'static str, String)>,
    feature_port: u16,
    ingest_port: u16,
    feature: Option<Process>,
    ingest: Option<Process>,
}

impl Following {
    /// Starts the database alone. `store` says in the environment where `feature` keeps its data.
    pub async fn new(store: Vec<(&'static str, String)>) -> Result<Self> {
        let db = illustrations().await?;
        let (feature_port, ingest_port) = (free_port(), free_port());
        let folder = TestFolder::new("following");
        let (feature, ingest) = (None, None);
        Ok(Self { db, folder, store, feature_port, ingest_port, feature, ingest })
    }

    /// Starts `feature`, without waiting for it.
    pub fn start_feature(&mut self) -> Result<()> {
        let data = self.folder.join("store").display().to_string();
        let mut environment = vec![
            ("TRIBUTARY__SERVER__LISTEN", format!("127.0.0.1:{}", self.feature_port)),
            ("TRIBUTARY__SERVER__METRICS", "false".to_owned()),
            ("TRIBUTARY__STORE__DATA", data),
        ];
        environment.extend(self.store.iter().cloned());
        let log = self.folder.join("feature.log");
        let process = Process::spawn(binary("feature")?, [] as [&str; 0], environment, log)?;
        self.feature = Some(process);
        Ok(())
    }

    /// Starts `ingest`, without waiting for it.
    pub fn start_ingest(&mut self) -> Result<()> {
        let environment = [
            ("TRIBUTARY__SERVER__LISTEN", format!("127.0.0.1:{}", self.ingest_port)),
            ("TRIBUTARY__SERVER__METRICS", "false".to_owned()),
            ("TRIBUTARY__SOURCE__URL", self.db.url("illustrations")),
            ("TRIBUTARY__SOURCE__HEARTBEAT", "200ms".to_owned()),
            ("TRIBUTARY__FEATURE__ADDRESS", format!("http://127.0.0.1:{}", self.feature_port)),
            ("TRIBUTARY__DATA", self.folder.join("ingest").display().to_string()),
        ];
        let log = self.folder.join("ingest.log");
        self.ingest = Some(Process::spawn(binary("ingest")?, [] as [&str; 0], environment, log)?);
        Ok(())
    }

    pub async fn kill_feature(&mut self) -> Result<()> {
        kill(&mut self.feature).await
    }

    pub async fn kill_ingest(&mut self) -> Result<()> {
        kill(&mut self.ingest).await
    }

    /// Waits until `ingest` says that everything is written that was there at its start.
    pub async fn ready(&self) {
        let address = SocketAddr::from(([127, 0, 0, 1], self.ingest_port));
        wait_until_serving(address, "", PATIENCE).await;
    }

    pub fn client(&self) -> FeatureServiceClient<Channel> {
        let address = SocketAddr::from(([127, 0, 0, 1], self.feature_port));
        FeatureServiceClient::new(channel(address)).max_decoding_message_size(256 * 1024 * 1024)
    }
}

async fn kill(process: &mut Option<Process>) -> Result<()> {
    match process.take() {
        Some(mut process) => process.kill_9().await,
        None => Ok(()),
    }
}

/// A server with the schema of `docs/mysql/illustrations.sql` in the database `illustrations`.
pub async fn illustrations() -> Result<Database> {
    let db = Database::start(&[]).await?;
    connect(&db.url("mysql")).await?.query_drop("CREATE DATABASE illustrations").await?;
    let mut sql = connect(&db.url("illustrations")).await?;
    let schema = std::fs::read_to_string(repository().join("docs/mysql/illustrations.sql"))?;
    let lines = schema.lines().filter(|line| !line.trim_start().starts_with("--"));
    let schema: String = lines.map(|line| format!("{line}\n")).collect();
    for statement in schema.split(";\n").map(str::trim).filter(|text| !text.is_empty()) {
        sql.query_drop(statement).await?;
    }
    Ok(db)
}

/// A connection in UTC.
pub async fn connect(url: &str) -> Result<Conn> {
    let opts = OptsBuilder::from_opts(Opts::from_url(url)?).prefer_socket(false);
    Ok(Conn::new(opts.setup(vec!["SET time_zone = '+00:00'"])).await?)
}

/// User, item, action, time in Unix milliseconds.
pub type Happening = (u64, u64, i32, i64);

/// What a database and a store have in common.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// Title, creator and total of views, by id.
    pub items: BTreeMap<u64, (String, u64, u64)>,
    pub events: BTreeSet<Happening>,
}

impl Rows {
    /// Read by SQL.
    pub async fn of_database(sql: &mut Conn) -> Result<Self> {
        let items: Vec<(u64, String, u64, u64)> =
            sql.query("SELECT illust_id, title, artist_id, total_view FROM illust").await?;
        let items =
            items.into_iter().map(|(id, title, creator, views)| (id, (title, creator, views)));
        let events: Vec<(u64, u64, i64, i64)> = sql
            .query(
                "SELECT user_id, illust_id, label, \
                 CAST(ROUND(UNIX_TIMESTAMP(create_time) * 1000) AS SIGNED) FROM interaction",
            )
            .await?;
        let action = |label| if label == 1 { Action::Bookmark } else { Action::View };
        let events = events
            .into_iter()
            .map(|(user, item, label, time)| (user, item, action(label).into(), time));
        Ok(Self { items: items.collect(), events: events.collect() })
    }

    /// Read from the logs of `feature`; an error where an event is in its log twice.
    pub async fn of_feature(client: &mut FeatureServiceClient<Channel>) -> Result<Self> {
        let mut rows = Self::default();
        let mut stream = client.watch_items(WatchItemsRequest { after: 0 }).await?.into_inner();
        loop {
            let message = stream.message().await?.context("the log of items ended")?;
            let last = message.changes.last().map_or(0, |change| change.sequence);
            for change in message.changes {
                match change.change {
                    Some(Change::Upserted(item)) => {
                        drop(rows.items.insert(item.item_id, seen(item)))
                    }
                    Some(Change::DeletedItemId(id)) => drop(rows.items.remove(&id)),
                    _ => {}
                }
            }
            if last >= message.head {
                break;
            }
        }
        let mut stream = client.watch_events(WatchEventsRequest { after: 0 }).await?.into_inner();
        loop {
            let message = stream.message().await?.context("the log of events ended")?;
            let last = message.events.last().map_or(0, |event| event.sequence);
            for event in message.events.into_iter().filter_map(|logged| logged.event) {
                let happening = (event.user_id, event.item_id, event.action, event.time_ms);
                anyhow::ensure!(rows.events.insert(happening), "{happening:?} is there twice");
            }
            if last >= message.head {
                return Ok(rows);
            }
        }
    }

    /// How the counters of items differ from the events, for items from `first` on.
    pub async fn miscounted(
        &self,
        client: &mut FeatureServiceClient<Channel>,
        first: u64,
    ) -> Result<Vec<String>> {
        let ids: Vec<u64> = self.items.range(first..).map(|(id, _)| *id).collect();
        let mut wrong = Vec::new();
        for ids in ids.chunks(1_000) {
            let request = GetItemsRequest { item_ids: ids.to_vec() };
            for stored in client.get_items(request).await?.into_inner().items {
                let id = stored.item.context("an item")?.item_id;
                let counters = stored.counters.context("counters")?;
                let count = |action: Action| {
                    let of_item = self.events.iter().filter(|event| event.1 == id);
                    of_item.filter(|event| event.2 == i32::from(action)).count() as u64
                };
                let wanted = (count(Action::View), count(Action::Bookmark));
                if (counters.views, counters.bookmarks) != wanted {
                    wrong.push(format!("item {id}: {counters:?}, events {wanted:?}"));
                }
            }
        }
        Ok(wrong)
    }
}

fn seen(item: Item) -> (String, u64, u64) {
    (item.title, item.creator_id, item.total_views)
}
