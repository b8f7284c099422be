use tributary_domain::{Gender, UserProfile, gender_to_wire};
use tributary_proto::entity::v1 as entity;

use super::{
    BadRow, Cause, State,
    rules::{Cells, LabelList, Lookup, Test, all, any},
};
use crate::{cell::Cell, layout::Resolver, mapping::UserTable};

/// Reads rows as users.
#[derive(Debug, Clone)]
pub struct UserReader {
    id: usize,
    age: Option<usize>,
    gender: Option<Lookup<Gender>>,
    occupation: Option<usize>,
    blocked_creators: Option<usize>,
    blocked_tags: Option<LabelList>,
    deleted: Vec<Test>,
    only: Vec<Test>,
}

impl UserReader {
    pub(crate) fn resolve(rules: &UserTable, resolver: &mut Resolver<'_>) -> Self {
        resolver.unique(&rules.id);
        let blocked_tags = rules.blocked_tags.as_ref();
        Self {
            id: resolver.number(&rules.id),
            age: resolver.optional_number(rules.age.as_ref()),
            gender: rules.gender.as_ref().and_then(|map| Lookup::resolve(map, resolver)),
            occupation: resolver.optional_text(rules.occupation.as_ref()),
            blocked_creators: resolver.optional_text(rules.blocked_creators.as_ref()),
            blocked_tags: blocked_tags.and_then(|rule| LabelList::resolve(rule, resolver)),
            deleted: Test::all(&rules.deleted, resolver),
            only: Test::all(&rules.only, resolver),
        }
    }

    pub(super) fn id(&self, cells: &Cells<'_>) -> Result<u64, BadRow> {
        cells.id(self.id)
    }

    pub(super) fn read(&self, cells: &Cells<'_>) -> Result<State, BadRow> {
        if !all(&self.only, cells)? || any(&self.deleted, cells)? {
            return Ok(State::Absent);
        }
        let gender = match &self.gender {
            Some(lookup) if cells.cell(lookup.place)?.is_null() => None,
            Some(lookup) => Some(lookup.read(cells)?),
            None => None,
        };
        let labels = self.blocked_tags.as_ref();
        let profile = entity::UserProfile {
            user_id: self.id(cells)?,
            age: cells.number_or_zero(self.age)?,
            gender: gender_to_wire(gender).into(),
            occupation: cells.text(self.occupation)?,
            blocked_creator_ids: self.blocked_creators(cells)?,
            blocked_tags: labels.map_or(Ok(Vec::new()), |list| list.read(cells))?,
        };
        UserProfile::try_from(profile.clone())?;
        Ok(State::User(profile))
    }

    fn blocked_creators(&self, cells: &Cells<'_>) -> Result<Vec<u64>, BadRow> {
        let Some(place) = self.blocked_creators else { return Ok(Vec::new()) };
        let parsed = match cells.cell(place)? {
            Cell::Null => return Ok(Vec::new()),
            Cell::Json(value) => serde_json::from_value(value.clone()),
            Cell::Text(text) => serde_json::from_str(text),
            _ => return Err(cells.bad(place, Cause::Json, "is not a JSON array of ids")),
        };
        parsed.map_err(|error| {
            cells.bad(place, Cause::Json, format!("is not a JSON array of ids: {error}"))
        })
    }
}
