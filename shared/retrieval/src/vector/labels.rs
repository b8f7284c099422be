//! A place among vectors for items that have none: where the items with the same labels lie.

use std::collections::{HashMap, HashSet};

use tributary_domain::Item;

use super::VectorIndex;

/// The means of the vectors of the items that share a label: creator, tag, genre, or five years.
#[derive(Debug, Default)]
pub struct LabelMeans {
    means: HashMap<Label, Mean>,
    items: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Label {
    Creator(u64),
    Tag(String),
    Genre(String),
    /// A fifth of the year.
    Years(u16),
}

#[derive(Debug)]
struct Mean {
    sum: Vec<f32>,
    items: usize,
}

impl LabelMeans {
    /// The means over those of the items that the index was built with.
    pub fn of<'a>(index: &VectorIndex, items: impl IntoIterator<Item = &'a Item>) -> Self {
        let mut means = Self::default();
        for item in items {
            let Some(vector) = index.get(item.id) else { continue };
            means.items += 1;
            for label in labels(item) {
                let empty = || Mean { sum: vec![0.0; vector.len()], items: 0 };
                let mean = means.means.entry(label).or_insert_with(empty);
                mean.items += 1;
                mean.sum.iter_mut().zip(vector).for_each(|(sum, value)| *sum += value);
            }
        }
        means
    }

    /// The mean of the item's labels' means, each weighted by how much the label says: by the log of
    /// one over the share of the items that have it. The more the items of the labels lie apart, the
    /// shorter the vector, and the later the item is found. `None` where no label is known.
    pub fn place(&self, item: &Item) -> Option<Vec<f32>> {
        let mut total = 0.0;
        let mut place: Vec<f32> = Vec::new();
        for mean in labels(item).iter().filter_map(|label| self.means.get(label)) {
            let (count, weight) = (to_float(mean.items), self.weight(mean));
            place.resize(mean.sum.len(), 0.0);
            place.iter_mut().zip(&mean.sum).for_each(|(to, sum)| *to += weight * sum / count);
            total += weight;
        }
        (total > 0.0).then(|| {
            place.iter_mut().for_each(|value| *value /= total);
            place
        })
    }

    fn weight(&self, mean: &Mean) -> f32 {
        (1.0 + to_float(self.items) / to_float(mean.items)).ln()
    }
}

/// Each label once, in an order that depends on the item alone, so that sums are the same.
fn labels(item: &Item) -> Vec<Label> {
    let mut met = HashSet::new();
    let creator = item.creator.map(Label::Creator);
    let tags = item.tags.iter().cloned().map(Label::Tag);
    let genres = item.genres.iter().cloned().map(Label::Genre);
    let years = item.year.map(|year| Label::Years(year / 5));
    let all = creator.into_iter().chain(tags).chain(genres).chain(years);
    all.filter(|label| met.insert(label.clone())).collect()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of items are far below 2^24 times a hundred"
)]
fn to_float(count: usize) -> f32 {
    count as f32
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use tributary_domain::ItemId;

    use super::{super::VectorConfig, *};

    fn item(id: u64, creator: u64, genre: &str) -> Item {
        let genres = vec![genre.to_owned(), genre.to_owned()];
        Item { creator: Some(creator), genres, ..Item::bare(ItemId(id)) }
    }

    /// Creator 7 works one way, creator 8 the other, both in the same genre.
    fn means() -> LabelMeans {
        let vectors = array![[1.0, 0.0], [0.8, 0.2], [0.0, 1.0], [0.2, 0.8]];
        let ids = [1, 2, 3, 4].map(ItemId).to_vec();
        let index = VectorIndex::build(ids, vectors, &VectorConfig::default()).unwrap();
        let items = [
            item(1, 7, "drama"),
            item(2, 7, "drama"),
            item(3, 8, "drama"),
            item(4, 8, "drama"),
            item(9, 8, "comedy"),
        ];
        LabelMeans::of(&index, &items)
    }

    #[track_caller]
    fn check(item: &Item, expected: Option<[f32; 2]>) {
        let place = means().place(item);
        match (place, expected) {
            (None, None) => {}
            (Some(place), Some(expected)) => {
                for (found, expected) in place.iter().zip(expected) {
                    assert!((found - expected).abs() < 1e-6, "{place:?}");
                }
            }
            (place, expected) => panic!("{place:?}, not {expected:?}"),
        }
    }

    #[test]
    fn a_new_item_lies_where_its_labels_do_and_the_rarer_one_counts_more() {
        // By hand: the creator's mean with ln 3, the genre's (the middle of all) with ln 2.
        let (creator, genre) = (3.0_f32.ln(), 2.0_f32.ln());
        let share = creator / (creator + genre);
        let one = share * 0.9 + (1.0 - share) * 0.5;
        check(&item(5, 7, "drama"), Some([one, 1.0 - one]));
        check(&item(5, 8, "drama"), Some([1.0 - one, one]));
        check(&item(5, 7, "comedy"), Some([0.9, 0.1]));
    }

    #[test]
    fn labels_that_no_vector_has_place_nothing() {
        check(&item(5, 99, "comedy"), None);
        check(&Item::bare(ItemId(5)), None);
    }
}
