use std::{fs, path::Path};

use tempfile::TempDir;
use tributary_bundle::Store;
use tributary_trainer::{
    TrainerError,
    config::Config,
    gate::{GateConfig, passage::Publication},
    steps,
    work::Work,
};

use crate::{formats, readers::source};

/// Settings under which a training takes a second or two.
pub(crate) fn quick() -> Config {
    let mut config = Config::default().seeded(3);
    config.two_tower.epochs = 4;
    config.two_tower.batch = 128;
    config.ranker.epochs = 20;
    config.ranker.batch = 128;
    config.ranker.learning_rate = 5e-3;
    config.ease.regularisation = 5.0;
    config
}

pub(crate) fn prepared(folder: &TempDir) -> Work {
    let data = folder.path().join("data");
    fs::create_dir_all(&data).unwrap();
    formats::write_atomic(&data);
    let work = Work::at(folder.path().join("work"));
    steps::prepare(&source(&data), &work.dataset()).unwrap();
    work
}

#[test]
fn a_training_ends_in_a_published_bundle() {
    let folder = tempfile::tempdir().unwrap();
    let work = prepared(&folder);
    steps::train(&work, &quick()).unwrap();
    let evaluation = steps::evaluate(&work, &quick()).unwrap();
    let names: Vec<&str> = evaluation.lists.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "popularity",
            "ItemKNN",
            "EASE",
            "two-tower",
            "multi-interest",
            "graph",
            "collaborative",
            "search",
            "trending",
            "merged",
            "ranked",
            "final",
        ]
    );
    let ndcg = |name: &str| evaluation.list(name).unwrap().at(10).unwrap().ndcg;
    assert!(ndcg("EASE") > ndcg("popularity"), "{}", evaluation.to_text());
    assert!(ndcg("final") > ndcg("popularity"), "{}", evaluation.to_text());

    let store = Store::at(folder.path().join("store"));
    let first = steps::bundle(&work, &store, &lenient(), &Publication::Not).unwrap();
    assert_eq!(store.current().unwrap(), None, "written, not published");
    let second = steps::bundle(&work, &store, &lenient(), &Publication::IfPassed).unwrap();
    assert_eq!(store.current().unwrap(), Some(second.bundle.clone()));
    check_files(&store.open(&first.bundle).unwrap());
    check_files(&store.open(&second.bundle).unwrap());
}

/// A dozen users say little of a model's quality.
fn lenient() -> GateConfig {
    GateConfig {
        least_auc: 0.0,
        least_auc_gain: -1.0,
        least_pcoc: 0.0,
        most_pcoc: f64::MAX,
        baseline_share: 0.0,
        ..GateConfig::default()
    }
}

fn check_files(bundle: &tributary_bundle::Bundle) {
    let manifest = bundle.manifest();
    for file in [
        "features/user_tower.toml",
        "features/user_tower.json",
        "features/item_tower.json",
        "features/ranker.json",
        "models/user_tower.onnx",
        "golden/user_tower.safetensors",
        "models/ranker.onnx",
        "golden/ranker.safetensors",
        "tables/item_vectors.safetensors",
        "tables/collaborative.safetensors",
        "tables/item_statistics.safetensors",
        "items.jsonl",
    ] {
        assert!(manifest.files.contains_key(file), "{file} is missing");
    }
    assert_eq!(manifest.model("user_tower").unwrap().outputs, ["vector"]);
    assert_eq!(manifest.model("ranker").unwrap().outputs, ["liked", "watched"]);
    assert!(manifest.metrics.contains_key("final.ndcg_at_10"));
    assert!(manifest.parameters["fusion"].is_object());
}

#[test]
fn a_model_that_differs_from_its_golden_outputs_is_not_bundled() {
    let folder = tempfile::tempdir().unwrap();
    let work = prepared(&folder);
    let config = Config { refit: false, ..quick() };
    steps::train(&work, &config).unwrap();
    steps::evaluate(&work, &config).unwrap();
    let models = work.final_models();
    swap(&models.join("models/user_tower.onnx"), &models.join("models/item_tower.onnx"));
    let store = Store::at(folder.path().join("store"));
    let error = steps::bundle(&work, &store, &lenient(), &Publication::IfPassed).unwrap_err();
    assert!(matches!(error, TrainerError::Golden { .. }), "{error}");
    assert!(store.list().unwrap().is_empty());
    assert_eq!(store.current().unwrap(), None);
}

fn swap(one: &Path, other: &Path) {
    let bytes = fs::read(one).unwrap();
    fs::copy(other, one).unwrap();
    fs::write(other, bytes).unwrap();
}

#[test]
fn the_same_seed_gives_the_same_results() {
    let run = || {
        let folder = tempfile::tempdir().unwrap();
        let work = prepared(&folder);
        let config = Config { refit: false, ..quick() };
        steps::train(&work, &config).unwrap();
        steps::evaluate(&work, &config).unwrap()
    };
    assert_eq!(run(), run());
}

#[test]
fn a_step_without_the_one_before_says_which_to_run() {
    let folder = tempfile::tempdir().unwrap();
    let work = Work::at(folder.path());
    let error = steps::train(&work, &quick()).unwrap_err();
    assert!(error.to_string().contains("trainer prepare"), "{error}");
    let work = prepared(&folder);
    let error = steps::evaluate(&work, &quick()).unwrap_err();
    assert!(error.to_string().contains("trainer train"), "{error}");
}
