//! The layouts of the mapped tables, kept true while the tables change.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use mysql_async::Conn;
use serde::{Deserialize, Serialize};

use crate::{
    dead_letters::{at, replace},
    error::{IngestError, SourceError},
    layout::{Fault, Faults, Layout, Mapped},
    mapping::Mapping,
    reader::Reader,
    schema::{Table, TableImage},
};

/// How long a table is looked at again after a statement has changed it.
const SETTLING: Duration = Duration::from_secs(3);
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// The tables of a mapping.
pub(crate) struct Tables {
    mapping: Arc<Mapping>,
    /// Where the tables are remembered: rows of the binlog may be older than the table is now.
    memory: PathBuf,
    followed: BTreeMap<String, Followed>,
}

/// A table whose rows are read.
struct Followed {
    layout: Arc<Layout>,
    /// The table was changed after the layout was made.
    stale: bool,
}

/// What is on disk of a table.
#[derive(Serialize, Deserialize)]
struct Remembered<T> {
    table: T,
    stale: bool,
}

impl Tables {
    /// Reads the tables as they are now. The error has everything that does not fit; tables that
    /// are in `but` may be unfit.
    pub(crate) async fn load(
        conn: &mut Conn,
        mapping: Arc<Mapping>,
        memory: PathBuf,
        but: &[String],
    ) -> Result<Self, IngestError> {
        let mut faults = Vec::new();
        let mut followed = BTreeMap::new();
        for mapped in Mapped::all(&mapping) {
            match resolve(conn, &mapped).await? {
                Ok(layout) => {
                    let (layout, stale) = (Arc::new(layout), false);
                    followed.insert(mapped.table().to_owned(), Followed { layout, stale });
                }
                Err(Faults(list)) if but.iter().any(|table| table == mapped.table()) => {
                    let faults = Faults(list);
                    tracing::error!(%faults, "a table is still not followed");
                }
                Err(Faults(list)) => faults.extend(list),
            }
        }
        match faults.is_empty() {
            true => Ok(Self { mapping, memory, followed }),
            false => Err(SourceError::Mapping(Faults(faults)).into()),
        }
    }

    /// For a server that applies these without writing the rows into the binlog.
    pub(crate) fn warn_of_cascades(&self) {
        for table in self.followed.values().map(|followed| &followed.layout.table) {
            for key in &table.cascades {
                tracing::warn!(
                    table = table.name,
                    key,
                    "what this foreign key changes is not in the binlog"
                );
            }
        }
    }

    /// Puts the remembered tables in the place of those read now, where rows of the binlog may
    /// still be of these. A table is read again where a row does not fit.
    pub(crate) fn remember(&mut self) -> Result<(), IngestError> {
        let text = match std::fs::read(&self.memory) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            text => text.map_err(at(&self.memory))?,
        };
        let remembered: Vec<Remembered<Table>> = serde_json::from_slice(&text)
            .map_err(|error| IngestError::Remembered(self.memory.clone(), error))?;
        for Remembered { table, stale } in remembered {
            let mapped = Mapped::of(&self.mapping, &table.name);
            let Some((mapped, followed)) = mapped.zip(self.followed.get_mut(&table.name)) else {
                continue;
            };
            if stale {
                // All that comes is of the table as it was made by the statement, or later.
                followed.stale = true;
                continue;
            }
            if table.columns == followed.layout.table.columns {
                continue;
            }
            if let Ok(layout) = Layout::resolve(&mapped, table) {
                (followed.layout, followed.stale) = (Arc::new(layout), false);
            }
        }
        Ok(())
    }

    /// Remembers the tables as they are known now.
    pub(crate) fn save(&self) -> Result<(), IngestError> {
        let tables: Vec<Remembered<&Table>> = self
            .followed
            .values()
            .map(|Followed { layout, stale }| Remembered { table: &layout.table, stale: *stale })
            .collect();
        let bytes = serde_json::to_vec(&tables).expect("tables have text keys only");
        let draft = self.memory.with_extension("draft");
        replace(&self.memory, &draft, &bytes).map_err(at(&self.memory))
    }

    /// The layout of a followed table.
    pub(crate) fn layout(&self, table: &str) -> Option<Arc<Layout>> {
        self.followed.get(table).map(|followed| Arc::clone(&followed.layout))
    }

    /// The mapped tables.
    pub(crate) fn names(&self) -> Vec<String> {
        self.mapping.tables().into_iter().map(str::to_owned).collect()
    }

    /// Follows the table no longer.
    pub(crate) fn stop(&mut self, table: &str) {
        self.followed.remove(table);
    }

    /// Notes that a statement changed the table, also for later starts, and finds what no longer
    /// fits the mapping. What was read before the statement has to be written already.
    pub(crate) async fn changed(
        &mut self,
        conn: &mut Conn,
        table: &str,
    ) -> Result<(), IngestError> {
        let Some(followed) = self.followed.get_mut(table) else { return Ok(()) };
        followed.stale = true;
        let mapped = Mapped::of(&self.mapping, table).expect("followed tables are mapped");
        // A statement is in the binlog before the server is done with it: meanwhile the table may
        // have another name.
        let end = Instant::now() + SETTLING;
        loop {
            match resolve(conn, &mapped).await? {
                Ok(now) => {
                    moved_times(&followed.layout, &now)?;
                    return self.save();
                }
                Err(_) if Instant::now() < end => tokio::time::sleep(BETWEEN_LOOKS).await,
                Err(faults) => return Err(SourceError::Mapping(faults).into()),
            }
        }
    }

    /// The layout of rows that the binlog describes so. `None` where the table is not followed.
    ///
    /// The table as it is now may be newer than these rows: its types, and where the server tells
    /// them its names, have to agree; so have those of the table as it was before. Where neither
    /// does, nothing says which value is which, and that is an error.
    pub(crate) async fn layout_of(
        &mut self,
        conn: &mut Conn,
        table: &str,
        image: &TableImage,
    ) -> Result<Option<Arc<Layout>>, IngestError> {
        let Some(followed) = self.followed.get_mut(table) else { return Ok(None) };
        if !followed.stale && image.fits(&followed.layout.table) {
            return Ok(Some(Arc::clone(&followed.layout)));
        }
        let mapped = Mapped::of(&self.mapping, table).expect("followed tables are mapped");
        let now = Table::read(conn, table).await?;
        let before = &followed.layout.table;
        let newest = now.as_ref().filter(|now| image.fits(now)).cloned();
        if newest.is_none() && image.fits(before) {
            return Ok(Some(Arc::clone(&followed.layout)));
        }
        let built = || image.named(now.iter().chain([before]));
        let Some(fitting) = newest.or_else(built) else {
            return Err(
                SourceError::Mapping(Faults(vec![unknown(before, now.as_ref(), image)])).into()
            );
        };
        let layout = Layout::resolve(&mapped, fitting).map_err(SourceError::Mapping)?;
        tracing::info!(table, columns = layout.table.columns.len(), "the table changed: read anew");
        (followed.layout, followed.stale) = (Arc::new(layout), false);
        let layout = Arc::clone(&followed.layout);
        self.save()?;
        Ok(Some(layout))
    }
}

async fn resolve(
    conn: &mut Conn,
    mapped: &Mapped<'_>,
) -> Result<Result<Layout, Faults>, IngestError> {
    let name = mapped.table();
    let fault =
        |reason: String| Err(Faults(vec![Fault { table: name.to_owned(), column: None, reason }]));
    Ok(match Table::read(conn, name).await? {
        Some(table) if table.name != name => {
            fault(format!("is spelled {} by the server: spell it so in the mapping", table.name))
        }
        Some(table) => Layout::resolve(mapped, table),
        None => fault("is missing, or the user has no SELECT on it".to_owned()),
    })
}

/// A change of the type of an interaction's time may have changed the times themselves, of which the
/// binlog tells nothing: events would stay under times that no row has.
fn moved_times(before: &Layout, now: &Layout) -> Result<(), IngestError> {
    let time = |layout: &Layout| match &layout.reader {
        Reader::Interactions(reader) => layout.columns().nth(reader.time_place()?).cloned(),
        Reader::Items(_) | Reader::Users(_) => None,
    };
    let (before, now, table) = (time(before), time(now), &now.table.name);
    let Some((before, now)) = before.zip(now).filter(|(before, now)| before.kind != now.kind)
    else {
        return Ok(());
    };
    let reason = format!(
        "was {} and is {}: the times of its rows may be others now; take a new snapshot \
         (`ingest snapshot`)",
        before.declared, now.declared
    );
    let fault = Fault { table: table.clone(), column: Some(now.name), reason };
    Err(SourceError::Mapping(Faults(vec![fault])).into())
}

fn unknown(before: &Table, now: Option<&Table>, image: &TableImage) -> Fault {
    let now = now.map_or_else(
        || "it is gone now".to_owned(),
        |now| format!("it has {} now", now.columns.len()),
    );
    let reason = format!(
        "a row has {} columns of types that fit neither the table as it was ({} columns) nor as \
         it is ({now}): which column is which is not known. Set binlog_row_metadata = FULL on the \
         server against this, and take a new snapshot (`ingest snapshot`)",
        image.width(),
        before.columns.len(),
    );
    Fault { table: before.name.clone(), column: None, reason }
}
