//! The original MovieLens 100K: `u.data`, `u.item` and `u.user` (Latin-1, headerless).

use std::path::Path;

use tributary_domain::{Item, ItemId};

use super::{
    DataError, DataSet, atomic, fields, limits, rating,
    row::{BadRow, Row},
    table::{Separator, Table},
};

const ITEM_COLUMNS: [&str; 24] = [
    "item_id",
    "title",
    "release_date",
    "video_date",
    "url",
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
];

/// Reads the folder.
pub(super) fn read(folder: &Path) -> Result<DataSet, DataError> {
    let mut data = DataSet { timed: true, ..DataSet::default() };
    let DataSet { events, items, users, rejections, .. } = &mut data;
    let columns = ["user_id", "item_id", "value", "timestamp"];
    open(&folder.join("u.data"), b'\t', &columns).read(&[], rejections, |row| {
        events.push(limits::event(rating::event(row)?)?);
        Ok(())
    })?;
    open(&folder.join("u.item"), b'|', &ITEM_COLUMNS).read(&[], rejections, |row| {
        items.push(limits::item(item(row)?)?);
        Ok(())
    })?;
    let columns = ["user_id", "age", "gender", "occupation", "zip_code"];
    open(&folder.join("u.user"), b'|', &columns).read(&[], rejections, |row| {
        users.push(limits::user(atomic::user(row)?)?);
        Ok(())
    })?;
    Ok(data)
}

fn open<'a>(path: &'a Path, separator: u8, columns: &'a [&'a str]) -> Table<'a> {
    Table { path, separator: Separator::Byte(separator), columns: Some(columns) }
}

fn item(row: &Row<'_>) -> Result<Item, BadRow> {
    let (title, year) = fields::title_and_year(row.required("title")?);
    let genres = ITEM_COLUMNS[6..].iter().filter(|genre| row.text(genre) == Some("1"));
    Ok(Item {
        title,
        year: year.or_else(|| row.text("release_date")?.rsplit('-').next().and_then(fields::year)),
        genres: genres.map(|genre| (*genre).to_owned()).collect(),
        ..Item::bare(ItemId(row.id("item_id")?))
    })
}
