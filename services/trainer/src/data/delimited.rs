//! A plain CSV, TSV or Parquet file of events, with optional files of items and users beside it.
//!
//! Events: columns `user`, `item`, and of `action`, `time`, `value`, `dwell_ms` those that there
//! are. Without `action`, or with the action `rating`, `value` is a rating; with `view` it is
//! milliseconds of looking, as `dwell_ms` is with any. With neither column every row is a click.
//! The export of an event log has more columns, for the answers that were served (see `served`).
//! Without `time` the events are split at random. Items: `item`, `title`, `text`, `creator`,
//! `tags`, `genres` (lists, or parted by `|`), `year`, `minimum_age`, `created`, `width`, `height`, `total_bookmarks`, `total_views`. Users: `user`,
//! `age`, `gender`, `occupation`.
//!
//! Without a header line the columns are user, item, action, time, value; where the third field is
//! a number they are user, item, rating, time, or user, item, time if it is too large for a rating;
//! as many of them as the first line has. Fields are parted by commas in `.csv` files, by tabs in
//! `.tsv` files, otherwise by the first of tab, `::`, comma and space that the first line has.

use std::path::{Path, PathBuf};

use tributary_domain::{Action, Behaviour, Event, Item, ItemId, UserId};

use super::{
    DataError, DataSet, atomic,
    columnar::Columnar,
    fields, limits, rating,
    row::{BadRow, Columns, Rejections, Row},
    served::Collector,
    table::{Separator, Table, first_line},
    untimed::Clock,
};

const ACTIONS: &[&str] = &["user_id", "item_id", "action", "timestamp", "value"];
const RATINGS: &[&str] = &["user_id", "item_id", "value", "timestamp"];
const MOMENTS: &[&str] = &["user_id", "item_id", "timestamp"];
/// No scale of ratings goes so far, and every time in seconds since 1973 does.
const MOMENT: f64 = 1e8;

/// True where the events of the file have times.
pub(super) fn timed(path: &Path) -> Result<bool, DataError> {
    Ok(File::events(path)?.columns()?.has("timestamp"))
}

/// What a file of events has beside events.
pub(super) struct Collected<'a> {
    pub(super) rejections: &'a mut Rejections,
    pub(super) served: &'a mut Collector,
}

/// Reads the events of a file.
pub(super) fn read_events(
    path: &Path,
    clock: &mut Clock,
    collected: Collected<'_>,
) -> Result<Vec<Event>, DataError> {
    let Collected { rejections, served } = collected;
    let mut events = Vec::new();
    File::events(path)?.read(&["user_id", "item_id"], rejections, |row| {
        let event = limits::event(event(row, clock)?)?;
        served.take(row, &event)?;
        events.push(event);
        Ok(())
    })?;
    Ok(events)
}

/// Reads `items.*` and `users.*` of the folder of `events`, as far as they are there.
pub(super) fn read_attributes(events: &Path, data: &mut DataSet) -> Result<(), DataError> {
    let DataSet { items, users, rejections, .. } = data;
    let Some(folder) = events.parent() else { return Ok(()) };
    if let Some(path) = attributes(folder, "items").filter(|path| path != events) {
        File::headed(&path)?.read(&["item_id"], rejections, |row| {
            items.push(limits::item(item(row)?)?);
            Ok(())
        })?;
    }
    if let Some(path) = attributes(folder, "users").filter(|path| path != events) {
        File::headed(&path)?.read(&["user_id"], rejections, |row| {
            users.push(limits::user(atomic::user(row)?)?);
            Ok(())
        })?;
    }
    Ok(())
}

/// The file of that name that is there, whatever its kind.
pub(super) fn attributes(folder: &Path, name: &str) -> Option<PathBuf> {
    let kinds = ["csv", "tsv", "parquet"].map(|kind| folder.join(format!("{name}.{kind}")));
    kinds.into_iter().find(|path| path.exists())
}

/// A file of rows with named columns.
enum File<'a> {
    Text(Table<'a>),
    Columnar(Box<Columnar<'a>>),
}

impl<'a> File<'a> {
    /// A file whose columns have names.
    fn headed(path: &'a Path) -> Result<Self, DataError> {
        match has_ending(path, "parquet") {
            true => Ok(Self::Columnar(Box::new(Columnar::open(path)?))),
            false => Ok(Self::Text(Table { path, separator: separator(path)?, columns: None })),
        }
    }

    /// A file of events, whose columns may have to be guessed.
    fn events(path: &'a Path) -> Result<Self, DataError> {
        let mut file = Self::headed(path)?;
        if let Self::Text(table) = &mut file {
            let first = table.first_line()?;
            let names = Columns::of(first.iter().map(String::as_str));
            if !names.has("user_id") && !names.has("item_id") {
                table.columns = Some(guessed(&first));
            }
        }
        Ok(file)
    }

    fn columns(&self) -> Result<Columns, DataError> {
        Ok(match self {
            Self::Columnar(file) => file.columns(),
            Self::Text(Table { columns: Some(names), .. }) => Columns::named(names),
            Self::Text(table) => Columns::of(table.first_line()?.iter().map(String::as_str)),
        })
    }

    fn read(
        &self,
        needed: &[&str],
        rejections: &mut Rejections,
        accept: impl FnMut(&Row<'_>) -> Result<(), BadRow>,
    ) -> Result<(), DataError> {
        match self {
            Self::Text(table) => table.read(needed, rejections, accept),
            Self::Columnar(file) => file.read(needed, rejections, accept),
        }
    }
}

pub(super) fn has_ending(path: &Path, ending: &str) -> bool {
    path.extension().is_some_and(|extension| extension == ending)
}

fn separator(path: &Path) -> Result<Separator, DataError> {
    if has_ending(path, "csv") {
        return Ok(Separator::Quoted(b','));
    }
    let line = if has_ending(path, "tsv") { String::new() } else { first_line(path)? };
    let found = ["\t", "::", ",", " "].into_iter().find(|separator| line.contains(separator));
    Ok(match found {
        Some("::") => Separator::Text("::"),
        Some(",") => Separator::Quoted(b','),
        Some(" ") => Separator::Byte(b' '),
        _ => Separator::Quoted(b'\t'),
    })
}

/// The columns of a file that does not name them.
fn guessed(first: &[String]) -> &'static [&'static str] {
    let third: Option<f64> = first.get(2).and_then(|field| field.trim().parse().ok());
    let names = match third {
        Some(number) if number >= MOMENT => MOMENTS,
        Some(_) => RATINGS,
        None => ACTIONS,
    };
    &names[..first.len().min(names.len())]
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
    let dwell: Option<f64> = row.optional_number("dwell_ms")?;
    let action = match row.text("action") {
        Some("rating") => rated(row)?,
        Some(name) => Action::from_name(&name.to_ascii_lowercase())
            .ok_or_else(|| BadRow::value("action", name, "an action's name"))?,
        None if row.has("value") => rated(row)?,
        None if row.has("action") => return Err(BadRow::Missing("action".into())),
        None => Action::Click,
    };
    let viewed = row.text("action").is_some_and(|name| name.eq_ignore_ascii_case("view"));
    let looked = value.filter(|_| viewed);
    Ok((action, dwell.or(looked).map_or(0, rating::dwell)))
}

fn rated(row: &Row<'_>) -> Result<Action, BadRow> {
    Ok(rating::action(rating::rating(row)?))
}

fn item(row: &Row<'_>) -> Result<Item, BadRow> {
    let created: Option<f64> = row.optional_number("created")?;
    let created = created.filter(|time| *time != 0.0).map(|_| rating::moment(row, "created"));
    Ok(Item {
        title: row.text("title").unwrap_or("").to_owned(),
        text: row.text("text").unwrap_or("").to_owned(),
        creator: row.optional_number("creator")?.filter(|creator| *creator != 0),
        tags: row.list("tags", '|'),
        genres: row.list("genres", '|'),
        year: row.text("year").and_then(fields::year),
        minimum_age: row.optional_number("minimum_age")?.unwrap_or(0),
        created: created.transpose()?,
        width: row.optional_number("width")?.filter(|width| *width != 0),
        height: row.optional_number("height")?.filter(|height| *height != 0),
        total_bookmarks: row.optional_number("total_bookmarks")?.filter(|count| *count != 0),
        total_views: row.optional_number("total_views")?.filter(|count| *count != 0),
        ..Item::bare(ItemId(row.id("item_id")?))
    })
}
