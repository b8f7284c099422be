//! Limits on how often an attribute may occur among neighbours of a list.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
};

/// At most `maximum` items that share a label in every run of `window` neighbours.
#[derive(Debug, Clone)]
pub struct Cap {
    pub maximum: usize,
    /// With a window no longer than `maximum` the cap never holds anything back.
    pub window: usize,
    pub labels: Labels,
}

/// The labels of every candidate for one attribute, interned.
#[derive(Debug, Clone)]
pub struct Labels {
    ends: Vec<usize>,
    labels: Vec<usize>,
    distinct: usize,
}

impl Labels {
    /// One row of labels for each candidate, in the candidates' order; a row may be empty.
    pub fn from_rows<R, T>(rows: R) -> Self
    where
        R: IntoIterator,
        R::Item: IntoIterator<Item = T>,
        T: Hash + Eq,
    {
        let mut names: HashMap<T, usize> = HashMap::new();
        let mut interned = Self { ends: Vec::new(), labels: Vec::new(), distinct: 0 };
        for row in rows {
            let start = interned.labels.len();
            for name in row {
                let next = names.len();
                let label = *names.entry(name).or_insert(next);
                if !interned.labels[start..].contains(&label) {
                    interned.labels.push(label);
                }
            }
            interned.ends.push(interned.labels.len());
        }
        interned.distinct = names.len();
        interned
    }

    /// Number of candidates.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    fn of(&self, candidate: usize) -> &[usize] {
        let start = candidate.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.labels[start..self.ends[candidate]]
    }
}

/// Counts what the growing list holds inside each cap's window.
pub(crate) struct Ledger<'a> {
    counts: Vec<Count<'a>>,
}

impl<'a> Ledger<'a> {
    pub(crate) fn new(caps: &'a [Cap]) -> Self {
        Self { counts: caps.iter().map(Count::new).collect() }
    }

    /// True where the candidate may stand next.
    pub(crate) fn allows(&self, candidate: usize) -> bool {
        self.counts.iter().all(|count| count.allows(candidate))
    }

    pub(crate) fn place(&mut self, candidate: usize) {
        for count in &mut self.counts {
            count.place(candidate);
        }
    }
}

struct Count<'a> {
    cap: &'a Cap,
    /// The last `window - 1` placed candidates: with the next one they make a full window.
    recent: VecDeque<usize>,
    held: Vec<usize>,
}

impl<'a> Count<'a> {
    fn new(cap: &'a Cap) -> Self {
        Self { cap, recent: VecDeque::new(), held: vec![0; cap.labels.distinct] }
    }

    fn allows(&self, candidate: usize) -> bool {
        self.cap.labels.of(candidate).iter().all(|label| self.held[*label] < self.cap.maximum)
    }

    fn place(&mut self, candidate: usize) {
        for label in self.cap.labels.of(candidate) {
            self.held[*label] += 1;
        }
        self.recent.push_back(candidate);
        if self.recent.len() >= self.cap.window {
            let gone = self.recent.pop_front();
            for label in gone.iter().flat_map(|gone| self.cap.labels.of(*gone)) {
                self.held[*label] -= 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interns_rows_without_repeats() {
        let labels = Labels::from_rows([vec!["a", "b", "a"], vec![], vec!["b"]]);
        assert_eq!((labels.len(), labels.distinct), (3, 2));
        assert_eq!(labels.of(0), [0, 1]);
        assert!(labels.of(1).is_empty());
        assert_eq!(labels.of(2), [1]);
    }

    #[test]
    fn allows_again_when_the_window_has_moved_on() {
        let labels = Labels::from_rows([vec!["a"], vec!["a"], vec!["b"], vec!["b"]]);
        let caps = [Cap { maximum: 1, window: 2, labels }];
        let mut ledger = Ledger::new(&caps);
        ledger.place(0);
        assert!(!ledger.allows(1) && ledger.allows(2));
        ledger.place(2);
        assert!(ledger.allows(1) && !ledger.allows(3));
    }
}
