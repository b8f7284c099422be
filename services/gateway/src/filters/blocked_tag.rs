use super::{Filter, Scope, Split};

/// Items with a tag or genre that the user blocked.
pub(super) const FILTER: Filter = Filter { name: "blocked_tag", apply };

fn apply(scope: &Scope<'_>, candidates: Vec<usize>) -> Split {
    if scope.blocked_tags.is_empty() {
        return Split::all_kept(candidates);
    }
    scope.split_by_item(candidates, |item| {
        let mut labels = item.tags.iter().chain(&item.genres);
        labels.any(|label| scope.blocked_tags.contains(label.as_str()))
    })
}
