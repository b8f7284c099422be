use std::path::Path;

use tributary_domain::{Gender, UserProfile};

use crate::{DatasetError, sheet::Sheet};

const SCHEMA: &str = "message users {
    required int64 user_id (UINT_64);
    optional int32 age (UINT_32);
    optional binary gender (STRING);
    required binary occupation (STRING);
}";

/// `users.parquet` in the making. What users block is no feature, and not written.
pub struct Users(Sheet);

impl Users {
    pub fn create(folder: &Path) -> Result<Self, DatasetError> {
        Sheet::create(&folder.join("users.parquet"), SCHEMA).map(Self)
    }

    pub fn put(&mut self, profile: &UserProfile) -> Result<(), DatasetError> {
        let UserProfile { id, age, gender, occupation, blocked_creators: _, blocked_tags: _ } =
            profile;
        let sheet = &mut self.0;
        sheet.wide(Some(id.0));
        sheet.narrow(age.map(u32::from));
        sheet.text(gender.map(name));
        sheet.text(Some(occupation));
        sheet.end_row()
    }

    /// Completes the file and gives the number of its rows.
    pub fn finish(self) -> Result<usize, DatasetError> {
        self.0.finish()
    }
}

fn name(gender: Gender) -> &'static str {
    match gender {
        Gender::Female => "female",
        Gender::Male => "male",
        Gender::Other => "other",
    }
}
