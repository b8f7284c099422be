mod tls;

use std::{path::PathBuf, time::Duration};

use serde::Deserialize;
use tributary_domain::{FieldError, between, prefixed};
use tributary_mesh::ClientConfig;
use tributary_runtime::{Configuration, ServerConfig, TelemetryConfig};

use crate::mapping::Mapping;
pub use tls::{TlsConfig, TlsMode};

/// The configuration of `ingest`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub server: ServerConfig,
    pub telemetry: TelemetryConfig,
    pub feature: ClientConfig,
    /// Folder of the dead letters and of what is known of the tables; made where it is missing.
    pub data: PathBuf,
    pub source: SourceConfig,
    pub snapshot: SnapshotConfig,
    pub dead_letters: DeadLettersConfig,
    pub mapping: Mapping,
}

/// The database and how it is followed.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SourceConfig {
    /// Names the database in `feature`; its position is kept under that name. 1 to 40 bytes.
    pub name: String,
    /// `mysql://user:password@host:port/database`.
    pub url: String,
    pub tls: TlsConfig,
    /// The id of a replica, different from those of all servers and replicas. 0: one is made from
    /// `name`.
    pub server_id: u32,
    /// How often an idle server says that it is there.
    #[serde(with = "humantime_serde")]
    pub heartbeat: Duration,
    /// The longest pause before connecting again.
    #[serde(with = "humantime_serde")]
    pub reconnect: Duration,
    /// What happens where mapped columns change.
    pub on_schema_change: OnSchemaChange,
    /// What happens where the server no longer has the binlog that follows the position.
    pub on_purged: OnPurged,
}

impl std::fmt::Debug for SourceConfig {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, server_id, .. } = self;
        f.debug_struct("SourceConfig")
            .field("name", name)
            .field("server_id", server_id)
            .finish_non_exhaustive()
    }
}

/// See [`SourceConfig::on_schema_change`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnSchemaChange {
    /// The process ends; its position stays before the change.
    #[default]
    Stop,
    /// The table is not followed any more until the process is started again with a mapping that
    /// fits, which then reads the table anew; the others go on.
    StopTable,
}

/// See [`SourceConfig::on_purged`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnPurged {
    /// The process ends.
    #[default]
    Stop,
    /// Everything is read again.
    Snapshot,
}

/// How tables are read.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SnapshotConfig {
    /// Rows of one query and one write.
    pub chunk: usize,
    /// MySQL only: the time between reading the binlog's position and reading the tables, in which
    /// a transaction that is in the binlog becomes visible.
    #[serde(with = "humantime_serde")]
    pub settle: Duration,
}

/// Rows that could not be used.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeadLettersConfig {
    /// Rows that are kept; the newest is left out, and counted, where there are more.
    pub most: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            server: ServerConfig::on(7031),
            telemetry: TelemetryConfig::default(),
            feature: ClientConfig::at("http://127.0.0.1:7001"),
            data: PathBuf::from(".tributary/ingest"),
            source: SourceConfig::default(),
            snapshot: SnapshotConfig::default(),
            dead_letters: DeadLettersConfig::default(),
            mapping: Mapping::default(),
        }
    }
}

impl Default for SourceConfig {
    fn default() -> Self {
        Self {
            name: "mysql".to_owned(),
            url: "mysql://tributary@127.0.0.1:3306/illustrations".to_owned(),
            tls: TlsConfig::default(),
            server_id: 0,
            heartbeat: Duration::from_secs(1),
            reconnect: Duration::from_secs(5),
            on_schema_change: OnSchemaChange::default(),
            on_purged: OnPurged::default(),
        }
    }
}

impl Default for SnapshotConfig {
    fn default() -> Self {
        Self { chunk: 1_000, settle: Duration::from_secs(5) }
    }
}

impl Default for DeadLettersConfig {
    fn default() -> Self {
        Self { most: 100_000 }
    }
}

impl SourceConfig {
    /// The replica id in use: never one of the small numbers that people give to servers.
    pub fn replica_id(&self) -> u32 {
        match self.server_id {
            0 => {
                let hash = self.name.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
                    (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
                });
                hash | 0x8000_0000
            }
            id => id,
        }
    }
}

impl Configuration for Config {
    fn server(&self) -> &ServerConfig {
        &self.server
    }

    fn telemetry(&self) -> &TelemetryConfig {
        &self.telemetry
    }

    fn check(&self) -> Result<(), FieldError> {
        self.source.check().map_err(prefixed("source"))?;
        between("snapshot.chunk", self.snapshot.chunk, 1, 1_000)?;
        between("dead_letters.most", self.dead_letters.most, 1, 10_000_000)?;
        self.mapping.check().map_err(prefixed("mapping"))
    }
}

impl SourceConfig {
    fn check(&self) -> Result<(), FieldError> {
        between("name", self.name.len(), 1, 40)?;
        between("heartbeat", self.heartbeat, Duration::from_millis(50), Duration::from_secs(60))?;
        between("reconnect", self.reconnect, Duration::from_millis(10), Duration::from_secs(300))?;
        self.tls.check().map_err(prefixed("tls"))?;
        // The reason must not show the password.
        let opts = mysql_async::Opts::from_url(&self.url);
        let opts = opts.map_err(|_| {
            FieldError::new("url", "is not like mysql://user:password@host:port/database")
        })?;
        match opts.db_name() {
            Some(name) if !name.is_empty() => Ok(()),
            _ => Err(FieldError::new("url", "names no database")),
        }
    }
}
