use std::{collections::HashMap, fs, path::Path};

use tributary_domain::{Event, Item, ItemId, UserId};

use super::*;
use crate::data::{self, DataSet, Files, Format, Source};

const RECIPE: Recipe = Recipe { users: 400, items: 2_000, events: 30_000, seed: 3 };
const SESSION_MS: i64 = 30 * 60_000;

fn made(recipe: &Recipe) -> DataSet {
    let folder = tempfile::tempdir().unwrap();
    write(recipe, folder.path(), &mut |_| {}).unwrap();
    let files = Files::Whole(folder.path().into());
    data::read(&Source { files, format: Format::Auto, rejected_share: 0.0, seed: 1 }).unwrap()
}

fn bytes(recipe: &Recipe, folder: &Path) -> Vec<Vec<u8>> {
    write(recipe, folder, &mut |_| {}).unwrap();
    ["items.csv", "users.csv", "events.csv", "synthetic.json"]
        .map(|name| fs::read(folder.join(name)).unwrap())
        .to_vec()
}

#[test]
fn the_seed_decides_everything() {
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let recipes = [RECIPE, RECIPE, Recipe { seed: 4, ..RECIPE }];
    let [one, same, other] = [0, 1, 2].map(|index| bytes(&recipes[index], folders[index].path()));
    assert_eq!(one, same);
    for (file, (one, other)) in one.iter().zip(&other).enumerate() {
        assert_ne!(one, other, "file {file}");
    }
}

#[test]
fn what_is_made_is_read_whole_and_labelled() {
    let data = made(&RECIPE);
    assert!(data.name.starts_with("synthetic"), "{}", data.name);
    assert_eq!(data.rejections.rejected, 0, "{:?}", data.rejections.examples);
    assert_eq!((data.users.len(), data.items.len()), (RECIPE.users, RECIPE.items));
    assert_eq!(data.events.len(), RECIPE.events);
    assert!(data.timed);
    assert!(data.items.iter().all(|item| item.creator.is_some()
        && item.year.is_some()
        && !item.tags.is_empty()
        && !item.genres.is_empty()
        && !item.title.is_empty()));
    assert!(data.users.iter().all(|user| user.age.is_some() && user.gender.is_some()));
    let share = |wanted: fn(&Event) -> bool| {
        float(data.events.iter().filter(|event| wanted(event)).count()) / float(data.events.len())
    };
    assert!((0.2..0.6).contains(&share(|event| event.behaviour.action.is_liking())));
    assert!((0.001..0.05).contains(&share(|event| event.behaviour.action == Action::Hide)));
}

#[test]
fn few_items_have_most_of_the_events() {
    let data = made(&RECIPE);
    let mut counts: HashMap<ItemId, usize> = HashMap::new();
    data.events.iter().for_each(|event| *counts.entry(event.behaviour.item).or_default() += 1);
    let mut counts: Vec<usize> = counts.into_values().collect();
    counts.sort_unstable_by(|one, other| other.cmp(one));
    counts.resize(RECIPE.items, 0);
    let share = |items: &[usize]| float(items.iter().sum()) / float(RECIPE.events);
    let (top, half) = (share(&counts[..RECIPE.items / 100]), share(&counts[RECIPE.items / 2..]));
    assert!((0.08..0.5).contains(&top), "the top hundredth has {top}");
    assert!(half < 0.2, "the lower half has {half}");
}

#[test]
fn items_appear_over_time_and_are_met_afterwards() {
    let data = made(&RECIPE);
    let created: HashMap<ItemId, i64> =
        data.items.iter().filter_map(|item| Some((item.id, item.created?.0))).collect();
    assert!(
        data.events.iter().all(|event| created[&event.behaviour.item] <= event.behaviour.time.0)
    );
    let old = created.values().filter(|created| **created < START_MS).count();
    assert!((0.3..0.5).contains(&(float(old) / float(RECIPE.items))), "{old}");
}

/// Of each user the events in order of time.
fn histories(data: &DataSet) -> HashMap<UserId, Vec<Event>> {
    let mut histories: HashMap<UserId, Vec<Event>> = HashMap::new();
    data.events.iter().for_each(|event| histories.entry(event.user).or_default().push(*event));
    histories
}

#[test]
fn events_come_in_bursts_about_one_thing() {
    let data = made(&RECIPE);
    let genre: HashMap<ItemId, &str> =
        data.items.iter().map(|item: &Item| (item.id, item.genres[0].as_str())).collect();
    let (mut within, mut across) = ((0, 0), (0, 0));
    for history in histories(&data).values() {
        for pair in history.windows(2) {
            let [one, next] = [pair[0].behaviour, pair[1].behaviour];
            assert!(next.time > one.time, "a user does one thing at a time");
            let near = next.time.0 - one.time.0 < SESSION_MS;
            let (same, all) = if near { &mut within } else { &mut across };
            *same += usize::from(genre[&one.item] == genre[&next.item]);
            *all += 1;
        }
    }
    let bursts = float(within.1) / float(within.1 + across.1);
    assert!((0.7..0.9).contains(&bursts), "{bursts} of the gaps are short");
    let share = |(same, all): (usize, usize)| float(same) / float(all);
    let (within, across) = (share(within), share(across));
    assert!(within > 0.5 && within > across * 1.2, "{within} within, {across} across sessions");
    // Two events of different users are about the same thing far less often than either.
    let mut counts: HashMap<&str, usize> = HashMap::new();
    data.events
        .iter()
        .for_each(|event| *counts.entry(genre[&event.behaviour.item]).or_default() += 1);
    let chance: f64 =
        counts.values().map(|count| (float(*count) / float(RECIPE.events)).powi(2)).sum();
    assert!(across > chance * 1.5, "{across} of one user, {chance} by chance");
}

#[test]
fn small_worlds_are_possible() {
    for (users, items, events) in [(20, 30, 300), (12, 3_000, 20_000), (3_000, 40, 3_000)] {
        let data = made(&Recipe { users, items, events, seed: 9 });
        assert_eq!((data.users.len(), data.items.len()), (users, items));
        assert_eq!(data.events.len(), events);
    }
}
