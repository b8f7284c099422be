use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use tributary_domain::{Behaviour, Gender, Item, ItemId, Timestamp, UserContext, UserId};

use super::record::Ties;

/// How many newer items it takes for an item of the history to count half in the user's taste, so
/// that a few new likes show at once however long the history is.
const HALF_LIFE_ITEMS: f64 = 20.0;
/// Imagined items that draw rates towards their average.
const PRIOR: f64 = 4.0;
/// Years between two items at which they no longer count as of the same time.
const SPAN_YEARS: f64 = 12.0;
const DAY_MS: f64 = 86_400_000.0;

/// A user as the models see one: profile, recent items and taste, worked out once a request.
#[derive(Debug, Clone, Default)]
pub struct UserView {
    pub(super) user: Option<UserId>,
    pub(super) age: Option<u8>,
    pub(super) gender: Option<Gender>,
    pub(super) occupation: String,
    /// Oldest first by the last engagement, each item once.
    pub(super) items: Vec<u64>,
    pub(super) liked: Vec<u64>,
    pub(super) hidden: Vec<u64>,
    genres: HashMap<String, Taste>,
    /// Items of the history with a genre, each counted as one, and of a year likewise.
    genre_counts: HashMap<String, Taste>,
    year_counts: BTreeMap<u16, Taste>,
    /// Liked items with a tag, weighted by recency like all that follows.
    tags: HashMap<String, f64>,
    /// Items of a creator.
    creators: HashMap<u64, f64>,
    /// Sum and number of the years of liked items, or of all where none is liked.
    years: (f64, f64),
    /// All items of the history, and all liked ones.
    whole: Taste,
    /// The items of the history whose attributes are known, each counted as one.
    counted: Taste,
    last: Option<Timestamp>,
}

/// Items and liked items, each weighted by recency.
#[derive(Debug, Clone, Copy, Default)]
struct Taste {
    watched: f64,
    liked: f64,
}

impl Taste {
    fn add(&mut self, share: Self) {
        self.watched += share.watched;
        self.liked += share.liked;
    }

    /// Each part as a share of `whole`, divided by `count`.
    fn over(self, whole: Self, count: f64) -> Self {
        Self {
            watched: ratio(self.watched, whole.watched) / count,
            liked: ratio(self.liked, whole.liked) / count,
        }
    }
}

impl UserView {
    /// Reads a context. `lookup` gives the attributes of the items in its history; items that it
    /// does not know count in lengths only.
    ///
    /// The view depends on how many behaviours the context holds: training has to cut contexts to
    /// the length that the feature service keeps.
    pub fn new(context: &UserContext, lookup: &dyn Fn(ItemId) -> Option<Arc<Item>>) -> Self {
        let profile = context.profile.as_ref();
        let behaviours = &context.behaviours;
        let mut view = Self {
            user: Some(context.user),
            age: profile.and_then(|profile| profile.age),
            gender: profile.and_then(|profile| profile.gender),
            occupation: profile.map(|profile| profile.occupation.clone()).unwrap_or_default(),
            items: latest_of_each(behaviours, |behaviour| behaviour.action.is_engagement()),
            liked: latest_of_each(behaviours, |behaviour| behaviour.action.is_liking()),
            hidden: latest_of_each(behaviours, |behaviour| {
                behaviour.action == tributary_domain::Action::Hide
            }),
            last: behaviours.last().map(|behaviour| behaviour.time),
            ..Self::default()
        };
        let liked: HashSet<u64> = view.liked.iter().copied().collect();
        for (newer, id) in view.items.clone().into_iter().rev().enumerate() {
            let weight = (-to_number(newer) / HALF_LIFE_ITEMS).exp2();
            let liked = if liked.contains(&id) { weight } else { 0.0 };
            let share = Taste { watched: weight, liked };
            view.whole.add(share);
            if let Some(item) = lookup(ItemId(id)) {
                view.taste(&item, share);
                view.count(
                    &item,
                    Taste { watched: 1.0, liked: if liked > 0.0 { 1.0 } else { 0.0 } },
                );
            }
        }
        view
    }

    fn taste(&mut self, item: &Item, share: Taste) {
        for genre in &item.genres {
            entry(&mut self.genres, genre).add(share);
        }
        if share.liked > 0.0 {
            item.tags.iter().for_each(|tag| *entry(&mut self.tags, tag) += share.liked);
        }
        if let Some(creator) = item.creator {
            *self.creators.entry(creator).or_default() += share.watched;
        }
        let weight = if self.liked.is_empty() { share.watched } else { share.liked };
        if let Some(year) = item.year.filter(|_| weight > 0.0) {
            self.years.0 += f64::from(year) * weight;
            self.years.1 += weight;
        }
    }

    fn count(&mut self, item: &Item, one: Taste) {
        self.counted.add(one);
        item.genres.iter().for_each(|genre| entry(&mut self.genre_counts, genre).add(one));
        if let Some(year) = item.year {
            self.year_counts.entry(year).or_default().add(one);
        }
    }

    /// Items in the history.
    pub fn history_length(&self) -> usize {
        self.items.len()
    }

    /// Liked items an item of the history, drawn towards one half; `None` without a history.
    pub(super) fn like_rate(&self) -> Option<f64> {
        let (items, liked) = (to_number(self.items.len()), to_number(self.liked.len()));
        (items > 0.0).then(|| (liked + PRIOR / 2.0) / (items + PRIOR))
    }

    /// What connects the user with an item.
    pub(super) fn ties(&self, item: &Item) -> Ties {
        let genres = self.genre_affinity(item);
        let genre_shares = self.genre_shares(item);
        let year_shares = self.year_shares(item);
        Ties {
            genre_liked: genres.map(|genres| genres.0),
            genre_watched: genres.map(|genres| genres.1),
            genre_like_rate: genres.map(|genres| genres.2),
            genre_share_liked: genre_shares.map(|shares| shares.liked),
            genre_share_watched: genre_shares.map(|shares| shares.watched),
            year_share_liked: year_shares.map(|shares| shares.liked),
            year_share_watched: year_shares.map(|shares| shares.watched),
            tags: self.tag_affinity(item),
            creator: self.creator_affinity(item),
            year_distance: self.year_distance(item),
            days_since_created: self.days_since_created(item),
        }
    }

    /// Means over the item's genres: share of the liked items with the genre, share of all items
    /// with it, and rate of liking in it.
    fn genre_affinity(&self, item: &Item) -> Option<(f64, f64, f64)> {
        let average = self.like_rate()?;
        if item.genres.is_empty() {
            return None;
        }
        let mut sums = (0.0, 0.0, 0.0);
        for genre in &item.genres {
            let taste = self.genres.get(genre).copied().unwrap_or_default();
            sums.0 += ratio(taste.liked, self.whole.liked);
            sums.1 += ratio(taste.watched, self.whole.watched);
            sums.2 += (taste.liked + PRIOR * average) / (taste.watched + PRIOR);
        }
        let count = to_number(item.genres.len());
        Some((sums.0 / count, sums.1 / count, sums.2 / count))
    }

    /// Means over the item's genres of the share of the history, and of its liked part, with the
    /// genre: the whole history, old and new alike.
    fn genre_shares(&self, item: &Item) -> Option<Taste> {
        if item.genres.is_empty() || self.counted.watched == 0.0 {
            return None;
        }
        let mut sum = Taste::default();
        item.genres.iter().filter_map(|genre| self.genre_counts.get(genre)).for_each(|taste| {
            sum.add(*taste);
        });
        let genres = to_number(item.genres.len());
        Some(sum.over(self.counted, genres))
    }

    /// The share of the history, and of its liked part, that is of the item's time: an item of the
    /// same year counts as one, one further away the less, from [`SPAN_YEARS`] on not at all.
    fn year_shares(&self, item: &Item) -> Option<Taste> {
        let year = f64::from(item.year?);
        if self.counted.watched == 0.0 {
            return None;
        }
        let mut sum = Taste::default();
        for (other, taste) in &self.year_counts {
            let nearness = (1.0 - (f64::from(*other) - year).abs() / SPAN_YEARS).max(0.0);
            sum.add(Taste { watched: taste.watched * nearness, liked: taste.liked * nearness });
        }
        Some(sum.over(self.counted, 1.0))
    }

    /// The mean over the item's tags of the share of liked items with the tag.
    fn tag_affinity(&self, item: &Item) -> Option<f64> {
        if self.tags.is_empty() || item.tags.is_empty() {
            return None;
        }
        let liked: f64 = item.tags.iter().filter_map(|tag| self.tags.get(tag)).sum();
        Some(ratio(liked, self.whole.liked) / to_number(item.tags.len()))
    }

    /// The share of the history's items that are by the item's creator.
    fn creator_affinity(&self, item: &Item) -> Option<f64> {
        let count = self.creators.get(&item.creator?).copied().unwrap_or(0.0);
        (self.whole.watched > 0.0).then(|| count / self.whole.watched)
    }

    /// Years between the item and the mean of the user's.
    fn year_distance(&self, item: &Item) -> Option<f64> {
        let (sum, count) = self.years;
        let year = f64::from(item.year?);
        (count > 0.0).then(|| (year - sum / count).abs())
    }

    /// Days from the item's creation to the user's last behaviour.
    fn days_since_created(&self, item: &Item) -> Option<f64> {
        let milliseconds = self.last?.0.saturating_sub(item.created?.0);
        Some(to_span(milliseconds) / DAY_MS)
    }
}

/// A share of a whole; 0 where there is none.
fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

/// Items of the behaviours that qualify, each once, oldest first by its last such behaviour.
fn latest_of_each(behaviours: &[Behaviour], qualifies: impl Fn(&Behaviour) -> bool) -> Vec<u64> {
    let mut taken = HashSet::new();
    let newest_first = behaviours.iter().rev().filter(|behaviour| qualifies(behaviour));
    let ids = newest_first.map(|behaviour| behaviour.item.0).filter(|id| taken.insert(*id));
    let mut ids: Vec<u64> = ids.collect();
    ids.reverse();
    ids
}

fn entry<'a, T: Default>(map: &'a mut HashMap<String, T>, name: &str) -> &'a mut T {
    if !map.contains_key(name) {
        map.insert(name.to_owned(), T::default());
    }
    map.get_mut(name).expect("it was inserted where it was not there")
}

/// Lengths of lists in memory are far below 2^53.
pub(super) fn to_number(length: usize) -> f64 {
    length as f64
}

/// Spans beyond 2^53 ms lose their last digits.
fn to_span(milliseconds: i64) -> f64 {
    milliseconds as f64
}
