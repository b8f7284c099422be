//! Groups of users by age and gender.

use tributary_domain::Gender;

/// A group of users; `None` stands for any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Segment {
    /// Number of the age band, from 0.
    pub age_band: Option<usize>,
    pub gender: Option<Gender>,
}

impl Segment {
    /// The segments a user belongs to, narrowest first; none where neither age nor gender is known.
    pub fn all_of(
        age: Option<u8>,
        gender: Option<Gender>,
        bands: &[u8],
    ) -> impl Iterator<Item = Self> + use<> {
        let age_band = age.map(|age| bands.partition_point(|bound| *bound <= age));
        let both = age_band.is_some() && gender.is_some();
        let segments = [
            both.then_some(Self { age_band, gender }),
            age_band.map(|_| Self { age_band, gender: None }),
            gender.map(|_| Self { age_band: None, gender }),
        ];
        segments.into_iter().flatten()
    }
}
