use std::path::PathBuf;

use mysql_async::{DriverError, IoError};
use tributary_dataset::DatasetError;
use tributary_domain::FieldError;
use tributary_mesh::{CallError, ClientError};
use tributary_runtime::ServeError;

use crate::{
    layout::Faults,
    position::{BadPosition, BinlogPosition},
};

/// Why `ingest` cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    #[error("the address of the feature service cannot be used")]
    Feature(#[from] ClientError),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error("the database cannot be followed")]
    Source(#[from] SourceError),
    #[error("source {0}: what is stored cannot be continued")]
    Stored(String, #[source] BadPosition),
    #[error(
        "another ingest writes source {0} (it stored {1}): stop that one, or give this one \
         another source.name"
    )]
    Overtaken(String, String),
    #[error("feature refused changes of source {0}")]
    Refused(String, #[source] CallError),
    #[error("file {} cannot be used", path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error(
        "what was known of the tables, {}, cannot be read: take a new snapshot (`ingest snapshot`)",
        .0.display()
    )]
    Remembered(PathBuf, #[source] serde_json::Error),
    #[error("another ingest uses the folder {}: stop that one, or set another `data`", .0.display())]
    FolderInUse(PathBuf),
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    #[error("{0}")]
    Field(#[from] FieldError),
}

/// Why the database cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error(
        "the server refuses: the user lacks a right (see the GRANT in docs/mysql.md), or has to \
         come encrypted (source.tls)"
    )]
    Denied(#[source] mysql_async::Error),
    #[error("the server is not set up for it: {0}")]
    Settings(String),
    #[error("the mapping does not fit the database")]
    Mapping(#[from] Faults),
    #[error(
        "the server no longer has the binlog at {0}: take a new snapshot (source.on_purged = \
         \"snapshot\" does so by itself)"
    )]
    Purged(BinlogPosition, #[source] mysql_async::Error),
    #[error(
        "the stored position {0} is of another server ({1}, this is {2}): read that one, or take \
         a new snapshot (`ingest snapshot`)"
    )]
    OtherServer(BinlogPosition, String, String),
    #[error(
        "another ingest reads this source (connection {0} of the server holds its lock): stop \
         that one, or give this one another source.name"
    )]
    Locked(u64),
    #[error("another replica uses server_id {0}: set source.server_id to a number of its own")]
    ServerId(u32, #[source] mysql_async::Error),
    #[error(
        "the binlog at {position} cannot be followed: {reason}; once that is mended, take a new \
         snapshot (`ingest snapshot`)"
    )]
    Binlog { position: BinlogPosition, reason: String },
    #[error("the connection is lost")]
    Lost(#[source] mysql_async::Error),
    #[error("the server sent nothing for {0:?}, not even a heartbeat")]
    Silent(std::time::Duration),
    #[error("file {} of source.tls cannot be read", .0.display())]
    File(PathBuf, #[source] std::io::Error),
    #[error("no encrypted connection comes about: see source.tls")]
    Tls(#[source] mysql_async::Error),
    #[error("the server takes encrypted connections only: set source.tls.mode")]
    Insecure(#[source] mysql_async::Error),
    #[error("the server refused a query")]
    Query(#[source] mysql_async::Error),
}

impl From<mysql_async::Error> for IngestError {
    fn from(error: mysql_async::Error) -> Self {
        Self::Source(error.into())
    }
}

impl SourceError {
    /// Whether connecting again may help.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Lost(_) | Self::Silent(_))
    }
}

/// Errors of a server that pass: shutting down, too many connections, killed, timed out, deadlock.
const PASSING: [u16; 18] = [
    1040, 1053, 1077, 1079, 1129, 1152, 1158, 1159, 1160, 1161, 1184, 1203, 1205, 1213, 1317, 1927,
    3169, 4031,
];

/// MySQL's error with `require_secure_transport`; MariaDB gives that of a wrong password.
const INSECURE: u16 = 3159;

/// Errors that a missing right gives.
const DENIED: [u16; 9] = [1044, 1045, 1049, 1142, 1143, 1227, 1370, 1410, 1698];

impl From<mysql_async::Error> for SourceError {
    fn from(error: mysql_async::Error) -> Self {
        use mysql_async::Error as E;
        match &error {
            E::Server(server) if DENIED.contains(&server.code) => Self::Denied(error),
            E::Server(server) if server.code == INSECURE => Self::Insecure(error),
            E::Server(server) if PASSING.contains(&server.code) => Self::Lost(error),
            E::Server(_) | E::Url(_) => Self::Query(error),
            E::Io(io) if is_about_certificates(io) => Self::Tls(error),
            E::Driver(DriverError::NoClientSslFlagFromServer) => Self::Tls(error),
            E::Io(_) | E::Driver(_) | E::Other(_) => Self::Lost(error),
        }
    }
}

/// Trying again does not help: one side does not accept what the other is.
fn is_about_certificates(error: &IoError) -> bool {
    use rustls::Error as E;
    let inner = match error {
        IoError::Tls(_) => return true,
        IoError::Io(error) => error.get_ref().and_then(|inner| inner.downcast_ref::<E>()),
    };
    inner.is_some_and(|inner| !matches!(inner, E::HandshakeNotComplete))
}
