use super::{Filter, Scope, Split};

/// Items that are in the catalogue and not to be shown.
pub(super) const FILTER: Filter = Filter { name: "hidden", apply };

fn apply(scope: &Scope<'_>, candidates: Vec<usize>) -> Split {
    scope.split_by_item(candidates, |item| item.hidden)
}
