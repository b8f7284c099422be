//! Users: what they like, and what their profile gives away of it.

use rand::{Rng, RngCore};
use rand_distr::{Distribution, Exp1, LogNormal, StandardNormal};
use tributary_domain::Gender;

use super::{
    words::OCCUPATIONS,
    world::{Niche, World},
};
use crate::number::floor;

/// Niches of one user, at most.
const NICHES: usize = 4;
/// Spread of the users' activity: the busiest hundredth does about a tenth of everything.
const ACTIVITY: f64 = 1.0;

#[derive(Debug)]
pub(super) struct Person {
    /// With how dear they are; sums to 1.
    pub(super) niches: Vec<(Niche, f64)>,
    /// How readily the user likes: mean 0.
    pub(super) warmth: f64,
    pub(super) age: usize,
    pub(super) gender: Gender,
    pub(super) occupation: &'static str,
}

/// How much of all that happens the user does, to be drawn before anything else.
pub(super) fn activity(random: &mut impl RngCore) -> f64 {
    LogNormal::new(0.0, ACTIVITY).expect("the spread is finite").sample(random)
}

impl Person {
    pub(super) fn new(world: &World, random: &mut impl Rng) -> Self {
        let count = random.random_range(1..=NICHES);
        let mut niches: Vec<(Niche, f64)> =
            (0..count).map(|_| (world.niche(random), Exp1.sample(random))).collect();
        let total: f64 = niches.iter().map(|(_, weight)| weight).sum();
        niches.iter_mut().for_each(|(_, weight)| *weight /= total);
        let dearest = niches.iter().max_by(|one, other| one.1.total_cmp(&other.1));
        let interest = dearest.map_or(0, |(niche, _)| niche.interest());
        let spread: f64 = StandardNormal.sample(random);
        let middle = f64::from(u8::try_from(18 + interest * 7 % 40).unwrap_or(40));
        let hint = random.random_bool(0.5);
        let any = random.random_range(0..OCCUPATIONS.len());
        let feminine = if interest.is_multiple_of(2) { 0.7 } else { 0.3 };
        Self {
            niches,
            warmth: 0.6 * Distribution::<f64>::sample(&StandardNormal, random),
            age: floor((middle + 8.0 * spread).clamp(13.0, 80.0)),
            gender: if random.random_bool(feminine) { Gender::Female } else { Gender::Male },
            occupation: OCCUPATIONS[if hint { interest % OCCUPATIONS.len() } else { any }],
        }
    }

    /// The niche that a session is about.
    pub(super) fn mood(&self, random: &mut impl Rng) -> Niche {
        let mut aim: f64 = random.random();
        for (niche, weight) in &self.niches {
            aim -= weight;
            if aim < 0.0 {
                return *niche;
            }
        }
        self.niches[0].0
    }

    /// 1 for the user's own niches, one half for others of the same interests.
    pub(super) fn affinity(&self, niche: Niche) -> f64 {
        if self.niches.iter().any(|(own, _)| *own == niche) {
            1.0
        } else if self.niches.iter().any(|(own, _)| own.interest() == niche.interest()) {
            0.5
        } else {
            0.0
        }
    }
}
