//! The keys of Redis. `docs/redis.md` describes them; a change needs a new `FORMAT`.

use tributary_domain::UserId;

pub(super) const FORMAT: u64 = 1;

/// The numbers of the catalogue and the logs: all of these are in one slot.
pub(super) const NUMBERS: &str = "t1:{log}:n";
const LOG: &str = "t1:{log}:";

pub(super) fn item(hex: &str) -> String {
    format!("{LOG}i:{hex}")
}

pub(super) fn counters(hex: &str) -> String {
    format!("{LOG}c:{hex}")
}

pub(super) fn positions() -> String {
    format!("{LOG}p")
}

/// An id as it stands in keys and in payloads.
pub(super) fn hex(id: u64) -> String {
    format!("{id:016x}")
}

/// A part of the users, in one slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Partition(pub(super) u16);

impl Partition {
    pub(super) fn of(user: UserId, partitions: u16) -> Self {
        let part = scatter(user.0) % u64::from(partitions);
        Self(u16::try_from(part).expect("less than the number of partitions"))
    }

    pub(super) fn outbox(self) -> String {
        self.key("o")
    }

    /// The last number of the outbox.
    pub(super) fn last(self) -> String {
        self.key("l")
    }

    /// Versions of deleted users are not greater.
    pub(super) fn floor(self) -> String {
        self.key("f")
    }

    pub(super) fn state(self, user: UserId) -> String {
        self.key(&format!("s:{}", hex(user.0)))
    }

    pub(super) fn recorded(self, user: UserId) -> String {
        self.key(&format!("r:{}", hex(user.0)))
    }

    fn key(self, name: &str) -> String {
        format!("t1:{{u{}}}:{name}", self.0)
    }
}

/// The finaliser of SplitMix64, so that users in a row are not partitions in a row.
fn scatter(id: u64) -> u64 {
    let mixed = (id ^ (id >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_stay_where_they_are() {
        // On disk: a change here loses every user.
        let partitions: Vec<u16> = (1..=6).map(|user| Partition::of(UserId(user), 256).0).collect();
        assert_eq!(partitions, PLACES);
        assert_eq!(Partition(7).state(UserId(42)), "t1:{u7}:s:000000000000002a");
    }

    const PLACES: [u16; 6] = [229, 138, 240, 20, 220, 108];
}
