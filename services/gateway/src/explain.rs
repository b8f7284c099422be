//! Why an item is in a list, or is not.

use tributary_domain::ItemId;

use crate::{filters::SEEN, outcome::Outcome};

/// What became of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// In the list, at this place from 0.
    Listed(usize),
    /// No channel proposed it.
    NotRecalled,
    /// The filter of that name removed it.
    Filtered(&'static str),
    /// It was a candidate and did not make the list.
    Outranked,
    /// Left out by a quota or by the bound on candidates.
    Cut,
}

/// What became of an item, and the candidate that it was, where it was one.
pub fn verdict(outcome: &Outcome, item: ItemId) -> (Verdict, Option<usize>) {
    let Some(candidate) = outcome.pool.find(item) else {
        return (without_candidate(outcome, item), None);
    };
    let listed = |place: &usize| outcome.candidate(outcome.slate[*place]) == candidate;
    let removed = outcome.removed.iter().find(|one| one.candidate == candidate);
    let verdict = match ((0..outcome.slate.len()).find(listed), removed) {
        (Some(place), _) => Verdict::Listed(place),
        (None, Some(removed)) => Verdict::Filtered(removed.filter),
        (None, None) if outcome.cut.contains(&candidate) => Verdict::Cut,
        (None, None) => Verdict::Outranked,
    };
    (verdict, Some(candidate))
}

/// Channels leave out by themselves what the user has seen, so that the filter does not meet it:
/// the reason is the same.
fn without_candidate(outcome: &Outcome, item: ItemId) -> Verdict {
    let proposed = outcome.answers.iter().any(|answer| answer.place(item).is_some());
    match proposed {
        true => Verdict::Cut,
        false if outcome.context.has_seen(item) => Verdict::Filtered(SEEN),
        false => Verdict::NotRecalled,
    }
}
