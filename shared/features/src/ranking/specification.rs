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

/// The ranker: user, item, counts, what connects the two, and what the channels said.
pub fn ranker() -> Specification {
    Specification::from_toml(include_str!("specification/ranker.toml")).expect(PROOF)
}
