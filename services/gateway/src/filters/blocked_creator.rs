use super::{Filter, Scope, Split};

/// Items of creators that the user blocked.
pub(super) const FILTER: Filter = Filter { name: "blocked_creator", apply };

fn apply(scope: &Scope<'_>, candidates: Vec<usize>) -> Split {
    if scope.blocked_creators.is_empty() {
        return Split::all_kept(candidates);
    }
    scope.split_by_item(candidates, |item| {
        item.creator.is_some_and(|creator| scope.blocked_creators.contains(&creator))
    })
}
