//! The tables as they stand in a bundle.

use std::collections::BTreeMap;

use tributary_domain::{ItemId, UserId};

use super::{Interactions, Neighbours, interactions::Lists};
use crate::archive::{Archive, ArchiveWriter, TableError, bounded};

const ITEMS: &str = "item_ids";
const USERS: &str = "user_ids";
const FAVOURITES: &str = "favourites";
const ITEM_TO_ITEM: &str = "item_to_item";

/// What the collaborative channel needs of a bundle.
///
/// As safetensors: `item_ids` U64 [N] and `user_ids` U64 [U], ascending; `favourites.ends` U64 [U]
/// and `favourites.items` U32, the users' items by number, end to end; for each item-to-item table
/// `item_to_item.<name>.ends` U64 [N], `.items` U32 and `.weights` F32 likewise.
#[derive(Debug, Clone, PartialEq)]
pub struct Tables {
    pub favourites: Interactions,
    /// By name, each over the items of `favourites`.
    pub neighbours: BTreeMap<String, Neighbours>,
}

impl Tables {
    /// # Panics
    /// Where a table is not over the items of `favourites`, or there are 2^32 items.
    pub fn to_bytes(&self) -> Vec<u8> {
        let Self { favourites, neighbours } = self;
        let mut archive = ArchiveWriter::default();
        let (items, users) = (favourites.items(), favourites.users());
        archive.add(ITEMS, &[items.len()], items.iter().map(|id| id.0));
        archive.add(USERS, &[users.len()], users.iter().map(|id| id.0));
        add_lists(&mut archive, FAVOURITES, favourites.lists());
        for (name, table) in neighbours {
            assert_eq!(table.len(), items.len(), "table {name} is over the same items");
            let name = format!("{ITEM_TO_ITEM}.{name}");
            add_lists(&mut archive, &name, table.lists());
            let weights = table.weights();
            let shape = [weights.len()];
            archive.add(&format!("{name}.weights"), &shape, weights.iter().copied());
        }
        archive.to_bytes()
    }

    /// Refuses damaged bytes, missing arrays, ids out of order, and numbers out of range.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TableError> {
        let archive = Archive::open(bytes)?;
        let items: Vec<ItemId> = ascending(&archive, ITEMS)?.into_iter().map(ItemId).collect();
        let users: Vec<UserId> = ascending(&archive, USERS)?.into_iter().map(UserId).collect();
        let lists = read_lists(&archive, FAVOURITES, users.len(), items.len())?;
        let mut neighbours = BTreeMap::new();
        for name in table_names(&archive) {
            neighbours.insert(name.clone(), read_neighbours(&archive, &name, items.len())?);
        }
        Ok(Self { favourites: Interactions::from_parts(users, items, lists), neighbours })
    }
}

fn add_lists(archive: &mut ArchiveWriter, name: &str, lists: &Lists) {
    let offset = |end: &usize| u64::try_from(*end).expect("memory has fewer than 2^64 bytes");
    let number = |item: &usize| u32::try_from(*item).expect("fewer than 2^32 items");
    archive.add(&format!("{name}.ends"), &[lists.len()], lists.ends().iter().map(offset));
    let values = lists.values();
    archive.add(&format!("{name}.items"), &[values.len()], values.iter().map(number));
}

fn table_names(archive: &Archive<'_>) -> Vec<String> {
    let name = |array: &str| {
        let rest = array.strip_prefix(ITEM_TO_ITEM)?.strip_prefix('.')?;
        rest.strip_suffix(".ends").map(str::to_owned)
    };
    let mut names: Vec<String> = archive.names().filter_map(name).collect();
    names.sort_unstable();
    names
}

fn ascending(archive: &Archive<'_>, name: &str) -> Result<Vec<u64>, TableError> {
    let ids: Vec<u64> = archive.list(name)?;
    if ids.first() == Some(&0) {
        return Err(TableError::invalid(name, "holds the id 0"));
    }
    if !ids.is_sorted_by(|one, next| one < next) {
        return Err(TableError::invalid(name, "does not ascend"));
    }
    Ok(ids)
}

fn read_neighbours(
    archive: &Archive<'_>,
    table: &str,
    items: usize,
) -> Result<Neighbours, TableError> {
    let name = format!("{ITEM_TO_ITEM}.{table}");
    let lists = read_lists(archive, &name, items, items)?;
    let array = format!("{name}.weights");
    let weights: Vec<f32> = archive.list(&array)?;
    if weights.len() != lists.values().len() {
        let reason = format!("{} weights for {} items", weights.len(), lists.values().len());
        return Err(TableError::invalid(&array, reason));
    }
    if !weights.iter().all(|weight| weight.is_finite()) {
        return Err(TableError::invalid(&array, "holds a number that is not finite"));
    }
    Ok(Neighbours::from_parts(lists, weights))
}

fn read_lists(
    archive: &Archive<'_>,
    name: &str,
    rows: usize,
    items: usize,
) -> Result<Lists, TableError> {
    let values_name = format!("{name}.items");
    let ends_name = format!("{name}.ends");
    let values: Vec<u32> = archive.list(&values_name)?;
    let ends: Vec<u64> = archive.list(&ends_name)?;
    if ends.len() != rows {
        let reason = format!("{} rows, expected {rows}", ends.len());
        return Err(TableError::invalid(&ends_name, reason));
    }
    let count = u64::try_from(values.len()).expect("memory has fewer than 2^64 bytes");
    if !ends.is_sorted() || ends.last().copied().unwrap_or(0) != count {
        return Err(TableError::invalid(&ends_name, "does not partition the items"));
    }
    let ends: Result<Vec<usize>, TableError> =
        ends.into_iter().map(|end| bounded(&ends_name, end, values.len())).collect();
    let last = items.saturating_sub(1);
    let values: Result<Vec<usize>, TableError> =
        values.into_iter().map(|value| bounded(&values_name, value.into(), last)).collect();
    Ok(Lists::from_parts(ends?, values?))
}
