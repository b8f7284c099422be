//! What the gate is for, from end to end: a good model is published, one that learned from
//! shuffled labels and one whose probabilities are off by a fifth are not.

use std::{fmt::Write, fs, path::Path};

use rand::{Rng, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;
use tributary_bundle::{Forced, Store, Verdict};
use tributary_domain::ItemId;
use tributary_trainer::{
    TrainerError,
    config::Config,
    data::DataSet,
    gate::passage::{self, Judged, Publication},
    steps,
    work::Work,
};

use crate::{onnx, readers::source, training::quick};

const USERS: u64 = 500;
const ITEMS: u64 = 60;

/// Settings under which no model is trained twice.
fn config() -> Config {
    Config { refit: false, ..quick() }
}

/// Users like one of three thirds of the catalogue, and arrive one after another.
fn events() -> String {
    let mut random = ChaCha8Rng::seed_from_u64(11);
    let mut text = "user,item,action,time\n".to_owned();
    for user in 1..=USERS {
        for item in 1..=ITEMS {
            let mine = item % 3 == user % 3;
            if random.random_bool(if mine { 0.6 } else { 0.12 }) {
                let liked = random.random_bool(if mine { 0.6 } else { 0.2 });
                let action = if liked { "bookmark" } else { "view" };
                let time = 880_000_000 + user * 1_000 + random.random_range(0..900);
                writeln!(text, "{user},{item},{action},{time}").unwrap();
            }
        }
    }
    text
}

fn prepared(folder: &TempDir) -> Work {
    let data = folder.path().join("data");
    fs::create_dir_all(&data).unwrap();
    fs::write(data.join("events.csv"), events()).unwrap();
    let work = Work::at(folder.path().join("work"));
    steps::prepare(&source(&data), &work.dataset()).unwrap();
    work
}

fn bundle(work: &Work, store: &Store) -> Judged {
    steps::bundle(work, store, &config().gate, &Publication::IfPassed).unwrap()
}

/// Gives the events before the test period each other's items, so that who did what is chance
/// while users, times, and what is popular stay as they are.
fn shuffle_labels(data: &mut DataSet) {
    assert_eq!(config().split.test, 0.8);
    let before = data.events.len() * 4 / 5;
    let events = &mut data.events[..before];
    let mut items: Vec<ItemId> = events.iter().map(|event| event.behaviour.item).collect();
    items.shuffle(&mut ChaCha8Rng::seed_from_u64(5));
    for (event, item) in events.iter_mut().zip(items) {
        event.behaviour.item = item;
    }
}

/// Trains on shuffled labels, and measures on the test period as it was.
fn train_on_shuffled_labels(work: &Work) {
    let (data, _) = DataSet::open(&work.dataset()).unwrap();
    let mut shuffled = data.clone();
    shuffle_labels(&mut shuffled);
    shuffled.write(&work.dataset()).unwrap();
    steps::train(work, &config()).unwrap();
    data.write(&work.dataset()).unwrap();
    steps::evaluate(work, &config()).unwrap();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

fn assert_blocked(judged: &Judged, store: &Store, about: &str) {
    assert!(!judged.published);
    let reasons = &judged.gate.reasons;
    assert!(reasons.iter().any(|reason| reason.contains(about)), "{reasons:?}");
    let error = judged.check(store, &Publication::IfPassed).unwrap_err();
    assert!(matches!(error, TrainerError::Blocked { .. }), "{error}");
    assert!(error.to_string().contains(about), "{error}");
    let manifest = store.open(&judged.bundle).unwrap().manifest().clone();
    assert_eq!(manifest.gate.as_ref(), Some(&judged.gate));
    assert!(store.publish(&judged.bundle).is_err(), "nor is it published later");
}

#[test]
fn shuffled_labels_and_wrong_calibration_are_blocked_and_a_good_model_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::at(folder.path().join("store"));
    let work = prepared(&folder);
    steps::train(&work, &config()).unwrap();
    let evaluation = steps::evaluate(&work, &config()).unwrap();
    let good = bundle(&work, &store);
    assert!(good.published, "{:?}\n{}", good.gate.reasons, evaluation.to_text());

    for (factor, name) in [(1.2, "over"), (0.8, "under")] {
        let off = Work::at(folder.path().join(name));
        copy(&folder.path().join("work"), &folder.path().join(name));
        let ranker = off.evaluated().join("models/ranker.onnx");
        let scaled =
            onnx::scale_outputs(&fs::read(&ranker).unwrap(), &["liked", "watched"], factor);
        fs::write(&ranker, scaled).unwrap();
        let scaled = steps::evaluate(&off, &config()).unwrap();
        for (one, other) in evaluation.ranker.iter().zip(&scaled.ranker) {
            let ratio = other.pcoc.unwrap() / one.pcoc.unwrap();
            assert!((ratio - f64::from(factor)).abs() < 0.01, "{ratio} is not {factor}");
        }
        assert_blocked(&bundle(&off, &store), &store, "pcoc");
    }

    train_on_shuffled_labels(&work);
    let shuffled = bundle(&work, &store);
    assert_blocked(&shuffled, &store, "auc");
    assert_eq!(store.current().unwrap(), Some(good.bundle.clone()), "the good one is still served");
    force(&store, &shuffled);
}

/// Force publishes it all the same, and the store remembers who and why.
fn force(store: &Store, blocked: &Judged) {
    let forced = Forced { by: "the tests".into(), reason: "to see that it is recorded".into() };
    let publication = Publication::Forced(forced.clone());
    let bundle = Some(blocked.bundle.clone());
    let judged =
        passage::judge_bundle(store, bundle, &Config::default().gate, &publication).unwrap();
    assert!(judged.published);
    assert_eq!(store.current().unwrap(), Some(blocked.bundle.clone()));
    let runs = store.gate_runs().unwrap();
    let last = runs.last().unwrap();
    assert_eq!((last.verdict, &last.forced), (Verdict::Blocked, &Some(forced)));
    assert!(last.metrics.contains_key("ranker.liked.auc"), "{last:?}");
    let verdicts: Vec<Verdict> = runs.iter().map(|run| run.verdict).collect();
    let blocked = [Verdict::Blocked; 5];
    assert_eq!(verdicts, [&[Verdict::Passed][..], &blocked].concat());
}

#[test]
fn a_store_without_bundles_has_nothing_to_judge() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::at(folder.path());
    let judged = passage::judge_bundle(&store, None, &config().gate, &Publication::Not);
    assert!(matches!(judged, Err(TrainerError::NoBundle { .. })));
}
