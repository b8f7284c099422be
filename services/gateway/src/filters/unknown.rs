use super::{Filter, Scope, Split};

/// Ids that the catalogue does not hold. Nothing is known against them, so while the catalogue is
/// read, or cut off from its log, they pass only where a channel found them that follows the log
/// itself. Before its first read they all pass, or no answer would have an item.
pub(super) const FILTER: Filter = Filter { name: "unknown", apply };

fn apply(scope: &Scope<'_>, candidates: Vec<usize>) -> Split {
    if scope.view.is_empty() {
        return Split::all_kept(candidates);
    }
    let passes = |candidate| !scope.view.complete && scope.is_fresh(candidate);
    Split::by(candidates, |candidate| scope.pool.item(candidate).is_none() && !passes(candidate))
}
