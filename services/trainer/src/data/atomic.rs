//! RecBole's atomic files: `NAME.inter`, and `NAME.item` and `NAME.user` where they are.

use std::path::{Path, PathBuf};

use tributary_domain::{Event, Item, ItemId, UserId, UserProfile};

use super::{
    DataError, DataSet, Entity, fields, limits,
    row::{BadRow, Columns, Rejections, Row},
    table::{Separator, Table},
    untimed::Clock,
};

/// True where the events of `NAME.inter` have times.
pub(super) fn timed(interactions: &Path) -> Result<bool, DataError> {
    let first = table(interactions).first_line()?;
    Ok(Columns::of(first.iter().map(String::as_str)).has("timestamp"))
}

/// Reads the events of `NAME.inter`.
pub(super) fn read_events(
    interactions: &Path,
    clock: &mut Clock,
    rejections: &mut Rejections,
) -> Result<Vec<Event>, DataError> {
    let mut events = Vec::new();
    table(interactions).read(&["user_id", "item_id", "value"], rejections, |row| {
        events.push(limits::event(clock.rated(row)?)?);
        Ok(())
    })?;
    Ok(events)
}

/// Reads the neighbours of `NAME.inter`, as far as they are there.
pub(super) fn read_attributes(interactions: &Path, data: &mut DataSet) -> Result<(), DataError> {
    let DataSet { items, users, rejections, .. } = data;
    if let Some(path) = neighbour(interactions, "item") {
        table(&path).read(&["item_id"], rejections, |row| {
            items.push(limits::item(item(row)?)?);
            Ok(())
        })?;
    }
    if let Some(path) = neighbour(interactions, "user") {
        table(&path).read(&["user_id"], rejections, |row| {
            users.push(limits::user(user(row)?)?);
            Ok(())
        })?;
    }
    Ok(())
}

fn table(path: &Path) -> Table<'_> {
    Table { path, separator: Separator::Byte(b'\t'), columns: None }
}

fn neighbour(interactions: &Path, extension: &str) -> Option<PathBuf> {
    Some(interactions.with_extension(extension)).filter(|path| path.exists())
}

fn item(row: &Row<'_>) -> Result<Item, BadRow> {
    let (title, year_in_title) =
        fields::title_and_year(row.text("movie_title").or(row.text("title")).unwrap_or(""));
    let year = row.text("release_year").or(row.text("year")).and_then(fields::year);
    let mut genres = row.list("class", ' ');
    genres.extend(row.list("genre", ' '));
    genres.retain(|genre| fields::is_genre(genre));
    Ok(Item {
        title,
        year: year.or(year_in_title),
        genres,
        ..Item::bare(ItemId(row.id("item_id")?))
    })
}

/// A user as most formats give one: age, gender, occupation.
pub(super) fn user(row: &Row<'_>) -> Result<UserProfile, BadRow> {
    Ok(UserProfile {
        age: fields::age(row.optional_number("age")?),
        gender: fields::gender(row.text("gender")),
        occupation: row.text("occupation").unwrap_or("").to_owned(),
        ..UserProfile::bare(UserId(row.id("user_id")?))
    })
}
