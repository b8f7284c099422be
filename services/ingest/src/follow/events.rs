//! The stream of the binlog, in the terms of this program.

use std::time::Duration;

use futures::{FutureExt, StreamExt};
use mysql_async::{
    BinlogStream, BinlogStreamRequest,
    binlog::{
        EventType,
        events::{Event, EventData, RowsEventData, TableMapEvent},
    },
    prelude::Queryable,
};
use tributary_domain::Timestamp;

use crate::{
    SourceConfig,
    error::{IngestError, SourceError},
    position::BinlogPosition,
    source,
};

/// What an event means.
pub(super) enum Step {
    /// A transaction begins.
    Begin,
    /// What was done since a savepoint, or since its beginning, is undone; in that case it has ended.
    RolledBack {
        end: Option<(u64, Timestamp)>,
    },
    /// It is committed; the next one is at `offset`.
    End {
        offset: u64,
        time: Timestamp,
    },
    /// What follows is of that place.
    File(BinlogPosition),
    /// A statement, which ends a transaction where none has begun.
    Statement {
        text: String,
        database: String,
        offset: u64,
        time: Timestamp,
    },
    /// What the rows of a table id are like.
    Map(TableMapEvent<'static>),
    Rows(RowsEventData<'static>),
    /// The server has nothing to send.
    Heartbeat,
    /// Following this would lose something.
    Impossible(String),
    Other,
}

/// An open stream.
pub(super) struct Events {
    stream: BinlogStream,
    /// A server that is silent for longer is lost.
    patience: Duration,
    replica: u32,
    from: BinlogPosition,
    /// Whether the server has told the form of its events.
    formatted: bool,
    /// The end of a compressed transaction whose events are being read.
    payload_end: Option<u64>,
}

impl Events {
    pub(super) async fn open(
        config: &SourceConfig,
        from: &BinlogPosition,
    ) -> Result<Self, IngestError> {
        let mut conn = source::connect(config).await?;
        let nanoseconds = config.heartbeat.as_nanos();
        conn.query_drop(format!("SET @master_heartbeat_period = {nanoseconds}")).await?;
        let replica = config.replica_id();
        let request = BinlogStreamRequest::new(replica)
            .with_filename(from.file.as_bytes())
            .with_pos(from.offset);
        let stream = conn.get_binlog_stream(request).await?;
        let patience = config.heartbeat * 3 + Duration::from_secs(5);
        Ok(Self {
            stream,
            patience,
            replica,
            from: from.clone(),
            formatted: false,
            payload_end: None,
        })
    }

    /// The next event, if it is here already.
    pub(super) async fn ready(&mut self) -> Result<Option<Step>, IngestError> {
        match self.stream.next().now_or_never() {
            None => Ok(None),
            Some(event) => self.step(event).map(Some),
        }
    }

    pub(super) async fn next(&mut self) -> Result<Step, IngestError> {
        match tokio::time::timeout(self.patience, self.stream.next()).await {
            Ok(event) => self.step(event),
            Err(_) => Err(SourceError::Silent(self.patience).into()),
        }
    }

    fn step(
        &mut self,
        event: Option<Result<Event, mysql_async::Error>>,
    ) -> Result<Step, IngestError> {
        match event {
            Some(Ok(event)) => Ok(self.meaning(&event)),
            Some(Err(error)) => Err(self.failed(error).into()),
            None => {
                Err(SourceError::Lost(mysql_async::DriverError::ConnectionClosed.into()).into())
            }
        }
    }

    /// The server refuses to send the binlog with one code for everything.
    fn failed(&self, error: mysql_async::Error) -> SourceError {
        const REFUSED: u16 = 1236;
        const PURGED: [&str; 4] =
            ["could not find first log", "> file size", "impossible position", "purged"];
        let text = match &error {
            mysql_async::Error::Server(server) if server.code == REFUSED => {
                server.message.to_ascii_lowercase()
            }
            _ => return error.into(),
        };
        match () {
            () if text.contains("same server") => SourceError::ServerId(self.replica, error),
            () if PURGED.iter().any(|words| text.contains(words)) => {
                SourceError::Purged(self.from.clone(), error)
            }
            () => SourceError::Query(error),
        }
    }

    fn meaning(&mut self, event: &Event) -> Step {
        let header = event.header();
        let raw = header.event_type_raw();
        if let Some(reason) = impossible(raw) {
            return Step::Impossible(reason.to_owned());
        }
        let time = Timestamp(i64::from(header.timestamp()) * 1_000);
        let data = match event.read_data() {
            Ok(Some(data)) => data,
            Ok(None) => return unknown(raw, header.flags_raw()),
            Err(error) => {
                return Step::Impossible(format!("an event of type {raw} is broken: {error}"));
            }
        };
        let offset = self.payload_end.unwrap_or_else(|| header.log_pos().into());
        match data {
            EventData::QueryEvent(query) => {
                statement(query.query().into_owned(), query.schema().into_owned(), offset, time)
            }
            // LOAD DATA, by a session that does not write rows.
            EventData::ExecuteLoadQueryEvent(load) => {
                statement(load.query().into_owned(), load.schema().into_owned(), offset, time)
            }
            EventData::XidEvent(_) => {
                self.payload_end = None;
                Step::End { offset, time }
            }
            EventData::XaPrepareLogEvent(_) => Step::Impossible(
                "an XA transaction was prepared; those are not followed".to_owned(),
            ),
            EventData::TransactionPayloadEvent(_) => {
                self.payload_end = Some(header.log_pos().into());
                Step::Other
            }
            EventData::FormatDescriptionEvent(_) => {
                self.formatted = true;
                Step::Other
            }
            // The server begins with the file that was asked for. Before it has told that events
            // have checksums, one is taken for the end of the file's name.
            EventData::RotateEvent(_) if !self.formatted => Step::Other,
            EventData::RotateEvent(rotate) => Step::File(BinlogPosition {
                file: rotate.name().into_owned(),
                offset: rotate.position(),
            }),
            EventData::TableMapEvent(map) => Step::Map(map.into_owned()),
            EventData::RowsEvent(rows) => Step::Rows(rows.into_owned()),
            EventData::HeartbeatEvent => Step::Heartbeat,
            EventData::IncidentEvent(_) => Step::Impossible(
                "the server lost events itself: take a new snapshot (`ingest snapshot`)".to_owned(),
            ),
            _ => Step::Other,
        }
    }

    /// What the rows of a table id are like.
    pub(super) fn table_map(&self, table_id: u64) -> Option<&TableMapEvent<'static>> {
        self.stream.get_tme(table_id)
    }
}

/// Events of MariaDB that hold rows in a form that is not read.
fn impossible(raw: u8) -> Option<&'static str> {
    match raw {
        165..=171 => Some("the binlog is compressed: unset log_bin_compress"),
        raw if raw == EventType::PRE_GA_WRITE_ROWS_EVENT as u8
            || raw == EventType::PRE_GA_UPDATE_ROWS_EVENT as u8
            || raw == EventType::PRE_GA_DELETE_ROWS_EVENT as u8 =>
        {
            Some("rows in the form of a server before 5.1.18")
        }
        _ => None,
    }
}

/// An event that the library does not know.
fn unknown(raw: u8, flags: u16) -> Step {
    /// Set on what may be passed over.
    const IGNORABLE: u16 = 0x80;
    match raw {
        // Heartbeats of a newer form and tagged identifiers, of MySQL.
        41 | 42 => Step::Other,
        // Annotations, checkpoints, identifiers and their lists, and that the file is encrypted, which
        // what is sent is not; of MariaDB.
        160..=164 => Step::Other,
        _ if flags & IGNORABLE != 0 => Step::Other,
        _ => Step::Impossible(format!("it has an event of the unknown type {raw}")),
    }
}

fn statement(text: String, database: String, offset: u64, time: Timestamp) -> Step {
    let start: String = text.trim_start().chars().take(12).collect::<String>().to_ascii_uppercase();
    match start.split([' ', ';']).next() {
        Some("BEGIN") => Step::Begin,
        Some("COMMIT") => Step::End { offset, time },
        Some("ROLLBACK") => {
            let to_savepoint = start.starts_with("ROLLBACK TO");
            Step::RolledBack { end: (!to_savepoint).then_some((offset, time)) }
        }
        Some("XA") => Step::Impossible(
            "an XA transaction; those are not followed: commit without XA".to_owned(),
        ),
        _ => Step::Statement { text, database, offset, time },
    }
}
