//! What a user does, session after session.

use std::{collections::HashSet, io};

use rand::Rng;
use rand_distr::{Distribution, Exp1};
use tributary_domain::Action;

use super::{
    SPAN_MS, START_MS,
    person::Person,
    world::{Niche, World, WorldItem},
};
use crate::number::{float, floor};

/// Events of a session, on average.
const LENGTH: f64 = 6.0;
/// Between two events of a session, on average.
const STEP_MS: f64 = 75_000.0;
/// Between two sessions, at least.
const PAUSE_MS: f64 = 3_600_000.0;
/// How often an item is drawn again because the user knows it already.
const TRIES: usize = 6;

/// One event.
pub(super) struct Deed {
    /// From 0 on.
    pub(super) item: u32,
    pub(super) action: Action,
    pub(super) time: i64,
    pub(super) dwell_ms: usize,
}

/// Gives `count` events of a user to `accept`, oldest first.
pub(super) fn visit(
    world: &World,
    person: &Person,
    count: usize,
    random: &mut impl Rng,
    mut accept: impl FnMut(&Deed) -> io::Result<()>,
) -> io::Result<()> {
    let lengths = lengths(count, random);
    let span = float(usize::try_from(SPAN_MS).unwrap_or(0)) * (1.0 - 0.7 * random.random::<f64>());
    // Whoever does very much does it faster.
    let pause = PAUSE_MS.min(span / (4.0 * float(lengths.len().max(1))));
    let step = STEP_MS.min(span / (8.0 * float(count.max(1))));
    let mut starts: Vec<f64> = lengths.iter().map(|_| span * random.random::<f64>()).collect();
    starts.sort_by(f64::total_cmp);
    let begin = START_MS + SPAN_MS - whole(span);
    let (mut seen, mut clock) = (HashSet::new(), 0.0_f64);
    for (length, start) in lengths.into_iter().zip(starts) {
        clock = start.max(clock + pause);
        let mood = person.mood(random);
        for _ in 0..length {
            let gap: f64 = Exp1.sample(random);
            clock += 1.0 + step * gap;
            let time = begin + whole(clock);
            let item = unseen(world, mood, time, &seen, random);
            seen.insert(item);
            let (action, dwell_ms) = reaction(person, world.item(item), random);
            accept(&Deed { item, action, time, dwell_ms })?;
        }
    }
    Ok(())
}

/// Sessions of geometric length that have so many events together.
fn lengths(count: usize, random: &mut impl Rng) -> Vec<usize> {
    let mut lengths = Vec::new();
    let mut left = count;
    while left > 0 {
        let mut length = 1;
        while length < left && random.random_bool(1.0 - 1.0 / LENGTH) {
            length += 1;
        }
        left -= length;
        lengths.push(length);
    }
    lengths
}

fn unseen(
    world: &World,
    mood: Niche,
    time: i64,
    seen: &HashSet<u32>,
    random: &mut impl Rng,
) -> u32 {
    let mut item = world.draw(mood, time, random);
    for _ in 0..TRIES {
        if !seen.contains(&item) {
            break;
        }
        item = world.draw(mood, time, random);
    }
    item
}

/// What the user does with an item, and for how many milliseconds.
fn reaction(person: &Person, item: &WorldItem, random: &mut impl Rng) -> (Action, usize) {
    let affinity = person.affinity(item.niche);
    let logit = -2.2 + 2.2 * affinity + 0.7 * item.quality + person.warmth;
    let spread: f64 = Exp1.sample(random);
    let dwell = floor(5_000.0 + 20_000.0 * (0.3 + affinity) * spread);
    let action = if random.random_bool(1.0 / (1.0 + (-logit).exp())) {
        if random.random_bool(0.8) { Action::Bookmark } else { Action::Share }
    } else if random.random_bool(0.06 * (1.0 - affinity)) {
        Action::Hide
    } else if random.random_bool(0.7) {
        Action::View
    } else {
        Action::Click
    };
    (action, if action == Action::View { dwell } else { 0 })
}

fn whole(milliseconds: f64) -> i64 {
    i64::try_from(floor(milliseconds)).unwrap_or(i64::MAX)
}
