//! `ingest export`: the mapped tables as a data set for `trainer`, at one moment.

use std::path::Path;

use mysql_async::prelude::Queryable;
use serde::Serialize;
use tributary_dataset::{EventRow, Events, Items, Users};
use tributary_domain::{Event, FieldError, Item, UserProfile};

use crate::{
    Config,
    change::{Change, Outcome},
    dead_letters::DeadLetter,
    error::IngestError,
    snapshot,
    source::{self, Server},
    tables::Tables,
};

/// What was written, and how many rows were left out because they are bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Exported {
    pub items: usize,
    pub users: usize,
    pub events: usize,
    pub bad_rows: usize,
}

/// Writes `items.parquet`, `users.parquet` and `events.parquet`. All rows are those of one moment:
/// they are read in one transaction. The position of the service is neither used nor moved.
pub async fn export(config: &Config, folder: &Path) -> Result<Exported, IngestError> {
    std::fs::create_dir_all(folder)
        .map_err(|source| IngestError::File { path: folder.into(), source })?;
    let mut conn = source::connect(&config.source).await?;
    Server::examine(&mut conn).await?;
    let mapping = std::sync::Arc::new(config.mapping.clone());
    let memory = config.data.join("tables.json");
    let tables = Tables::load(&mut conn, mapping, memory, &[]).await?;
    conn.query_drop("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ").await?;
    conn.query_drop("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY").await?;
    let mut files = Files::create(folder)?;
    for name in tables.names() {
        let Some(layout) = tables.layout(&name) else { continue };
        snapshot::every_row(&mut conn, &layout, config.snapshot.chunk, |row| {
            let Outcome { changes, bad } = layout.appeared(row);
            if let Some(bad) = bad {
                files.bad_rows += 1;
                DeadLetter::new(&layout, row, &bad, "export".to_owned()).log();
            }
            changes.into_iter().try_for_each(|change| files.put(change))
        })
        .await?;
    }
    conn.query_drop("COMMIT").await?;
    files.finish()
}

struct Files {
    items: Items,
    users: Users,
    events: Events,
    bad_rows: usize,
}

impl Files {
    fn create(folder: &Path) -> Result<Self, IngestError> {
        let (items, users) = (Items::create(folder)?, Users::create(folder)?);
        Ok(Self { items, users, events: Events::create(folder)?, bad_rows: 0 })
    }

    fn put(&mut self, change: Change) -> Result<(), IngestError> {
        match change {
            Change::UpsertItem(item) => self.item(*item),
            Change::UpsertUser(user) => self.user(user),
            Change::Record(event) => self.event(event),
            // A row that is there is nothing to take away.
            Change::DeleteItem(_) | Change::DeleteUser(_) | Change::Retract(_) => Ok(()),
        }
    }

    fn item(&mut self, item: tributary_proto::entity::v1::Item) -> Result<(), IngestError> {
        match Item::try_from(item) {
            Ok(item) => Ok(self.items.put(&item)?),
            Err(error) => self.refused(&error),
        }
    }

    fn user(&mut self, user: tributary_proto::entity::v1::UserProfile) -> Result<(), IngestError> {
        match UserProfile::try_from(user) {
            Ok(user) => Ok(self.users.put(&user)?),
            Err(error) => self.refused(&error),
        }
    }

    fn event(&mut self, event: tributary_proto::entity::v1::Event) -> Result<(), IngestError> {
        match Event::try_from(event) {
            Ok(event) => {
                let row =
                    EventRow { event: &event, sequence: None, user_version: None, served: None };
                Ok(self.events.put(row)?)
            }
            Err(error) => self.refused(&error),
        }
    }

    /// `feature` would not take it either.
    fn refused(&mut self, error: &FieldError) -> Result<(), IngestError> {
        self.bad_rows += 1;
        tracing::warn!(%error, "bad row");
        Ok(())
    }

    /// The events last: where they are, the data set is whole.
    fn finish(self) -> Result<Exported, IngestError> {
        let Self { items, users, events, bad_rows } = self;
        let (items, users) = (items.finish()?, users.finish()?);
        Ok(Exported { items, users, events: events.finish()?, bad_rows })
    }
}
