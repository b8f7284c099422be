use serde::{Deserialize, Serialize};

use crate::{Behaviour, ItemId, UserId};

/// Who a user is said to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gender {
    Female,
    Male,
    Other,
}

impl Gender {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Female => "female",
            Self::Male => "male",
            Self::Other => "other",
        }
    }
}

/// What is known of a user beside behaviour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserProfile {
    pub id: UserId,
    pub age: Option<u8>,
    pub gender: Option<Gender>,
    /// Empty where it is not known.
    pub occupation: String,
    pub blocked_creators: Vec<u64>,
    pub blocked_tags: Vec<String>,
}

/// All that the request path knows of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserContext {
    pub user: UserId,
    pub profile: Option<UserProfile>,
    /// Oldest first, impressions left out, bounded by the feature service.
    pub behaviours: Vec<Behaviour>,
    /// Ascending, no repeats: acted on, or shown too often.
    pub seen: Vec<ItemId>,
    /// Equal versions of one user mean equal profile and behaviours.
    pub version: u64,
}

impl UserContext {
    /// The context of a user of whom nothing is known.
    pub fn cold(user: UserId) -> Self {
        Self { user, profile: None, behaviours: Vec::new(), seen: Vec::new(), version: 0 }
    }

    /// True where there is no behaviour to personalise by.
    pub fn is_cold(&self) -> bool {
        self.behaviours.is_empty()
    }

    pub fn has_seen(&self, item: ItemId) -> bool {
        self.seen.binary_search(&item).is_ok()
    }
}

mod proto {
    use tributary_proto::entity::v1 as wire;

    use super::{Gender, UserContext, UserProfile};
    use crate::{Behaviour, FieldError, ItemId, Timestamp, UserId, behaviour, field};

    const BLOCKED_CREATORS: usize = 10_000;
    const BLOCKED_TAGS: usize = 1_000;

    impl TryFrom<wire::UserProfile> for UserProfile {
        type Error = FieldError;

        fn try_from(profile: wire::UserProfile) -> Result<Self, FieldError> {
            let wire::UserProfile {
                user_id,
                age,
                gender: number,
                occupation,
                blocked_creator_ids,
                blocked_tags,
            } = profile;
            if occupation.len() > 200 {
                return Err(FieldError::new("occupation", "more than 200 bytes"));
            }
            if blocked_creator_ids.len() > BLOCKED_CREATORS {
                let reason = format_args!("more than {BLOCKED_CREATORS}").to_string();
                return Err(FieldError::new("blocked_creator_ids", reason));
            }
            if blocked_tags.len() > BLOCKED_TAGS {
                let reason = format_args!("more than {BLOCKED_TAGS}").to_string();
                return Err(FieldError::new("blocked_tags", reason));
            }
            let age = u8::try_from(age).ok().filter(|age| *age <= 150);
            let age = age.ok_or_else(|| FieldError::new("age", "more than 150"))?;
            Ok(Self {
                id: UserId::from_wire(user_id, "user_id")?,
                age: (age != 0).then_some(age),
                gender: gender_from_wire(number)?,
                occupation,
                blocked_creators: blocked_creator_ids,
                blocked_tags,
            })
        }
    }

    /// Decodes an enumeration number of the wire, unspecified as `None`.
    pub fn gender_from_wire(number: i32) -> Result<Option<Gender>, FieldError> {
        match wire::Gender::try_from(number) {
            Ok(wire::Gender::Unspecified) => Ok(None),
            Ok(wire::Gender::Female) => Ok(Some(Gender::Female)),
            Ok(wire::Gender::Male) => Ok(Some(Gender::Male)),
            Ok(wire::Gender::Other) => Ok(Some(Gender::Other)),
            Err(_) => Err(FieldError::new("gender", format_args!("unknown gender {number}"))),
        }
    }

    /// Encodes a gender, `None` as unspecified.
    pub fn gender_to_wire(gender: Option<Gender>) -> wire::Gender {
        match gender {
            None => wire::Gender::Unspecified,
            Some(Gender::Female) => wire::Gender::Female,
            Some(Gender::Male) => wire::Gender::Male,
            Some(Gender::Other) => wire::Gender::Other,
        }
    }

    impl From<UserProfile> for wire::UserProfile {
        fn from(profile: UserProfile) -> Self {
            Self {
                user_id: profile.id.0,
                age: profile.age.map_or(0, u32::from),
                gender: gender_to_wire(profile.gender).into(),
                occupation: profile.occupation,
                blocked_creator_ids: profile.blocked_creators,
                blocked_tags: profile.blocked_tags,
            }
        }
    }

    impl TryFrom<wire::UserContext> for UserContext {
        type Error = FieldError;

        fn try_from(context: wire::UserContext) -> Result<Self, FieldError> {
            let wire::UserContext { user_id, profile, behaviours, seen_item_ids, version } =
                context;
            let profile = profile.map(UserProfile::try_from).transpose();
            let behaviours = behaviours.map(decode_behaviours).transpose();
            let seen: Vec<ItemId> = seen_item_ids.into_iter().map(ItemId).collect();
            if !seen.is_sorted_by(|one, next| one < next) {
                return Err(FieldError::new("seen_item_ids", "must ascend without repeats"));
            }
            Ok(Self {
                user: UserId::from_wire(user_id, "user_id")?,
                profile: profile.map_err(field::prefixed("profile"))?,
                behaviours: behaviours.map_err(field::prefixed("behaviours"))?.unwrap_or_default(),
                seen,
                version,
            })
        }
    }

    fn decode_behaviours(columns: wire::Behaviours) -> Result<Vec<Behaviour>, FieldError> {
        let wire::Behaviours { item_ids, actions, times_ms, dwells_ms } = columns;
        for (name, length) in [
            ("actions", actions.len()),
            ("times_ms", times_ms.len()),
            ("dwells_ms", dwells_ms.len()),
        ] {
            if length != item_ids.len() {
                let reason = format_args!("{length} values for {} item ids", item_ids.len());
                return Err(FieldError::new(name, reason));
            }
        }
        if !times_ms.is_sorted() {
            return Err(FieldError::new("times_ms", "must not decrease"));
        }
        (0..item_ids.len())
            .map(|index| {
                Ok(Behaviour {
                    item: ItemId::from_wire(item_ids[index], "item_ids")?,
                    action: behaviour::action_from_wire(actions[index])?,
                    time: Timestamp(times_ms[index]),
                    dwell_ms: dwells_ms[index],
                })
            })
            .collect()
    }

    impl From<UserContext> for wire::UserContext {
        fn from(context: UserContext) -> Self {
            Self {
                user_id: context.user.0,
                profile: context.profile.map(wire::UserProfile::from),
                behaviours: Some(encode_behaviours(&context.behaviours)),
                seen_item_ids: context.seen.iter().map(|item| item.0).collect(),
                version: context.version,
            }
        }
    }

    fn encode_behaviours(behaviours: &[Behaviour]) -> wire::Behaviours {
        let mut columns = wire::Behaviours::default();
        for behaviour in behaviours {
            columns.item_ids.push(behaviour.item.0);
            columns.actions.push(wire::Action::from(behaviour.action).into());
            columns.times_ms.push(behaviour.time.0);
            columns.dwells_ms.push(behaviour.dwell_ms);
        }
        columns
    }
}

pub use proto::{gender_from_wire, gender_to_wire};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tributary_proto::entity::v1 as wire;

    use super::*;
    use crate::{Action, Timestamp};

    fn behaviours() -> impl Strategy<Value = Vec<Behaviour>> {
        let one = (1_u64.., 0..Action::ALL.len(), 0_i64..1_000_000, any::<u32>());
        prop::collection::vec(one, 0..50).prop_map(|rows| {
            let mut list: Vec<Behaviour> = rows
                .into_iter()
                .map(|(item, action, time, dwell_ms)| Behaviour {
                    item: ItemId(item),
                    action: Action::ALL[action],
                    time: Timestamp(time),
                    dwell_ms,
                })
                .collect();
            list.sort_by_key(|behaviour| behaviour.time);
            list
        })
    }

    proptest! {
        #[test]
        fn context_round_trips(
            user in 1_u64..,
            behaviours in behaviours(),
            seen in prop::collection::btree_set(1_u64.., 0..50),
            age in 1_u8..=150,
            version: u64,
        ) {
            let context = UserContext {
                user: UserId(user),
                profile: Some(UserProfile {
                    id: UserId(user),
                    age: Some(age),
                    gender: Some(Gender::Female),
                    occupation: "writer".into(),
                    blocked_creators: vec![3],
                    blocked_tags: vec!["x".into()],
                }),
                behaviours,
                seen: seen.into_iter().map(ItemId).collect(),
                version,
            };
            let decoded = UserContext::try_from(wire::UserContext::from(context.clone()));
            prop_assert_eq!(decoded.unwrap(), context);
        }
    }

    #[test]
    fn bad_contexts_name_the_field() {
        let good = wire::UserContext::from(UserContext::cold(UserId(1)));
        let columns = wire::Behaviours { item_ids: vec![1], ..Default::default() };
        for (bad, field) in [
            (wire::UserContext { user_id: 0, ..good.clone() }, "user_id"),
            (wire::UserContext { seen_item_ids: vec![2, 1], ..good.clone() }, "seen_item_ids"),
            (wire::UserContext { behaviours: Some(columns), ..good }, "behaviours.actions"),
        ] {
            assert_eq!(UserContext::try_from(bad).unwrap_err().field, field);
        }
    }
}
