//! New items in the places that are reserved for them, so that somebody sees what no model knows.
//!
//! The trending channel names the cold items; the filters hold for them as for all candidates. Which
//! of them stand in the page's places is decided here, between the filters and the ranking; they go
//! to ranking with the others, for their scores, and are put into their places behind rerank.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
    time::Duration,
};

use tributary_domain::{Item, ItemId, Timestamp, UserContext};

use crate::{
    catalogue::View,
    config::{Config, ExplorationConfig},
    merge::Pool,
    request::Asked,
    rerank::Placed,
    upstreams::{ColdQuery, Decision},
};

/// What explanations call it.
pub const NAME: &str = "exploration";

/// Most cold items that the contract lets a channel be asked for.
const MAXIMUM_COLD: usize = 500;

/// The reserved places of one page, and where the items for them come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The channel that knows the cold items, as its place in the configuration.
    pub channel: usize,
    pub query: ColdQuery,
    /// Places in the page, from 0, ascending, at least one.
    pub places: Vec<usize>,
}

/// The page that is planned for.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    pub asked: &'a [Asked],
    pub size: usize,
    /// Items on the pages before.
    pub served: usize,
    pub now: Timestamp,
}

impl Plan {
    /// `None` where no place of the page is reserved, or nobody is asked who knows cold items.
    pub fn of(config: &Config, page: &Page<'_>) -> Option<Self> {
        let exploration = &config.exploration;
        let channel = config.exploration_channel()?;
        let is_asked = page.asked.iter().any(|asked| asked.channel == channel);
        let places = places(exploration, page.served..page.served + page.size);
        if !is_asked || places.is_empty() {
            return None;
        }
        // Those on earlier pages are named again, and filtered.
        let before = reserved(exploration, 0..page.served).count();
        let query = ColdQuery {
            limit: (exploration.candidates + before).min(MAXIMUM_COLD),
            until_impressions: exploration.until_impressions,
            created_after: before_now(page.now, exploration.max_age),
        };
        Some(Self { channel, query, places })
    }
}

fn before_now(now: Timestamp, age: Duration) -> Timestamp {
    let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
    Timestamp(now.0.saturating_sub(age).max(1))
}

/// The places in the page that lies in this range of the whole list, as many as a page may have.
fn places(config: &ExplorationConfig, page: std::ops::Range<usize>) -> Vec<usize> {
    let start = page.start;
    reserved(config, page).take(config.slots).map(|place| place - start).collect()
}

/// The reserved ones among places of the whole list, from 0.
fn reserved(
    config: &ExplorationConfig,
    places: std::ops::Range<usize>,
) -> impl Iterator<Item = usize> {
    let (first, every) = (config.first - 1, config.every);
    places.filter(move |place| *place >= first && (place - first).is_multiple_of(every))
}

/// The candidates for the reserved places, at most `count`: of the `passed` ones that are cold those
/// shown least (by powers of two), of those the ones with most of what the user dealt with, then as
/// the channel has them. No two by one creator.
pub fn choose(pool: &Pool, passed: &[usize], taste: &Taste<'_>, count: usize) -> Vec<usize> {
    let mut cold: Vec<Cold> = passed
        .iter()
        .filter_map(|candidate| {
            let (order, impressions) = pool.cold(*candidate)?;
            let shown = impressions.checked_ilog2();
            let affinity = pool.item(*candidate).map_or(0, |item| taste.affinity(item));
            Some(Cold { key: (shown, Reverse(affinity), order), candidate: *candidate })
        })
        .collect();
    cold.sort_unstable_by_key(|cold| cold.key);
    let mut creators = HashSet::new();
    let is_new = |cold: &Cold| {
        let creator = pool.item(cold.candidate).and_then(|item| item.creator);
        creator.is_none_or(|creator| creators.insert(creator))
    };
    cold.into_iter().filter(is_new).take(count).map(|cold| cold.candidate).collect()
}

struct Cold {
    key: (Option<u32>, Reverse<usize>, usize),
    candidate: usize,
}

/// What a user dealt with: how many items of each creator, tag and genre.
#[derive(Default)]
pub struct Taste<'a> {
    creators: HashMap<u64, usize>,
    labels: HashMap<&'a str, usize>,
}

impl<'a> Taste<'a> {
    /// By what the catalogue holds of the items of the history.
    pub fn of(context: &UserContext, view: &'a View) -> Self {
        let engaged = context.behaviours.iter().filter(|one| one.action.is_engagement());
        let items: HashSet<ItemId> = engaged.map(|one| one.item).collect();
        let mut taste = Self::default();
        for item in items.into_iter().filter_map(|item| view.get(item)) {
            if let Some(creator) = item.creator {
                *taste.creators.entry(creator).or_default() += 1;
            }
            for label in item.tags.iter().chain(&item.genres) {
                *taste.labels.entry(label).or_default() += 1;
            }
        }
        taste
    }

    /// Items of the history that share the creator or a label, counted once for each.
    fn affinity(&self, item: &Item) -> usize {
        let of_creator = item.creator.and_then(|creator| self.creators.get(&creator));
        let labels = item.tags.iter().chain(&item.genres);
        let of_labels = labels.filter_map(|label| self.labels.get(label.as_str()));
        of_creator.into_iter().chain(of_labels).sum()
    }
}

/// Puts rows into the reserved places of a list, the first row into the first place. A place behind
/// the list's end is its end.
pub fn put(slate: &mut Vec<Placed>, rows: &[usize], places: &[usize]) {
    for (row, place) in rows.iter().zip(places) {
        let placed = Placed { row: *row, decision: Some(Decision::Exploration) };
        slate.insert((*place).min(slate.len()), placed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes::{self, PERSONAL, TRENDING};

    fn config(slots: usize, first: usize, every: usize) -> Config {
        let mut config = fakes::config();
        config.exploration =
            ExplorationConfig { slots, first, every, ..ExplorationConfig::default() };
        config
    }

    fn places_of(config: &Config, served: usize, size: usize) -> Vec<usize> {
        let asked = [PERSONAL, TRENDING].map(|channel| Asked { channel, weight: 1 });
        let page = Page { asked: &asked, size, served, now: Timestamp(1) };
        Plan::of(config, &page).map_or(Vec::new(), |plan| plan.places)
    }

    #[test]
    fn places_are_counted_over_all_pages() {
        let every_ten = config(9, 6, 10);
        for (served, size, expected) in [
            (0, 5, &[][..]),
            (0, 6, &[5]),
            (0, 20, &[5, 15]),
            (5, 20, &[0, 10]),
            (6, 20, &[9, 19]),
            (20, 10, &[5]),
        ] {
            assert_eq!(places_of(&every_ten, served, size), expected, "{served} {size}");
        }
        assert_eq!(places_of(&config(1, 6, 10), 0, 20), [5], "as many as a page may have");
        assert_eq!(places_of(&config(2, 1, 1), 0, 20), [0, 1]);
    }

    #[test]
    fn nothing_is_planned_that_nobody_can_fill() {
        let mut off = config(2, 1, 1);
        off.exploration.enabled = false;
        assert!(places_of(&off, 0, 20).is_empty());
        let mut unknown = config(2, 1, 1);
        unknown.exploration.channel = "elsewhere".into();
        assert!(places_of(&unknown, 0, 20).is_empty());
        let personal = [Asked { channel: PERSONAL, weight: 1 }];
        let page = Page { asked: &personal, size: 9, served: 0, now: Timestamp(1) };
        assert_eq!(Plan::of(&config(2, 1, 1), &page), None);
    }

    #[test]
    fn the_question_goes_back_by_the_age_and_past_those_served() {
        let mut config = config(1, 6, 10);
        config.exploration.max_age = Duration::from_millis(400);
        let asked = [Asked { channel: TRENDING, weight: 1 }];
        let page = Page { asked: &asked, size: 10, served: 20, now: Timestamp(1_000) };
        let plan = Plan::of(&config, &page).unwrap();
        let limit = ExplorationConfig::default().candidates + 2;
        assert_eq!((plan.query.created_after, plan.query.limit), (Timestamp(600), limit));
    }

    #[test]
    fn rows_stand_in_their_places_or_at_the_end() {
        let list = |rows: &[usize]| -> Vec<Placed> {
            rows.iter().map(|row| Placed { row: *row, decision: None }).collect()
        };
        for (slate, rows, expected) in [
            (&[10, 11, 12, 13][..], &[7, 8][..], &[10, 7, 11, 8, 12, 13][..]),
            (&[10, 11], &[7], &[10, 7, 11]),
            (&[], &[7, 8], &[7, 8]),
            (&[10], &[7, 8], &[10, 7, 8]),
        ] {
            let mut slate = list(slate);
            put(&mut slate, rows, &[1, 3]);
            let found: Vec<usize> = slate.iter().map(|placed| placed.row).collect();
            assert_eq!(found, expected);
        }
    }
}
