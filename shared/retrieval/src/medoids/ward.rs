//! Ward's hierarchical clustering: of all pairs of clusters, merge the one that adds least to the
//! sum of squared distances of the members to their centres.

use ndarray::ArrayView2;

/// When merging stops.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// A merge that adds more to the sum of squares is made only to get below `clusters`.
    pub(super) increase: f64,
    /// There are never more clusters.
    pub(super) clusters: usize,
}

/// Squared distances of all pairs.
#[derive(Debug, Clone)]
pub(super) struct Distances {
    size: usize,
    /// Row-major, symmetric.
    values: Vec<f64>,
}

impl Distances {
    /// Of the rows of `vectors` [rows, dimensions].
    pub(super) fn between(vectors: ArrayView2<'_, f32>) -> Self {
        let size = vectors.nrows();
        let mut distances = Self { size, values: vec![0.0; size * size] };
        for one in 0..size {
            for other in one + 1..size {
                let pairs = vectors.row(one).into_iter().zip(vectors.row(other));
                let squares = pairs.map(|(left, right)| f64::from(left - right).powi(2));
                distances.set(one, other, squares.sum());
            }
        }
        distances
    }

    pub(super) fn of(&self, one: usize, other: usize) -> f64 {
        self.values[one * self.size + other]
    }

    fn set(&mut self, one: usize, other: usize, value: f64) {
        self.values[one * self.size + other] = value;
        self.values[other * self.size + one] = value;
    }
}

/// The clusters of the rows, members ascending, clusters by their first member. Of merges that
/// add the same, the one of the earliest rows comes first.
pub(super) fn clusters(distances: &Distances, limits: Limits) -> Vec<Vec<usize>> {
    let mut tree = Tree::of(distances);
    let mut count = distances.size;
    while let Some((one, other)) = tree.closest() {
        // Between single rows the distance is twice what merging them adds to the sum of squares,
        // and Ward's update keeps that ratio.
        if count <= limits.clusters && tree.distances.of(one, other) / 2.0 > limits.increase {
            break;
        }
        tree.merge(one, other);
        count -= 1;
    }
    let mut clusters = tree.members;
    clusters.retain(|members| !members.is_empty());
    clusters.iter_mut().for_each(|members| members.sort_unstable());
    clusters
}

/// A cluster stands at the row of its first member.
struct Tree {
    distances: Distances,
    /// Empty where the cluster went into an earlier one.
    members: Vec<Vec<usize>>,
    /// The closest of the clusters that stand after each. Merging two others brings neither
    /// closer to a third than the nearer of them was, so that only few need a new one.
    nearest: Vec<Option<usize>>,
}

impl Tree {
    fn of(distances: &Distances) -> Self {
        let size = distances.size;
        let members = (0..size).map(|row| vec![row]).collect();
        let mut tree = Self { distances: distances.clone(), members, nearest: vec![None; size] };
        (0..size).for_each(|row| tree.find_nearest(row));
        tree
    }

    fn find_nearest(&mut self, row: usize) {
        let others = (row + 1..self.members.len()).filter(|other| self.stands(*other));
        let distance = |other: &usize| self.distances.of(row, *other);
        self.nearest[row] = others.min_by(|one, other| distance(one).total_cmp(&distance(other)));
    }

    fn stands(&self, row: usize) -> bool {
        !self.members[row].is_empty()
    }

    fn closest(&self) -> Option<(usize, usize)> {
        let pairs = (0..self.members.len()).filter(|row| self.stands(*row));
        let pairs = pairs.filter_map(|row| Some((row, self.nearest[row]?)));
        let distance = |pair: &(usize, usize)| self.distances.of(pair.0, pair.1);
        pairs.min_by(|one, other| distance(one).total_cmp(&distance(other)))
    }

    /// Merges a cluster into an earlier one; its distances follow by the formula of Lance and
    /// Williams (1967).
    fn merge(&mut self, earlier: usize, later: usize) {
        let apart = self.distances.of(earlier, later);
        let (one, other) = (self.size(earlier), self.size(later));
        let moved = std::mem::take(&mut self.members[later]);
        self.members[earlier].extend(moved);
        for third in 0..self.members.len() {
            if third == earlier || !self.stands(third) {
                continue;
            }
            let size = self.size(third);
            let sum = (one + size) * self.distances.of(earlier, third)
                + (other + size) * self.distances.of(later, third)
                - size * apart;
            self.distances.set(earlier, third, sum / (one + other + size));
        }
        for row in 0..later {
            let is_stale = [Some(earlier), Some(later)].contains(&self.nearest[row]);
            if self.stands(row) && (row == earlier || is_stale) {
                self.find_nearest(row);
            }
        }
    }

    fn size(&self, row: usize) -> f64 {
        let size = u32::try_from(self.members[row].len());
        f64::from(size.expect("a history has fewer than 2^32 items"))
    }
}
