use crate::{Event, Item, ItemId, UserId, UserProfile};

/// One change of another database, to be written as it was made there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceChange {
    UpsertedItem(Item),
    DeletedItem(ItemId),
    UpsertedUser(UserProfile),
    DeletedUser(UserId),
    RecordedEvent(Event),
    /// Takes an event back as if it had never been recorded; its dwell time says nothing.
    RetractedEvent(Event),
}

mod proto {
    use tributary_proto::feature::v1 as wire;
    use wire::source_change::Change;

    use super::SourceChange;
    use crate::{FieldError, ItemId, UserId, field::prefixed};

    impl TryFrom<wire::SourceChange> for SourceChange {
        type Error = FieldError;

        fn try_from(change: wire::SourceChange) -> Result<Self, FieldError> {
            let wire::SourceChange { change } = change;
            let change = change.ok_or_else(|| FieldError::new("change", "must be given"))?;
            Ok(match change {
                Change::UpsertedItem(item) => {
                    Self::UpsertedItem(item.try_into().map_err(prefixed("upserted_item"))?)
                }
                Change::DeletedItemId(id) => {
                    Self::DeletedItem(ItemId::from_wire(id, "deleted_item_id")?)
                }
                Change::UpsertedUser(user) => {
                    Self::UpsertedUser(user.try_into().map_err(prefixed("upserted_user"))?)
                }
                Change::DeletedUserId(id) => {
                    Self::DeletedUser(UserId::from_wire(id, "deleted_user_id")?)
                }
                Change::RecordedEvent(event) => {
                    Self::RecordedEvent(event.try_into().map_err(prefixed("recorded_event"))?)
                }
                Change::RetractedEvent(event) => {
                    Self::RetractedEvent(event.try_into().map_err(prefixed("retracted_event"))?)
                }
            })
        }
    }

    impl From<SourceChange> for wire::SourceChange {
        fn from(change: SourceChange) -> Self {
            let change = match change {
                SourceChange::UpsertedItem(item) => Change::UpsertedItem(item.into()),
                SourceChange::DeletedItem(id) => Change::DeletedItemId(id.0),
                SourceChange::UpsertedUser(user) => Change::UpsertedUser(user.into()),
                SourceChange::DeletedUser(id) => Change::DeletedUserId(id.0),
                SourceChange::RecordedEvent(event) => Change::RecordedEvent(event.into()),
                SourceChange::RetractedEvent(event) => Change::RetractedEvent(event.into()),
            };
            Self { change: Some(change) }
        }
    }
}

#[cfg(test)]
mod tests {
    use tributary_proto::{entity::v1 as entity, feature::v1 as wire};
    use wire::source_change::Change;

    use super::*;
    use crate::{Action, Behaviour, Timestamp};

    #[test]
    fn changes_round_trip() {
        let behaviour =
            Behaviour { item: ItemId(2), action: Action::View, time: Timestamp(3), dwell_ms: 4 };
        let event = Event { user: UserId(1), behaviour };
        let user = entity::UserProfile { user_id: 5, age: 30, ..entity::UserProfile::default() };
        for change in [
            SourceChange::UpsertedItem(Item::bare(ItemId(7))),
            SourceChange::DeletedItem(ItemId(7)),
            SourceChange::UpsertedUser(user.try_into().unwrap()),
            SourceChange::DeletedUser(UserId(5)),
            SourceChange::RecordedEvent(event),
            SourceChange::RetractedEvent(event),
        ] {
            let decoded = SourceChange::try_from(wire::SourceChange::from(change.clone()));
            assert_eq!(decoded, Ok(change));
        }
    }

    #[test]
    fn bad_changes_name_the_field() {
        for (change, field) in [
            (None, "change"),
            (Some(Change::UpsertedItem(entity::Item::default())), "upserted_item.item_id"),
            (Some(Change::DeletedItemId(0)), "deleted_item_id"),
            (Some(Change::UpsertedUser(entity::UserProfile::default())), "upserted_user.user_id"),
            (Some(Change::DeletedUserId(0)), "deleted_user_id"),
            (Some(Change::RecordedEvent(entity::Event::default())), "recorded_event.user_id"),
            (Some(Change::RetractedEvent(entity::Event::default())), "retracted_event.user_id"),
        ] {
            let refused = SourceChange::try_from(wire::SourceChange { change });
            assert_eq!(refused.unwrap_err().field, field);
        }
    }
}
