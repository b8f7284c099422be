use std::path::Path;

use tributary_domain::Item;

use crate::{DatasetError, sheet::Sheet};

const SCHEMA: &str = "message items {
    required int64 item_id (UINT_64);
    required binary title (STRING);
    required binary text (STRING);
    optional int64 creator (UINT_64);
    required group tags (LIST) { repeated group list { required binary element (STRING); } }
    required group genres (LIST) { repeated group list { required binary element (STRING); } }
    optional int32 year (UINT_32);
    required int32 minimum_age (UINT_32);
    required boolean hidden;
    optional int64 created (TIMESTAMP(MILLIS, true));
    optional int32 width (UINT_32);
    optional int32 height (UINT_32);
    optional int64 total_bookmarks (UINT_64);
    optional int64 total_views (UINT_64);
}";

/// `items.parquet` in the making.
pub struct Items(Sheet);

impl Items {
    pub fn create(folder: &Path) -> Result<Self, DatasetError> {
        Sheet::create(&folder.join("items.parquet"), SCHEMA).map(Self)
    }

    pub fn put(&mut self, item: &Item) -> Result<(), DatasetError> {
        let Item {
            id,
            title,
            text,
            creator,
            tags,
            genres,
            year,
            minimum_age,
            hidden,
            created,
            width,
            height,
            total_bookmarks,
            total_views,
        } = item;
        let sheet = &mut self.0;
        sheet.wide(Some(id.0));
        sheet.text(Some(title));
        sheet.text(Some(text));
        sheet.wide(*creator);
        sheet.texts(tags.iter().map(String::as_str));
        sheet.texts(genres.iter().map(String::as_str));
        sheet.narrow(year.map(u32::from));
        sheet.narrow(Some(u32::from(*minimum_age)));
        sheet.flag(Some(*hidden));
        sheet.moment(*created);
        sheet.narrow(*width);
        sheet.narrow(*height);
        sheet.wide(*total_bookmarks);
        sheet.wide(*total_views);
        sheet.end_row()
    }

    /// Completes the file and gives the number of its rows.
    pub fn finish(self) -> Result<usize, DatasetError> {
        self.0.finish()
    }
}
