//! Fourth stage: what must not be shown.
//!
//! A filter is a function from candidates to kept and removed; the chain runs them in order, and a
//! candidate belongs to the first filter that removes it.

use std::collections::HashSet;

use tributary_domain::{Item, ItemId, UserContext};

use crate::{
    catalogue::View,
    config::{ChannelConfig, SceneConfig},
    merge::Pool,
};

mod blocked_creator;
mod blocked_tag;
mod deleted;
mod hidden;
mod minimum_age;
mod rules;
mod seen;
mod served;
mod unknown;

/// Every filter, in the order of their running: cheap and most often deciding ones first.
pub const CHAIN: [Filter; 9] = [
    served::FILTER,
    seen::FILTER,
    deleted::FILTER,
    unknown::FILTER,
    hidden::FILTER,
    blocked_creator::FILTER,
    blocked_tag::FILTER,
    minimum_age::FILTER,
    rules::FILTER,
];

/// A reason not to show an item.
pub struct Filter {
    /// Its name in explanations and metrics.
    pub name: &'static str,
    pub apply: fn(&Scope<'_>, Vec<usize>) -> Split,
}

/// What the filters decide by, prepared once a request.
pub struct Scope<'a> {
    pub pool: &'a Pool,
    pub view: &'a View,
    pub channels: &'a [ChannelConfig],
    pub context: &'a UserContext,
    /// Ascending.
    pub served: &'a [ItemId],
    pub rules: &'a SceneConfig,
    /// The user's age, or the configured one where it is not known.
    pub age: u8,
    blocked_creators: HashSet<u64>,
    blocked_tags: HashSet<&'a str>,
}

/// The parts of a [`Scope`] that are taken as they are.
pub struct Facts<'a> {
    pub pool: &'a Pool,
    pub view: &'a View,
    pub channels: &'a [ChannelConfig],
    pub context: &'a UserContext,
    pub served: &'a [ItemId],
    pub rules: &'a SceneConfig,
    pub unknown_age: u8,
}

impl<'a> Scope<'a> {
    pub fn new(facts: Facts<'a>) -> Self {
        let Facts { pool, view, channels, context, served, rules, unknown_age } = facts;
        let profile = context.profile.as_ref();
        Self {
            pool,
            view,
            channels,
            context,
            served,
            rules,
            age: profile.and_then(|profile| profile.age).unwrap_or(unknown_age),
            blocked_creators: profile
                .map(|profile| profile.blocked_creators.iter().copied().collect())
                .unwrap_or_default(),
            blocked_tags: profile
                .map(|profile| profile.blocked_tags.iter().map(String::as_str).collect())
                .unwrap_or_default(),
        }
    }

    /// True where a channel found the candidate that follows the item log.
    fn is_fresh(&self, candidate: usize) -> bool {
        let mut findings = self.pool.findings(candidate).iter();
        // Cold items come from a channel that lives from the log.
        self.pool.cold(candidate).is_some()
            || findings.any(|finding| self.channels[finding.channel].fresh)
    }

    /// Splits by id.
    fn split_by_id(&self, candidates: Vec<usize>, removes: impl Fn(ItemId) -> bool) -> Split {
        Split::by(candidates, |candidate| removes(self.pool.id(candidate)))
    }

    /// Splits by what the catalogue holds; an item of which it holds nothing is kept:
    /// the filter of unknown ids decides on it.
    fn split_by_item(&self, candidates: Vec<usize>, removes: impl Fn(&Item) -> bool) -> Split {
        Split::by(candidates, |candidate| self.pool.item(candidate).is_some_and(&removes))
    }
}

/// Candidates after a filter; both in the order that they came in.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Split {
    pub kept: Vec<usize>,
    pub removed: Vec<usize>,
}

impl Split {
    fn by(mut candidates: Vec<usize>, removes: impl Fn(usize) -> bool) -> Self {
        let removed = candidates.extract_if(.., |candidate| removes(*candidate)).collect();
        Self { kept: candidates, removed }
    }

    fn all_kept(candidates: Vec<usize>) -> Self {
        Self { kept: candidates, removed: Vec::new() }
    }
}

/// A candidate that a filter removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Removed {
    pub candidate: usize,
    pub filter: &'static str,
}

/// Runs the chain over the whole pool.
pub fn run(scope: &Scope<'_>) -> (Vec<usize>, Vec<Removed>) {
    let mut candidates: Vec<usize> = (0..scope.pool.len()).collect();
    let mut removed = Vec::new();
    for filter in &CHAIN {
        let split = (filter.apply)(scope, candidates);
        let named = |candidate| Removed { candidate, filter: filter.name };
        removed.extend(split.removed.into_iter().map(named));
        candidates = split.kept;
    }
    (candidates, removed)
}

/// The name of the filter of unknown ids: with a complete catalogue its finds are also a fault of
/// the channel.
pub const UNKNOWN: &str = unknown::FILTER.name;
/// The name of the filter of seen items.
pub const SEEN: &str = seen::FILTER.name;
