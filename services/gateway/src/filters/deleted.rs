use super::{Filter, Scope, Split};

/// Items that were deleted. A bundle trained before the deletion still proposes them.
pub(super) const FILTER: Filter = Filter { name: "deleted", apply };

fn apply(scope: &Scope<'_>, candidates: Vec<usize>) -> Split {
    scope.split_by_id(candidates, |item| scope.view.is_deleted(item))
}
