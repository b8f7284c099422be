//! Features for data like MovieLens. Copies of these files are the place to start from.

use crate::Specification;

const PROOF: &str = "the specifications in this crate are tested";

/// The user tower: profile and recent items.
pub fn user_tower() -> Specification {
    Specification::from_toml(include_str!("specification/user_tower.toml")).expect(PROOF)
}

/// The item tower: id and attributes.
pub fn item_tower() -> Specification {
    Specification::from_toml(include_str!("specification/item_tower.toml")).expect(PROOF)
}

/// The user in the multi-interest model: the history to be routed, and the profile.
pub fn multi_interest_user() -> Specification {
    Specification::from_toml(include_str!("specification/multi_interest_user.toml")).expect(PROOF)
}

/// The item tower of the multi-interest model.
pub fn multi_interest_item() -> Specification {
    Specification::from_toml(include_str!("specification/multi_interest_item.toml")).expect(PROOF)
}

/// The ranker: user, item, counts, what connects the two, and what the channels said.
pub fn ranker() -> Specification {
    Specification::from_toml(include_str!("specification/ranker.toml")).expect(PROOF)
}
