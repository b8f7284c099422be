//! Times for data that has none.
//!
//! Each event gets a random moment of one hour, so that the cut by time, which everything after
//! the readers does, is a random split of each user's events. In a split that came with the data
//! each part has an hour of its own, one after another, and a user's moments stand in the order of
//! the file: order is all that is known, and no user is later than another.

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tributary_domain::{Behaviour, Event, ItemId, Timestamp, UserId};

use super::{
    rating,
    row::{BadRow, Row},
};

/// 2000-01-01, an arbitrary moment in the past.
const START_MS: i64 = 946_684_800_000;
const HOUR_MS: i64 = 3_600_000;

/// Gives rows their time: the row's own, or a random one.
pub(super) enum Clock {
    Row,
    Random(Box<ChaCha8Rng>),
}

impl Clock {
    pub(super) fn new(timed: bool, seed: u64) -> Self {
        match timed {
            true => Self::Row,
            false => Self::Random(Box::new(ChaCha8Rng::seed_from_u64(seed))),
        }
    }

    pub(super) fn time(&mut self, row: &Row<'_>) -> Result<Timestamp, BadRow> {
        match self {
            Self::Row => rating::time(row),
            Self::Random(_) => Ok(self.moment()),
        }
    }

    /// A time for an event that has none.
    pub(super) fn moment(&mut self) -> Timestamp {
        match self {
            Self::Row => Timestamp(START_MS),
            Self::Random(random) => Timestamp(START_MS + random.random_range(0..HOUR_MS)),
        }
    }

    /// The event of a row of user, item and rating.
    pub(super) fn rated(&mut self, row: &Row<'_>) -> Result<Event, BadRow> {
        let action = rating::action(rating::rating(row)?);
        let (user, item) = (UserId(row.id("user_id")?), ItemId(row.id("item_id")?));
        let time = self.time(row)?;
        Ok(Event { user, behaviour: Behaviour { item, action, time, dwell_ms: 0 } })
    }
}

/// Deals a part's times, which were drawn at random, out again so that each user's ascend in the
/// order of the events, no two alike, in the part's own hour.
pub(super) fn keep_order(events: &mut [Event], part: i64) {
    let mut users: BTreeMap<UserId, Vec<usize>> = BTreeMap::new();
    for (index, event) in events.iter().enumerate() {
        users.entry(event.user).or_default().push(index);
    }
    // An hour between the parts takes what ties push over the end.
    let shift = part * 2 * HOUR_MS;
    for indexes in users.values() {
        let mut times: Vec<i64> =
            indexes.iter().map(|index| events[*index].behaviour.time.0 + shift).collect();
        times.sort_unstable();
        let mut after = i64::MIN;
        for (index, time) in indexes.iter().zip(times) {
            after = time.max(after.saturating_add(1));
            events[*index].behaviour.time = Timestamp(after);
        }
    }
}
