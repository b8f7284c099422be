use serde::{Deserialize, Serialize};

use crate::{Action, ItemId, Timestamp};

/// An item of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    pub id: ItemId,
    pub title: String,
    pub text: String,
    /// `None` where there is no creator.
    pub creator: Option<u64>,
    pub tags: Vec<String>,
    pub genres: Vec<String>,
    pub year: Option<u16>,
    /// Youngest age in years that may see the item; 0 for everybody.
    pub minimum_age: u8,
    pub hidden: bool,
    pub created: Option<Timestamp>,
    /// Pixels.
    pub width: Option<u32>,
    pub height: Option<u32>,
    /// Counted by the database of the business, not by events.
    pub total_bookmarks: Option<u64>,
    pub total_views: Option<u64>,
}

impl Item {
    /// An item of which nothing but the id is known.
    pub fn bare(id: ItemId) -> Self {
        Self {
            id,
            title: String::new(),
            text: String::new(),
            creator: None,
            tags: Vec::new(),
            genres: Vec::new(),
            year: None,
            minimum_age: 0,
            hidden: false,
            created: None,
            width: None,
            height: None,
            total_bookmarks: None,
            total_views: None,
        }
    }
}

/// How often each action happened to an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ItemCounters {
    pub impressions: u64,
    pub clicks: u64,
    pub views: u64,
    pub bookmarks: u64,
    pub shares: u64,
    pub hides: u64,
}

impl ItemCounters {
    /// The counter of one action.
    pub fn of(&mut self, action: Action) -> &mut u64 {
        match action {
            Action::Impression => &mut self.impressions,
            Action::Click => &mut self.clicks,
            Action::View => &mut self.views,
            Action::Bookmark => &mut self.bookmarks,
            Action::Share => &mut self.shares,
            Action::Hide => &mut self.hides,
        }
    }
}

/// One entry of the item change log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ItemChange {
    Upserted(Item),
    Deleted(ItemId),
}

impl ItemChange {
    pub fn item(&self) -> ItemId {
        match self {
            Self::Upserted(item) => item.id,
            Self::Deleted(id) => *id,
        }
    }
}

mod proto {
    use tributary_proto::{entity::v1 as wire, feature::v1 as feature};

    use super::{Item, ItemChange, ItemCounters};
    use crate::{FieldError, ItemId, Timestamp, field};

    const LABELS: usize = 100;
    const LABEL_BYTES: usize = 200;

    impl TryFrom<wire::Item> for Item {
        type Error = FieldError;

        fn try_from(item: wire::Item) -> Result<Self, FieldError> {
            let wire::Item {
                item_id,
                title,
                text,
                creator_id,
                tags,
                genres,
                year,
                minimum_age,
                hidden,
                created_ms,
                width,
                height,
                total_bookmarks,
                total_views,
            } = item;
            check_bytes("title", &title, 1_000)?;
            check_bytes("text", &text, 20_000)?;
            check_labels("tags", &tags)?;
            check_labels("genres", &genres)?;
            if year > 9_999 {
                return Err(FieldError::new("year", format_args!("{year} is more than 9999")));
            }
            if created_ms < 0 {
                return Err(FieldError::new("created_ms", "must not be negative"));
            }
            Ok(Self {
                id: ItemId::from_wire(item_id, "item_id")?,
                title,
                text,
                creator: (creator_id != 0).then_some(creator_id),
                tags,
                genres,
                year: u16::try_from(year).ok().filter(|year| *year != 0),
                minimum_age: u8::try_from(minimum_age).ok().filter(|age| *age <= 120).ok_or_else(
                    || FieldError::new("minimum_age", format_args!("{minimum_age} is over 120")),
                )?,
                hidden,
                created: (created_ms != 0).then_some(Timestamp(created_ms)),
                width: (width != 0).then_some(width),
                height: (height != 0).then_some(height),
                total_bookmarks: (total_bookmarks != 0).then_some(total_bookmarks),
                total_views: (total_views != 0).then_some(total_views),
            })
        }
    }

    fn check_bytes(field: &str, text: &str, limit: usize) -> Result<(), FieldError> {
        match text.len() {
            length if length > limit => Err(FieldError::new(
                field,
                format_args!("{length} bytes are more than the {limit} allowed"),
            )),
            _ => Ok(()),
        }
    }

    fn check_labels(name: &'static str, labels: &[String]) -> Result<(), FieldError> {
        if labels.len() > LABELS {
            return Err(FieldError::new(
                name,
                format_args!("{} are more than the {LABELS} allowed", labels.len()),
            ));
        }
        for (index, label) in labels.iter().enumerate() {
            let path = format!("{name}[{index}]");
            if label.is_empty() {
                return Err(FieldError::new(path, "must not be empty"));
            }
            check_bytes(&path, label, LABEL_BYTES)?;
        }
        Ok(())
    }

    impl From<Item> for wire::Item {
        fn from(item: Item) -> Self {
            Self {
                item_id: item.id.0,
                title: item.title,
                text: item.text,
                creator_id: item.creator.unwrap_or(0),
                tags: item.tags,
                genres: item.genres,
                year: item.year.map_or(0, u32::from),
                minimum_age: u32::from(item.minimum_age),
                hidden: item.hidden,
                created_ms: item.created.map_or(0, |time| time.0),
                width: item.width.unwrap_or(0),
                height: item.height.unwrap_or(0),
                total_bookmarks: item.total_bookmarks.unwrap_or(0),
                total_views: item.total_views.unwrap_or(0),
            }
        }
    }

    impl From<ItemCounters> for wire::ItemCounters {
        fn from(counters: ItemCounters) -> Self {
            let ItemCounters { impressions, clicks, views, bookmarks, shares, hides } = counters;
            Self { impressions, clicks, views, bookmarks, shares, hides }
        }
    }

    impl From<wire::ItemCounters> for ItemCounters {
        fn from(counters: wire::ItemCounters) -> Self {
            let wire::ItemCounters { impressions, clicks, views, bookmarks, shares, hides } =
                counters;
            Self { impressions, clicks, views, bookmarks, shares, hides }
        }
    }

    impl TryFrom<feature::item_change::Change> for ItemChange {
        type Error = FieldError;

        fn try_from(change: feature::item_change::Change) -> Result<Self, FieldError> {
            Ok(match change {
                feature::item_change::Change::Upserted(item) => {
                    Self::Upserted(item.try_into().map_err(field::prefixed("upserted"))?)
                }
                feature::item_change::Change::DeletedItemId(id) => {
                    Self::Deleted(ItemId::from_wire(id, "deleted_item_id")?)
                }
            })
        }
    }

    impl From<ItemChange> for feature::item_change::Change {
        fn from(change: ItemChange) -> Self {
            match change {
                ItemChange::Upserted(item) => Self::Upserted(item.into()),
                ItemChange::Deleted(id) => Self::DeletedItemId(id.0),
            }
        }
    }
}
