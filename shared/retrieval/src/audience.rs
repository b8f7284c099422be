//! Who deals with an item: how much more the users of a group do so than all users.

use std::collections::HashMap;

use ndarray::Array2;
use tributary_domain::{ItemId, UserProfile};
use tributary_features::bucket;

use crate::archive::{Archive, ArchiveWriter, TableError};

/// Lower bounds of the age groups.
const AGES: [u8; 6] = [18, 25, 35, 45, 50, 56];

const ITEMS: &str = "item_ids";
const GROUPS: &str = "groups";
const RATIOS: &str = "ratios";

/// What users are grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trait {
    Gender,
    Age,
    Occupation,
}

impl Trait {
    pub const ALL: [Self; 3] = [Self::Gender, Self::Age, Self::Occupation];

    /// The table's name in a feature's field.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gender => "gender",
            Self::Age => "age",
            Self::Occupation => "occupation",
        }
    }

    /// The user's group as it stands in the table; `None` where the profile does not say.
    pub fn group(self, profile: &UserProfile) -> Option<u64> {
        let value = match self {
            Self::Gender => profile.gender.map(|gender| gender.as_str().to_owned()),
            Self::Age => {
                profile.age.map(|age| AGES.partition_point(|bound| *bound <= age).to_string())
            }
            Self::Occupation => Some(profile.occupation.clone()),
        };
        let value = value.filter(|value| !value.is_empty())?;
        Some(bucket(format!("{}={value}", self.name()).as_bytes(), u64::MAX))
    }
}

/// The logarithm of how much more often each group deals with each item than all users do.
///
/// As safetensors: `item_ids` U64 [N], `groups` U64 [G], `ratios` F32 [G, N].
#[derive(Debug, Clone, PartialEq)]
pub struct Audience {
    pub items: Vec<ItemId>,
    pub groups: Vec<u64>,
    /// [groups, items]
    pub ratios: Array2<f32>,
}

impl Audience {
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut archive = ArchiveWriter::default();
        archive.add(ITEMS, &[self.items.len()], self.items.iter().map(|item| item.0));
        archive.add(GROUPS, &[self.groups.len()], self.groups.iter().copied());
        archive.add(RATIOS, self.ratios.shape(), self.ratios.iter().copied());
        archive.to_bytes()
    }

    /// Refuses damaged bytes, other shapes, and numbers that are not finite.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TableError> {
        let archive = Archive::open(bytes)?;
        let items: Vec<u64> = archive.list(ITEMS)?;
        let groups: Vec<u64> = archive.list(GROUPS)?;
        let (shape, ratios) = archive.array::<f32>(RATIOS)?;
        if shape != [groups.len(), items.len()] {
            let reason =
                format!("shape {shape:?} for {} groups and {} items", groups.len(), items.len());
            return Err(TableError::invalid(RATIOS, reason));
        }
        if !ratios.iter().all(|ratio| ratio.is_finite()) {
            return Err(TableError::invalid(RATIOS, "holds a number that is not finite"));
        }
        let ratios = Array2::from_shape_vec((groups.len(), items.len()), ratios);
        let ratios = ratios.map_err(|error| TableError::invalid(RATIOS, error))?;
        Ok(Self { items: items.into_iter().map(ItemId).collect(), groups, ratios })
    }
}

/// An audience that can be asked.
#[derive(Debug)]
pub(crate) struct AudienceTable {
    ratios: Array2<f32>,
    rows: HashMap<ItemId, usize>,
    groups: HashMap<u64, usize>,
}

impl AudienceTable {
    pub(crate) fn new(audience: Audience) -> Self {
        let Audience { items, groups, ratios } = audience;
        let rows = items.into_iter().zip(0..).collect();
        Self { ratios, rows, groups: groups.into_iter().zip(0..).collect() }
    }

    /// The row of the user's group; `None` where it is not known.
    pub(crate) fn ask(&self, kind: Trait, profile: Option<&UserProfile>) -> Option<usize> {
        self.groups.get(&kind.group(profile?)?).copied()
    }

    pub(crate) fn score(&self, item: ItemId, group: Option<usize>) -> f32 {
        let row = self.rows.get(&item);
        group.zip(row).map_or(0.0, |(group, row)| self.ratios[[group, *row]])
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use tributary_domain::{Gender, UserId};

    use super::*;

    fn profile() -> UserProfile {
        UserProfile {
            id: UserId(1),
            age: Some(25),
            gender: Some(Gender::Female),
            occupation: String::new(),
            blocked_creators: vec![],
            blocked_tags: vec![],
        }
    }

    fn audience() -> Audience {
        let groups = [Trait::Gender, Trait::Age].map(|kind| kind.group(&profile()).unwrap());
        Audience {
            items: vec![ItemId(3), ItemId(4)],
            groups: groups.to_vec(),
            ratios: array![[0.5, -0.5], [1.0, 2.0]],
        }
    }

    #[test]
    fn a_user_is_asked_by_group() {
        let table = AudienceTable::new(audience());
        let score = |kind, item| table.score(ItemId(item), table.ask(kind, Some(&profile())));
        assert_eq!(score(Trait::Gender, 4), -0.5);
        assert_eq!(score(Trait::Age, 3), 1.0);
        assert_eq!(score(Trait::Occupation, 3), 0.0, "the profile does not say");
        assert_eq!(score(Trait::Age, 9), 0.0, "an unknown item");
        assert_eq!(table.score(ItemId(3), table.ask(Trait::Age, None)), 0.0);
        let older = UserProfile { age: Some(80), ..profile() };
        assert_eq!(table.ask(Trait::Age, Some(&older)), None, "a group that nobody was of");
    }

    #[test]
    fn ages_are_grouped_by_their_lower_bounds() {
        let group = |age| Trait::Age.group(&UserProfile { age: Some(age), ..profile() });
        assert_eq!(group(25), group(34));
        assert_ne!(group(24), group(25));
    }

    #[test]
    fn the_table_reads_back_and_broken_ones_are_refused() {
        assert_eq!(Audience::from_bytes(&audience().to_bytes()).unwrap(), audience());
        let narrow = Audience { ratios: array![[0.5], [1.0]], ..audience() };
        let endless = Audience { ratios: array![[0.5, f32::NAN], [1.0, 0.0]], ..audience() };
        for broken in [narrow, endless] {
            let error = Audience::from_bytes(&broken.to_bytes()).unwrap_err();
            assert!(error.to_string().contains("ratios"), "{error}");
        }
    }
}
