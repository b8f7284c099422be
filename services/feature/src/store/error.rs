use std::{io, path::PathBuf, sync::Arc};

use deadpool_redis::redis::RedisError;
use tokio::task::JoinError;

use crate::codec::Corrupt;

/// Why the database cannot be opened, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(
        "the database {path} is open in another process: stop that process, or give this one \
         another folder in store.data"
    )]
    Locked { path: PathBuf },
    #[error(
        "the database {path} is damaged: put a copy back in its place, or move it away to start \
         with an empty one"
    )]
    Damaged { path: PathBuf, source: Box<dyn std::error::Error + Send + Sync> },
    #[error(
        "the database {path} has format {found}, this version reads {expected}: run the version \
         that wrote it, or move it away to start with an empty one"
    )]
    Format { path: PathBuf, found: u64, expected: u64 },
    #[error("cannot use {path} for the database: see that store.data is a folder one may write to")]
    Folder { path: PathBuf, source: io::Error },
    #[error("cannot start the writer thread")]
    Thread(#[from] io::Error),
    #[error("the opening of the database did not end")]
    Aborted(#[source] JoinError),
    #[error("redis.urls, redis.master: not good for redis.mode")]
    Redis { source: RedisError },
    #[error("redis cannot be used: see that it runs at redis.urls and lets this process in")]
    Away { source: StoreError },
    #[error(
        "the store in redis has format {found}, this version reads {expected}: run the version \
         that wrote it, or give this one another redis"
    )]
    RedisFormat { found: u64, expected: u64 },
}

/// Why a call on the store failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    #[error("too many writes are waiting")]
    QueueFull,
    #[error("the store has been closed")]
    Closed,
    #[error(
        "another position of {source_name} is stored than the expected one: ask for it, and see \
         that no second reader follows that database"
    )]
    Position { source_name: String },
    #[error("the stored {table} record of {key} is damaged")]
    Corrupt { table: &'static str, key: u64, source: Corrupt },
    #[error("redis does not answer now: try again")]
    Unreachable { source: Option<Arc<RedisError>> },
    #[error("written, but only {reached} of {wanted} replicas of redis have it yet: try again")]
    Replicas { reached: usize, wanted: usize },
    #[error("redis refused the request")]
    Redis(#[source] Arc<RedisError>),
    #[error("redis holds something at {key} that was never written there")]
    Damaged { key: String },
    #[error("the database failed")]
    Database(#[source] Arc<redb::Error>),
    #[error("the read did not end")]
    Aborted(#[source] Arc<JoinError>),
}

impl From<JoinError> for StoreError {
    fn from(error: JoinError) -> Self {
        Self::Aborted(Arc::new(error))
    }
}

macro_rules! from_database {
    ($($error:ty),*) => {
        $(impl From<$error> for StoreError {
            fn from(error: $error) -> Self {
                Self::Database(Arc::new(error.into()))
            }
        })*
    };
}

from_database!(
    redb::TransactionError,
    redb::TableError,
    redb::StorageError,
    redb::CommitError,
    redb::SetDurabilityError
);
