//! The limits of the mesh, so that whatever a reader accepts can be loaded into a running one.

use tributary_domain::{Event, Item, UserProfile};
use tributary_proto::entity::v1 as wire;

use super::{BadRow, Tagging};

/// Tags and genres beyond these many are left out; the item stays.
const LABELS: usize = 100;

/// The event, if the mesh would take it.
pub(super) fn event(event: Event) -> Result<Event, BadRow> {
    Ok(wire::Event::from(event).try_into()?)
}

/// The item with at most 100 tags and genres, if the mesh would take it.
pub(super) fn item(mut item: Item) -> Result<Item, BadRow> {
    item.tags.truncate(LABELS);
    item.genres.truncate(LABELS);
    Ok(wire::Item::from(item).try_into()?)
}

/// The profile, if the mesh would take it.
pub(super) fn user(user: UserProfile) -> Result<UserProfile, BadRow> {
    Ok(wire::UserProfile::from(user).try_into()?)
}

/// The tagging, if the mesh would take an item with its tag.
pub(super) fn tagging(tagging: Tagging) -> Result<Tagging, BadRow> {
    item(Item { tags: vec![tagging.tag.clone()], ..Item::bare(tagging.item) })?;
    Ok(tagging)
}
