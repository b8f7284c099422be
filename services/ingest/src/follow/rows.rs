//! Rows of the binlog, in the columns of a layout.

use std::sync::Arc;

use mysql_async::{
    binlog::{events::RowsEventData, row::BinlogRow},
    prelude::Queryable,
};
use tributary_proto::entity::v1 as entity;

use super::{Follower, tellers::identity};
use crate::{
    cell::Cell,
    change::Change,
    error::IngestError,
    layout::Layout,
    metrics,
    reader::{Reader, Row, State},
    sink::MOST,
    snapshot,
    source::quoted,
};

/// Deleted users that are remembered, in case they come back.
const MANY_USERS: usize = 10_000;

/// Where the columns of a layout are in the rows of one event.
type Places = Vec<usize>;

impl Follower<'_, '_> {
    /// Takes the rows of one event.
    pub(super) async fn rows(&mut self, event: &RowsEventData<'static>) -> Result<(), IngestError> {
        let Some(layout) = self.maps.get(&event.table_id()) else {
            let reason = format!("rows of table id {} come before their table", event.table_id());
            return Err(self.impossible(reason));
        };
        let Some(layout) = layout.clone() else { return Ok(()) };
        self.touched = true;
        let Some(map) = self.events.table_map(event.table_id()).cloned() else {
            return Err(self.impossible("rows come before their table".to_owned()));
        };
        let before = event
            .columns_before_image()
            .map(|columns| places(&layout, |at| columns.get(at).is_some_and(|bit| *bit)));
        let after = event
            .columns_after_image()
            .map(|columns| places(&layout, |at| columns.get(at).is_some_and(|bit| *bit)));
        let missing = |places: &Option<Result<Places, String>>| {
            places.as_ref().and_then(|places| places.as_ref().err().cloned())
        };
        if let Some(column) = missing(&before).or_else(|| missing(&after)) {
            let table = &layout.table.name;
            let reason = format!(
                "rows of table {table} lack column {column}: a session set binlog_row_image"
            );
            return Err(self.impossible(reason));
        }
        let (before, after) = (before.and_then(Result::ok), after.and_then(Result::ok));
        let place = self.position.binlog.to_string();
        for row in event.rows(&map) {
            let (old, new) = match row {
                Ok(row) => row,
                Err(error) => {
                    let table = &layout.table.name;
                    let reason = format!("a row of table {table} cannot be read: {error}");
                    return Err(self.impossible(reason));
                }
            };
            let old = old.zip(before.as_ref()).map(|(row, places)| cells(&layout, row, places));
            let new = new.zip(after.as_ref()).map(|(row, places)| cells(&layout, row, places));
            self.row(&layout, old, new, &place).await?;
        }
        Ok(())
    }

    async fn row(
        &mut self,
        layout: &Arc<Layout>,
        old: Option<Row>,
        new: Option<Row>,
        place: &str,
    ) -> Result<(), IngestError> {
        let table = &layout.table.name;
        let (kind, row, mut outcome) = match (&old, &new) {
            (None, Some(new)) => ("insert", new, layout.appeared(new)),
            (Some(old), None) => ("delete", old, layout.vanished(old)),
            (Some(old), Some(new)) => ("update", new, layout.changed(old, new)),
            (None, None) => return Ok(()),
        };
        metrics::row(table, kind);
        if let Reader::Interactions(reader) = &layout.reader
            && !reader.distinct
        {
            self.tellers.note(layout, old.as_ref(), new.as_ref());
            outcome.changes = self.still_told(layout, outcome.changes).await?;
        }
        let returned = self.returned(layout, old.as_ref(), &outcome.changes);
        self.batch.add(layout, row, outcome, place);
        if let Some(user) = returned {
            self.tell_again(user).await?;
        }
        if self.batch.changes.len() >= MOST - 1 {
            self.flush().await?;
        }
        Ok(())
    }

    /// A user who is there again after having been away: deleted a short while ago, as by `REPLACE`,
    /// or kept out by the mapping until now.
    fn returned(&mut self, layout: &Layout, old: Option<&Row>, changes: &[Change]) -> Option<u64> {
        let mut returned = None;
        for change in changes {
            match change {
                Change::DeleteUser(id) => {
                    if self.deleted_users.len() >= MANY_USERS {
                        self.deleted_users.clear();
                    }
                    self.deleted_users.insert(*id);
                }
                Change::UpsertUser(user) => {
                    let was_out = old.is_some_and(|row| layout.state(row) == Ok(State::Absent));
                    let was_deleted = self.deleted_users.remove(&user.user_id);
                    returned = (was_out || was_deleted).then_some(user.user_id);
                }
                Change::UpsertItem(_)
                | Change::DeleteItem(_)
                | Change::Record(_)
                | Change::Retract(_) => {}
            }
        }
        returned
    }

    /// Reads a user's interactions: they went with the user, and the binlog does not tell them once
    /// more.
    async fn tell_again(&mut self, user: u64) -> Result<(), IngestError> {
        for name in self.session.tables.names() {
            let Some(layout) = self.session.tables.layout(&name) else { continue };
            let Reader::Interactions(reader) = &layout.reader else { continue };
            let query = select(&layout, &[reader.user]);
            let rows: Vec<mysql_async::Row> = self.session.conn.exec(query, (user,)).await?;
            for row in rows {
                let (row, _) = snapshot::read(&layout, row);
                self.batch.changes.extend(layout.appeared(&row).changes);
                if self.batch.changes.len() >= MOST - 1 {
                    self.flush().await?;
                }
            }
        }
        Ok(())
    }

    /// Leaves out retractions of events that another row still tells: the table's keys allow rows
    /// that are the same event. The rows are looked at as they are now; where they change once
    /// more, the binlog has that further on. Rows that are known to tell it no more may still be
    /// seen, because the binlog is ahead of what is visible.
    async fn still_told(
        &mut self,
        layout: &Layout,
        changes: Vec<Change>,
    ) -> Result<Vec<Change>, IngestError> {
        // The same event once more, with another dwell time: the old one has to make room.
        let again = |change: &Change| match change {
            Change::Record(event) => Some(identity(event)),
            _ => None,
        };
        let recorded: Vec<_> = changes.iter().filter_map(again).collect();
        let mut kept = Vec::with_capacity(changes.len());
        for change in changes {
            let told = match &change {
                Change::Retract(event) if recorded.contains(&identity(event)) => false,
                Change::Retract(event) => self.is_told(layout, event).await?,
                _ => false,
            };
            if !told {
                kept.push(change);
            }
        }
        Ok(kept)
    }

    async fn is_told(
        &mut self,
        layout: &Layout,
        event: &entity::Event,
    ) -> Result<bool, IngestError> {
        let Reader::Interactions(reader) = &layout.reader else { return Ok(false) };
        let query = select(layout, &[reader.user, reader.item]);
        let rows: Vec<mysql_async::Row> =
            self.session.conn.exec(query, (event.user_id, event.item_id)).await?;
        Ok(rows.into_iter().any(|row| {
            let (row, _) = snapshot::read(layout, row);
            self.tellers.tells(layout, &row, event)
        }))
    }
}

/// The query of the rows that have given values in these columns of a layout.
fn select(layout: &Layout, places: &[usize]) -> String {
    let columns: Vec<String> = layout.columns().map(|column| quoted(&column.name)).collect();
    let conditions: Vec<String> =
        places.iter().map(|place| format!("{} = ?", columns[*place])).collect();
    format!(
        "SELECT {} FROM {} WHERE {}",
        columns.join(", "),
        quoted(&layout.table.name),
        conditions.join(" AND ")
    )
}

/// The places of the layout's columns in rows that have those columns of the table for which
/// `is_there` holds; otherwise the name of one that they lack.
fn places(layout: &Layout, is_there: impl Fn(usize) -> bool) -> Result<Places, String> {
    let place = |column: &usize| {
        let before = (0..*column).filter(|column| is_there(*column)).count();
        is_there(*column)
            .then_some(before)
            .ok_or_else(|| layout.table.columns[*column].name.clone())
    };
    layout.needed.iter().map(place).collect()
}

fn cells(layout: &Layout, mut row: BinlogRow, places: &Places) -> Row {
    let cell = |(place, column): (&usize, &crate::schema::Column)| {
        let value = row.take(*place);
        let value = value
            .unwrap_or(mysql_async::binlog::value::BinlogValue::Value(mysql_async::Value::NULL));
        Cell::from_binlog(value, &column.kind)
    };
    places.iter().zip(layout.columns()).map(cell).collect()
}

#[cfg(test)]
mod tests;
