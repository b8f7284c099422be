//! Times for data that has none.
//!
//! Each event gets a random moment of one hour, so that the cut by time, which everything after
//! the readers does, is a random split of each user's events.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tributary_domain::{Behaviour, Event, ItemId, Timestamp, UserId};

use super::{BadRow, rating, table::Row};

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
            Self::Random(random) => Ok(Timestamp(START_MS + random.random_range(0..HOUR_MS))),
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
