//! What a changed row changes in the mesh.

use tributary_proto::{entity::v1 as entity, feature::v1 as feature};

use crate::{
    layout::Layout,
    reader::{BadRow, Reader, Row, State},
};

/// One write to `feature`.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    UpsertItem(Box<entity::Item>),
    DeleteItem(u64),
    UpsertUser(entity::UserProfile),
    DeleteUser(u64),
    Record(entity::Event),
    Retract(entity::Event),
}

impl Change {
    /// As a label of metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::UpsertItem(_) => "upsert_item",
            Self::DeleteItem(_) => "delete_item",
            Self::UpsertUser(_) => "upsert_user",
            Self::DeleteUser(_) => "delete_user",
            Self::Record(_) => "record_event",
            Self::Retract(_) => "retract_event",
        }
    }

    /// The message of the call.
    pub fn to_wire(&self) -> feature::SourceChange {
        use feature::source_change::Change as Wire;
        let change = match self.clone() {
            Self::UpsertItem(item) => Wire::UpsertedItem(*item),
            Self::DeleteItem(id) => Wire::DeletedItemId(id),
            Self::UpsertUser(user) => Wire::UpsertedUser(user),
            Self::DeleteUser(id) => Wire::DeletedUserId(id),
            Self::Record(event) => Wire::RecordedEvent(event),
            Self::Retract(event) => Wire::RetractedEvent(event),
        };
        feature::SourceChange { change: Some(change) }
    }

    fn of(state: State) -> Option<Self> {
        match state {
            State::Item(item) => Some(Self::UpsertItem(item)),
            State::User(user) => Some(Self::UpsertUser(user)),
            State::Event(event) => Some(Self::Record(event)),
            State::Absent => None,
        }
    }
}

/// What became of a row, and what may be wrong with it now.
#[derive(Debug, Default)]
pub struct Outcome {
    pub changes: Vec<Change>,
    pub bad: Option<BadRow>,
}

impl Layout {
    /// A row that is there: read by a snapshot, or inserted.
    pub fn appeared(&self, row: &Row) -> Outcome {
        match self.state(row) {
            Ok(state) => Outcome { changes: Change::of(state).into_iter().collect(), bad: None },
            Err(bad) => Outcome { changes: Vec::new(), bad: Some(bad) },
        }
    }

    /// A row that is gone.
    pub fn vanished(&self, row: &Row) -> Outcome {
        let undone = self.undone(&self.state(row), row);
        Outcome { changes: undone.into_iter().collect(), bad: None }
    }

    /// A row that was another one before. An item or user that cannot be read any more stays as it
    /// was; an event is taken back, for the row says something else now.
    pub fn changed(&self, before: &Row, after: &Row) -> Outcome {
        let (old, new) = (self.state(before), self.state(after));
        if old.is_ok() && old == new {
            return Outcome::default();
        }
        let same_id = self.id(before).is_some() && self.id(before) == self.id(after);
        let stays = same_id && new != Ok(State::Absent);
        let undone = if stays { None } else { self.undone(&old, before) };
        let mut changes: Vec<Change> = undone.into_iter().collect();
        match new {
            Ok(state) => {
                changes.extend(Change::of(state));
                Outcome { changes, bad: None }
            }
            Err(bad) => Outcome { changes, bad: Some(bad) },
        }
    }

    /// What takes back whatever was written of a row. An item or user may have been written before
    /// its row became one that cannot be read.
    fn undone(&self, state: &Result<State, BadRow>, row: &Row) -> Option<Change> {
        match (state, &self.reader) {
            (Ok(State::Absent), _) => None,
            (Ok(State::Event(event)), _) => Some(Change::Retract(*event)),
            (_, Reader::Items(_)) => self.id(row).map(Change::DeleteItem),
            (_, Reader::Users(_)) => self.id(row).map(Change::DeleteUser),
            (_, Reader::Interactions(_)) => None,
        }
    }
}
