//! The words of the system as types: ids, times, behaviour, items, users.
//!
//! Nothing here does I/O or knows a service. Conversions from and to the wire stand at the end of
//! each file, in `mod proto`, and name the offending field where a message is wrong.

mod behaviour;
mod change;
mod field;
mod id;
mod item;
mod served;
mod user;

pub use behaviour::{Action, Behaviour, Event, Timestamp};
pub use change::SourceChange;
pub use field::{FieldError, at, between, prefixed};
pub use id::{BundleId, ChannelName, ItemId, UserId};
pub use item::{Item, ItemChange, ItemCounters};
pub use served::{Served, ServedChannel, ServedEvent};
pub use user::{Gender, UserContext, UserProfile, gender_from_wire, gender_to_wire};

/// An item with a score. Orders by score descending, ties by ascending id, non-finite scores last:
/// the one total order of lists in the whole system.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    pub item: ItemId,
    pub score: f32,
}

impl Scored {
    /// The order of a list, best first.
    pub fn best_first(&self, other: &Self) -> std::cmp::Ordering {
        let key = |score: f32| if score.is_finite() { score } else { f32::NEG_INFINITY };
        key(other.score).total_cmp(&key(self.score)).then(self.item.cmp(&other.item))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn best_first_breaks_ties_by_id_and_puts_non_finite_last() {
        let scored = |item, score| Scored { item: ItemId(item), score };
        let mut list = [scored(5, f32::NAN), scored(3, 1.0), scored(2, 1.0), scored(9, 2.0)];
        list.sort_by(Scored::best_first);
        let ids: Vec<u64> = list.iter().map(|scored| scored.item.0).collect();
        assert_eq!(ids, [9, 2, 3, 5]);
    }
}
