//! The harness against an independent implementation in numpy, on the same split.

use std::{
    collections::{BTreeMap, HashMap},
    env,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use tributary_domain::Event;
use tributary_trainer::{
    config::Config,
    data::{self, DataSet, Files, Format, Parts, Source},
    evaluate::Evaluation,
    steps,
    work::Work,
};

use crate::{formats, readers::source};

const NEIGHBOURS: usize = 100;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A split in two files, a user and an item a line.
struct Split {
    train: PathBuf,
    test: PathBuf,
}

/// Holds out a quarter of each user's items, drawn by chance.
fn split(data: &DataSet, folder: &Path) -> Split {
    let mut by_user: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for Event { user, behaviour } in &data.events {
        by_user.entry(user.0).or_default().push(behaviour.item.0);
    }
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let (mut train, mut test) = (String::new(), String::new());
    for (user, mut items) in by_user {
        items.shuffle(&mut random);
        let held = (items.len() + 2) / 4;
        for (index, item) in items.into_iter().enumerate() {
            let part = if index < held { &mut test } else { &mut train };
            writeln!(part, "{user}\t{item}").unwrap();
        }
    }
    let split = Split { train: folder.join("train.tsv"), test: folder.join("test.tsv") };
    fs::write(&split.train, train).unwrap();
    fs::write(&split.test, test).unwrap();
    split
}

/// What numpy makes of the split: precision, recall and NDCG at 10 by model.
fn by_numpy(split: &Split, regularisation: f32) -> serde_json::Value {
    let python = env::var("TRIBUTARY_PYTHON")
        .map_or_else(|_| repository().join(".tools/python/bin/python"), PathBuf::from);
    let output = Command::new(&python)
        .arg(repository().join("tests/oracles/top_lists.py"))
        .args([&split.train, &split.test])
        .args([regularisation.to_string(), NEIGHBOURS.to_string()])
        .output();
    let output = output
        .unwrap_or_else(|error| panic!("{}: {error}; `make python` installs it", python.display()));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What the harness makes of it.
fn by_harness(split: &Split, folder: &Path, regularisation: f32) -> Evaluation {
    let parts = Parts {
        train: split.train.clone(),
        validation: None,
        test: split.test.clone(),
        attributes: None,
    };
    let source =
        Source { files: Files::Given(parts), format: Format::Csv, rejected_share: 0.0, seed: 1 };
    let work = Work::at(folder.join("work"));
    steps::prepare(&source, &work.dataset()).unwrap();
    let mut config = Config::default();
    config.ease.regularisation = regularisation;
    config.item_knn.neighbours = NEIGHBOURS;
    config.split.context = usize::MAX;
    steps::evaluate_baselines(&work, &config).unwrap()
}

/// Compares to 1e-4 and gives NDCG@10 by model.
fn check(data: &DataSet, regularisation: f32) -> HashMap<&'static str, f64> {
    let folder = tempfile::tempdir().unwrap();
    let split = split(data, folder.path());
    let expected = by_numpy(&split, regularisation);
    let found = by_harness(&split, folder.path(), regularisation);
    let models = ["popularity", "ItemKNN", "EASE"];
    let compared = models.map(|model| {
        let row = found.list(model).unwrap().at(10).unwrap();
        let measures = [("precision", row.precision), ("recall", row.recall), ("ndcg", row.ndcg)];
        for (measure, found) in measures {
            let expected = expected[model][measure].as_f64().unwrap();
            assert!(
                (found - expected).abs() < 1e-4,
                "{model} {measure}: the harness has {found}, numpy {expected}"
            );
        }
        (model, row.ndcg)
    });
    compared.into_iter().collect()
}

#[test]
fn the_harness_agrees_with_numpy_on_a_tiny_split() {
    let folder = tempfile::tempdir().unwrap();
    formats::write_atomic(folder.path());
    check(&data::read(&source(folder.path())).unwrap(), 5.0);
}

/// MovieLens 100K, 75/25: rows that are known from elsewhere.
#[test]
fn the_harness_reproduces_known_rows_of_movielens_100k() {
    let path = repository().join(".tributary/data/ml-100k");
    assert!(path.exists(), "{} is missing: `make data` fetches it", path.display());
    let ndcg = check(&data::read(&source(&path)).unwrap(), 300.0);
    for (model, known) in [("popularity", 0.254), ("ItemKNN", 0.427), ("EASE", 0.483)] {
        assert!(
            (ndcg[model] - known).abs() < 0.015,
            "{model}: {} is far from {known}",
            ndcg[model]
        );
    }
}
