//! RecBole's atomic files: `NAME.inter`, and `NAME.item` and `NAME.user` where they are.

use std::path::{Path, PathBuf};

use tributary_domain::{Item, ItemId, UserId, UserProfile};

use super::{
    BadRow, DataError, DataSet, Entity, fields, limits,
    table::{Row, Separator, Table},
    untimed::Clock,
};

/// Reads `NAME.inter` and its neighbours.
pub(super) fn read(interactions: &Path, seed: u64) -> Result<DataSet, DataError> {
    let mut data = DataSet { timed: true, ..DataSet::default() };
    read_interactions(interactions, seed, &mut data)?;
    if let Some(path) = neighbour(interactions, "item") {
        let DataSet { items, rejections, .. } = &mut data;
        table(&path).read(&["item_id"], rejections, |row| {
            items.push(limits::item(item(row)?)?);
            Ok(())
        })?;
    }
    if let Some(path) = neighbour(interactions, "user") {
        let DataSet { users, rejections, .. } = &mut data;
        table(&path).read(&["user_id"], rejections, |row| {
            users.push(limits::user(user(row)?)?);
            Ok(())
        })?;
    }
    Ok(data)
}

fn read_interactions(path: &Path, seed: u64, data: &mut DataSet) -> Result<(), DataError> {
    data.timed = table(path).has_header(&["timestamp"])?;
    let mut clock = Clock::new(data.timed, seed);
    let DataSet { events, rejections, .. } = data;
    let needed: &[&str] = &["user_id", "item_id", "value"];
    table(path).read(needed, rejections, |row| {
        events.push(limits::event(clock.rated(row)?)?);
        Ok(())
    })
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
