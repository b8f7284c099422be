//! Nothing of the test period reaches what is measured on it.
//!
//! Two looks at the same thing. Counterfactual: two data sets that differ in what comes after the
//! cut, and in nothing else, must give the same files to the byte, whatever models there are.
//! Plants: things that exist after the cut alone are searched for in the files that could hold
//! them. Both are also turned on the models of all the data, which learned from too much by
//! design: there they must find what they look for, else they would find nothing anywhere.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use tempfile::TempDir;
use tributary_domain::{Item, ItemId};
use tributary_features::{Encoder, Vocabulary, ranking::Statistics};
use tributary_retrieval::collaborative::Tables;
use tributary_trainer::{
    config::Config,
    data::{DataSet, Files, Parts, Source},
    steps,
    work::Work,
};

use crate::{formats, readers::source, training::quick};

/// An item that nobody met before the cut, and a genre that no other item has.
const NEW_ITEM: u64 = 999;
const NEW_GENRE: &str = "Futurism";
/// A tag that nobody gave before the cut.
const NEW_TAG: &str = "posthumous";
/// Two items that nobody met both of before the cut.
const STRANGERS: [u64; 2] = [901, 902];

type Row = (u64, u64, u32, u64);

fn config() -> Config {
    let mut config = Config { refit: true, ..quick() };
    config.two_tower.epochs = 2;
    config.multi_interest.epochs = 2;
    config.ranker.epochs = 3;
    config
}

/// The tiny data set with the strangers' separate admirers, in order of time, and the row from
/// which on it is the test period.
fn past_and_future() -> (Vec<Row>, usize) {
    let mut rows = formats::ratings();
    for user in 1..=20 {
        let stranger = STRANGERS[usize::from(user % 2 == 0)];
        rows.push((user, stranger, 5, formats::START + user * 1_000 + 950));
    }
    rows.sort_by_key(|row| row.3);
    let mut met = BTreeSet::new();
    rows.retain(|row| met.insert(row.3));
    let index = (0.8 * rows.len() as f64) as usize;
    (rows, index)
}

/// The plants in place of what the last users did.
fn planted() -> Vec<Row> {
    let (mut rows, cut) = past_and_future();
    let plants = [NEW_ITEM, STRANGERS[0], STRANGERS[1]];
    let mut places: BTreeMap<u64, usize> = BTreeMap::new();
    for (user, item, rating, _) in &mut rows[cut..] {
        let place = places.entry(*user).or_default();
        if let Some(plant) = plants.get(*place) {
            (*item, *rating) = (*plant, 5);
        }
        *place += 1;
    }
    rows
}

/// The same past up to a row, and at the same moments another future.
fn otherwise(from: usize) -> Vec<Row> {
    let (mut rows, _) = past_and_future();
    for (user, item, rating, _) in &mut rows[from..] {
        *item = if *item > formats::ITEMS { *item } else { formats::ITEMS + 1 - *item };
        *rating = 6 - *rating;
        *user = 61 - *user;
    }
    rows
}

fn write(folder: &Path, rows: &[Row], tag: &str) {
    let mut text = "userId,movieId,rating,timestamp\n".to_owned();
    for (user, item, rating, time) in rows {
        writeln!(text, "{user},{item},{rating},{time}").unwrap();
    }
    fs::write(folder.join("ratings.csv"), text).unwrap();
    fs::write(folder.join("movies.csv"), movies()).unwrap();
    let (past, future) = (rows[0].3, rows[rows.len() - 1].3);
    let tags = format!("userId,movieId,tag,timestamp\n1,2,old,{past}\n1,2,{tag},{future}\n");
    fs::write(folder.join("tags.csv"), tags).unwrap();
}

fn movies() -> String {
    let mut text = "movieId,title,genres\n".to_owned();
    for item in (1..=formats::ITEMS).chain(STRANGERS) {
        writeln!(text, "{item},Film {item} (1999),{}", formats::genres(item).join("|")).unwrap();
    }
    writeln!(text, "{NEW_ITEM},To Come (1999),{NEW_GENRE}").unwrap();
    text
}

fn trained(folder: &TempDir, source: &Source) -> Work {
    let work = Work::at(folder.path().join("work"));
    let (data, _) = steps::prepare(source, &work.dataset()).unwrap();
    assert_eq!(data.rejections.rejected, 0, "{:?}", data.rejections.examples);
    steps::train(&work, &config()).unwrap();
    work
}

fn trained_on(rows: &[Row], tag: &str) -> (TempDir, Work) {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), rows, tag);
    let work = trained(&folder, &source(folder.path()));
    (folder, work)
}

fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            files.insert(path.clone(), fs::read(path).unwrap());
        }
    }
    files
}

/// The files that are not the same in both folders.
fn differences(one: &Path, other: &Path) -> BTreeSet<String> {
    let named = |folder: &Path| -> BTreeMap<String, Vec<u8>> {
        let name = |path: &Path| path.strip_prefix(folder).unwrap().display().to_string();
        files(folder).into_iter().map(|(path, bytes)| (name(&path), bytes)).collect()
    };
    let (one, other) = (named(one), named(other));
    let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    assert!(names.len() > 10, "{names:?}");
    names.into_iter().filter(|name| one.get(*name) != other.get(*name)).cloned().collect()
}

/// What learned from the events: all of it must be able to show a leak.
const LEARNED: [&str; 13] = [
    "features/item_tower.json",
    "features/multi_interest_item.json",
    "features/multi_interest_user.json",
    "features/user_tower.json",
    "models/item_tower.onnx",
    "models/multi_interest_item.onnx",
    "models/multi_interest_user.onnx",
    "models/user_tower.onnx",
    "tables/collaborative.safetensors",
    "tables/graph_vectors.safetensors",
    "tables/item_statistics.safetensors",
    "tables/item_vectors.safetensors",
    "tables/multi_interest_vectors.safetensors",
];

/// Files that hold one of the plants, each with what it holds.
fn leaks(folder: &Path, known: usize) -> BTreeSet<String> {
    let mut leaks = BTreeSet::new();
    for (path, bytes) in files(folder) {
        let name = path.strip_prefix(folder).unwrap().display().to_string();
        match name.as_str() {
            "items.jsonl" => {
                let items = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
                let mut items = items.map(|line| serde_json::from_slice::<Item>(line).unwrap());
                if items.any(|item| item.tags.iter().any(|tag| tag == NEW_TAG)) {
                    leaks.insert("a tag of the items".to_owned());
                }
            }
            "tables/item_statistics.safetensors" => {
                let statistics = Statistics::from_bytes(&bytes).unwrap();
                if statistics.of(ItemId(NEW_ITEM)).interactions > 0 {
                    leaks.insert("counts of the new item".to_owned());
                }
                if statistics.interactions() != u64::try_from(known).unwrap() {
                    leaks.insert("counts of all items".to_owned());
                }
            }
            "tables/collaborative.safetensors" => {
                let tables = Tables::from_bytes(&bytes).unwrap();
                let items = tables.favourites.items();
                if items.contains(&ItemId(NEW_ITEM)) {
                    leaks.insert("neighbours of the new item".to_owned());
                }
                if are_neighbours(&tables) {
                    leaks.insert("strangers as neighbours".to_owned());
                }
            }
            encoder if encoder.starts_with("features/") && encoder.ends_with(".json") => {
                let encoder = Encoder::from_json(std::str::from_utf8(&bytes).unwrap()).unwrap();
                let tables = &encoder.layout().tables;
                let knows =
                    |value: &str| tables.iter().any(|table| has(&encoder, &table.name, value));
                // The ranker may know the new item and its genre: the catalogue has them at all
                // times, and a channel may have proposed the item.
                let of_item = [NEW_TAG, &NEW_ITEM.to_string(), NEW_GENRE];
                let sought = if name.contains("ranker") { &of_item[..1] } else { &of_item };
                for value in sought {
                    if knows(value) {
                        leaks.insert(format!("{value} in {name}"));
                    }
                }
            }
            _ => {}
        }
    }
    leaks
}

fn has(encoder: &Encoder, table: &str, value: &str) -> bool {
    match encoder.vocabulary(table) {
        None => false,
        Some(Vocabulary::Ids(ids)) => ids.iter().any(|id| id.to_string() == value),
        Some(Vocabulary::Texts(texts)) => texts.iter().any(|text| text == value),
    }
}

/// True where the table of common users has one stranger for the other.
fn are_neighbours(tables: &Tables) -> bool {
    let items = tables.favourites.items();
    let row = |id: u64| items.iter().position(|item| item.0 == id).unwrap();
    let [one, other] = STRANGERS.map(row);
    let cosine = &tables.neighbours["cosine"];
    cosine.of(one).any(|(item, weight)| item == other && weight > 0.0)
}

#[test]
fn nothing_after_the_cut_is_learned_before_it() {
    let known = past_and_future().1;
    let (_one, planted) = trained_on(&planted(), NEW_TAG);
    let (_other, otherwise) = trained_on(&otherwise(known), "other");

    assert_eq!(differences(&planted.evaluated(), &otherwise.evaluated()), BTreeSet::new());
    assert_eq!(leaks(&planted.evaluated(), known), BTreeSet::new());

    // The models of all the data saw the future, and both looks find that.
    let different = differences(&planted.final_models(), &otherwise.final_models());
    for file in LEARNED {
        assert!(different.contains(file), "{file} hides what it learned: {different:?}");
    }
    let found = leaks(&planted.final_models(), known);
    for leak in [
        "a tag of the items",
        "counts of all items",
        "counts of the new item",
        "neighbours of the new item",
        "strangers as neighbours",
        "999 in features/item_tower.json",
        "999 in features/user_tower.json",
        "Futurism in features/item_tower.json",
    ] {
        assert!(found.contains(leak), "{leak} is not among {found:?}");
    }
}

/// The ranker is the same in both folders of a training; that it could show a leak takes a future
/// that begins in its window.
#[test]
fn what_comes_in_its_window_shows_in_the_ranker() {
    let (rows, cut) = past_and_future();
    let (_one, whole) = trained_on(&rows, "one");
    let (_other, changed) = trained_on(&otherwise(cut - rows.len() / 10), "one");
    let different = differences(&whole.evaluated(), &changed.evaluated());
    for file in ["features/ranker.json", "models/ranker.onnx"] {
        assert!(different.contains(file), "{file} hides what it learned: {different:?}");
    }
}

/// The rows of a split's test part are the last fifth; its training part is all before.
fn given(folder: &Path, rows: &[Row], cut: usize) -> Source {
    let write = |name: &str, rows: &[Row]| -> PathBuf {
        let mut text = "user,item,rating,time\n".to_owned();
        for (user, item, rating, time) in rows {
            writeln!(text, "{user},{item},{rating},{time}").unwrap();
        }
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let described = folder.join("described");
    fs::create_dir_all(&described).unwrap();
    let items = movies().replace("movieId", "item");
    fs::write(described.join("items.csv"), items).unwrap();
    let parts = Parts {
        train: write("train.csv", &rows[..cut]),
        validation: None,
        test: write("test.csv", &rows[cut..]),
        attributes: Some(described),
    };
    Source { files: Files::Given(parts), ..source(folder) }
}

#[test]
fn nothing_of_a_given_test_part_is_learned() {
    let cut = past_and_future().1;
    let train = |rows: &[Row]| {
        let folder = tempfile::tempdir().unwrap();
        let work = trained(&folder, &given(folder.path(), rows, cut));
        let (data, _) = DataSet::open(&work.dataset()).unwrap();
        assert!(data.given.is_some_and(|given| given.test.len() > 20));
        (folder, work)
    };
    let ((_one, planted), (_other, otherwise)) = (train(&planted()), train(&otherwise(cut)));
    assert_eq!(differences(&planted.evaluated(), &otherwise.evaluated()), BTreeSet::new());
    assert_eq!(leaks(&planted.evaluated(), cut), BTreeSet::new());
    let different = differences(&planted.final_models(), &otherwise.final_models());
    for file in LEARNED {
        assert!(different.contains(file), "{file} hides what it learned: {different:?}");
    }
    assert!(!leaks(&planted.final_models(), cut).is_empty());
}
