//! Interests, niches and items.

use rand::{Rng, seq::SliceRandom};
use rand_distr::{Distribution, StandardNormal};

use super::{
    DAY_MS, SPAN_MS, START_MS,
    draw::Urn,
    words::{GENRES, word},
};
use crate::number::{float, floor};

/// Items an interest, as long as there are not too few or too many interests.
const ITEMS_AN_INTEREST: usize = 250;
const NICHES: usize = 5;
/// Items a creator, on average.
const WORKS: usize = 8;
/// Zipf's exponent of the items' popularity.
const EXPONENT: f64 = 0.9;
/// Share of the items that are there before the first event.
const OLD: f64 = 0.4;
const YEAR_MS: i64 = 365 * DAY_MS;

/// A niche by its number over all interests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Niche(pub(super) usize);

impl Niche {
    /// The interest that it is a part of.
    pub(super) fn interest(self) -> usize {
        self.0 / NICHES
    }
}

#[derive(Debug, Clone)]
pub(super) struct WorldItem {
    pub(super) niche: Niche,
    pub(super) creator: usize,
    /// Unix milliseconds.
    pub(super) created: i64,
    /// How well it is made: mean 0, deviation 1.
    pub(super) quality: f64,
}

/// What is written of an item.
pub(super) struct Labels {
    pub(super) title: String,
    pub(super) tags: Vec<String>,
    pub(super) genres: Vec<&'static str>,
    pub(super) year: i64,
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) items: Vec<WorldItem>,
    pub(super) interests: usize,
    niches: Vec<Urn>,
    by_interest: Vec<Urn>,
    all: Urn,
}

impl World {
    pub(super) fn new(count: usize, random: &mut impl Rng) -> Self {
        let interests = (count / ITEMS_AN_INTEREST).clamp(4, 40);
        let niches = interests * NICHES;
        let creators = (count / niches / WORKS).max(1);
        let mut items: Vec<WorldItem> = (0..count)
            .map(|_| {
                let niche = Niche(random.random_range(0..niches));
                // Some creators make much more than others.
                let creator = floor(float(creators) * random.random::<f64>().powi(2));
                WorldItem {
                    niche,
                    creator: niche.0 * creators + creator + 1,
                    created: appearance(random),
                    quality: StandardNormal.sample(random),
                }
            })
            .collect();
        items.sort_by_key(|item| item.created);
        if let Some(first) = items.first_mut() {
            first.created = first.created.min(START_MS - DAY_MS);
        }
        let mut ranks: Vec<usize> = (1..=count).collect();
        ranks.shuffle(random);
        let mut world = Self {
            interests,
            niches: vec![Urn::default(); niches],
            by_interest: vec![Urn::default(); interests],
            all: Urn::default(),
            items,
        };
        for ((index, item), rank) in (0_u32..).zip(&world.items).zip(ranks) {
            let weight = float(rank).powf(-EXPONENT);
            let niche = item.niche;
            world.niches[niche.0].push(index, item.created, weight);
            world.by_interest[niche.interest()].push(index, item.created, weight);
            world.all.push(index, item.created, weight);
        }
        world
    }

    pub(super) fn item(&self, index: u32) -> &WorldItem {
        &self.items[crate::interactions::position(index)]
    }

    /// A niche, those of popular interests more often.
    pub(super) fn niche(&self, random: &mut impl Rng) -> Niche {
        let interest = floor(float(self.interests) * random.random::<f64>().powf(1.5));
        Niche(interest * NICHES + random.random_range(0..NICHES))
    }

    /// An item for a session about a niche that is there by a moment of the span.
    pub(super) fn draw(&self, niche: Niche, moment: i64, random: &mut impl Rng) -> u32 {
        let near = &self.by_interest[niche.interest()];
        let found = match random.random_range(0..20) {
            0..12 => self.niches[niche.0].popular(moment, random),
            12..16 => near.popular(moment, random),
            16..18 => near.latest(moment, random),
            _ => None,
        };
        let any = || self.all.popular(moment, random);
        found.or_else(any).expect("the first item is older than the span")
    }

    /// Title, tags, genres and year, worked out anew from the item's number.
    pub(super) fn labels(&self, id: usize, item: &WorldItem) -> Labels {
        let (niche, interest) = (item.niche.0, item.niche.interest());
        // Six words of the niche, six of the interest, and a hundred for all.
        let own = |number: usize| word(niche * 6 + number % 6);
        let near = |number: usize| word(self.niches.len() * 6 + interest * 6 + number % 6);
        let any = |number: usize| word(7_900 + number % 100);
        let genre = GENRES[interest % GENRES.len()];
        let second = GENRES[(interest * 7 + id % 3 + 3) % GENRES.len()];
        let mut genres = vec![genre];
        if second != genre && id.is_multiple_of(2) {
            genres.push(second);
        }
        let mut tags = vec![own(id), own(id / 6), near(id), any(id * 31)];
        tags.sort_unstable();
        tags.dedup();
        Labels {
            title: format!("{} {} {id}", own(id / 36), near(id / 6)),
            tags,
            genres,
            year: 1970 + item.created.div_euclid(YEAR_MS),
        }
    }
}

/// When an item appears: some in the years before, the others while the events go on.
fn appearance(random: &mut impl Rng) -> i64 {
    match random.random_bool(OLD) {
        true => START_MS - random.random_range(0..8 * YEAR_MS),
        false => START_MS + random.random_range(0..SPAN_MS),
    }
}
