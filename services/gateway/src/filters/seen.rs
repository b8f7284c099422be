use super::{Filter, Scope, Split};

/// Items that the user dealt with, hid, or was shown too often. Channels leave them out as well;
/// the invariant is kept here.
pub(super) const FILTER: Filter = Filter { name: "seen", apply };

fn apply(scope: &Scope<'_>, candidates: Vec<usize>) -> Split {
    if scope.context.seen.is_empty() {
        return Split::all_kept(candidates);
    }
    scope.split_by_id(candidates, |item| scope.context.has_seen(item))
}
