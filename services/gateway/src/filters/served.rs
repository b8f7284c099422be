use super::{Filter, Scope, Split};

/// Items on earlier pages of the same token.
pub(super) const FILTER: Filter = Filter { name: "served", apply };

fn apply(scope: &Scope<'_>, candidates: Vec<usize>) -> Split {
    if scope.served.is_empty() {
        return Split::all_kept(candidates);
    }
    scope.split_by_id(candidates, |item| scope.served.binary_search(&item).is_ok())
}
