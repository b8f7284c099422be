use super::{Filter, Scope, Split};

/// Ids that the catalogue never held: a fault of the channel. While the catalogue is not complete
/// nothing is unknown, or an answer given before the item log was read would be empty.
pub(super) const FILTER: Filter = Filter { name: "unknown", apply };

fn apply(scope: &Scope<'_>, candidates: Vec<usize>) -> Split {
    if !scope.view.complete {
        return Split::all_kept(candidates);
    }
    Split::by(candidates, |candidate| scope.pool.item(candidate).is_none())
}
