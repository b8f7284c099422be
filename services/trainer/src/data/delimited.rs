//! A plain CSV or TSV of events, with optional files of items and users beside it.
//!
//! Events: columns `user`, `item`, and of `action`, `time`, `value` those that there are. Without
//! `action`, or with the action `rating`, `value` is a rating; with `view` it is milliseconds of
//! looking. With neither column every row is a click. Without `time` the events are split at
//! random. Without a header line the columns are user, item, action, time, value, as many of them
//! as the first line has. Items: `item`, `title`, `text`, `creator`, `tags`, `genres`
//! (parted by `|`), `year`, `minimum_age`, `created`. Users: `user`, `age`, `gender`,
//! `occupation`.

use std::path::{Path, PathBuf};

use tributary_domain::{Action, Behaviour, Event, Item, ItemId, Timestamp, UserId};

use super::{
    BadRow, DataError, DataSet, atomic, fields, limits, rating,
    table::{Row, Separator, Table},
    untimed::Clock,
};

const HEADERLESS: [&str; 5] = ["user_id", "item_id", "action", "timestamp", "value"];

/// Reads the events of `path`, and `items.*` and `users.*` of the same folder.
pub(super) fn read(path: &Path, seed: u64) -> Result<DataSet, DataError> {
    let mut data = DataSet::default();
    read_events(path, seed, &mut data)?;
    let DataSet { items, users, rejections, .. } = &mut data;
    if let Some(path) = beside(path, "items") {
        open(&path, None).read(&["item_id"], rejections, |row| {
            items.push(limits::item(item(row)?)?);
            Ok(())
        })?;
    }
    if let Some(path) = beside(path, "users") {
        open(&path, None).read(&["user_id"], rejections, |row| {
            users.push(limits::user(atomic::user(row)?)?);
            Ok(())
        })?;
    }
    Ok(data)
}

fn read_events(path: &Path, seed: u64, data: &mut DataSet) -> Result<(), DataError> {
    let headed = open(path, None).has_header(&["user_id", "item_id"])?;
    let width = open(path, None).width()?.min(HEADERLESS.len());
    let columns = (!headed).then_some(&HEADERLESS[..width]);
    data.timed = match columns {
        Some(columns) => columns.contains(&"timestamp"),
        None => open(path, None).has_header(&["timestamp"])?,
    };
    let mut clock = Clock::new(data.timed, seed);
    let DataSet { events, rejections, .. } = data;
    open(path, columns).read(&["user_id", "item_id"], rejections, |row| {
        events.push(limits::event(event(row, &mut clock)?)?);
        Ok(())
    })
}

fn open<'a>(path: &'a Path, columns: Option<&'a [&'a str]>) -> Table<'a> {
    let comma = path.extension().is_some_and(|extension| extension == "csv");
    let separator = Separator::Quoted(if comma { b',' } else { b'\t' });
    Table { path, separator, columns }
}

fn beside(events: &Path, name: &str) -> Option<PathBuf> {
    let folder = events.parent()?;
    let files = ["csv", "tsv"].map(|extension| folder.join(format!("{name}.{extension}")));
    files.into_iter().find(|path| path.exists() && path != events)
}

fn event(row: &Row<'_>, clock: &mut Clock) -> Result<Event, BadRow> {
    let (action, dwell_ms) = deed(row)?;
    let (user, item) = (UserId(row.id("user_id")?), ItemId(row.id("item_id")?));
    let time = clock.time(row)?;
    Ok(Event { user, behaviour: Behaviour { item, action, time, dwell_ms } })
}

/// What the user did, and for how many milliseconds.
fn deed(row: &Row<'_>) -> Result<(Action, u32), BadRow> {
    let value: Option<f64> = row.optional_number("value")?;
    match row.text("action") {
        None if row.has("value") => rated(row),
        None if row.has("action") => Err(BadRow::Missing("action".into())),
        None => Ok((Action::Click, 0)),
        Some("rating") => rated(row),
        Some(name) => {
            let action = Action::from_name(&name.to_ascii_lowercase())
                .ok_or_else(|| BadRow::value("action", name, "an action's name"))?;
            Ok((action, value.filter(|_| action == Action::View).map_or(0, rating::dwell)))
        }
    }
}

fn rated(row: &Row<'_>) -> Result<(Action, u32), BadRow> {
    Ok((rating::action(rating::rating(row)?), 0))
}

fn item(row: &Row<'_>) -> Result<Item, BadRow> {
    let created: Option<i64> = row.optional_number("created")?;
    Ok(Item {
        title: row.text("title").unwrap_or("").to_owned(),
        text: row.text("text").unwrap_or("").to_owned(),
        creator: row.optional_number("creator")?.filter(|creator| *creator != 0),
        tags: row.list("tags", '|'),
        genres: row.list("genres", '|'),
        year: row.text("year").and_then(fields::year),
        minimum_age: row.optional_number("minimum_age")?.unwrap_or(0),
        created: created.filter(|time| *time != 0).map(Timestamp),
        ..Item::bare(ItemId(row.id("item_id")?))
    })
}
