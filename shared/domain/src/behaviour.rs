use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::{ItemId, UserId};

/// A moment in Unix milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The system clock's time.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// What a user did with an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Action {
    Impression = 1,
    Click = 2,
    View = 3,
    Bookmark = 4,
    Share = 5,
    Hide = 6,
}

impl Action {
    pub const ALL: [Self; 6] =
        [Self::Impression, Self::Click, Self::View, Self::Bookmark, Self::Share, Self::Hide];

    /// True for the actions that say "more of this": bookmark and share.
    pub fn is_liking(self) -> bool {
        matches!(self, Self::Bookmark | Self::Share)
    }

    /// True for the actions that say that the user dealt with the item: all but impression and
    /// hide.
    pub fn is_engagement(self) -> bool {
        matches!(self, Self::Click | Self::View | Self::Bookmark | Self::Share)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Impression => "impression",
            Self::Click => "click",
            Self::View => "view",
            Self::Bookmark => "bookmark",
            Self::Share => "share",
            Self::Hide => "hide",
        }
    }

    /// The action with that name, as `as_str` gives it.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == name)
    }
}

/// One step of a user's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Behaviour {
    pub item: ItemId,
    pub action: Action,
    pub time: Timestamp,
    /// Milliseconds of looking; 0 where it does not apply.
    pub dwell_ms: u32,
}

/// A behaviour with its user. Identified by (user, item, action, time).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub user: UserId,
    pub behaviour: Behaviour,
}

mod proto {
    use tributary_proto::entity::v1 as wire;

    use super::{Action, Behaviour, Event, Timestamp};
    use crate::{FieldError, ItemId, UserId};

    const DAY_MS: u32 = 86_400_000;

    impl TryFrom<wire::Action> for Action {
        type Error = FieldError;

        fn try_from(action: wire::Action) -> Result<Self, FieldError> {
            Ok(match action {
                wire::Action::Unspecified => {
                    return Err(FieldError::new("action", "must be given"));
                }
                wire::Action::Impression => Self::Impression,
                wire::Action::Click => Self::Click,
                wire::Action::View => Self::View,
                wire::Action::Bookmark => Self::Bookmark,
                wire::Action::Share => Self::Share,
                wire::Action::Hide => Self::Hide,
            })
        }
    }

    impl From<Action> for wire::Action {
        fn from(action: Action) -> Self {
            match action {
                Action::Impression => Self::Impression,
                Action::Click => Self::Click,
                Action::View => Self::View,
                Action::Bookmark => Self::Bookmark,
                Action::Share => Self::Share,
                Action::Hide => Self::Hide,
            }
        }
    }

    /// Decodes an enumeration number of the wire.
    pub(crate) fn action(number: i32) -> Result<Action, FieldError> {
        wire::Action::try_from(number)
            .map_err(|_| FieldError::new("action", format_args!("unknown action {number}")))?
            .try_into()
    }

    impl TryFrom<wire::Event> for Event {
        type Error = FieldError;

        fn try_from(event: wire::Event) -> Result<Self, FieldError> {
            let wire::Event { user_id, item_id, action: number, time_ms, dwell_ms } = event;
            let user = UserId::from_wire(user_id, "user_id")?;
            let item = ItemId::from_wire(item_id, "item_id")?;
            let action = action(number)?;
            let latest = Timestamp::now().0.saturating_add(i64::from(DAY_MS));
            if time_ms <= 0 || time_ms > latest {
                let reason =
                    format_args!("{time_ms} is not between 1 and {latest} (tomorrow)").to_string();
                return Err(FieldError::new("time_ms", reason));
            }
            if dwell_ms > DAY_MS {
                return Err(FieldError::new("dwell_ms", format_args!("more than {DAY_MS}")));
            }
            let time = Timestamp(time_ms);
            Ok(Self { user, behaviour: Behaviour { item, action, time, dwell_ms } })
        }
    }

    impl From<Event> for wire::Event {
        fn from(event: Event) -> Self {
            let Event { user, behaviour: Behaviour { item, action, time, dwell_ms } } = event;
            Self {
                user_id: user.0,
                item_id: item.0,
                action: wire::Action::from(action).into(),
                time_ms: time.0,
                dwell_ms,
            }
        }
    }
}

pub(crate) use proto::action as action_from_wire;
