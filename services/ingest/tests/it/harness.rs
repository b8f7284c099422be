//! A database of its own for each test, and `ingest` in the test's process.

use std::{path::PathBuf, time::Duration};

use mysql_async::{Conn, Opts, prelude::Queryable};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tributary_ingest::{Config, IngestError, start};
use tributary_runtime::Listeners;
use tributary_testkit::{Database, FakeFeature, FakeServer, TestFolder, is_serving, wait_until};

use crate::contents::Contents;

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const SCHEMA: &str = include_str!("../../../../docs/mysql/illustrations.sql");

/// A database, a feature service, and a folder.
pub(crate) struct World {
    pub(crate) db: Database,
    pub(crate) feature: FakeFeature,
    pub(crate) server: FakeServer,
    pub(crate) folder: TestFolder,
    pub(crate) sql: Conn,
}

impl World {
    /// With the tables of `schema`, statements apart by `;`.
    pub(crate) async fn new(schema: &str) -> Self {
        Self::with_options(schema, &[]).await
    }

    pub(crate) async fn with_options(schema: &str, options: &[&str]) -> Self {
        let db = Database::start(options).await.unwrap();
        let mut root = connect(&db.url("mysql")).await;
        root.query_drop("CREATE DATABASE shop CHARACTER SET utf8mb4").await.unwrap();
        let mut sql = connect(&db.url("shop")).await;
        run(&mut sql, schema).await;
        let feature = FakeFeature::new();
        let server = feature.start();
        Self { db, feature, server, folder: TestFolder::new("ingest"), sql }
    }

    pub(crate) fn config(&self) -> Config {
        let mut config = Config::default();
        config.source.url = self.db.url("shop");
        config.source.heartbeat = Duration::from_millis(100);
        config.source.reconnect = Duration::from_millis(200);
        config.feature.address = self.server.url();
        config.data = self.data();
        config
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Runs statements apart by `;`.
    pub(crate) async fn run(&mut self, statements: &str) {
        run(&mut self.sql, statements).await;
    }

    /// Waits until the feature service holds what the database holds.
    #[track_caller]
    pub(crate) fn converged(&mut self) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        async move {
            let end = tokio::time::Instant::now() + PATIENCE;
            loop {
                let wanted = Contents::of_database(&mut self.sql).await;
                let held = Contents::of_feature(&self.feature, &wanted);
                if wanted == held {
                    return;
                }
                if tokio::time::Instant::now() > end {
                    panic!("{place}: the database has\n{wanted:#?}\nfeature has\n{held:#?}");
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

pub(crate) async fn connect(url: &str) -> Conn {
    let opts = mysql_async::OptsBuilder::from_opts(Opts::from_url(url).unwrap());
    Conn::new(opts.prefer_socket(false).setup(vec!["SET time_zone = '+00:00'"])).await.unwrap()
}

async fn run(sql: &mut Conn, statements: &str) {
    let lines = statements.lines().filter(|line| !line.trim_start().starts_with("--"));
    let text: String = lines.map(|line| format!("{line}\n")).collect();
    for statement in text.split(";\n").map(str::trim).filter(|text| !text.is_empty()) {
        let statement = statement.trim_end_matches(';');
        sql.query_drop(statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
}

/// `ingest`, running.
pub(crate) struct Running {
    pub(crate) address: std::net::SocketAddr,
    shutdown: CancellationToken,
    ended: JoinHandle<Result<(), IngestError>>,
}

impl Drop for Running {
    /// Tells why it had ended, where the test fails for that.
    fn drop(&mut self) {
        if std::thread::panicking() && self.ended.is_finished() {
            let ended = futures::FutureExt::now_or_never(&mut self.ended);
            eprintln!("ingest ended before the test: {ended:?}");
        }
    }
}

impl Running {
    pub(crate) async fn start(config: Config) -> Self {
        let listeners = Listeners::ephemeral().await;
        let address = listeners.grpc_address();
        let shutdown = CancellationToken::new();
        let ended = tokio::spawn(start(config, listeners, shutdown.clone()));
        Self { address, shutdown, ended }
    }

    /// Waits until it says that the snapshot is done.
    #[track_caller]
    pub(crate) fn ready(&self) -> impl Future<Output = ()> {
        let address = self.address;
        wait_until(move || is_serving(address, ""), PATIENCE)
    }

    pub(crate) async fn stop(mut self) {
        self.shutdown.cancel();
        (&mut self.ended).await.unwrap().unwrap();
    }

    /// Waits for its end, and gives the error with its causes.
    pub(crate) async fn failure(mut self) -> String {
        let ended = tokio::time::timeout(PATIENCE, &mut self.ended).await.expect("it ends");
        let error = ended.unwrap().expect_err("it ends with an error");
        chain(&error)
    }
}

pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&format!(": {error}"));
        source = error.source();
    }
    text
}
