//! The greedy selection that all algorithms share.

use std::cmp::Ordering;

use super::{Pick, Reason};
use crate::caps::{Cap, Ledger};

/// What a candidate would add to the list. Candidates are numbered by their place in the order by
/// score, from 0.
pub(super) trait Gain {
    /// Never below the gain of this place or of a later one.
    fn ceiling(&self, place: usize) -> f32;

    /// The gain, or nothing where it is not more than `over`.
    fn gain(&mut self, place: usize, over: f32) -> Option<f32>;

    /// True where the candidate is no different from what was picked already.
    fn is_spent(&mut self, _place: usize) -> bool {
        false
    }

    fn picked(&mut self, place: usize);
}

/// The gain that leaves the order by score as it is.
pub(super) struct ByScore;

impl Gain for ByScore {
    #[expect(clippy::cast_precision_loss, reason = "places are far below 2^24")]
    fn ceiling(&self, place: usize) -> f32 {
        -(place as f32)
    }

    fn gain(&mut self, place: usize, over: f32) -> Option<f32> {
        Some(self.ceiling(place)).filter(|gain| *gain > over)
    }

    fn picked(&mut self, _place: usize) {}
}

/// The candidates by score, best first, ties by index.
pub(super) struct Order {
    candidates: Vec<usize>,
}

impl Order {
    pub(super) fn by_score(scores: &[f32]) -> Self {
        let mut candidates: Vec<usize> = (0..scores.len()).collect();
        candidates.sort_by(|one, other| best_first(scores[*one], scores[*other]));
        Self { candidates }
    }

    pub(super) fn candidates(&self) -> &[usize] {
        &self.candidates
    }

    /// The scores in this order; those that are not finite take the lowest that is.
    pub(super) fn scores(&self, scores: &[f32]) -> Vec<f32> {
        let lowest = scores.iter().copied().filter(|score| score.is_finite()).reduce(f32::min);
        let lowest = lowest.unwrap_or(0.0);
        let score = |index: &usize| Some(scores[*index]).filter(|score| score.is_finite());
        self.candidates.iter().map(|index| score(index).unwrap_or(lowest)).collect()
    }

    /// Picks min(size, candidates) times the largest gain that the caps allow; where they allow
    /// nothing, the largest of all.
    pub(super) fn select(&self, gain: &mut impl Gain, size: usize, caps: &[Cap]) -> Vec<Pick> {
        let size = size.min(self.candidates.len());
        let mut ledger = Ledger::new(caps);
        let mut left = Left::new(self.candidates.len());
        let mut picks = Vec::with_capacity(size);
        while picks.len() < size {
            let (place, reason) = self.next(gain, &left, &ledger);
            picks.push(Pick { index: self.candidates[place], reason });
            left.remove(place);
            ledger.place(self.candidates[place]);
            gain.picked(place);
        }
        picks
    }

    fn next(&self, gain: &mut impl Gain, left: &Left, ledger: &Ledger<'_>) -> (usize, Reason) {
        let mut largest = Best::none();
        let mut allowed = Best::none();
        for place in left.places() {
            if gain.ceiling(place) <= allowed.gain {
                break;
            }
            let Some(offer) = gain.gain(place, allowed.gain) else { continue };
            largest.offer(place, offer);
            if ledger.allows(self.candidates[place]) {
                allowed.offer(place, offer);
            }
        }
        let largest = largest.place.expect("the caller asks only while candidates are left");
        let Some(place) = allowed.place else { return (largest, Reason::Fill) };
        let reason = match place {
            _ if gain.is_spent(place) && left.places().all(|place| gain.is_spent(place)) => {
                Reason::Fill
            }
            place if place == left.first => Reason::Score,
            place if place == largest => Reason::Diversity,
            _ => Reason::Cap,
        };
        (place, reason)
    }
}

/// Descending, what is not finite last.
fn best_first(one: f32, other: f32) -> Ordering {
    let key = |score: f32| if score.is_finite() { score } else { f32::NEG_INFINITY };
    key(other).total_cmp(&key(one))
}

/// The first of the largest gains seen.
struct Best {
    place: Option<usize>,
    gain: f32,
}

impl Best {
    fn none() -> Self {
        Self { place: None, gain: f32::NEG_INFINITY }
    }

    fn offer(&mut self, place: usize, gain: f32) {
        if gain > self.gain {
            *self = Self { place: Some(place), gain };
        }
    }
}

/// The places not picked yet; one that is picked never comes back.
struct Left {
    taken: Vec<bool>,
    /// The lowest place left, which has the best score.
    first: usize,
}

impl Left {
    fn new(count: usize) -> Self {
        Self { taken: vec![false; count], first: 0 }
    }

    fn places(&self) -> impl Iterator<Item = usize> {
        let taken = self.taken[self.first..].iter();
        (self.first..).zip(taken).filter(|(_, taken)| !**taken).map(|(place, _)| place)
    }

    fn remove(&mut self, place: usize) {
        self.taken[place] = true;
        while self.taken.get(self.first).is_some_and(|taken| *taken) {
            self.first += 1;
        }
    }
}
