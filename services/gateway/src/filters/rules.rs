use super::{Filter, Scope, Split};

/// Business rules of the scene: genres and tags that do not belong there.
pub(super) const FILTER: Filter = Filter { name: "rules", apply };

fn apply(scope: &Scope<'_>, candidates: Vec<usize>) -> Split {
    let rules = scope.rules;
    if rules.excluded_genres.is_empty() && rules.excluded_tags.is_empty() {
        return Split::all_kept(candidates);
    }
    scope.split_by_item(candidates, |item| {
        item.genres.iter().any(|genre| rules.excluded_genres.contains(genre))
            || item.tags.iter().any(|tag| rules.excluded_tags.contains(tag))
    })
}
