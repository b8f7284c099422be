//! MovieLens "latest": `ratings.csv`, `movies.csv`, and `tags.csv` where it is.

use std::path::Path;

use tributary_domain::ItemId;

use super::{
    DataError, DataSet, Tagging, limits, movielens_1m, rating,
    table::{Separator, Table},
};

/// Reads the folder.
pub(super) fn read(folder: &Path) -> Result<DataSet, DataError> {
    let mut data = DataSet { timed: true, ..DataSet::default() };
    let DataSet { events, items, taggings, rejections, .. } = &mut data;
    let needed = ["user_id", "item_id", "value", "timestamp"];
    open(&folder.join("ratings.csv")).read(&needed, rejections, |row| {
        events.push(limits::event(rating::event(row)?)?);
        Ok(())
    })?;
    open(&folder.join("movies.csv")).read(&["item_id", "title"], rejections, |row| {
        items.push(limits::item(movielens_1m::item(row)?)?);
        Ok(())
    })?;
    let tags = folder.join("tags.csv");
    if tags.exists() {
        open(&tags).read(&["item_id", "tag", "timestamp"], rejections, |row| {
            let tag = row.required("tag")?.to_lowercase();
            let item = ItemId(row.id("item_id")?);
            taggings.push(limits::tagging(Tagging { item, tag, time: rating::time(row)? })?);
            Ok(())
        })?;
    }
    Ok(data)
}

fn open(path: &Path) -> Table<'_> {
    Table { path, separator: Separator::Quoted(b','), columns: None }
}
