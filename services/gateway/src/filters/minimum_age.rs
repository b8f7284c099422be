use super::{Filter, Scope, Split};

/// Items for people older than the user. Where the age is not known the configured one counts.
pub(super) const FILTER: Filter = Filter { name: "minimum_age", apply };

fn apply(scope: &Scope<'_>, candidates: Vec<usize>) -> Split {
    scope.split_by_item(candidates, |item| item.minimum_age > scope.age)
}
