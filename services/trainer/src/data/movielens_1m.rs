//! MovieLens 1M: `ratings.dat`, `movies.dat`, `users.dat`, fields parted by `::`, Latin-1.

use std::path::Path;

use tributary_domain::{Item, ItemId};

use super::{
    DataError, DataSet, atomic, fields, limits, rating,
    row::{BadRow, Row},
    table::{Separator, Table},
};

/// The meanings of the occupation codes, from the data set's README.
const OCCUPATIONS: [&str; 21] = [
    "other",
    "educator",
    "artist",
    "clerical",
    "college student",
    "customer service",
    "doctor",
    "executive",
    "farmer",
    "homemaker",
    "K-12 student",
    "lawyer",
    "programmer",
    "retired",
    "sales",
    "scientist",
    "self-employed",
    "engineer",
    "tradesman",
    "unemployed",
    "writer",
];

/// Reads the folder.
pub(super) fn read(folder: &Path) -> Result<DataSet, DataError> {
    let mut data = DataSet { timed: true, ..DataSet::default() };
    let DataSet { events, items, users, rejections, .. } = &mut data;
    let columns = ["user_id", "item_id", "value", "timestamp"];
    open(&folder.join("ratings.dat"), &columns).read(&[], rejections, |row| {
        events.push(limits::event(rating::event(row)?)?);
        Ok(())
    })?;
    let columns = ["item_id", "title", "genres"];
    open(&folder.join("movies.dat"), &columns).read(&[], rejections, |row| {
        items.push(limits::item(item(row)?)?);
        Ok(())
    })?;
    let columns = ["user_id", "gender", "age", "occupation", "zip_code"];
    open(&folder.join("users.dat"), &columns).read(&[], rejections, |row| {
        let mut user = atomic::user(row)?;
        let code: usize = row.number("occupation")?;
        user.occupation = OCCUPATIONS.get(code).copied().unwrap_or("").to_owned();
        users.push(limits::user(user)?);
        Ok(())
    })?;
    Ok(data)
}

fn open<'a>(path: &'a Path, columns: &'a [&'a str]) -> Table<'a> {
    Table { path, separator: Separator::Text("::"), columns: Some(columns) }
}

/// An item of `id, title (year), genres parted by |`.
pub(super) fn item(row: &Row<'_>) -> Result<Item, BadRow> {
    let (title, year) = fields::title_and_year(row.required("title")?);
    let mut genres = row.list("genres", '|');
    genres.retain(|genre| fields::is_genre(genre));
    Ok(Item { title, year, genres, ..Item::bare(ItemId(row.id("item_id")?)) })
}
