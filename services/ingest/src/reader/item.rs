use tributary_domain::Item;
use tributary_proto::entity::v1 as entity;

use super::{
    BadRow, State,
    rules::{Cells, Clock, LabelList, Lookup, Test, all, any},
};
use crate::{layout::Resolver, mapping::ItemTable};

/// Reads rows as items.
#[derive(Debug, Clone)]
pub struct ItemReader {
    id: usize,
    title: Option<usize>,
    text: Option<usize>,
    creator: Option<usize>,
    tags: Option<LabelList>,
    genres: Option<LabelList>,
    year: Option<usize>,
    width: Option<usize>,
    height: Option<usize>,
    total_bookmarks: Option<usize>,
    total_views: Option<usize>,
    created: Option<Clock>,
    minimum_age: Vec<Lookup<u8>>,
    hidden: Vec<Test>,
    deleted: Vec<Test>,
    only: Vec<Test>,
}

impl ItemReader {
    pub(crate) fn resolve(rules: &ItemTable, resolver: &mut Resolver<'_>) -> Self {
        resolver.unique(&rules.id);
        let minimum_age = rules.minimum_age.iter();
        Self {
            id: resolver.number(&rules.id),
            title: resolver.optional_text(rules.title.as_ref()),
            text: resolver.optional_text(rules.text.as_ref()),
            creator: resolver.optional_number(rules.creator.as_ref()),
            tags: rules.tags.as_ref().and_then(|rule| LabelList::resolve(rule, resolver)),
            genres: rules.genres.as_ref().and_then(|rule| LabelList::resolve(rule, resolver)),
            year: resolver.optional_number(rules.year.as_ref()),
            width: resolver.optional_number(rules.width.as_ref()),
            height: resolver.optional_number(rules.height.as_ref()),
            total_bookmarks: resolver.optional_number(rules.total_bookmarks.as_ref()),
            total_views: resolver.optional_number(rules.total_views.as_ref()),
            created: rules.created.as_ref().and_then(|rule| Clock::resolve(rule, resolver)),
            minimum_age: minimum_age.filter_map(|map| Lookup::resolve(map, resolver)).collect(),
            hidden: Test::all(&rules.hidden, resolver),
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
        let ages = self.minimum_age.iter().map(|lookup| lookup.read(cells));
        let minimum_age = ages.collect::<Result<Vec<u8>, _>>()?.into_iter().max().unwrap_or(0);
        let item = entity::Item {
            item_id: self.id(cells)?,
            title: cells.text(self.title)?,
            text: cells.text(self.text)?,
            creator_id: cells.number_or_zero(self.creator)?,
            tags: self.tags.as_ref().map_or(Ok(Vec::new()), |list| list.read(cells))?,
            genres: self.genres.as_ref().map_or(Ok(Vec::new()), |list| list.read(cells))?,
            year: cells.number_or_zero(self.year)?,
            minimum_age: minimum_age.into(),
            hidden: any(&self.hidden, cells)?,
            created_ms: match &self.created {
                Some(clock) => clock.read(cells)?.unwrap_or(0),
                None => 0,
            },
            width: cells.number_or_zero(self.width)?,
            height: cells.number_or_zero(self.height)?,
            total_bookmarks: cells.number_or_zero(self.total_bookmarks)?,
            total_views: cells.number_or_zero(self.total_views)?,
        };
        // The rules of the contract, so that a bad row is found here and not with its whole batch.
        Item::try_from(item.clone())?;
        Ok(State::Item(Box::new(item)))
    }
}
