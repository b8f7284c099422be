//! Connections to the database: setting them up, what the server must be like, where its binlog is.

mod server;

use std::time::Duration;

use mysql_async::{Conn, Opts, OptsBuilder, prelude::Queryable};

pub(crate) use server::Server;

use crate::{SourceConfig, error::SourceError, position::BinlogPosition};

/// How long a lock may still be held by a process that has just ended.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);
/// After so many seconds the server forgets a holder that it no longer hears of; it is heard of every
/// thirty.
const FORGOTTEN: u32 = 90;
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// A connection in UTF-8 and UTC, encrypted where that is asked for.
pub(crate) async fn connect(config: &SourceConfig) -> Result<Conn, SourceError> {
    let opts = Opts::from_url(&config.url).map_err(|error| SourceError::Query(error.into()))?;
    // That of the URL, such as `?require_ssl=true`, where the configuration says nothing.
    let given = opts.ssl_opts().cloned();
    let opts = OptsBuilder::from_opts(opts)
        .prefer_socket(false)
        .tcp_nodelay(true)
        // A row event holds a row twice, and the server sends any that it was able to write.
        .max_allowed_packet(Some(1 << 30))
        .tcp_keepalive(Some(Duration::from_secs(30)))
        .ssl_opts(config.tls.options()?.or(given))
        .setup(vec!["SET NAMES utf8mb4", "SET time_zone = '+00:00'"]);
    match tokio::time::timeout(CONNECT_PATIENCE, Conn::new(opts)).await {
        Ok(conn) => Ok(conn?),
        Err(_) => Err(SourceError::Silent(CONNECT_PATIENCE)),
    }
}

/// The one right to read a source, held by a connection of its own: the server ends it with the
/// connection, also after kill -9.
pub(crate) struct Lock {
    conn: Conn,
    name: String,
}

impl Lock {
    pub(crate) async fn take(config: &SourceConfig) -> Result<Self, SourceError> {
        let mut conn = connect(config).await?;
        // A connection that died without a word keeps the lock for no longer than this.
        conn.query_drop(format!("SET SESSION wait_timeout = {FORGOTTEN}")).await?;
        // Of the server as a whole, so the database is part of the name; at most 64 characters.
        let name = format!("tributary-ingest:{}", config.name);
        let patience = LOCK_PATIENCE.as_secs();
        let taken: Option<Option<u8>> =
            conn.exec_first("SELECT GET_LOCK(?, ?)", (&name, patience)).await?;
        if taken.flatten() == Some(1) {
            return Ok(Self { conn, name });
        }
        let holder: Option<Option<u64>> =
            conn.exec_first("SELECT IS_USED_LOCK(?)", (&name,)).await?;
        Err(SourceError::Locked(holder.flatten().unwrap_or(0)))
    }

    /// Makes sure that it is still held.
    pub(crate) async fn keep(&mut self) -> Result<(), SourceError> {
        let mine: Option<Option<bool>> =
            self.conn.exec_first("SELECT IS_USED_LOCK(?) = CONNECTION_ID()", (&self.name,)).await?;
        match mine.flatten() {
            Some(true) => Ok(()),
            _ => Err(SourceError::Locked(0)),
        }
    }
}

/// Where the binlog ends now.
pub(crate) async fn head(conn: &mut Conn, server: &Server) -> Result<BinlogPosition, SourceError> {
    let query = server.status_query();
    let row: Option<mysql_async::Row> = conn.query_first(query).await?;
    let place = row.and_then(|row| Some((row.get_opt(0)?.ok()?, row.get_opt(1)?.ok()?)));
    let (file, offset) =
        place.ok_or_else(|| SourceError::Settings("log_bin is off: there is no binlog".into()))?;
    Ok(BinlogPosition { file, offset })
}

/// A position such that everything before it is visible to every later query. The binlog is
/// written before a transaction becomes visible, so the end of the binlog alone is not one:
/// MariaDB tells the position of a consistent snapshot, MySQL is given `settle`.
pub(crate) async fn visible_head(
    conn: &mut Conn,
    server: &Server,
    settle: Duration,
) -> Result<BinlogPosition, SourceError> {
    if !server.is_mariadb {
        let position = head(conn, server).await?;
        tokio::time::sleep(settle).await;
        return Ok(position);
    }
    conn.query_drop("START TRANSACTION WITH CONSISTENT SNAPSHOT").await?;
    let status: Vec<(String, String)> = conn.query("SHOW STATUS LIKE 'binlog_snapshot_%'").await?;
    conn.query_drop("COMMIT").await?;
    let value = |name: &str| {
        let mut rows = status.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        rows.next().map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    };
    let offset = value("binlog_snapshot_position").and_then(|offset| offset.parse().ok());
    match (value("binlog_snapshot_file"), offset) {
        (Some(file), Some(offset)) => Ok(BinlogPosition { file: file.to_owned(), offset }),
        _ => Err(SourceError::Settings("it tells no binlog position of a snapshot".into())),
    }
}

/// Quotes a name for a query.
pub(crate) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}
