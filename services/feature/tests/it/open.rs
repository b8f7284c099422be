//! Opening what is not a database of ours, and values that are damaged.

use std::{fs, path::Path};

use redb::{Database, TableDefinition};
use tributary_domain::{Action, UserId};
use tributary_feature::{OpenError, Retention, Store, StoreConfig, StoreError};
use tributary_testkit::TestFolder;

use crate::harness::{bare, event, store_in};

fn open(folder: &Path) -> Result<Store, OpenError> {
    let config = StoreConfig { data: folder.to_owned(), ..StoreConfig::default() };
    Store::embedded(&config, Retention::default())
}

#[tokio::test]
async fn a_database_in_use_is_refused() {
    let folder = TestFolder::new("open-locked");
    let _first = store_in(folder.path(), Retention::default());
    let error = open(folder.path()).unwrap_err();
    assert!(matches!(error, OpenError::Locked { .. }), "{error:?}");
    assert!(error.to_string().contains("stop that process"), "{error}");
}

#[tokio::test]
async fn what_is_not_a_database_is_refused_and_left_alone() {
    let folder = TestFolder::new("open-rubbish");
    let path = folder.join("feature.redb");
    fs::write(&path, "not a database".repeat(1_000)).unwrap();
    let error = open(folder.path()).unwrap_err();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
    assert!(error.to_string().contains("move it away"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "not a database".repeat(1_000));
}

#[tokio::test]
async fn a_cut_database_is_refused() {
    let folder = TestFolder::new("open-cut");
    let store = store_in(folder.path(), Retention::default());
    let events = (1..=1_000).map(|time| event(1, 1, Action::Click, time));
    store.record(bare(events)).await.unwrap();
    store.close().await;
    let path = folder.join("feature.redb");
    let whole = fs::read(&path).unwrap();
    for length in [10, 100, 5_000, whole.len() / 2] {
        fs::write(&path, &whole[..length]).unwrap();
        let error = open(folder.path()).unwrap_err();
        assert!(matches!(error, OpenError::Damaged { .. }), "{length}: {error:?}");
    }
}

#[tokio::test]
async fn another_format_is_refused() {
    const NUMBERS: TableDefinition<&str, u64> = TableDefinition::new("numbers");
    let folder = TestFolder::new("open-format");
    store_in(folder.path(), Retention::default()).close().await;
    for format in [1, 9] {
        {
            let database = Database::open(folder.join("feature.redb")).unwrap();
            let transaction = database.begin_write().unwrap();
            transaction.open_table(NUMBERS).unwrap().insert("format", format).unwrap();
            transaction.commit().unwrap();
        }
        let error = open(folder.path()).unwrap_err();
        assert!(matches!(error, OpenError::Format { found, .. } if found == format), "{error:?}");
        assert!(error.to_string().contains("run the version that wrote it"), "{error}");
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_refused() {
    let folder = TestFolder::new("open-folder");
    let file = folder.join("file");
    fs::write(&file, "").unwrap();
    let error = open(&file.join("data")).unwrap_err();
    assert!(matches!(error, OpenError::Folder { .. }), "{error:?}");
}

#[tokio::test]
async fn a_damaged_record_fails_its_own_calls_only() {
    const HISTORIES: TableDefinition<u64, &[u8]> = TableDefinition::new("histories");
    let folder = TestFolder::new("open-record");
    let store = store_in(folder.path(), Retention::default());
    store
        .record(bare([event(1, 1, Action::Click, 1), event(2, 1, Action::Click, 1)]))
        .await
        .unwrap();
    store.close().await;
    {
        let database = Database::open(folder.join("feature.redb")).unwrap();
        let transaction = database.begin_write().unwrap();
        transaction.open_table(HISTORIES).unwrap().insert(1, &[1_u8, 2, 3][..]).unwrap();
        transaction.commit().unwrap();
    }
    let store = store_in(folder.path(), Retention::default());
    let is_damage = |error| matches!(error, StoreError::Corrupt { table: "histories", key: 1, .. });
    assert!(is_damage(store.context(UserId(1)).await.unwrap_err()));
    // In one transaction: a good call, one that meets the damage half-way, another good one.
    let (good, bad, other) = tokio::join!(
        store.record(bare([event(2, 1, Action::Click, 2)])),
        store.record(bare([event(3, 1, Action::Click, 1), event(1, 1, Action::Click, 2)])),
        store.record(bare([event(2, 1, Action::Click, 3)])),
    );
    assert_eq!((good.unwrap().recorded, other.unwrap().recorded), (1, 1));
    assert!(is_damage(bad.unwrap_err()));
    assert_eq!(store.context(UserId(2)).await.unwrap().behaviours.len(), 3);
    assert!(store.context(UserId(3)).await.unwrap().is_cold());
}
