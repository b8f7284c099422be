use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use redb::{Database, DatabaseError, ReadableTable, StorageError, Table, WriteTransaction};

use super::tables::{
    COUNTERS, EVENT_LOG, EXPOSURES, FORMAT, HISTORIES, ITEM_LOG, ITEM_PLACES, ITEMS, NUMBERS,
    POSITIONS, PROFILES, RECORDED, number,
};
use crate::{
    StoreConfig,
    store::{Heads, OpenError, StoreError},
};

const FILE: &str = "feature.redb";

/// An open database of a known format with all its tables.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) database: Arc<Database>,
    pub(super) name: Arc<str>,
}

impl Opened {
    pub(super) fn open(config: &StoreConfig) -> Result<(Self, Heads), OpenError> {
        let path = config.data.join(FILE);
        fs::create_dir_all(&config.data)
            .map_err(|source| OpenError::Folder { path: config.data.clone(), source })?;
        let cache = usize::try_from(config.cache.as_u64()).unwrap_or(usize::MAX);
        let database = Database::builder()
            .set_cache_size(cache)
            .create(&path)
            .map_err(|error| refused(&path, error))?;
        let identity = Identity::establish(&database).map_err(|error| damaged(&path, error))?;
        let Identity { format, store, heads } = identity;
        if format != FORMAT {
            return Err(OpenError::Format { path, found: format, expected: FORMAT });
        }
        tracing::info!(path = %path.display(), items = heads.items, events = heads.events, "opened the store");
        Ok((Self { database: Arc::new(database), name: format!("{store:016x}").into() }, heads))
    }
}

fn refused(path: &Path, error: DatabaseError) -> OpenError {
    let path = PathBuf::from(path);
    match error {
        DatabaseError::DatabaseAlreadyOpen => OpenError::Locked { path },
        DatabaseError::UpgradeRequired(found) => {
            OpenError::Format { path, found: found.into(), expected: FORMAT }
        }
        DatabaseError::Storage(StorageError::Io(source))
            if source.kind() != std::io::ErrorKind::InvalidData
                && source.kind() != std::io::ErrorKind::UnexpectedEof =>
        {
            OpenError::Folder { path, source }
        }
        error => damaged(&path, error),
    }
}

fn damaged(path: &Path, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> OpenError {
    OpenError::Damaged { path: path.into(), source: source.into() }
}

/// What the database says of itself.
struct Identity {
    format: u64,
    store: u64,
    heads: Heads,
}

impl Identity {
    /// Reads the identity, or gives a new database one, and sees that every table is there.
    fn establish(database: &Database) -> Result<Self, StoreError> {
        let transaction = database.begin_write()?;
        let identity = {
            let mut numbers = transaction.open_table(NUMBERS)?;
            let format = numbers.get(number::FORMAT)?.map(|format| format.value());
            match format {
                Some(FORMAT) => make_tables(&transaction)?,
                Some(_foreign) => {}
                None => {
                    make_tables(&transaction)?;
                    name(&mut numbers)?;
                }
            }
            Self {
                format: stored(&numbers, number::FORMAT)?,
                store: stored(&numbers, number::STORE)?,
                heads: Heads {
                    items: stored(&numbers, number::ITEM_HEAD)?,
                    events: stored(&numbers, number::EVENT_HEAD)?,
                    user_deletions: stored(&numbers, number::USER_DELETIONS)?,
                },
            }
        };
        transaction.commit()?;
        Ok(identity)
    }
}

fn stored(numbers: &Table<'_, &str, u64>, name: &str) -> Result<u64, StoreError> {
    Ok(numbers.get(name)?.map_or(0, |number| number.value()))
}

fn name(numbers: &mut Table<'_, &str, u64>) -> Result<(), StoreError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    numbers.insert(number::FORMAT, FORMAT)?;
    // Two stores are not made in the same nanosecond.
    numbers.insert(number::STORE, u64::try_from(now.as_nanos()).unwrap_or(u64::MAX))?;
    // Versions of users go on from the time, so that a store which takes the place of another does
    // not repeat versions that caches still hold.
    numbers
        .insert(number::USER_VERSION, u64::try_from(now.as_micros()).unwrap_or(u64::MAX >> 1))?;
    Ok(())
}

fn make_tables(transaction: &WriteTransaction) -> Result<(), StoreError> {
    transaction.open_table(PROFILES)?;
    transaction.open_table(HISTORIES)?;
    transaction.open_table(EXPOSURES)?;
    transaction.open_table(ITEMS)?;
    transaction.open_table(COUNTERS)?;
    transaction.open_table(ITEM_LOG)?;
    transaction.open_table(ITEM_PLACES)?;
    transaction.open_table(RECORDED)?;
    transaction.open_table(EVENT_LOG)?;
    transaction.open_table(POSITIONS)?;
    Ok(())
}
