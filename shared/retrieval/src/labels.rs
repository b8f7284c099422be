//! Which labels (genres) a history has more of than others' histories have.

use std::collections::HashMap;

use tributary_domain::ItemId;

use crate::archive::{Archive, ArchiveWriter, TableError, bounded};

/// Imagined items with the labels of everybody's, which draw a short history towards them.
const PRIOR: f64 = 20.0;

const ITEMS: &str = "item_ids";
const ENDS: &str = "ends";
const LABELS: &str = "labels";
const SHARES: &str = "shares";

/// The labels of items by number, and how often each occurs among all that anybody dealt with.
///
/// As safetensors: `item_ids` U64 [N], `ends` U64 [N] and `labels` U32, the items' labels end to
/// end, and `shares` F32 [labels].
#[derive(Debug, Clone, PartialEq)]
pub struct Labels {
    /// One list of labels for each.
    pub items: Vec<(ItemId, Vec<u32>)>,
    /// Interactions with an item of the label, as a share of all; above 0.
    pub shares: Vec<f32>,
}

impl Labels {
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut archive = ArchiveWriter::default();
        let count = self.items.len();
        let mut end = 0_u64;
        let ends = self.items.iter().map(|(_, labels)| {
            end += u64::try_from(labels.len()).expect("memory has fewer than 2^64 bytes");
            end
        });
        archive.add(ENDS, &[count], ends.collect::<Vec<_>>());
        archive.add(ITEMS, &[count], self.items.iter().map(|(item, _)| item.0));
        let labels: Vec<u32> =
            self.items.iter().flat_map(|(_, labels)| labels.iter().copied()).collect();
        archive.add(LABELS, &[labels.len()], labels);
        archive.add(SHARES, &[self.shares.len()], self.shares.iter().copied());
        archive.to_bytes()
    }

    /// Refuses damaged bytes, ends that do not part the labels, labels without a share, and shares
    /// that are not above 0.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TableError> {
        let archive = Archive::open(bytes)?;
        let (items, ends): (Vec<u64>, Vec<u64>) = (archive.list(ITEMS)?, archive.list(ENDS)?);
        let (labels, shares): (Vec<u32>, Vec<f32>) = (archive.list(LABELS)?, archive.list(SHARES)?);
        if !shares.iter().all(|share| share.is_finite() && *share > 0.0) {
            return Err(TableError::invalid(SHARES, "holds a share that is not above 0"));
        }
        if let Some(label) = labels.iter().find(|label| number(**label) >= shares.len()) {
            return Err(TableError::invalid(LABELS, format_args!("{label} has no share")));
        }
        if ends.len() != items.len() || !ends.is_sorted() {
            return Err(TableError::invalid(ENDS, "does not part the labels by item"));
        }
        let mut start = 0;
        let mut lists = Vec::with_capacity(items.len());
        for (item, end) in items.into_iter().zip(ends) {
            let end = bounded(ENDS, end, labels.len())?;
            lists.push((ItemId(item), labels[start..end].to_vec()));
            start = end;
        }
        Ok(Self { items: lists, shares })
    }

    /// For each label how much more of the past has it than of everybody's, as a logarithm.
    fn lifts(&self, past: impl Iterator<Item = (usize, f32)>) -> Vec<f64> {
        let mut counts = vec![0.0; self.shares.len()];
        let mut total = 0.0;
        for (row, weight) in past {
            total += f64::from(weight);
            self.items[row].1.iter().for_each(|label| counts[number(*label)] += f64::from(weight));
        }
        let lift = |(count, share): (&f64, &f32)| {
            let expected = f64::from(*share);
            ((count + PRIOR * expected) / ((total + PRIOR) * expected)).ln()
        };
        counts.iter().zip(&self.shares).map(lift).collect()
    }
}

/// Labels that can be asked.
#[derive(Debug)]
pub(crate) struct LabelTable {
    labels: Labels,
    rows: HashMap<ItemId, usize>,
}

impl LabelTable {
    pub(crate) fn new(labels: Labels) -> Self {
        let rows = labels.items.iter().map(|(item, _)| *item).zip(0..).collect();
        Self { labels, rows }
    }

    /// The lifts of a past.
    pub(crate) fn ask(&self, past: &[(ItemId, f32)]) -> Vec<f64> {
        let known = past.iter().filter_map(|(item, weight)| Some((*self.rows.get(item)?, *weight)));
        self.labels.lifts(known)
    }

    /// The mean lift of an item's labels; 0 where it has none.
    pub(crate) fn score(&self, item: ItemId, lifts: &[f64]) -> f64 {
        let Some(row) = self.rows.get(&item) else { return 0.0 };
        let labels = &self.labels.items[*row].1;
        let sum: f64 = labels.iter().map(|label| lifts[number(*label)]).sum();
        sum / f64::from(u32::try_from(labels.len().max(1)).unwrap_or(u32::MAX))
    }
}

fn number(label: u32) -> usize {
    usize::try_from(label).expect("usize has at least 32 bits here")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Labels {
        let items = [(1, vec![0]), (2, vec![0, 1]), (3, vec![])];
        Labels {
            items: items.map(|(item, labels)| (ItemId(item), labels)).to_vec(),
            shares: vec![0.5, 0.25],
        }
    }

    #[test]
    fn lifts_by_hand() {
        let table = LabelTable::new(labels());
        let lifts = table.ask(&[(ItemId(2), 1.0), (ItemId(1), 1.0), (ItemId(9), 1.0)]);
        let expected = [(12.0_f64 / 11.0).ln(), (6.0_f64 / 5.5).ln()];
        for (found, expected) in lifts.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{lifts:?}");
        }
        let mean = f64::midpoint(expected[0], expected[1]);
        assert!((table.score(ItemId(2), &lifts) - mean).abs() < 1e-12);
        assert_eq!(table.score(ItemId(3), &lifts), 0.0);
        assert_eq!(table.score(ItemId(9), &lifts), 0.0);
        assert!(table.ask(&[]).iter().all(|lift| lift.abs() < 1e-12), "nothing is known of nobody");
    }

    #[test]
    fn the_table_reads_back_and_broken_ones_are_refused() {
        assert_eq!(Labels::from_bytes(&labels().to_bytes()).unwrap(), labels());
        let refused = |labels: Labels, part: &str| {
            let error = Labels::from_bytes(&labels.to_bytes()).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        };
        refused(Labels { shares: vec![0.5], ..labels() }, "labels");
        refused(Labels { shares: vec![0.5, 0.0], ..labels() }, "shares");
        refused(Labels { shares: vec![0.5, f32::NAN], ..labels() }, "shares");
    }
}
