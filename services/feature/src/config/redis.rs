use std::time::Duration;

use serde::Deserialize;
use tributary_domain::{FieldError, between};

/// How Redis is reached, and what is kept there. Read where `store.kind` is "redis".
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RedisConfig {
    pub mode: RedisMode,
    /// `redis://[user:password@]host:port[/database]`: the server, or nodes of the Cluster, or the
    /// Sentinels. Of these user and password are the Sentinels' own, and those of the first URL are
    /// taken for all; the database is that of the servers behind them.
    pub urls: Vec<String>,
    /// Name of the master, with Sentinels.
    pub master: String,
    /// For the servers behind Sentinels; empty: none.
    pub username: String,
    /// For the servers behind Sentinels; empty: none.
    pub password: String,
    /// A connection has to stand after this time.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// Redis has to answer within this time. Otherwise the call ends with `UNAVAILABLE`.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// At the start Redis is waited for that long.
    #[serde(with = "humantime_serde")]
    pub patience: Duration,
    /// Parts that users are spread over, each in one slot of a Cluster. Fixed when the store is
    /// founded.
    pub partitions: u16,
    /// Recorded events of a user that are known, the latest ones: so far back duplicates are told.
    pub recorded: usize,
    /// Replicas of Redis that must have a write before it is acknowledged.
    pub wait_replicas: usize,
    /// Changes that other replicas of `feature` made are looked for this often.
    #[serde(with = "humantime_serde")]
    pub poll: Duration,
    /// What dead replicas of `feature` left half-done is looked for this often.
    #[serde(with = "humantime_serde")]
    pub sweep: Duration,
}

/// What kind of Redis it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RedisMode {
    Single,
    Sentinel,
    Cluster,
}

impl Default for RedisConfig {
    fn default() -> Self {
        Self {
            mode: RedisMode::Single,
            urls: vec!["redis://127.0.0.1:6379".to_owned()],
            master: "mymaster".to_owned(),
            username: String::new(),
            password: String::new(),
            connect_timeout: Duration::from_millis(500),
            timeout: Duration::from_secs(1),
            patience: Duration::from_secs(30),
            partitions: 256,
            recorded: 4_000,
            wait_replicas: 0,
            poll: Duration::from_millis(20),
            sweep: Duration::from_secs(1),
        }
    }
}

impl RedisConfig {
    pub(super) fn check(&self) -> Result<(), FieldError> {
        let milliseconds = Duration::from_millis;
        let most = if self.mode == RedisMode::Single { 1 } else { 100 };
        between("redis.urls", self.urls.len(), 1, most)?;
        between(
            "redis.connect_timeout",
            self.connect_timeout,
            milliseconds(1),
            milliseconds(9_000),
        )?;
        between("redis.timeout", self.timeout, milliseconds(10), milliseconds(9_000))?;
        between("redis.patience", self.patience, Duration::ZERO, Duration::from_secs(3_600))?;
        between("redis.partitions", self.partitions, 1, 16_384)?;
        between("redis.recorded", self.recorded, 1, 100_000)?;
        between("redis.wait_replicas", self.wait_replicas, 0, 100)?;
        between("redis.poll", self.poll, milliseconds(1), milliseconds(1_000))?;
        between("redis.sweep", self.sweep, milliseconds(10), Duration::from_secs(60))
    }
}
