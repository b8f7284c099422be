//! Made-up data of any size, for benchmarks and tests: never a measure of quality.
//!
//! The world has interests, each with a few niches. An item belongs to a niche, whose creators,
//! tags and words it shares, has a popularity by Zipf's law and a quality, and appears at some
//! moment. A user has a few niches, some dearer than others, and a profile that hints at the
//! dearest. Users come in sessions; a session is about one of the user's niches, strays to the rest
//! of the interest, to what is new there and to what is popular anywhere, and is liked the more the
//! closer it is to the user's taste. So there is something to learn for every kind of model: items
//! that go together, tastes behind features, the order of a session, trends.
//!
//! Everything comes from the seed, a stream of random numbers a user; users are written one after
//! another, so that memory grows with the items alone.

mod draw;
mod person;
mod session;
mod words;
mod world;

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tributary_domain::{Action, Gender};

use self::{person::Person, world::World};
use crate::{
    data::label::Label,
    error::TrainerError,
    number::{float, floor},
};

/// 2020-01-01.
const START_MS: i64 = 1_577_836_800_000;
const DAY_MS: i64 = 86_400_000;
/// How long the events go on.
const SPAN_MS: i64 = 180 * DAY_MS;

/// What to make up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipe {
    pub users: usize,
    pub items: usize,
    pub events: usize,
    pub seed: u64,
}

impl Recipe {
    fn label(&self) -> Label {
        let Self { users, items, events, seed } = *self;
        Label {
            name: format!("synthetic-{users}x{items}-{events}-seed-{seed}"),
            users,
            items,
            events,
            seed,
        }
    }

    /// The random numbers of one purpose; streams do not overlap.
    fn random(&self, stream: usize) -> ChaCha8Rng {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream(u64::try_from(stream).unwrap_or(u64::MAX));
        random
    }
}

/// Writes `items.csv`, `users.csv`, `events.csv` and the label `synthetic.json` to a folder that
/// `prepare` reads. The same recipe gives the same bytes. `on_user` is called after each user with
/// their number.
pub fn write(
    recipe: &Recipe,
    folder: &Path,
    on_user: &mut dyn FnMut(usize),
) -> Result<(), TrainerError> {
    std::fs::create_dir_all(folder).map_err(TrainerError::file("create", folder))?;
    let mut write = || {
        let world = World::new(recipe.items, &mut recipe.random(0));
        write_items(&world, folder)?;
        write_people(recipe, &world, folder, on_user)?;
        recipe.label().write(folder)
    };
    write().map_err(TrainerError::file("write", folder))
}

fn create(folder: &Path, name: &str, header: &str) -> io::Result<BufWriter<File>> {
    let mut file = BufWriter::new(File::create(folder.join(name))?);
    writeln!(file, "{header}")?;
    Ok(file)
}

fn write_items(world: &World, folder: &Path) -> io::Result<()> {
    let header = "item,title,creator,tags,genres,year,created";
    let mut file = create(folder, "items.csv", header)?;
    for (id, item) in (1_usize..).zip(&world.items) {
        let labels = world.labels(id, item);
        let (title, tags, genres) = (labels.title, labels.tags.join("|"), labels.genres.join("|"));
        let (creator, year, created) = (item.creator, labels.year, item.created);
        writeln!(file, "{id},{title},{creator},{tags},{genres},{year},{created}")?;
    }
    file.flush()
}

fn write_people(
    recipe: &Recipe,
    world: &World,
    folder: &Path,
    on_user: &mut dyn FnMut(usize),
) -> io::Result<()> {
    let mut users = create(folder, "users.csv", "user,age,gender,occupation")?;
    let mut events = create(folder, "events.csv", "user,item,action,time,dwell_ms")?;
    let total: f64 =
        (1..=recipe.users).map(|user| person::activity(&mut recipe.random(user))).sum();
    let (mut active, mut written) = (0.0, 0);
    for user in 1..=recipe.users {
        let mut random = recipe.random(user);
        active += person::activity(&mut random);
        // Rounding what has come so far gives every event to somebody.
        let due = match user == recipe.users {
            true => recipe.events,
            false => floor(float(recipe.events) * active / total).min(recipe.events),
        };
        let person = Person::new(world, &mut random);
        let gender = if person.gender == Gender::Female { "F" } else { "M" };
        writeln!(users, "{user},{},{gender},{}", person.age, person.occupation)?;
        session::visit(world, &person, due - written, &mut random, |step| {
            let (item, time, dwell) = (step.item + 1, step.time, step.dwell_ms);
            let action = Action::as_str(step.action);
            writeln!(events, "{user},{item},{action},{time},{dwell}")
        })?;
        written = due;
        on_user(user);
    }
    users.flush()?;
    events.flush()
}

#[cfg(test)]
mod tests;
