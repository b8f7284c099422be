//! Following the binlog: rows become changes, and with the end of a transaction comes a position.

mod events;
mod rows;
mod tellers;

use std::{
    collections::{BTreeMap, HashSet},
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

use events::{Events, Step};
use mysql_async::binlog::events::TableMapEvent;
use tellers::Tellers;
use tributary_domain::Timestamp;

use crate::{
    batch::Batch,
    ddl::{self, Effect},
    error::{IngestError, SourceError},
    layout::{Fault, Faults, Layout},
    position::{BinlogPosition, Position},
    schema::TableImage,
    session::{self, Session},
    sink::MOST,
};

/// How often a position without changes is stored.
const IDLE_STORE: Duration = Duration::from_secs(5);
/// How long changes wait for the end of the transaction that is being read.
const PATIENCE: Duration = Duration::from_millis(200);

/// Follows the binlog from `position` until something fails. The process is ready once everything
/// up to `ready_at` is written.
pub(crate) async fn run(
    session: &mut Session<'_>,
    position: Position,
    ready_at: BinlogPosition,
) -> Result<Infallible, IngestError> {
    let events = Events::open(&session.config.source, &position.binlog).await?;
    tracing::info!(binlog = %position.binlog, "following the binlog");
    let now = Instant::now();
    let follower = Follower {
        session,
        events,
        stored: position.clone(),
        position,
        ready_at: Some(ready_at),
        within: false,
        maps: BTreeMap::new(),
        batch: Batch::default(),
        tellers: Tellers::default(),
        deleted_users: HashSet::new(),
        committed: None,
        stored_at: now,
        begun_at: now,
        touched: false,
    };
    follower.run().await
}

struct Follower<'a, 'b> {
    session: &'a mut Session<'b>,
    events: Events,
    /// What `feature` has.
    stored: Position,
    /// After the last transaction that was read whole.
    position: Position,
    ready_at: Option<BinlogPosition>,
    /// Whether the events are those of a transaction that has not ended.
    within: bool,
    /// The layouts of the table ids in use; `None` for tables that are not followed.
    maps: BTreeMap<u64, Option<Arc<Layout>>>,
    batch: Batch,
    tellers: Tellers,
    deleted_users: HashSet<u64>,
    /// When the last transaction was committed.
    committed: Option<Timestamp>,
    stored_at: Instant,
    /// When the beginning of the transaction that is being read was.
    begun_at: Instant,
    /// Rows that are followed came in the transaction that is being read.
    touched: bool,
}

impl Follower<'_, '_> {
    async fn run(mut self) -> Result<Infallible, IngestError> {
        loop {
            let step = match self.events.ready().await? {
                Some(step) => step,
                None => {
                    // Nothing waits: what was read must not wait either.
                    self.settle().await?;
                    self.events.next().await?
                }
            };
            self.take(step).await?;
            // One row may bring two changes, and a call takes 1,000. A long transaction, perhaps of
            // other tables, does not hold up what was committed before it.
            let full = self.batch.changes.len() >= MOST - 1 || self.batch.letters.len() >= MOST;
            let waits = self.within && !self.batch.is_empty();
            let since = self.begun_at.max(self.stored_at);
            if full || (waits && since.elapsed() >= PATIENCE) {
                self.flush().await?;
            }
            self.session.keep_alive().await?;
        }
    }

    async fn take(&mut self, step: Step) -> Result<(), IngestError> {
        match step {
            Step::Begin => {
                (self.within, self.touched) = (true, false);
                self.begun_at = Instant::now();
            }
            Step::RolledBack { .. } if self.touched => {
                let reason = "a transaction was rolled back whose rows are in it, because it also \
                              changed a table that knows no transactions";
                return Err(self.impossible(reason.to_owned()));
            }
            Step::RolledBack { end: None } => {}
            Step::RolledBack { end: Some((offset, time)) } | Step::End { offset, time } => {
                self.within = false;
                self.position.binlog.offset = offset;
                self.committed = Some(time);
            }
            Step::File(place) => {
                self.position.binlog = place;
                self.maps.clear();
            }
            Step::Statement { text, database, offset, time } => {
                self.statement(&text, &database).await?;
                if !self.within {
                    self.position.binlog.offset = offset;
                    self.committed = Some(time);
                }
            }
            Step::Map(event) => self.map(&event).await?,
            Step::Rows(event) => self.rows(&event).await?,
            Step::Heartbeat => self.idle().await?,
            Step::Impossible(reason) => return Err(self.impossible(reason)),
            Step::Other => {}
        }
        Ok(())
    }

    /// Makes the layout of a table id.
    async fn map(&mut self, event: &TableMapEvent<'static>) -> Result<(), IngestError> {
        let table = event.table_name().into_owned();
        let is_ours = event.database_name() == self.session.server.database.as_str();
        if !is_ours || self.session.tables.layout(&table).is_none() {
            self.maps.insert(event.table_id(), None);
            return Ok(());
        }
        let Some(image) = TableImage::of(event) else {
            return Err(self.impossible(format!("table {table} has a column of an unknown type")));
        };
        let Session { conn, tables, .. } = &mut *self.session;
        let layout = match tables.layout_of(conn, &table, &image).await {
            Err(IngestError::Source(SourceError::Mapping(faults))) => {
                self.session.unfit(&table, faults, &mut self.position)?;
                None
            }
            layout => layout?,
        };
        self.maps.insert(event.table_id(), layout);
        Ok(())
    }

    /// Looks what a statement did to the tables.
    async fn statement(&mut self, text: &str, database: &str) -> Result<(), IngestError> {
        for table in self.session.tables.names() {
            let ours = self.session.server.database.as_str();
            let Some(effect) = ddl::effect(text, database, ours, &table) else { continue };
            if self.session.tables.layout(&table).is_none() {
                continue;
            }
            tracing::info!(table, ?effect, binlog = %self.position.binlog, "a statement changed the table");
            self.maps.clear();
            let faults = match effect {
                Effect::Altered => self.altered(&table).await?,
                Effect::Emptied => Some(fault(
                    &table,
                    "was emptied or filled by a statement that does not tell its rows: take a new \
                     snapshot (`ingest snapshot`)",
                )),
                Effect::Unseen => Some(fault(
                    &table,
                    "was changed by a statement that is not written as rows: a session set \
                     binlog_format; take a new snapshot (`ingest snapshot`)",
                )),
            };
            if let Some(faults) = faults {
                self.flush().await?;
                self.session.unfit(&table, faults, &mut self.position)?;
            }
        }
        Ok(())
    }

    async fn altered(&mut self, table: &str) -> Result<Option<Faults>, IngestError> {
        self.flush().await?;
        let Session { conn, tables, .. } = &mut *self.session;
        match tables.changed(conn, table).await {
            Ok(()) => Ok(None),
            Err(IngestError::Source(SourceError::Mapping(faults))) => Ok(Some(faults)),
            Err(error) => Err(error),
        }
    }

    /// The stream is at the head of the binlog, or in the middle of a transaction that is.
    async fn settle(&mut self) -> Result<(), IngestError> {
        let overdue = self.stored_at.elapsed() >= IDLE_STORE;
        let moved = self.position != self.stored;
        if !self.within && (!self.batch.is_empty() || (moved && overdue)) {
            self.flush().await?;
        }
        self.look_ready();
        Ok(())
    }

    async fn idle(&mut self) -> Result<(), IngestError> {
        if !self.within {
            self.session.lag.caught_up();
            self.settle().await?;
            // The server has sent everything. What it counts as its end may hold no event that moves
            // the position, such as the beginning of a new file.
            self.say_ready();
        }
        Ok(())
    }

    /// Writes what was read. In the middle of a transaction the position stays before it, and
    /// what is written of it is written once more after a restart, to the same end.
    async fn flush(&mut self) -> Result<(), IngestError> {
        self.session.write(&mut self.batch, Some(&self.position)).await?;
        self.stored = self.position.clone();
        self.stored_at = Instant::now();
        session::describe(self.session.health, &self.stored.binlog);
        if let Some(time) = self.committed.take().filter(|_| !self.within) {
            self.session.lag.written_up_to(time);
        }
        self.look_ready();
        Ok(())
    }

    /// Ready once everything that was there at the start is written.
    fn look_ready(&mut self) {
        if self.ready_at.as_ref().is_some_and(|place| self.position.binlog >= *place) {
            self.say_ready();
        }
    }

    fn say_ready(&mut self) {
        if self.batch.is_empty() && self.ready_at.take().is_some() {
            self.session.health.ready();
        }
    }

    fn impossible(&self, reason: String) -> IngestError {
        SourceError::Binlog { position: self.position.binlog.clone(), reason }.into()
    }
}

fn fault(table: &str, reason: &str) -> Faults {
    let (table, reason) = (table.to_owned(), reason.to_owned());
    Faults(vec![Fault { table, column: None, reason }])
}
