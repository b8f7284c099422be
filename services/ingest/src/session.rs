//! One connection to the database, from connecting to its end.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use mysql_async::Conn;
use tributary_runtime::Health;

use crate::{
    Config, OnPurged, OnSchemaChange,
    batch::Batch,
    change::Change,
    dead_letters::DeadLetters,
    error::{IngestError, SourceError},
    follow,
    lag::Lag,
    layout::Faults,
    metrics,
    position::{BinlogPosition, Position, SnapshotProgress},
    sink::{MOST, Sink},
    snapshot,
    source::{self, Lock, Server},
    tables::Tables,
};

/// How often the lock is looked after, which also keeps the connections alive.
const KEEP: Duration = Duration::from_secs(30);

/// In the place of a mapping's fingerprint: somebody asked for a new snapshot.
pub(crate) const ASKED_FOR: &str = "asked for";

/// What outlives a connection.
pub(crate) struct Ingest<'a> {
    pub config: &'a Config,
    pub writer: String,
    pub sink: Sink,
    pub letters: DeadLetters,
    pub health: Health,
    pub lag: Arc<Lag>,
}

/// A connection with all that belongs to it.
pub(crate) struct Session<'a> {
    pub config: &'a Config,
    pub server: Server,
    pub conn: Conn,
    pub lock: Lock,
    pub tables: Tables,
    pub health: &'a Health,
    pub lag: &'a Lag,
    sink: &'a mut Sink,
    letters: &'a DeadLetters,
    kept_at: Instant,
}

impl Ingest<'_> {
    /// Connects, takes the snapshot where it is not done, and follows the binlog until something
    /// fails.
    pub(crate) async fn run(&mut self) -> Result<std::convert::Infallible, IngestError> {
        let config = self.config;
        let lock = Lock::take(&config.source).await?;
        let mut conn = source::connect(&config.source).await?;
        let server = Server::examine(&mut conn).await?;
        let stored = self.sink.stored()?;
        let stopped = stored.as_ref().map_or_else(Vec::new, |stored| stored.stopped.clone());
        let memory = config.data.join("tables.json");
        let mapping = Arc::new(config.mapping.clone());
        let tables = Tables::load(&mut conn, mapping, memory, &stopped).await?;
        if server.cascades_silently {
            tables.warn_of_cascades();
        }
        let (sink, letters) = (&mut self.sink, &self.letters);
        let (health, lag) = (&self.health, &*self.lag);
        let kept_at = Instant::now();
        let mut session =
            Session { config, server, conn, lock, tables, health, lag, sink, letters, kept_at };
        let position = session.begin(stored, &self.writer).await?;
        session.follow(position).await
    }
}

impl Session<'_> {
    /// The position to go on from: the stored one, or one with a snapshot before it.
    async fn begin(
        &mut self,
        stored: Option<Position>,
        writer: &str,
    ) -> Result<Position, IngestError> {
        let Some(mut position) = stored else { return self.afresh(writer).await };
        if position.mapping == ASKED_FOR {
            return self.afresh(writer).await;
        }
        if position.server != self.server.identity {
            let (binlog, server) = (position.binlog, position.server);
            let here = self.server.identity.clone();
            return Err(SourceError::OtherServer(binlog, server, here).into());
        }
        if position.mapping != self.config.mapping.fingerprint() {
            tracing::warn!(
                "the mapping changed: reading everything again; rows that were deleted while \
                 ingest was stopped stay as they were"
            );
            return self.afresh(writer).await;
        }
        writer.clone_into(&mut position.writer);
        self.take_up_stopped(&mut position);
        Ok(position)
    }

    /// A position before a snapshot of everything.
    async fn afresh(&mut self, writer: &str) -> Result<Position, IngestError> {
        // Those of the binlog may be older than the tables are.
        let mapping = Arc::new(self.config.mapping.clone());
        let memory = self.config.data.join("tables.json");
        self.tables = Tables::load(&mut self.conn, mapping, memory, &[]).await?;
        self.tables.save()?;
        let settle = self.config.snapshot.settle;
        let binlog = source::visible_head(&mut self.conn, &self.server, settle).await?;
        tracing::info!(%binlog, server = self.server.version, "taking a snapshot");
        let mapping = self.config.mapping.fingerprint();
        let (server, tables) = (&self.server.identity, self.tables.names());
        Ok(Position::before_snapshot(writer, server, &mapping, binlog, tables))
    }

    /// Tables that were stopped and fit now are read anew.
    fn take_up_stopped(&self, position: &mut Position) {
        let fits = |table: &String| self.tables.layout(table).is_some();
        let (fit, unfit) = std::mem::take(&mut position.stopped).into_iter().partition(fits);
        position.stopped = unfit;
        let fit: Vec<String> = fit;
        if fit.is_empty() {
            return;
        }
        tracing::info!(tables = fit.join(", "), "stopped tables fit the mapping now: reading them");
        let progress = position.snapshot.get_or_insert_with(|| SnapshotProgress {
            tables: Vec::new(),
            after: None,
            rows: 0,
        });
        progress.tables.extend(fit);
    }

    async fn follow(
        mut self,
        mut position: Position,
    ) -> Result<std::convert::Infallible, IngestError> {
        loop {
            if position.snapshot.is_some() {
                position = snapshot::run(&mut self, position).await?;
            }
            let ready_at = source::head(&mut self.conn, &self.server).await?;
            self.tables.remember()?;
            metrics::stopped(position.stopped.len());
            let writer = position.writer.clone();
            match follow::run(&mut self, position, ready_at).await {
                Err(IngestError::Source(SourceError::Purged(binlog, error)))
                    if self.config.source.on_purged == OnPurged::Snapshot =>
                {
                    tracing::error!(%binlog, %error, "the binlog there is gone: reading everything again");
                    self.health.not_ready();
                    position = self.afresh(&writer).await?;
                }
                other => return other,
            }
        }
    }

    /// Writes a batch, in calls that are not too large, and its position with the last of them.
    pub(crate) async fn write(
        &mut self,
        batch: &mut Batch,
        position: Option<&Position>,
    ) -> Result<(), IngestError> {
        if !batch.letters.is_empty() {
            // On the disk before the position moves past these rows.
            let (letters, new) = (self.letters.clone(), std::mem::take(&mut batch.letters));
            tokio::task::spawn_blocking(move || letters.append(&new))
                .await
                .expect("appending does not panic")?;
        }
        let changes = std::mem::take(&mut batch.changes);
        let mut rest = &changes[..];
        while let Some(end) = end_of_call(rest) {
            self.sink.apply(&rest[..end], None).await?;
            rest = &rest[end..];
        }
        self.sink.apply(rest, position).await?;
        if let Some(position) = position {
            metrics::position(&position.binlog);
        }
        Ok(())
    }

    /// Keeps the lock, and the connection beside the stream, where it is time to do so.
    pub(crate) async fn keep_alive(&mut self) -> Result<(), IngestError> {
        if self.kept_at.elapsed() < KEEP {
            return Ok(());
        }
        self.kept_at = Instant::now();
        self.lock.keep().await?;
        mysql_async::prelude::Queryable::ping(&mut self.conn).await?;
        Ok(())
    }

    /// What is to be done where a table no longer fits: either the error, or the table is followed
    /// no longer.
    pub(crate) fn unfit(
        &mut self,
        table: &str,
        faults: Faults,
        position: &mut Position,
    ) -> Result<(), IngestError> {
        if self.config.source.on_schema_change == OnSchemaChange::Stop {
            return Err(SourceError::Mapping(faults).into());
        }
        tracing::error!(table, %faults, binlog = %position.binlog, "the table is not followed any more");
        self.tables.stop(table);
        position.stopped.push(table.to_owned());
        metrics::stopped(position.stopped.len());
        self.health.describe("stopped-tables", &position.stopped.join(","));
        Ok(())
    }
}

/// Where the first call of these changes ends; `None`: one call takes all of them. An event after a
/// deletion waits for the next call: a call that is interrupted between the two would count events
/// about what it has deleted wrongly when it is repeated.
fn end_of_call(changes: &[Change]) -> Option<usize> {
    let deletes = |change: &Change| matches!(change, Change::DeleteItem(_) | Change::DeleteUser(_));
    let is_event = |change: &Change| matches!(change, Change::Record(_) | Change::Retract(_));
    let deletion = changes.iter().position(deletes);
    let event = deletion.and_then(|deletion| {
        changes[deletion..].iter().position(is_event).map(|after| deletion + after)
    });
    let full = (changes.len() > MOST).then_some(MOST);
    event.into_iter().chain(full).min()
}

/// The place of a position, for the health check.
pub(crate) fn describe(health: &Health, binlog: &BinlogPosition) {
    health.describe("binlog", &binlog.to_string());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_wait_where_something_was_deleted_before_them() {
        let event = || Change::Record(tributary_proto::entity::v1::Event::default());
        let (item, user) = (|| Change::DeleteItem(1), || Change::DeleteUser(1));
        for (changes, end) in [
            (vec![], None),
            (vec![event(), item(), user()], None),
            (vec![event(), item(), user(), event(), item(), event()], Some(3)),
            (vec![event(), item(), event()], Some(2)),
            ((0..MOST).map(|_| event()).collect(), None),
            ((0..=MOST).map(|_| event()).collect(), Some(MOST)),
        ] {
            assert_eq!(end_of_call(&changes), end, "{}", changes.len());
        }
    }
}
